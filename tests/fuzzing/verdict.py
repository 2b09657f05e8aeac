"""The mutated reading against the unmutated one: the same, a reason, or a violation."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fuzzing.oracle import Allowance
from fuzzing.prints import B_LEAST, B_SHARE, COMPUTED, CORNER_MM, Reading, StudyPrint, VolumePrint

SAME, REASON, SHORTER, PIXELS, PLACE, B_VALUE, SHARED = (
    "same", "reason", "shorter", "pixels", "place", "b-value", "shared"
)  # fmt: skip
"""Outcomes that are allowed; the last five only where the mutated file itself says so."""
READ = (SAME, PIXELS, PLACE, B_VALUE, SHORTER, SHARED)
ALLOWED = (*READ, REASON)
CHANGED, LOST, SILENT, UNEXPECTED, MEMORY, CRASH, HANG, DIED, LEFT, BROKEN = (
    "CHANGED", "LOST", "SILENT", "UNEXPECTED", "MEMORY", "CRASH", "HANG", "DIED", "LEFT", "BROKEN"
)  # fmt: skip
VIOLATIONS = (CHANGED, LOST, SILENT, UNEXPECTED, MEMORY, CRASH, HANG, DIED, LEFT, BROKEN)
_LOSS_MM = 6.0


@dataclass(frozen=True)
class Verdict:
    """One of `ALLOWED` or `VIOLATIONS`, and what exactly."""

    outcome: str
    detail: str = ""


@dataclass(frozen=True)
class OfStudy:
    """One study of a mutated reading: the verdict on it, and what triage would know of it."""

    verdict: Verdict
    complete: bool
    problems: tuple[str, ...]


def judge(
    before: Reading, after: Reading, allowed: Allowance, others: Iterable[Reading] = ()
) -> tuple[Verdict, tuple[OfStudy, ...]]:
    """The worst that is true, and each study's part in it; a whole study of another source is that study."""
    if not after.studies:
        return Verdict(REASON, after.refusal) if after.refusal else Verdict(SILENT, "no study and no reason"), ()
    known = {study.key: study for study in before.studies}
    strangers = {study.key: study for other in others for study in other.studies if study.ready}
    studies = tuple(
        OfStudy(_of_study((strangers | known).get(study.key), study, known, allowed), study.complete, study.problems)
        for study in after.studies
    )
    verdicts = [*(study.verdict for study in studies), *_lost(known, after, allowed)]
    order = (*VIOLATIONS, REASON, SHARED, SHORTER, PIXELS, B_VALUE, PLACE, SAME)
    return min(verdicts, key=lambda verdict: order.index(verdict.outcome)), studies


def _lost(known: dict[str, StudyPrint], after: Reading, allowed: Allowance) -> list[Verdict]:
    """A study that is there no more must have left a reason, or be there under another name, or all its files gone."""
    found = {study.key for study in after.studies}
    said = {word for study in known.values() for word in (*study.problems, *study.said)}
    if found - known.keys() or any({*study.problems, *study.said} - said for study in after.studies):
        return []
    lost = [study for key, study in known.items() if key not in found and study.files - allowed.gone]
    return [Verdict(LOST, "a study vanished without a reason")] * len(lost)


def _of_study(base: StudyPrint | None, study: StudyPrint, known: dict[str, StudyPrint], allowed: Allowance) -> Verdict:
    everything = " ".join((*study.problems, *study.said))
    if "MemoryError" in everything:
        return Verdict(MEMORY, "a reason says MemoryError")
    if unexpected := [problem for problem in study.problems if "unexpected" in problem]:
        return Verdict(UNEXPECTED, unexpected[0])
    if not study.ready and not study.problems:
        return Verdict(SILENT, "not ready without a problem")
    if study.ready and not study.complete:
        return Verdict(SILENT, "ready without all volumes")
    if base is None:
        if not study.ready:
            return Verdict(REASON, study.problems[0])
        worst = [_compare(other, study, allowed) for other in known.values() if other.ready]
        return min(worst, key=lambda verdict: verdict.outcome == CHANGED, default=Verdict(CHANGED, "a ready stranger"))
    if new := [problem for problem in study.problems if problem not in base.problems]:
        return Verdict(REASON, new[0])
    if not base.ready and (said := sorted(study.said - base.said)):
        return Verdict(REASON, said[0])
    return _compare(base, study, allowed)


def _compare(base: StudyPrint, study: StudyPrint, allowed: Allowance) -> Verdict:
    verdict = _compare_volumes(base, study, allowed)
    return Verdict(SHARED, verdict.detail) if verdict.outcome == CHANGED and allowed.anything else verdict


def _compare_volumes(base: StudyPrint, study: StudyPrint, allowed: Allowance) -> Verdict:
    if base.volumes.keys() != study.volumes.keys():
        names = sorted(base.volumes.keys() ^ study.volumes.keys())
        return Verdict(CHANGED, f"volumes {names} are there only before or only after")
    found: set[str] = set()
    for name, volume in base.volumes.items():
        outcomes = _compare_volume(volume, study.volumes[name], allowed)
        if isinstance(outcomes, str):
            return Verdict(CHANGED, f"{name}: {outcomes}")
        found |= outcomes
    for outcome in (SHORTER, PIXELS, B_VALUE, PLACE):
        if outcome in found:
            return Verdict(outcome)
    return Verdict(SAME)


def _compare_volume(base: VolumePrint, volume: VolumePrint, allowed: Allowance) -> set[str] | str:
    """Which allowances were used; a text if they do not do."""
    outcomes: set[str] = set()
    first = 0
    if base.shape != volume.shape:
        first = _start(base, volume)
        if not allowed.shorter or first < 0:
            return f"shape {volume.shape} instead of {base.shape}"
        outcomes.add(SHORTER)
    moved = _moved_mm(base, volume, first)
    if moved > (CORNER_MM if allowed.place else 1e-6 * (SHORTER in outcomes)):
        return f"moved by {moved:.3g} mm"
    if moved and SHORTER not in outcomes:
        outcomes.add(PLACE)
    if (base.b is None) != (volume.b is None) or abs((base.b or 0) - (volume.b or 0)) > 1e-6:
        if not allowed.b_value or abs((base.b or 0) - (volume.b or 0)) > max(B_LEAST, B_SHARE * (base.b or 0)):
            if SHORTER not in outcomes:
                return f"b {volume.b} instead of {base.b}"
        else:
            outcomes.add(B_VALUE)
    kept = base.slices[first : first + len(volume.slices)]
    differing = sum(one != other for one, other in zip(kept, volume.slices, strict=True))
    if not differing:
        return outcomes
    if volume.computed is not None:
        if not allowed.slices and not (B_VALUE in outcomes or allowed.b_value):
            return f"{differing} computed slices differ"
        if not allowed.slices and not np.allclose(base.computed, volume.computed, **COMPUTED):
            return f"{differing} computed slices differ by more than a b-value within its bin explains"
        return outcomes | {PIXELS if allowed.slices else B_VALUE}
    if differing > allowed.slices:
        return f"{differing} slices differ, {allowed.slices} may"
    return outcomes | {PIXELS}


def _start(base: VolumePrint, volume: VolumePrint) -> int:
    """Where the shorter stack begins in the longer one, -1 if it is no part of it or too much is lost."""
    lost = len(base.slices) - len(volume.slices)
    thickness = float(np.linalg.norm(base.affine[:3, 2]))
    if base.shape[:2] != volume.shape[:2] or lost < 0 or lost * thickness > _LOSS_MM + CORNER_MM:
        return -1
    count = len(volume.slices)
    matches = [
        sum(a == b for a, b in zip(base.slices[i : i + count], volume.slices, strict=True)) for i in range(lost + 1)
    ]
    return int(np.argmax(matches))


def _moved_mm(base: VolumePrint, volume: VolumePrint, first: int) -> float:
    x, y, z = volume.shape
    corners = np.array([[i, j, k, 1] for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)], float).T
    shifted = corners + np.array([[0], [0], [first], [0]])
    return float(np.linalg.norm((base.affine @ shifted - volume.affine @ corners)[:3], axis=0).max())
