"""One question, answered at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnnray.api.answer import Answer
from bnnray.attacks import Attack, AttackSettings, Task, attack_type, make_attack
from bnnray.errors import UsageError, unknown_name
from bnnray.models import Model, load_model
from bnnray.network import IntArray, Network
from bnnray.processes import Nursery
from bnnray.solvers import CHILD_MODULES, Child, InProcess, Solver
from bnnray.threat import Against, Domain, Goal, Question, Threat, Tie, parse_epsilon

AnyModel = str | Path | Model | Network
Epsilon = str | float | Fraction
LEVELS = 255
"""What the pixels of a bare network's images are over, unless said."""

SOLVING = frozenset({"milp", "iprop", "sat"})
"""Kinds of attacks that ask solvers."""

ROUNDING = 1e-5
"""How far a float image may be from k / levels: that of float32, and a little more."""


def attack(
    model: AnyModel,
    image: npt.ArrayLike,
    epsilon: Epsilon,
    *,
    kind: str = "pgd",
    label: int | None = None,
    domain: str = "box",
    goal: str | int = "runner-up",
    against: str = "predicted",
    tie: str = "keep",
    max_pixels: int | None = None,
    levels: int | None = None,
    seed: int = 0,
    threads: int = 1,
    **settings: Any,
) -> Answer:
    """Searches a perturbation of one image that fools the network.

    It runs in this process, but for solvers, which get one that is killed at its limits, as in a
    run.

    Args:
        model: a model file, or a model or network in memory.
        image: integers 0 ... levels or floats k / levels, of the network's input shape or flat.
        epsilon: budget per pixel in units of the full range, such as 0.01 or "8/255".
        kind: of the attack, as in a job file: pgd, iprop, milp, sat, exact, lns, cascade.
        label: the true class; the predicted one unless given.
        domain: "box" (any real pixel) or "grid" (k / levels).
        goal: "runner-up", "any" or a class.
        against: "predicted" or "label".
        tie: "keep" or "flip", what an objective of 0 means.
        max_pixels: how many pixels may change; any number unless given.
        levels: of the image; those of the model, or 255 for a bare network.
        seed: of every random choice.
        threads: cores that a solve may use.
        settings: of the attack, as in a job file, such as ``time_limit="5s"``.

    Raises:
        UsageError: an unknown kind or setting, an impossible value, or an image that does not fit.
        ModelError: a model file that is missing or damaged.
    """
    network, levels = _network(model, levels)
    pixels = as_pixels(image, network, levels)
    if label is None:
        label = int(network.predict(pixels[None, :], levels)[0])
    elif against == "label" and not 0 <= label < network.classes:
        raise UsageError(f"label must be a class from 0 to {network.classes - 1}; got {label}")
    threat = Threat(
        epsilon=parse_epsilon(epsilon),
        domain=_choice(Domain, "domain", domain),
        levels=levels,
        goal=Goal(str(goal)),
        against=_choice(Against, "against", against),
        tie=_choice(Tie, "tie", tie),
        max_pixels=max_pixels,
    )
    question = Question(network, pixels, levels, label, threat)
    chosen = make_attack(_settings(kind, settings))
    with _solver(chosen) as solver:
        (outcome,) = chosen.run([Task(question, seed)], solver, threads)
    return Answer(question, chosen.settings.name, chosen.settings.time_limit, outcome)


def verify(
    model: AnyModel, image: npt.ArrayLike, epsilon: Epsilon, *, goal: str | int = "any", **more: Any
) -> Answer:
    """Decides whether an image can be changed so that the network is fooled.

    A cascade unless ``kind`` says otherwise: interval arithmetic, gradients, the exact engine and
    neighbourhoods, until a flip or a proof that there is none. The first use on a machine compiles
    the engine, which takes a minute or two; ``bnnray warmup`` does it beforehand.

    Args:
        model, image, epsilon: as :func:`attack` takes them.
        goal: "any" other class, unless given.
        more: as :func:`attack` takes it, ``time_limit`` (60 s) among them.

    Raises:
        UsageError, ModelError: as :func:`attack` does.
    """
    return attack(model, image, epsilon, goal=goal, **{"kind": "cascade", "stop": "flip", **more})


@contextmanager
def _solver(attack: Attack[Any]) -> Iterator[Solver]:
    """What solves for an attack: this process where it asks no solver that might not end."""
    if SOLVING.isdisjoint(settings.kind for settings in attack.settings.searches):
        yield InProcess()
        return
    nursery = Nursery([*CHILD_MODULES, *attack.modules])
    try:
        child = Child(nursery.ready())
        try:
            yield child
        finally:
            child.close()
    finally:
        nursery.close()


def as_pixels(image: npt.ArrayLike, network: Network, levels: int) -> IntArray:
    """An image as integers, int64 (pixels,).

    Args:
        image: integers 0 ... levels, or floats that are k / levels up to rounding.
        network: says what shape it has.
        levels: what the pixels are over.

    Raises:
        UsageError: another size, or values in between or outside.
    """
    values = np.asarray(image)
    if values.shape not in (network.input_shape, (network.pixels,)):
        raise UsageError(
            f"expected an image of shape {network.input_shape} or ({network.pixels},); "
            f"got {values.shape}"
        )
    flat = values.reshape(-1)
    if not np.issubdtype(flat.dtype, np.integer):
        scaled = flat.astype(np.float64) * levels
        flat = np.rint(scaled)
        if not np.all(np.abs(scaled - flat) <= ROUNDING * levels):
            raise UsageError(
                f"expected pixels k / {levels} with whole k, or the integers k themselves; got "
                f"{values.reshape(-1)[np.argmax(np.abs(scaled - flat))]}"
            )
    return flat.astype(np.int64)


def _network(model: AnyModel, levels: int | None) -> tuple[Network, int]:
    if isinstance(model, Network):
        return model, levels or LEVELS
    found = model if isinstance(model, Model) else load_model(Path(model))
    return found.network, levels or found.levels


def _choice(words: Any, what: str, name: str) -> Any:
    if name not in [word.value for word in words]:
        raise UsageError(unknown_name(what, name, [word.value for word in words]))
    return words(name)


def _settings(kind: str, settings: dict[str, Any]) -> AttackSettings:
    settings_type = attack_type(kind).settings_type
    unknown = set(settings) - set(settings_type.model_fields)
    if unknown:
        raise UsageError(
            unknown_name(f"setting of {kind}", min(unknown), settings_type.model_fields)
        )
    try:
        return settings_type(kind=kind, **settings)
    except ValueError as error:
        raise UsageError(f"{kind}: {_first(error)}") from None


def _first(error: ValueError) -> str:
    """The first of pydantic's complaints, in a line."""
    listed = getattr(error, "errors", None)
    if listed is None:
        return str(error)
    first = listed()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}; got {first['input']!r}"
