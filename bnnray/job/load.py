"""From a job file to a checked job, with the origin of every value."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bnnray.attacks import ATTACKS, AttackSettings
from bnnray.errors import JobError, unknown_name
from bnnray.job.spec import Job

Table = dict[str, Any]


@dataclass(frozen=True)
class LoadedJob:
    """A job and where its values came from.

    Args:
        job: checked.
        origins: for each value that was given, such as "attack.pgd.time_limit": "job" or "flag".
            Values that are not listed are defaults.
    """

    job: Job
    origins: Mapping[str, str]

    def values(self) -> Iterator[tuple[str, Any, str]]:
        """Every resolved value: its place, the value, and its origin."""
        for place, value in flatten(self.job.dump()):
            yield place, value, self._origin(place)

    def _origin(self, place: str) -> str:
        return self.origins.get(place, "default")


def load_job(path: Path, overrides: Sequence[str] = ()) -> LoadedJob:
    """Reads and checks a job file.

    Args:
        path: the TOML file.
        overrides: "place=value" each, such as "attack.pgd.time_limit=30s". Values are read as
            TOML, and as text where they are not.

    Raises:
        JobError: one line that names the file, the key, what was expected and what came.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobError(
            f"no job file {path}; `bnnray init` copies those that come along into this folder"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"cannot read the job file {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise JobError(f"{path} is not valid TOML: {error}") from None
    origins = {place: "job" for place, _ in flatten(table)}
    for override in overrides:
        place, value = _override(table, override)
        origins = {k: v for k, v in origins.items() if not k.startswith(f"{place}.")}
        origins |= {k: "flag" for k, _ in flatten({place: value})}
    return LoadedJob(_check(table, path), origins)


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values with their places; entries of lists of tables by their name."""
    for key, value in table.items():
        place = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{place}.")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for entry in value:
                yield from flatten(entry, f"{place}.{entry_name(entry)}.")
        else:
            yield place, value


def entry_name(entry: Mapping[str, Any]) -> str:
    """What an entry of ``[[model]]`` or ``[[attack]]`` is called: its name, or its kind."""
    return str(entry.get("name") or entry.get("kind") or "?")


def _override(table: Table, text: str) -> tuple[str, Any]:
    place, equals, value = text.partition("=")
    place = place.strip()
    if not equals or not place:
        raise JobError(f"--set takes place=value, such as attack.pgd.time_limit=30s; got {text!r}")
    *parents, last = place.split(".")
    here: Any = table
    walked: list[str] = []
    while parents:
        here = _step(here, parents, walked, text)
    here[last] = _value(value.strip())
    return place, here[last]


def _step(here: Any, parents: list[str], walked: list[str], text: str) -> Any:
    key = parents.pop(0)
    walked.append(key)
    found = here.setdefault(key, {})
    if isinstance(found, list) and any(isinstance(e, dict) for e in found):
        entries = {entry_name(e): e for e in found if isinstance(e, dict)}
        if not parents or parents[0] not in entries:
            what = unknown_name(key, parents[0] if parents else "", entries)
            raise JobError(f"--set {text}: {what}")
        walked.append(parents[0])
        found = entries[parents.pop(0)]
    if not isinstance(found, dict):
        raise JobError(f"--set {text}: {'.'.join(walked)} is a value, not a table")
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check(table: Table, path: Path) -> Job:
    attacks = table.get("attack")
    settings: list[AttackSettings] = []
    if isinstance(attacks, list):
        settings = [_attack(entry, f"{path}: attack[{n}]") for n, entry in enumerate(attacks)]
        table = {**table, "attack": settings}
    try:
        job = Job.model_validate(table)
    except ValidationError as error:
        raise first_error(error, Job, str(path)) from None
    for what, entries in (("model", job.model), ("attack", job.attack)):
        names = [entry.name for entry in entries]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise JobError(
                f"{path}: two entries of [[{what}]] are named {twice[0]!r}; give each its own name"
            )
    return job


def _attack(entry: Any, place: str) -> AttackSettings:
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise JobError(f"{place}: expected a table with a kind, one of {', '.join(ATTACKS)}")
    if entry["kind"] not in ATTACKS:
        raise JobError(f"{place}.kind: {unknown_name('kind of attack', entry['kind'], ATTACKS)}")
    model = ATTACKS[entry["kind"]].settings_type
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        raise first_error(error, model, place, ".", entry) from None


def first_error(
    error: ValidationError,
    model: type[BaseModel],
    prefix: str,
    joint: str = ": ",
    table: Any = None,
) -> JobError:
    """The first of pydantic's findings as one line; unknown keys with the valid ones.

    Args:
        error: with all findings.
        model: that refused.
        prefix: of the places.
        joint: between it and them.
        table: that was refused, needed where it lists attacks.
    """
    findings = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = findings[0]
    keys = [k for k in first["loc"] if not _is_variant(k)]
    place = f"{prefix}{joint}{_dotted(keys)}" if keys else prefix
    if first["type"] == "extra_forbidden":
        owner = _owner(model, keys[:-1], table)
        return JobError(f"{place}: {unknown_name('key', str(keys[-1]), owner.model_fields)}")
    message = str(first["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "missing":
        return JobError(f"{place}: expected a value; it is missing")
    came = "" if isinstance(first["input"], dict | BaseModel) else f"; got {first['input']!r}"
    return JobError(f"{place}: {message}" + ("" if "; got" in message else came))


def _is_variant(key: Any) -> bool:
    """Whether pydantic names a branch of a union here, and no key of the file."""
    return isinstance(key, str) and ("[" in key or key in ("int", "constrained-int"))


def _dotted(keys: Sequence[Any]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _owner(model: type[BaseModel], keys: Sequence[Any], table: Any) -> type[BaseModel]:
    """The section that a path of keys leads to; of a stage it is that of its kind."""
    for key in keys:
        if isinstance(key, str) and key in model.model_fields:
            model = _section_of(model.model_fields[key].annotation) or model
        if model is AttackSettings and isinstance(key, int):
            model = ATTACKS[table[key]["kind"]].settings_type
        table = table[key] if table else None
    return model


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section_of(part) for part in get_args(annotation))
    return next((section for section in found if section is not None), None)
