"""A gallery of flips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnnray.errors import DataError, RunFolderError, WitnessError
from bnnray.report.campaign import Campaign
from bnnray.report.figures.kind import FigureKind, Page
from bnnray.report.look import Palette
from bnnray.report.originals import ASKED, FOUND, witness_of
from bnnray.report.pictures import Picture, draw_pictures, make_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 6

SQL = f"""
with flips as (
    select key, scope, point from rows where flipped
    qualify row_number() over (
        partition by scope, point order by epsilon, objective desc, attack, key
    ) = 1
), chosen as (
    select key, scope, row_number() over (partition by scope order by point) as place from flips
)
select c.scope, r.attack, r.epsilon, {ASKED}, {FOUND}
from results r join chosen c using (key) join witnesses w using (key)
where c.place <= {MOST}
order by c.scope, c.place
"""


@dataclass(frozen=True)
class Gallery:
    """Flips of one scope, one a point, at the smallest budget that has one."""

    pictures: tuple[Picture, ...]


def gallery(campaign: Campaign) -> list[Page[Gallery]]:
    """One page a scope; none where networks or images are not at hand."""
    found: dict[int, list[Picture]] = {}
    for row in campaign.tables.arrow(SQL).to_pylist():
        title = f"{row['model']}, point {row['point']}, {row['attack']}"
        try:
            question = campaign.originals.question(row)
            picture = make_picture(question, witness_of(row), title)
        except (DataError, RunFolderError, WitnessError):
            continue
        found.setdefault(row["scope"], []).append(picture)
    return [
        Page(campaign.scopes[scope].title, Gallery(tuple(pictures)))
        for scope, pictures in found.items()
    ]


def draw(numbers: Gallery, _palette: Palette) -> Figure:
    """Original, perturbed and difference of each."""
    return draw_pictures(numbers.pictures)


GALLERY = FigureKind(
    name="gallery",
    title="Flips",
    caption="Of each point the flip at the smallest budget. The difference is scaled so that its "
    "largest change is black or white. Below each image: what the network sees, and its highest "
    "scores.",
    pages=gallery,
    draw=draw,
    needs="a flip whose network and images are at hand (see --data-dir)",
    vector=False,
)
