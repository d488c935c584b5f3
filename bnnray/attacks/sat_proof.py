"""The text of a SAT solver's proof; docs/sat.md says what each line means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bnnray.attacks.programs import below
from bnnray.encodings import Asked, SatEncoding, interval_bound


def proof_text(asked: Asked, encoding: SatEncoding, log: Sequence[str]) -> str:
    """What a solver logged, after what its variables stand for.

    Args:
        asked: what no input has.
        log: clauses that the solver learned, and maybe those that it forgot.
    """
    bound = max(
        below(o, asked.least[o.target])
        if o.target in encoding.goals
        else interval_bound(o, asked.ranges[-1])
        for o in asked.question.objectives
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
