"""Which diffusion images are used: one set with one echo time, one repetition time and one grid."""

import math
from collections import defaultdict
from collections.abc import Sequence

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES, BValue
from prostate_alm.studies.geometry import ReadingError, plane_of, where
from prostate_alm.studies.headers import Header
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.selection.bsets import BSet, b_list, complete, same_times, sets_of
from prostate_alm.studies.selection.kinds import Part, Role, is_trace
from prostate_alm.studies.selection.verdicts import Choice, Selection, Verdict, names, prefers, tall_enough


def choose_dwi(parts: Sequence[Part], selection: Selection, rules: Rules) -> None:
    """Take the set with b 100, 600 and 1000, or else the only set that could be harmonised; else none.

    Axial diffusion that geometry refuses is a candidate still: its defects stand against the study.

    Args:
        parts: the acquired diffusion of one study.
        selection: receives the choices, verdicts and problems.
        rules: the site's rules.
    """
    planes: dict[int, str] = {}
    defects: dict[int, list[str]] = {}
    choices: list[Choice] = []
    for part in parts:
        every = (plane_of(image, rules.geometry.max_tilt_deg) for image in part.images)
        planes[id(part)] = next((plane for plane in every if plane != "axial"), "")
        defects[id(part)] = []
        if planes[id(part)]:
            continue
        found, defects[id(part)] = _per_b_value(part, rules.geometry.min_slices)
        defects[id(part)] += _mixed(part, found, parts, rules.dwi.time_tolerance)
        choices += found
    sets = sets_of(choices, rules.dwi.time_tolerance)
    ruled = [found for found in sets if any(prefers(part, rules, Role.DWI) for part in found.parts)]
    chosen, why_not = _best(sets, ruled)
    refused = {key: [f"its plane is {plane}, not axial"] for key, plane in planes.items() if plane}
    doubts = [defect for found in defects.values() for defect in found]
    if chosen is not None:
        selection.dwi = dict(chosen.taken)
        rivals = _rivals(chosen, sets)
        if ruled:
            selection.notes += [why_not, *rivals] if why_not else rivals
        selection.problems += [*([] if complete(chosen) else chosen.unclear), *doubts, *([] if ruled else rivals)]
        selection.problems += _uneven_directions(chosen)
    elif sets:
        selection.problems += [why_not, *doubts]
    else:
        off_plane = [f"{part.name}: {reason}" for part in parts for reason in refused.get(id(part), [])]
        selection.problems.append("; ".join(["no usable acquired diffusion (DWI)", *off_plane, *doubts]))
    for part in parts:
        reasons = refused.get(id(part)) or [*defects[id(part)], *([why_not] if why_not else [])]
        selection.verdicts.append(_verdict(part, chosen, reasons))


def _per_b_value(part: Part, min_slices: int) -> tuple[list[Choice], list[str]]:
    """A choice for each b-value whose images form a stack; one defect, said once, for those that do not."""
    groups: dict[int, list[tuple[Header, BValue]]] = defaultdict(list)
    for image in part.images:
        assert image.b_value is not None  # what makes an image diffusion
        groups[image.b_value.nominal].append((image, image.b_value))
    choices: list[Choice] = []
    defects: dict[str, list[int]] = defaultdict(list)
    for b, group in sorted(groups.items()):
        used = [pair for pair in group if is_trace(pair[0])] or group
        try:
            stack = tall_enough([image for image, _ in used], min_slices, repeats=True)
        except ReadingError as error:
            defects[str(error)].append(b)
            continue
        mean = math.fsum(value.value for _, value in used) / len(used)  # the same in any order
        choices.append(Choice(part, stack, mean, used[0][1].source))
    return choices, [f"{b_list(b_values)}: {error}" for error, b_values in defects.items()]


def _mixed(part: Part, choices: Sequence[Choice], parts: Sequence[Part], tolerance: float) -> list[str]:
    """What one series holds twice over: grids, repetition times, echo times."""
    found: list[str] = []
    for other in choices[1:]:
        first = choices[0]
        if not first.stack.grid.same_as(other.stack.grid):
            places = f"{where(first.images[:1])} and {where(other.images[:1])}"
            slices = f"{first.stack.grid.shape[2]} and {other.stack.grid.shape[2]} slices"
            b_values = f"b{first.nominal} and b{other.nominal}"
            found.append(f"{part.name}: {b_values} have different grids, {slices}, beginning with {places}")
            break
    for other in choices[1:]:
        times = [image.repetition_time_ms for image in (*choices[0].images, *other.images)]
        if not same_times(times, tolerance, same_series=True):
            found.append(f"{part.name}: b{choices[0].nominal} and b{other.nominal} have mixed repetition times")
            break
    for other in parts:
        if (
            other is not part
            and other.images[0].series_uid == part.images[0].series_uid
            and _echoes(part) != _echoes(other)
        ):
            echoes = " and ".join("none" if echo is None else f"{echo:g} ms" for echo in _echoes(part, other))
            fewer = min(part.images, other.images, key=len)
            found.append(f"{part.name}: mixed echo times, {echoes} ({where(fewer)})")
    return found


def _echoes(*parts: Part) -> list[float | None]:
    return sorted((part.images[0].echo_time_ms for part in parts), key=lambda echo: (echo is None, echo or 0.0))


def _uneven_directions(chosen: BSet) -> list[str]:
    """Without a trace, every b-value must hold the same number of directions: else their means cannot be compared."""
    counts = {
        b: len(choice.stack.slices[0])
        for b, choice in sorted(chosen.taken.items())
        if b > 0 and not is_trace(choice.images[0])
    }
    if len(set(counts.values())) < 2:
        return []
    listed = ", ".join(f"{count} at b{b}" for b, count in counts.items())
    return [f"DWI without a trace image holds different numbers of directions: {listed}"]


def _rivals(chosen: BSet, sets: Sequence[BSet]) -> list[str]:
    """A b-value that another set has too: perhaps that set is the better one, and lost something."""
    return [
        f"b{b} stands in several sets of diffusion images ({names([choice.part for choice in (taken, *rivals)])})"
        for b, taken in chosen.taken.items()
        if b > 0
        and (rivals := [choice for other in sets if other is not chosen for choice in other.candidates.get(b, [])])
    ]


def _best(sets: Sequence[BSet], ruled: Sequence[BSet]) -> tuple[BSet | None, str]:
    """The set to take, and why others (or all) are not taken; one that a rule of the site prefers goes first."""
    if not sets:
        return None, ""
    if len(ruled) == 1 and len(sets) > 1:
        return ruled[0], f"a rule of the site prefers {names(ruled[0].parts)}"
    wanted = ", ".join(f"b{b}" for b in CANONICAL_B_VALUES)
    whole = [found for found in sets if complete(found)]
    fit = [found for found in sets if sum(b > 0 for b in found.taken) >= 2]
    if len(whole) == 1:
        return whole[0], f"another set of diffusion images has {wanted}" if len(sets) > 1 else ""
    if not whole and len(sets) == 1:
        return sets[0], ""
    if not whole and len(fit) == 1:
        return fit[0], "another set of diffusion images has more b-values; echo time, repetition time or grid differ"
    which = names([part for found in sets for part in found.parts])
    return None, f"several sets of diffusion images and no rule to choose ({which}); none is taken"


def _verdict(part: Part, chosen: BSet | None, why_not: list[str]) -> Verdict:
    used = {b: choice for b, choice in (chosen.taken if chosen else {}).items() if choice.part is part}
    held = {image.b_value.nominal for image in part.images if image.b_value is not None}
    reasons = [*why_not, *(_lost(part, chosen) if chosen else [])]
    if not used:
        return Verdict.refused(part, "; ".join(reasons))
    reason = f"used as DWI {b_list(used)}"
    if left := held - set(used):
        reason += f"; {b_list(left)} not used because " + "; ".join(reasons)
    return Verdict(part, Role.DWI, reason, next(iter(used.values())).stack.grid)


def _lost(part: Part, chosen: BSet) -> list[str]:
    """Why a part's images in the chosen set are not the ones taken."""
    held = [b for b, choices in chosen.candidates.items() if any(choice.part is part for choice in choices)]
    winners = [chosen.taken[b].part for b in held if b in chosen.taken and chosen.taken[b].part is not part]
    return [*chosen.unclear, *([f"the trace images are used ({names(winners)})"] if winners else [])]
