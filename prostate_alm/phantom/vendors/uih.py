"""UIH, diffusion as VFRAME mosaics: one file per b-value, two b-values in each, the place of every tile in a sequence.

Modelled on the files of a uMR 770 in neurolabusc's dcm_qa_uih (BSD-2).
"""

import math
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from prostate_alm.phantom.headers import STUDY_DATE, add_position, decimal
from prostate_alm.phantom.mosaics import mosaic_header, volumes
from prostate_alm.phantom.protocol import Frame
from prostate_alm.phantom.scan import Dialect, Scan, Style
from prostate_alm.phantom.slices import SLICES

_CREATOR = "Image Private Header"


def uih_mosaics(scan: Scan) -> Iterator[Dataset]:
    """One mosaic per b-value, without a position of its own: rows of ceil(sqrt(slices)) tiles, as many as needed.

    Args:
        scan: the diffusion series.
    """
    groups = volumes(scan.series)
    for frames, instance in zip(groups, scan.draw_numbers(len(groups)), strict=True):
        yield _mosaic(scan, frames, instance, len(groups))


def _mosaic(scan: Scan, frames: Sequence[Frame], instance: int, mosaics: int) -> Dataset:
    columns = math.ceil(math.sqrt(len(frames)))
    header = mosaic_header(scan, frames, instance, (columns, math.ceil(len(frames) / columns)), bits=16)
    grid = frames[0].grid
    scan.dialect.tag_b_value(header, frames[0].b_value or 0)
    header.NumberOfSlices = mosaics  # the real files count mosaics here, not slices
    block = header.private_block(0x0065, _CREATOR, create=True)
    block.add_new(0x04, "SH", f"{grid.shape[0]}*{grid.shape[1]}")
    block.add_new(0x14, "DS", decimal(*-grid.axes[2]))
    block.add_new(0x50, "DS", str(len(frames)))
    block.add_new(0x51, "SQ", Items(_tile(frame, scan) for frame in frames))
    return header


def _tile(frame: Frame, scan: Scan) -> Dataset:
    columns, rows, _ = frame.grid.shape
    item = Dataset()
    item.AcquisitionDate = STUDY_DATE
    item.AcquisitionTime = f"0800{scan.number:02d}"
    add_position(item, frame.grid.position_mm(0, 0, frame.slice_index), frame.grid)
    middle = frame.grid.position_mm(columns / 2, rows / 2, frame.slice_index)  # half a pixel off, as in the real files
    item.add_new((0x0065, 0x1015), "DS", decimal(*middle))  # without a creator in the item, as there
    return item


def _tag(header: Dataset, b_value: int) -> None:
    """(0065,1009), the b-value that the gradients really gave, a little off, and (0065,100A), the nominal one."""
    block = header.private_block(0x0065, _CREATOR, create=True)
    block.add_new(0x09, "FD", 1.2 + 0.975 * b_value)
    block.add_new(0x0A, "FD", float(b_value))


_SPIN_ECHO, _PLANAR, _GRADIENT = ("SE", "SK"), ("EP", "NONE"), ("GR", "SP")
_PLAIN = ("ORIGINAL", "PRIMARY", "M", "NONE")

UIH = Dialect(
    manufacturer="UIH",
    suffix=".dcm",
    styles={
        "localizer": Style("gre_localizer", _PLAIN, "gre", _GRADIENT, (8, 3)),
        "sagittal": Style("t2_fse_sag", _PLAIN, "fse", _SPIN_ECHO, (4500, 102)),
        "t2w": Style("t2_fse_tra", _PLAIN, "fse", _SPIN_ECHO, (4500, 102)),
        "dwi": Style("epi_dwi_tra", ("ORIGINAL", "PRIMARY", "M", "VFRAME"), "epi_dwi", _PLANAR, (3400, 68)),
        "adc": Style("epi_dwi_tra_ADC", ("DERIVED", "PRIMARY", "ADC", "NONE"), "epi_dwi", _PLANAR, (3400, 68)),
        "calculated": Style(
            "epi_dwi_tra_calc_b1500", ("DERIVED", "SECONDARY", "M", "NONE"), "epi_dwi", _PLANAR, (3400, 68)
        ),
    },
    tag_b_value=_tag,
    layouts={**SLICES, "dwi": uih_mosaics},
)
