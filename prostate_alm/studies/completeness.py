"""Is a study whole? What tells that a part of it is missing, damaged or still on its way."""

from collections.abc import Sequence

from prostate_alm.studies.headers import Header, Skipped
from prostate_alm.studies.selection.verdicts import Choice

_NAMED_REASONS = 3
_COUNTING = 4


def check_files(skipped: Sequence[Skipped], readable: bool) -> list[str]:
    """Damaged files stand against their study; the commonest reasons are named.

    Args:
        skipped: the files of the study that take no part.
        readable: False if nothing of the study can be read.
    """
    damaged = [item.reason for item in skipped if item.damaged]
    if not damaged:
        return []
    kinds = sorted(set(damaged), key=lambda reason: (-damaged.count(reason), reason))
    more = f"; and {len(kinds) - _NAMED_REASONS} other reasons" if len(kinds) > _NAMED_REASONS else ""
    reasons = "; ".join(kinds[:_NAMED_REASONS]) + more
    if not readable:
        return [f"nothing of this study can be read: {len(damaged)} damaged or unreadable file(s): {reasons}"]
    return [f"{len(damaged)} damaged or unreadable file(s) among the study's files: {reasons}"]


def check_numbers(choices: Sequence[Choice], files: Sequence[Header]) -> list[str]:
    """The InstanceNumbers of a series that is used must have no hole; they say nothing about order.

    A series numbered from 1 that begins later has lost its first images. The loss of the last number leaves no hole.
    Diffusion series, one for each b-value, may be numbered as one.

    Args:
        choices: what is used.
        files: all images of the study.
    """
    problems: list[str] = []
    for kind in (False, True):
        used = dict.fromkeys(choice.images[0].series_uid for choice in choices if (choice.b is not None) is kind)
        numbers = {series: _numbers(series, files) for series in used}
        together = set[int]().union(*numbers.values())
        counted_as_one = len(together) == sum(map(len, numbers.values())) and not _holes(together)
        for series in [] if counted_as_one else used:
            if missing := _holes(numbers[series]):
                name = next(image.name for image in files if image.series_uid == series)
                listed = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
                problems.append(f"{name}: InstanceNumber {listed} missing; has the whole series arrived?")
    return problems


def check_stated(choices: Sequence[Choice], files: Sequence[Header]) -> list[str]:
    """A series that is used must hold as many images as its headers promise (ImagesInAcquisition, PS3.3 C.7.6.1).

    Few vendors state it; of the others a loss at the end is told by the coverage of the training cohort alone.

    Args:
        choices: what is used.
        files: all images of the study.
    """
    problems: list[str] = []
    for series in dict.fromkeys(choice.images[0].series_uid for choice in choices):
        images = [image for image in files if image.series_uid == series]
        stated = max((image.stated_images or 0 for image in images), default=0)
        if stated > len(images):
            problems.append(
                f"{images[0].name}: {len(images)} of {stated} images that (0020,1002) states; has all of it arrived?"
            )
    return problems


def _numbers(series: str, files: Sequence[Header]) -> set[int]:
    return {
        image.instance_number for image in files if image.series_uid == series and image.instance_number is not None
    }


def _holes(numbers: set[int]) -> list[int]:
    if not numbers:
        return []
    lowest, highest = min(numbers), max(numbers)
    start = 1 if 1 < lowest <= len(numbers) else lowest
    if highest - start >= _COUNTING * len(numbers):  # numbers that encode something, not a count
        return []
    return sorted(set(range(start, highest)) - numbers)
