"""Which series is the axial T2: by content; an ambiguity, or a doubt about a candidate, is a problem."""

import re
from collections.abc import Sequence

from prostate_alm.studies.geometry import ReadingError, Stack, plane_of, where
from prostate_alm.studies.headers import Header
from prostate_alm.studies.kinds import Part, Role
from prostate_alm.studies.verdicts import MIN_SLICES, Choice, Selection, Verdict, names, tall_enough
from prostate_alm.studies.words import words_of

T2_ECHO_TIME_MS = (60.0, 250.0)
T2_MIN_REPETITION_TIME_MS = 1000.0
_NOT_T2_WORD = re.compile(r"dwi\w*|diff\w*|dti|ivim|ep2d\w*|epi|resolve|trace\w*|b\d{2,4}|bval\w*|e?adc\w*|perf\w*|dce")
_DIFFUSION_SEQUENCE = re.compile(r"^\*?ep|_b\d", re.IGNORECASE)


def choose_t2(parts: Sequence[Part], selection: Selection) -> None:
    """Take the only axial T2, or the only one that names T2; none if two fit equally well.

    A candidate by content that geometry refuses is a candidate still: its defect stands against the study.

    Args:
        parts: the anatomical images of one study.
        selection: receives the choice, verdicts and problems.
    """
    good: list[tuple[Part, Stack]] = []
    defects: list[str] = []
    for part in parts:
        why_not, doubt = _by_content(part)
        if why_not:
            selection.verdicts.append(Verdict.refused(part, why_not, role=Role.OTHER))
            defects += [doubt] if doubt else []
            continue
        defects += _other_echo_times(part, parts)
        try:
            good.append((part, tall_enough(part.images)))
        except ReadingError as error:
            defects.append(str(error))
            selection.verdicts.append(Verdict.refused(part, str(error)))
    _settle(good, defects, selection)


def _settle(good: Sequence[tuple[Part, Stack]], defects: Sequence[str], selection: Selection) -> None:
    chosen = good if len(good) == 1 else [pair for pair in good if _named_t2(pair[0])]
    why_not_others = ""
    if len(chosen) == 1:
        part, stack = chosen[0]
        selection.t2 = Choice(part, stack)
        selection.verdicts.append(Verdict(part, Role.T2, "used as axial T2", stack.grid))
        selection.problems += defects
        why_not_others = f"of several axial T2 only {part.name} names T2 in its description"
    elif good:
        why_not_others = f"several axial T2 fit equally well ({names([part for part, _ in good])})"
        selection.problems += [f"{why_not_others}; none is taken", *defects]
    else:
        selection.problems.append("; ".join(["no usable axial T2", *defects]))
    for part, _ in good:
        if selection.t2 is None or part is not selection.t2.part:
            selection.verdicts.append(Verdict.refused(part, why_not_others))


def _by_content(part: Part) -> tuple[str, str]:
    """Why a part is no axial T2, and a doubt if most of a T2 is among its images all the same."""
    reasons = [_why_not_t2(image) for image in part.images]
    why_not = next((reason for reason in reasons if reason), "")
    passing = reasons.count("")
    if why_not and passing >= MIN_SLICES:
        others = [image for image, reason in zip(part.images, reasons, strict=True) if reason]
        return why_not, f"{part.name}: {passing} images of an axial T2, but of {where(others)} {why_not}"
    return why_not, ""


def _other_echo_times(part: Part, parts: Sequence[Part]) -> list[str]:
    series = part.images[0].series_uid
    return [
        f"{part.name}: mixed echo times, {_milliseconds(part)} and {_milliseconds(other)} ({where(other.images)})"
        for other in parts
        if other is not part and other.images[0].series_uid == series and len(other.images) <= len(part.images)
    ]


def _milliseconds(part: Part) -> str:
    echo = part.images[0].echo_time_ms
    return "none" if echo is None else f"{echo:g} ms"


def _why_not_t2(image: Header) -> str:
    plane = plane_of(image)
    echo, repetition = image.echo_time_ms, image.repetition_time_ms
    if plane != "axial":
        return f"its plane is {plane}, not axial"
    if not image.scanning_sequence:
        return "it states no ScanningSequence"
    for sequence in ("EP", "IR", "GR"):
        if sequence in image.scanning_sequence and (sequence != "GR" or "SE" not in image.scanning_sequence):
            return f"its sequence ({sequence}) is no plain spin echo"
    if _DIFFUSION_SEQUENCE.search(image.sequence_name):
        return "its SequenceName is that of a diffusion or echo-planar sequence"
    if any(_NOT_T2_WORD.fullmatch(word) for word in words_of(image.raw_description)):
        return "its description speaks of diffusion, echo-planar or perfusion images"
    if echo is None or repetition is None:
        return "it states no echo or repetition time"
    low, high = T2_ECHO_TIME_MS
    if not low <= echo <= high:
        return f"its echo time of {echo:g} ms is not that of a T2 ({low:g} to {high:g} ms)"
    if repetition < T2_MIN_REPETITION_TIME_MS:
        return f"its repetition time of {repetition:g} ms is too short for a T2"
    return ""


def _named_t2(part: Part) -> bool:
    return bool({"t2", "t2w"} & set(words_of(part.images[0].raw_description)))
