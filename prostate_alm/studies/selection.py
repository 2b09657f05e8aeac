"""Which parts of a study are used, by content; an ambiguity takes none."""

from collections.abc import Sequence

from prostate_alm.studies.diffusion import choose_dwi
from prostate_alm.studies.geometry import ReadingError, Stack, build_stack, plane_of
from prostate_alm.studies.headers import Header
from prostate_alm.studies.kinds import Part, Role
from prostate_alm.studies.verdicts import Choice, Selection, Verdict, names, tall_enough
from prostate_alm.studies.words import words_of

T2_ECHO_TIME_MS = (60.0, 250.0)
T2_MIN_REPETITION_TIME_MS = 1000.0


def select(parts: Sequence[Part]) -> Selection:
    """Choose the axial T2 and one set of diffusion images.

    Args:
        parts: of one study, from `split_parts`.

    Returns:
        What was chosen, a verdict for every part in the given order, and the problems met.
    """
    selection = Selection()
    for part in parts:
        if part.kind.why_not:
            selection.verdicts.append(Verdict.refused(part, _with_defect(part)))
    _choose_t2([part for part in parts if part.kind.role is Role.T2], selection)
    choose_dwi([part for part in parts if part.kind.role is Role.DWI], selection)
    if selection.t2 is None or not selection.dwi:
        selection.problems += [f"{part.name}: {part.kind.why_not}" for part in parts if part.kind.perhaps]
    order = {id(part): index for index, part in enumerate(parts)}
    selection.verdicts.sort(key=lambda verdict: order[id(verdict.part)])
    return selection


def _with_defect(part: Part) -> str:
    """Why a part is not used, and what is wrong with its geometry besides."""
    if part.kind.role is Role.OTHER:
        return part.kind.why_not
    try:
        build_stack(part.images)
    except ReadingError as error:
        return f"{part.kind.why_not}; besides, {error}"
    return part.kind.why_not


def _why_not_t2(image: Header) -> str:
    plane = plane_of(image)
    echo, repetition = image.echo_time_ms, image.repetition_time_ms
    if plane != "axial":
        return f"its plane is {plane}, not axial"
    for sequence in ("EP", "IR", "GR"):
        if sequence in image.scanning_sequence and (sequence != "GR" or "SE" not in image.scanning_sequence):
            return f"its sequence ({sequence}) is no plain spin echo"
    if echo is None or repetition is None:
        return "it states no echo or repetition time"
    low, high = T2_ECHO_TIME_MS
    if not low <= echo <= high:
        return f"its echo time of {echo:g} ms is not that of a T2 ({low:g} to {high:g} ms)"
    if repetition < T2_MIN_REPETITION_TIME_MS:
        return f"its repetition time of {repetition:g} ms is too short for a T2"
    return ""


def _choose_t2(parts: Sequence[Part], selection: Selection) -> None:
    good: list[tuple[Part, Stack]] = []
    defects: list[str] = []
    for part in parts:
        if why_not := _why_not_t2(part.images[0]):
            selection.verdicts.append(Verdict.refused(part, why_not, role=Role.OTHER))
            continue
        try:
            good.append((part, tall_enough(part.images)))
        except ReadingError as error:
            defects.append(str(error))
            selection.verdicts.append(Verdict.refused(part, str(error)))
    chosen = good if len(good) == 1 else [pair for pair in good if _named_t2(pair[0])]
    if len(chosen) == 1:
        part, stack = chosen[0]
        selection.t2 = Choice(part, stack)
        selection.verdicts.append(Verdict(part, Role.T2, "used as axial T2", stack.grid))
        why_not_others = f"of several axial T2 only {part.name} names T2 in its description"
    elif good:
        why_not_others = f"several axial T2 fit equally well ({names([part for part, _ in good])})"
        selection.problems.append(f"{why_not_others}; none is taken")
    else:
        why_not_others = ""
        selection.problems.append("; ".join(["no usable axial T2", *defects]))
    for part, _ in good:
        if selection.t2 is None or part is not selection.t2.part:
            selection.verdicts.append(Verdict.refused(part, why_not_others))


def _named_t2(part: Part) -> bool:
    return bool({"t2", "t2w"} & set(words_of(part.images[0].raw_description)))
