"""Diffusion images that are one measurement: one echo time, one repetition time, one grid."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.selection.kinds import Part, is_trace
from prostate_alm.studies.selection.verdicts import Choice, names


@dataclass
class BSet:
    """Images that belong together; several candidates for one b-value are possible until `settle`."""

    candidates: dict[int, list[Choice]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[int, Choice] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    @property
    def first(self) -> Choice:
        """The choice that others are compared with."""
        return next(iter(self.candidates.values()))[0]

    @property
    def parts(self) -> list[Part]:
        """Where the images come from."""
        return [choice.part for choices in self.candidates.values() for choice in choices]

    def settle(self) -> None:
        """One choice per b-value: the only one, or the only trace."""
        for b, choices in sorted(self.candidates.items()):
            traces = [choice for choice in choices if is_trace(choice.images[0])]
            best = choices if len(choices) == 1 else traces
            if len(best) == 1:
                self.taken[b] = best[0]
            else:
                self.unclear.append(f"b{b} stands in {_places([one.part for one in choices])}")


def _places(parts: Sequence[Part]) -> str:
    if len({part.images[0].series_uid for part in parts}) == 1:
        return f"{parts[0].name} more than once, in files of several kinds"
    return f"several series ({names(parts)})"


def sets_of(choices: Sequence[Choice], time_tolerance: float) -> list[BSet]:
    """Group choices that are one measurement, and settle each group.

    Args:
        choices: one b-value of one series each.
        time_tolerance: largest relative difference of echo and repetition times within one measurement.
    """
    sets: list[BSet] = []
    for choice in choices:
        home = next((known for known in sets if _belong_together(known.first, choice, time_tolerance)), None)
        if home is None:
            home = BSet()
            sets.append(home)
        home.candidates[choice.nominal].append(choice)
    for found in sets:
        found.settle()
    return sets


def _belong_together(one: Choice, other: Choice, tolerance: float) -> bool:
    """TE, TR and grid agree, image by image: b-values that differ in them are not one measurement."""
    images = [*one.images, *other.images]
    same_series = one.images[0].series_uid == other.images[0].series_uid
    return (
        same_times([image.echo_time_ms for image in images], tolerance, same_series=same_series)
        and same_times([image.repetition_time_ms for image in images], tolerance, same_series=same_series)
        and one.stack.grid.same_as(other.stack.grid)
        and len({image.scaling for image in images}) == 1
    )


def same_times(times: Sequence[float | None], tolerance: float, *, same_series: bool) -> bool:
    """True if echo or repetition times agree; one that is not stated agrees with nothing but its own series.

    Args:
        times: ms, of every image.
        tolerance: largest relative difference.
        same_series: True if all are of one series, which then may state none at all.

    Example:
        >>> same_times([2700, 2710], 0.01, same_series=False), same_times([2700, 2800], 0.01, same_series=True)
        (True, False)
    """
    stated = [time for time in times if time is not None]
    if len(stated) < len(times):
        return same_series and not stated
    return max(stated) - min(stated) <= tolerance * max(stated)


def complete(found: BSet) -> bool:
    """True if b 100, 600 and 1000 are settled."""
    return all(b in found.taken for b in CANONICAL_B_VALUES)


def b_list(b_values: Iterable[int]) -> str:
    """How messages list b-values.

    Example:
        >>> b_list([1000, 100])
        'b100, b1000'
    """
    return ", ".join(f"b{b}" for b in sorted(b_values))
