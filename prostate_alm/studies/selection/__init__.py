"""Which parts of a study are used, by content; an ambiguity takes none."""

from collections.abc import Sequence

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.geometry import ReadingError, build_stack, where
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.selection.bsets import same_times
from prostate_alm.studies.selection.diffusion import choose_dwi
from prostate_alm.studies.selection.kinds import Part, Role
from prostate_alm.studies.selection.t2 import choose_t2
from prostate_alm.studies.selection.verdicts import Selection, Verdict, prefers


def select(parts: Sequence[Part], rules: Rules) -> Selection:
    """Choose the axial T2 and one set of diffusion images.

    Args:
        parts: of one study, from `split_parts`.
        rules: the site's rules.

    Returns:
        What was chosen, a verdict for every part in the given order, and the problems met.
    """
    selection = Selection()
    for part in parts:
        if part.kind.why_not:
            selection.verdicts.append(Verdict.refused(part, _with_defect(part)))
    choose_t2([part for part in parts if part.kind.role is Role.T2], selection, rules)
    choose_dwi([part for part in parts if part.kind.role is Role.DWI], selection, rules)
    selection.problems += [
        f"{part.name}, {where(part.images)}: {part.kind.why_not}" for part in parts if _doubtful(part, selection)
    ]
    selection.problems += [*_unheard(selection, rules), *_left_of_t2(parts, selection), *_t2_like_dwi(selection, rules)]
    order = {id(part): index for index, part in enumerate(parts)}
    selection.verdicts.sort(key=lambda verdict: order[id(verdict.part)])
    return selection


def _unheard(selection: Selection, rules: Rules) -> list[str]:
    """Series that a rule of the site wants and that content refuses: then no other one is taken without a word."""
    return [
        f"{verdict.part.name}: a rule of the site wants it as {role}, but it is {verdict.reason}"
        for verdict in selection.verdicts
        for role in (Role.T2, Role.DWI)
        if prefers(verdict.part, rules, role) and not (verdict.role is role and verdict.reason.startswith("used as"))
    ]


def _left_of_t2(parts: Sequence[Part], selection: Selection) -> list[str]:
    """Images of the T2's own series that are not used: it may have lost its ends to them."""
    taken = selection.t2
    if taken is None:
        return []
    series = taken.images[0].series_uid
    left = [part for part in parts if part is not taken.part and part.images[0].series_uid == series]
    return [f"{part.name}, {where(part.images)}, not used as T2 because {part.kind.why_not}" for part in left]


def _t2_like_dwi(selection: Selection, rules: Rules) -> list[str]:
    """A T2 with the times and the grid of the diffusion may be its b 0."""
    if selection.t2 is None:
        return []
    images = list(selection.t2.images)
    for choice in selection.dwi.values():
        both = [*images, *choice.images]
        same = all(
            same_times([getattr(image, name) for image in both], rules.dwi.time_tolerance, same_series=False)
            for name in ("echo_time_ms", "repetition_time_ms")
        )
        if same and selection.t2.stack.grid.same_as(choice.stack.grid):
            return [f"{selection.t2.part.name} has the times and the grid of the diffusion: it may be its b 0"]
    return []


def _doubtful(part: Part, selection: Selection) -> bool:
    """True if images that are not used could be what is lacking, or contradict themselves.

    Where b-values are lacking they may be computed from the others: then no image of the series used may be left out.
    """
    if not part.kind.perhaps:
        return False
    if part.images[0].b_problem or selection.t2 is None or not selection.dwi:
        return True
    supplied = {choice.part.images[0].series_uid for choice in selection.dwi.values()}
    complete = all(b in selection.dwi for b in CANONICAL_B_VALUES)
    return not complete and part.images[0].series_uid in supplied


def _with_defect(part: Part) -> str:
    """Why a part is not used, and what is wrong with its geometry besides, if it should be a stack."""
    placed = all(image.position_mm for image in part.images)
    if len(part.images) < 2 or not placed or "LOCALIZER" in part.images[0].image_type:
        return part.kind.why_not
    try:
        build_stack(part.images, repeats=part.kind.role is Role.OTHER)
    except ReadingError as error:
        return f"{part.kind.why_not}; besides, {error}"
    return part.kind.why_not
