"""Which diffusion images are used: one set with one echo time, one repetition time and one grid."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES, BValue
from prostate_alm.studies.geometry import ReadingError, plane_of
from prostate_alm.studies.headers import Header
from prostate_alm.studies.kinds import Part, Role, is_trace
from prostate_alm.studies.verdicts import Choice, Selection, Verdict, names, tall_enough


@dataclass
class _Set:
    """Images that belong together; several candidates for one b-value are possible until `settle`."""

    candidates: dict[int, list[Choice]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[int, Choice] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    @property
    def first(self) -> Choice:
        return next(iter(self.candidates.values()))[0]

    @property
    def parts(self) -> list[Part]:
        return [choice.part for choices in self.candidates.values() for choice in choices]

    def settle(self) -> None:
        """One choice per b-value: the only one, or the only trace."""
        for b, choices in sorted(self.candidates.items()):
            traces = [choice for choice in choices if is_trace(choice.stack.slices[0][0])]
            best = choices if len(choices) == 1 else traces
            if len(best) == 1:
                self.taken[b] = best[0]
            else:
                self.unclear.append(f"b{b} stands in several series ({names([one.part for one in choices])})")


def choose_dwi(parts: Sequence[Part], selection: Selection) -> None:
    """Take the set with b 100, 600 and 1000, or else the only set that could be harmonised; else none.

    Args:
        parts: the acquired diffusion of one study.
        selection: receives the choices, verdicts and problems.
    """
    defects: dict[int, list[str]] = defaultdict(list)
    choices: list[Choice] = []
    for part in parts:
        plane = plane_of(part.images[0])
        if plane != "axial":
            defects[id(part)].append(f"its plane is {plane}, not axial")
        else:
            choices += _per_b_value(part, defects[id(part)])
    sets = _sets(choices)
    chosen, why_not = _best(sets)
    all_defects = [defect for found in defects.values() for defect in found]
    if chosen is not None:
        selection.dwi = dict(chosen.taken)
        if not _complete(chosen):
            selection.problems += [*chosen.unclear, *all_defects]
    elif sets:
        selection.problems.append(why_not)
    else:
        selection.problems.append("; ".join(["no usable acquired diffusion (DWI)", *all_defects]))
    for part in parts:
        selection.verdicts.append(_verdict(part, chosen, [*defects[id(part)], *([why_not] if why_not else [])]))


def _per_b_value(part: Part, defects: list[str]) -> list[Choice]:
    groups: dict[int, list[tuple[Header, BValue]]] = defaultdict(list)
    for image in part.images:
        assert image.b_value is not None  # what makes an image diffusion
        groups[image.b_value.nominal].append((image, image.b_value))
    choices = []
    for b, group in sorted(groups.items()):
        used = [pair for pair in group if is_trace(pair[0])] or group
        try:
            stack = tall_enough([image for image, _ in used], repeats=True)
        except ReadingError as error:
            defects.append(f"b{b}: {error}")
            continue
        mean = sum(value.value for _, value in used) / len(used)
        choices.append(Choice(part, stack, mean, used[0][1].source))
    return choices


def _sets(choices: Sequence[Choice]) -> list[_Set]:
    sets: list[_Set] = []
    for choice in choices:
        home = next((known for known in sets if _belong_together(known.first, choice)), None)
        if home is None:
            home = _Set()
            sets.append(home)
        value = choice.stack.slices[0][0].b_value
        assert value is not None
        home.candidates[value.nominal].append(choice)
    for found in sets:
        found.settle()
    return sets


def _belong_together(one: Choice, other: Choice) -> bool:
    """TE, TR and grid agree: b-values that differ in them are not one measurement."""
    first, second = one.part.images[0], other.part.images[0]
    if one.part is not other.part:
        for a, b in (
            (first.echo_time_ms, second.echo_time_ms),
            (first.repetition_time_ms, second.repetition_time_ms),
        ):
            if a is None or b is None or abs(a - b) > 0.01 * max(a, b):
                return False
    return one.stack.grid.same_as(other.stack.grid)


def _complete(found: _Set) -> bool:
    return all(b in found.taken for b in CANONICAL_B_VALUES)


def _best(sets: Sequence[_Set]) -> tuple[_Set | None, str]:
    """The set to take, and why others (or all) are not taken."""
    if not sets:
        return None, ""
    wanted = ", ".join(f"b{b}" for b in CANONICAL_B_VALUES)
    complete = [found for found in sets if _complete(found)]
    fit = [found for found in sets if sum(b > 0 for b in found.taken) >= 2]
    if len(complete) == 1:
        return complete[0], f"another set of diffusion images has {wanted}" if len(sets) > 1 else ""
    if not complete and len(sets) == 1:
        return sets[0], ""
    if not complete and len(fit) == 1:
        return fit[0], "another set of diffusion images has more b-values; echo time, repetition time or grid differ"
    which = names([part for found in sets for part in found.parts])
    return None, f"several sets of diffusion images and no rule to choose ({which}); none is taken"


def _verdict(part: Part, chosen: _Set | None, why_not: list[str]) -> Verdict:
    used = {b: choice for b, choice in (chosen.taken if chosen else {}).items() if choice.part is part}
    held = {image.b_value.nominal for image in part.images if image.b_value is not None}
    reasons = [*why_not, *(_lost(part, chosen) if chosen else [])]
    if not used:
        return Verdict.refused(part, "; ".join(reasons))
    reason = "used as DWI " + ", ".join(f"b{b}" for b in used)
    if left := ", ".join(f"b{b}" for b in sorted(held - set(used))):
        reason += f"; {left} not used because " + "; ".join(reasons)
    return Verdict(part, Role.DWI, reason, next(iter(used.values())).stack.grid)


def _lost(part: Part, chosen: _Set) -> list[str]:
    """Why a part's images in the chosen set are not the ones taken."""
    held = [b for b, choices in chosen.candidates.items() if any(choice.part is part for choice in choices)]
    winners = [chosen.taken[b].part for b in held if b in chosen.taken and chosen.taken[b].part is not part]
    return [*chosen.unclear, *([f"the trace images are used ({names(winners)})"] if winners else [])]
