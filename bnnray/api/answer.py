"""The answer to one question, as a notebook shows it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

import numpy as np

from bnnray.attacks import Outcome
from bnnray.attacks.settings import format_seconds
from bnnray.report import Picture, make_picture, picture_png
from bnnray.threat import ANY, FloatArray, Question, format_epsilon
from bnnray.verdicts import Proof, Status, Verdict


@dataclass(frozen=True, eq=False)
class Answer:
    """What an attack found out about one question.

    Args:
        question: network, image and threat.
        attack: the attack's name.
        time_limit: of the search, in seconds.
        outcome: everything that the attack says.
    """

    question: Question
    attack: str
    time_limit: float
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """Vulnerable (a replayed flip), robust (proven) or unknown."""
        return self.outcome.verdict

    @property
    def proof(self) -> Proof:
        """What a robust verdict or an optimum rests on."""
        return self.outcome.proof

    @property
    def status(self) -> Status:
        """Why the search stopped."""
        return self.outcome.status

    @property
    def flipped(self) -> bool:
        """Whether the network is fooled."""
        return self.verdict is Verdict.VULNERABLE

    @property
    def objective(self) -> float | None:
        """Score of the target minus score of the attacked class at the best input found."""
        found = self.outcome.incumbent
        return None if found is None else float(found.objective)

    @property
    def bound(self) -> float | None:
        """A proven upper limit of the objective."""
        return None if self.outcome.bound is None else float(self.outcome.bound)

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.outcome.seconds

    @property
    def perturbed(self) -> FloatArray | None:
        """The best input found, float64 in [0, 1] in the image's shape; None if nothing ran."""
        if self.outcome.incumbent is None:
            return None
        witness = self.outcome.incumbent.witness
        on_grid = np.issubdtype(witness.dtype, np.integer)
        scale = self.question.region.denominator if on_grid else 1
        return (witness.astype(np.float64) / scale).reshape(self.question.network.input_shape)

    @property
    def picture(self) -> Picture | None:
        """Original, perturbed and difference of the best input found; None if nothing ran."""
        if self.outcome.incumbent is None:
            return None
        return make_picture(self.question, self.outcome.incumbent.witness, str(self.verdict))

    def __str__(self) -> str:
        """In a line."""
        threat = self.question.threat
        parts = [f"{self.verdict} ({self.attack}, {self.status}, {self.seconds:.3g} s)"]
        parts += [f"epsilon {format_epsilon(threat.epsilon)} on the {threat.domain}"]
        parts += [f"goal {threat.goal.name}"]
        if self.objective is not None:
            parts.append(f"objective {self.objective:g}")
        if self.bound is not None:
            parts.append(f"bound {self.bound:g} (proof: {self.proof})")
        return ", ".join([*parts, *([self.outcome.message] if self.outcome.message else [])])

    @property
    def sentence(self) -> str:
        """What was found out, for people."""
        if self.verdict is Verdict.VULNERABLE:
            return f"vulnerable: {self._flip}"
        if self.verdict is Verdict.ROBUST:
            targets, goal = self.question.targets, self.question.threat.goal.name
            budget = format_epsilon(self.question.threat.epsilon)
            wanted = "another one" if goal == ANY else f"class {targets[0]}"
            return (
                f"robust: no input within epsilon {budget} turns class {self.question.attacked} "
                f"into {wanted} (proof: {self.proof})"
            )
        said = ": ".join(filter(None, [str(self.status), self.outcome.message]))
        if not self.question.targets:
            return f"unknown: {said}"
        limit = format_seconds(self.time_limit)
        return f"unknown: neither a flip nor a proof within {limit} ({said})"

    @property
    def _flip(self) -> str:
        assert self.outcome.incumbent is not None
        replayed, attacked = self.outcome.incumbent.replayed, self.question.attacked
        reached = replayed.adversarial_class
        if not replayed.changes:
            return f"unchanged, it is of class {reached} already"
        exact = max(map(abs, replayed.changes))
        largest = format_epsilon(exact) if exact.denominator < 10**5 else f"{float(exact):.4g}"
        into = f"class {reached}" if reached != attacked else "a tie"
        return (
            f"changing {len(replayed.changes)} pixels by at most {largest} turns class {attacked} "
            f"into {into}"
        )

    def as_json(self) -> dict[str, object]:
        """The same for programs; numbers that are exact in bnnray are rounded to doubles."""
        question, outcome, threat = self.question, self.outcome, self.question.threat
        found = None if outcome.incumbent is None else outcome.incumbent.replayed
        return {
            "verdict": self.verdict,
            "proof": self.proof,
            "status": self.status,
            "label": question.label,
            "predicted": question.predicted,
            "targets": list(question.targets),
            "goal": threat.goal.name,
            "against": threat.against,
            "domain": threat.domain,
            "epsilon": float(threat.epsilon),
            "attack": self.attack,
            "backend": outcome.effort.backend,
            "objective": self.objective,
            "bound": self.bound,
            "adversarial_class": None if found is None else found.adversarial_class,
            "linf": None if found is None else found.linf,
            "l0": None if found is None else found.l0,
            "seconds": self.seconds,
            "message": outcome.message,
        }

    def __repr__(self) -> str:
        return f"<bnnray.Answer: {self}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the line, and the picture where the input was changed."""
        text = f"<p>{escape(str(self))}</p>"
        picture = self.picture
        if picture is None or not picture.changed:
            return text
        content = base64.b64encode(picture_png([picture])).decode()
        return f'{text}<img alt="{escape(str(self))}" src="data:image/png;base64,{content}">'
