"""What a vendor decides about the files of a study, and one series about to be written.

A `Dialect` is data plus three kinds of small functions: how a b-value is tagged, how the slices of a series become
files (a `Layout`), and how pixels are encoded.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from prostate_alm.phantom.identity import Identity
from prostate_alm.phantom.protocol import Series

MODEL_NAME = "prostate_alm phantom"


@dataclass(frozen=True)
class Style:
    """What the headers of one kind of series say.

    Args:
        description: SeriesDescription.
        image_type: ImageType.
        sequence: SequenceName, or None where the vendor writes none; `{b}`, `{low}` and `{high}` stand for b-values
            in s/mm2, `{direction}` for the number of a diffusion direction.
        scanning: ScanningSequence and SequenceVariant; a backslash separates values.
        times_ms: repetition and echo time.
    """

    description: str
    image_type: tuple[str, ...]
    sequence: str | None
    scanning: tuple[str, str]
    times_ms: tuple[int, int]


Layout = Callable[["Scan"], Iterator[Dataset]]


def uncompressed(header: Dataset) -> None:
    """Leave the pixels as they are: Explicit VR Little Endian (PS3.5 A.2)."""


@dataclass(frozen=True)
class Dialect:
    """One vendor's way to write a study.

    Args:
        manufacturer: what the vendor calls itself.
        suffix: ending of file names.
        styles: kind of series -> what its headers say.
        tag_b_value: writes a b-value (s/mm2) where this vendor writes it.
        layouts: kind of series -> how its slices become files.
        encode: what is done to the pixels of a finished file, its file meta information included.
    """

    manufacturer: str
    suffix: str
    styles: Mapping[str, Style]
    tag_b_value: Callable[[Dataset, int], None]
    layouts: Mapping[str, Layout]
    encode: Callable[[Dataset], None] = uncompressed


@dataclass(frozen=True)
class Scan:
    """One series about to be written.

    Args:
        series: the frames.
        number: SeriesNumber, from 1.
        identity: who was scanned.
        dialect: how the vendor writes.
        generator: the study's source of chance.
    """

    series: Series
    number: int
    identity: Identity
    dialect: Dialect
    generator: np.random.Generator

    @property
    def style(self) -> Style:
        """What the headers of this kind of series say."""
        return self.dialect.styles[self.series.kind]

    def draw_numbers(self, count: int) -> list[int]:
        """1 to count: rising, falling or scrambled, as the generator decides, for no reader may trust their order."""
        numbers = np.arange(1, count + 1)
        way = self.generator.random()
        if way < 0.25:
            numbers = numbers[::-1]
        elif way < 0.6:
            numbers = self.generator.permutation(numbers)
        return [int(number) for number in numbers]
