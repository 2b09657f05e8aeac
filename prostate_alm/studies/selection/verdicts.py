"""What selection says about each part of a study."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from prostate_alm.studies.geometry import Grid, ReadingError, Stack, build_stack
from prostate_alm.studies.headers import Header
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.selection.kinds import Part, Role


@dataclass
class Verdict:
    """What became of one part; `reason` starts with "used as" or "not used because"."""

    part: Part
    role: Role
    reason: str
    grid: Grid | None = None

    @classmethod
    def refused(cls, part: Part, why: str, *, role: Role | None = None) -> "Verdict":
        """A part that is not used; its grid is reported where it has one."""
        try:
            grid = build_stack(part.images, repeats=part.kind.role is Role.DWI).grid
        except ReadingError:
            grid = None
        return cls(part, part.kind.role if role is None else role, f"not used because {why}", grid)


@dataclass(frozen=True)
class Choice:
    """One sequence, chosen: the stack to read, and for diffusion the mean stated b-value and its source tag."""

    part: Part
    stack: Stack
    b: float | None = None
    source_tag: str | None = None

    @property
    def images(self) -> list[Header]:
        """The images of the stack, slice by slice."""
        return [image for images in self.stack.slices for image in images]

    @property
    def nominal(self) -> int:
        """The nominal b-value of a choice of diffusion."""
        value = self.images[0].b_value
        assert value is not None  # what makes an image diffusion
        return value.nominal


@dataclass
class Selection:
    """The outcome: what was chosen, one verdict per part, and what stands in the way."""

    t2: Choice | None = None
    dwi: dict[int, Choice] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def tall_enough(images: Sequence[Header], min_slices: int, *, repeats: bool = False) -> Stack:
    """A stack with enough slices.

    Raises:
        ReadingError: fewer slices, or a defect of geometry.
    """
    if len({image.scaling for image in images}) > 1:
        raise ReadingError(f"{images[0].name}: images scaled in different ways, which cannot be compared")
    stack = build_stack(images, repeats=repeats)
    if any(len({image.image_type for image in group}) > 1 for group in stack.slices):
        raise ReadingError(f"{images[0].name}: images of several types at one position")
    if stack.grid.shape[2] < min_slices:
        raise ReadingError(f"{images[0].name}: only {stack.grid.shape[2]} slices, at least {min_slices} are needed")
    return stack


def prefers(part: Part, rules: Rules, role: Role) -> bool:
    """True if a rule of the site wants this series for this role."""
    rule = part.rule(rules)
    return rule is not None and rule.use_as == role


def names(parts: Sequence[Part]) -> str:
    """The parts' series, as a message lists them."""
    return ", ".join(dict.fromkeys(part.name for part in parts))
