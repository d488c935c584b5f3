"""An independent check of the exact engine's proofs and of SAT solvers', in plain integers.

Shares no code with the engine (:mod:`bnnray.exact`) nor with what prepares its questions
(:mod:`bnnray.encodings`): it knows the exact network, the question, docs/proofs.md and docs/sat.md.
"""

from bnnray.proofs.check import check_proof

__all__ = ["check_proof"]
