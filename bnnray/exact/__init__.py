"""bnnray's own complete search; see docs/exact_engine.md.

Light to import: the compiled part, :mod:`bnnray.exact.kernels`, is loaded with
:mod:`bnnray.exact.tree`.
"""
