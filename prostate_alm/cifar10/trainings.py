"""One training as a value: which network is trained on what, from where, under which settings."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from prostate_alm.cifar10.protocol import PAPER, Protocol, Scale
from prostate_alm.cifar10.results import content_key
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.training import BASE

PARAMETERS = {
    "S-ML": "margin",
    "A-ML": "margin",
    "S-FL": "gamma",
    "A-FL": "gamma",
    "W-BCE": "weight",
    "CB-BCE": "beta",
}
"""Base loss -> the name of its own parameter; the other losses have none."""


@dataclass(frozen=True)
class Constraint:
    """The settings of ALM: mu(0), rho and delta."""

    penalty: float
    growth: float
    margin: float = 1.0


@dataclass(frozen=True)
class Training:
    """One stage of one member.

    Args:
        loss: as the paper names it, for example `BCE`.
        class_ratio: for example `"1:9"`.
        member: 0, 1, ...: another member, other images and draws.
        arm: base, continued, alm or aucm; all but base start from the base of the same member and settings.
        classes: class numbers, negative and positive.
        seed: of splits and every draw.
        scale: numbers of negatives.
        parameter: of the base loss, see `PARAMETERS`; None where it has none.
        constraint: of ALM; None for the other arms.
        common: config id -> value, for every arm, beside the bundle's own; sorted pairs, so that it can be compared.
        constrained_epochs: epochs of all arms but base; None leaves the bundle's number.
    """

    loss: str
    class_ratio: str
    member: int = 0
    arm: str = BASE
    classes: tuple[int, int] = (0, 1)
    seed: int = 0
    scale: Scale = PAPER
    parameter: float | None = None
    constraint: Constraint | None = None
    common: tuple[tuple[str, Any], ...] = ()
    constrained_epochs: int | None = None

    @property
    def start(self) -> "Training | None":
        """The training whose best weights this one starts from; None for a base."""
        return None if self.arm == BASE else replace(self, arm=BASE, constraint=None)

    @property
    def protocol(self) -> Protocol:
        """The protocol: which images."""
        return Protocol(self.classes, self.class_ratio, self.seed, self.scale)

    def key(self, environment: dict[str, Any]) -> str:
        """Content key: a hash of this training and of its environment (images, code, configs, libraries)."""
        told = asdict(self) if self.arm != BASE else asdict(replace(self, constrained_epochs=None))
        positives = [self.protocol.positives(negatives) for negatives in asdict(self.scale).values()]
        return content_key({"environment": environment, "training": told, "positives": positives})

    def overrides(self) -> dict[str, Any]:
        """Config id -> value for the bundle."""
        loss = dict(BASE_LOSSES[self.loss.lower()])
        if self.parameter is not None:
            loss[PARAMETERS[self.loss]] = self.parameter
        told: dict[str, Any] = {
            "seed": self.seed,
            "member": self.member,
            "classes": list(self.classes),
            "class_ratio": self.class_ratio,
            "scale::training": self.scale.training,
            "scale::validation": self.scale.validation,
            "scale::test": self.scale.test,
            "base_loss": loss,
            "state_interval": 0,  # seconds long: rather repeated than resumed
            **dict(self.common),
        }
        if self.arm != BASE:
            told |= {"patience": None}  # a fixed number of epochs, never stopped early
            told.pop("max_epochs", None)
            told |= {} if self.constrained_epochs is None else {"max_epochs": self.constrained_epochs}
        if self.constraint is not None:
            told |= asdict(self.constraint)
        return told
