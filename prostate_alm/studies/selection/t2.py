"""Which series is the axial T2: by content; an ambiguity, or a doubt about a candidate, is a problem."""

import re
from collections.abc import Sequence

from prostate_alm.studies.geometry import ReadingError, Stack, plane_of, where
from prostate_alm.studies.headers import Header
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.selection.kinds import Part, Role
from prostate_alm.studies.selection.verdicts import Choice, Selection, Verdict, names, prefers, tall_enough

_DIFFUSION_SEQUENCE = re.compile(r"^\*?ep|_b\d", re.IGNORECASE)


def choose_t2(parts: Sequence[Part], selection: Selection, rules: Rules) -> None:
    """Take the only axial T2, the one that a rule prefers, or the only one that names T2; none if two fit equally well.

    A candidate by content that geometry refuses is a candidate still: its defect stands against the study.

    Args:
        parts: the anatomical images of one study.
        selection: receives the choice, verdicts and problems.
        rules: the site's rules.
    """
    good: list[tuple[Part, Stack]] = []
    defects: list[str] = []
    for part in parts:
        why_not, doubt = _by_content(part, rules)
        if why_not:
            selection.verdicts.append(Verdict.refused(part, why_not, role=Role.OTHER))
            defects += [doubt] if doubt else []
            continue
        defects += _other_echo_times(part, parts)
        try:
            good.append((part, tall_enough(part.images, rules.geometry.min_slices)))
        except ReadingError as error:
            defects.append(str(error))
            selection.verdicts.append(Verdict.refused(part, str(error)))
    _settle(good, defects, selection, rules)


def _settle(good: Sequence[tuple[Part, Stack]], defects: Sequence[str], selection: Selection, rules: Rules) -> None:
    ruled = [pair for pair in good if prefers(pair[0], rules, Role.T2)]
    chosen = good if len(good) == 1 else ruled or [pair for pair in good if rules.t2.names(_description(pair[0]))]
    why_not_others = ""
    if len(chosen) == 1:
        part, stack = chosen[0]
        selection.t2 = Choice(part, stack)
        selection.verdicts.append(Verdict(part, Role.T2, "used as axial T2", stack.grid))
        selection.problems += defects
        by_rule = f"a rule of the site prefers {part.name}"
        why_not_others = by_rule if ruled else f"of several axial T2 only {part.name} names T2 in its description"
        selection.notes += [why_not_others] if len(good) > 1 else []
    elif good:
        why_not_others = f"several axial T2 fit equally well ({names([part for part, _ in good])})"
        selection.problems += [f"{why_not_others}; none is taken", *defects]
    else:
        selection.problems.append("; ".join(["no usable axial T2", *defects]))
    for part, _ in good:
        if selection.t2 is None or part is not selection.t2.part:
            selection.verdicts.append(Verdict.refused(part, why_not_others))


def _by_content(part: Part, rules: Rules) -> tuple[str, str]:
    """Why a part is no axial T2, and a doubt if most of a T2 is among its images all the same."""
    reasons = [_why_not_t2(image, rules) for image in part.images]
    why_not = next((reason for reason in reasons if reason), "")
    passing = reasons.count("")
    if why_not and passing >= rules.geometry.min_slices:
        others = [image for image, reason in zip(part.images, reasons, strict=True) if reason]
        return why_not, f"{part.name}: {passing} images of an axial T2, but of {where(others)} {why_not}"
    return why_not, ""


def _other_echo_times(part: Part, parts: Sequence[Part]) -> list[str]:
    series = part.images[0].series_uid
    return [
        f"{part.name}: mixed echo times, {_milliseconds(part)} and {_milliseconds(other)} ({where(other.images)})"
        for other in parts
        if other is not part and other.images[0].series_uid == series and len(other.images) <= len(part.images)
        if other.images[0].echo_time_ms != part.images[0].echo_time_ms
    ]


def _milliseconds(part: Part) -> str:
    echo = part.images[0].echo_time_ms
    return "none" if echo is None else f"{echo:g} ms"


def _why_not_t2(image: Header, rules: Rules) -> str:
    plane = plane_of(image, rules.geometry.max_tilt_deg)
    echo, repetition = image.echo_time_ms, image.repetition_time_ms
    if plane != "axial":
        return f"its plane is {plane}, not axial"
    if image.named == Role.T2:  # a volume file says nothing else of itself
        return ""
    if not image.scanning_sequence:
        return "it states no ScanningSequence"
    for sequence in ("EP", "IR", "GR"):
        if sequence in image.scanning_sequence and (sequence != "GR" or "SE" not in image.scanning_sequence):
            return f"its sequence ({sequence}) is no plain spin echo"
    if _DIFFUSION_SEQUENCE.search(image.sequence_name):
        return "its SequenceName is that of a diffusion or echo-planar sequence"
    if rules.t2.rules_out(image.raw_description):
        return "its description speaks of diffusion, echo-planar or perfusion images"
    if echo is None or repetition is None:
        return "it states no echo or repetition time"
    low, high = rules.t2.echo_time_ms
    if not low <= echo <= high:
        return f"its echo time of {echo:g} ms is not that of a T2 ({low:g} to {high:g} ms)"
    if repetition < rules.t2.min_repetition_time_ms:
        return f"its repetition time of {repetition:g} ms is too short for a T2"
    return ""


def _description(part: Part) -> str:
    return part.images[0].raw_description
