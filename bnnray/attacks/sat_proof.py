"""The text of a SAT solver's proof; docs/sat.md says what each line means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from bnnray.attacks.programs import below
from bnnray.encodings import SatEncoding
from bnnray.threat import Question


def proof_text(
    question: Question, encoding: SatEncoding, least: Mapping[int, Fraction], log: Sequence[str]
) -> str:
    """What a solver logged, after what its variables stand for.

    Args:
        least: the objectives of which none can be reached, by target; the others are constant.
        log: clauses that the solver learned, and maybe those that it forgot.
    """
    bound = max(
        below(o, least[o.target]) if o.target in least else o.maximum for o in question.objectives
    )
    kept = [line for line in log if not line.startswith("d")]
    return "\n".join(["bnnray sat proof 1", f"bound {bound}", *_variables(encoding), *kept, ""])


def _variables(encoding: SatEncoding) -> Iterator[str]:
    signs = dict(zip(encoding.groups.pixels.tolist(), encoding.groups.signs.tolist(), strict=True))
    for members in encoding.groups.members:
        yield "group " + " ".join(f"{p}{'+' if signs[p] > 0 else '-'}" for p in members.tolist())
    for layer, unit in encoding.units:
        yield f"unit {layer} {unit}"
    goal = int(encoding.groups.caps.sum()) + len(encoding.units) + 1
    yield from (f"target {target}" for target in encoding.goals)
    yield from (f"apart {one} {other}" for one, other in encoding.apart)
    yield from (f"pair {one} {other}" for one, other in encoding.pairs)
    yield from (f"count {counted.output or goal}" for counted in encoding.counted)
