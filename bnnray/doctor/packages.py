"""Python and the packages, against the ranges that bnnray is made for."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bnnray.doctor.finding import Finding, failure, ok, warning
from bnnray.doctor.setting import Setting

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "bnnray"
UNKNOWN = warning(
    "bnnray is not installed here, so the ranges are unknown", "install it: pip install ."
)


def check_python(setting: Setting) -> Finding:
    """The interpreter's version, and which one it is."""
    from packaging.specifiers import SpecifierSet

    version, metadata = platform.python_version(), _metadata()
    if metadata is None:
        return UNKNOWN
    wanted = metadata["Requires-Python"] or ""
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return ok(f"{version} at {sys.executable}")
    return failure(f"{version} at {sys.executable}; bnnray takes {wanted}", "take another Python")


def check_packages(setting: Setting) -> Finding:
    """Every package that bnnray needs is there, and of a version that it is made for."""
    from packaging.requirements import Requirement

    metadata = _metadata()
    if metadata is None:
        return UNKNOWN
    texts = metadata.get_all("Requires-Dist") or []
    return judge([found for text in texts if _is_wanted(found := Requirement(text))])


def judge(wanted: Sequence[Requirement]) -> Finding:
    """Compares requirements with what is installed."""
    missing = [str(r.name) for r in wanted if _version(r.name) is None]
    if missing:
        return failure(f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    older, newer = list(_outside(wanted, newer=False)), list(_outside(wanted, newer=True))
    if older:
        return failure(f"too old: {', '.join(older)}", "install bnnray anew: pip install bnnray")
    if newer:
        return warning(
            f"newer than bnnray was tested with: {', '.join(newer)}",
            "if something breaks, install bnnray into an environment of its own",
        )
    return ok(f"{len(wanted)} packages, all within the ranges of bnnray {_version(PACKAGE)}")


def _outside(wanted: Iterable[Requirement], *, newer: bool) -> Iterator[str]:
    """Packages whose version is outside its range, on that side of it."""
    from packaging.version import Version

    for requirement in wanted:
        version = Version(_version(requirement.name) or "0")
        broken = [s for s in requirement.specifier if not s.contains(version, prereleases=True)]
        if broken and newer == all(
            version >= Version(s.version.removesuffix(".*")) for s in broken
        ):
            yield f"{requirement.name} {version} ({requirement.specifier})"


def _is_wanted(requirement: Requirement) -> bool:
    """Not one that only an extra, such as that of the developers, wants."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _metadata() -> importlib.metadata.PackageMetadata | None:
    try:
        return importlib.metadata.metadata(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
