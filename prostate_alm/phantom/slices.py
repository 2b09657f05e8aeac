"""One file per slice: the layout of classic MR images."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from prostate_alm.phantom.headers import add_pixels, add_position, add_sampling, classic_header
from prostate_alm.phantom.protocol import KINDS
from prostate_alm.phantom.scan import Layout, Scan


def one_file_per_slice(scan: Scan) -> Iterator[Dataset]:
    """A classic MR Image (PS3.3 A.4) for every frame; instance numbers say nothing of the place.

    Args:
        scan: the series.
    """
    for frame, instance in zip(scan.series.frames, scan.draw_numbers(len(scan.series.frames)), strict=True):
        header = classic_header(scan, instance, frame.b_value)
        add_sampling(header, frame.grid)
        add_position(header, frame.grid.position_mm(0, 0, frame.slice_index), frame.grid)
        add_pixels(header, frame.pixels)
        if frame.b_value is not None:
            scan.dialect.tag_b_value(header, frame.b_value)
        yield header


SLICES: dict[str, Layout] = dict.fromkeys(KINDS, one_file_per_slice)
