"""An independent check of the exact engine's proofs, in plain integers and fractions.

Shares no code with the engine (:mod:`bnnray.exact`) nor with what prepares its questions
(:mod:`bnnray.encodings`): it knows the exact network, the question, and docs/proofs.md.
"""

from bnnray.proofs.check import check_proof

__all__ = ["check_proof"]
