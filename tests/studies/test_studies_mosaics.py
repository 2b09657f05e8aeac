"""Mosaics: every slice out of its tile and at its place, or no volume and a reason."""

import math
from collections.abc import Callable
from pathlib import Path

import dicom_factory
import numpy as np
import phantom_files
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from prostate_alm.phantom import DIALECTS
from prostate_alm.phantom.csa import Element, encode_csa
from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.geometry import LPS_TO_RAS, build_stack
from prostate_alm.studies.headers import Header
from prostate_alm.studies.pixels import PixelReader
from prostate_alm.studies.volumes import read_volume

KEYS = Keys(b"a salt for the tests")
WRITERS = {"along": ("siemens-mosaic", 0), "against": ("siemens-mosaic", 1), "uih": ("uih", 0)}
CSA, SIEMENS_COUNT, UIH_COUNT, UIH_SLICES = 0x00291010, 0x0019100A, 0x00651050, 0x00651051
WHY_NOT = "it is a mosaic that does not say how its slices lie"
Spoil = Callable[[Dataset], None]


def write(folder: Path, writer: str, spoil: Spoil = lambda _: None, b_values: tuple[int, ...] = (100,)) -> Path:
    """The mosaics of a tiny phantom, five slices each, spoilt."""
    name, number = WRITERS[writer]
    phantom_files.write(folder, DIALECTS[name][number], phantom_files.tiny_series("dwi", b_values))
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        spoil(header)
        header.save_as(path)
    return folder


def images_of(folder: Path) -> tuple[Header, ...]:
    (path,) = folder.iterdir()
    found = read_headers(path)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("writer", WRITERS)
def test_slices_and_their_places_survive(tmp_path, writer):
    images = images_of(write(tmp_path / "series", writer))
    volume = read_volume(build_stack(images))
    truth, landmark = phantom_files.truth(100)
    assert np.array_equal(volume.voxels, truth.transpose(2, 1, 0))
    place = LPS_TO_RAS @ volume.affine @ [*phantom_files.LANDMARK, 1]
    np.testing.assert_allclose(place, [*landmark, 1], atol=0.01)


@pytest.mark.parametrize("writer", WRITERS)
def test_tiles_without_a_slice_are_none(tmp_path, writer):
    """Siemens' five slices leave four tiles of nine empty, UIH's one of six."""
    images = images_of(write(tmp_path / "series", writer))
    columns, rows, count = phantom_files.GRID.shape
    assert [image.corner for image in images] == [(k // 3 * rows, k % 3 * columns) for k in range(count)]
    assert {(image.rows, image.columns) for image in images} == {(rows, columns)}


def test_tiles_against_the_normal_are_the_same_stack_from_its_other_end(tmp_path):
    along, against = (build_stack(images_of(write(tmp_path / way, way))) for way in ("along", "against"))
    assert along.grid.same_as(against.grid)
    for one, other in zip(along.slices, against.slices, strict=True):
        assert one[0].position_mm == pytest.approx(other[0].position_mm, abs=1e-6)
    assert along.slices[0][0].corner == against.slices[-1][0].corner == (0, 0)


def by_hand(slices: np.ndarray, across: int, down: int) -> np.ndarray:
    count, rows, columns = slices.shape
    picture = np.zeros((down * rows, across * columns))
    for row in range(down):
        for column in range(across):
            if row * across + column < count:
                for y in range(rows):
                    for x in range(columns):
                        picture[row * rows + y, column * columns + x] = slices[row * across + column, y, x]
    return picture


def siemens(count: int, **more: object) -> Dataset:
    """A Siemens mosaic of axial slices of 3 x 2 pixels, 4 mm apart, the middle of the first at (0, 0, 0)."""
    side = math.ceil(math.sqrt(count))
    pixels = 1 + np.arange(count * 6).reshape(count, 3, 2)
    made = dicom_factory.series("1.2.3", 6, "dwi", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\MOSAIC", b_value=100,
                                voxels=np.zeros((2, 2, 2)), ScanningSequence="EP")[0]  # fmt: skip
    dicom_factory.set_pixels(made, by_hand(pixels, side, side))
    made.PixelSpacing, made.SpacingBetweenSlices = [1, 1], "4"
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [-(side * 2 - 1) / 2, -(side * 3 - 1) / 2, 0]
    stated = {"NumberOfImagesInMosaic": (count,), "SliceNormalVector": (0, 0, 1)} | more
    elements = [Element(name, "FD", tuple(values)) for name, values in stated.items() if values is not None]
    block = made.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", encode_csa(elements))
    return made


def saved(made: Dataset, folder: Path) -> Path:
    dicom_factory.save([made], folder)
    return folder / f"series{made.SeriesNumber}"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 10, 16, 17])
def test_slices_fill_the_least_square_row_by_row(tmp_path, count):
    images = images_of(saved(siemens(count), tmp_path))
    assert len(images) == count
    pixels = np.array([PixelReader().read(image) for image in images])
    assert np.array_equal(pixels, 1 + np.arange(count * 6).reshape(count, 3, 2))
    corner = (-0.5, -1.0)  # half of a slice before its middle, half a pixel in
    assert [image.position_mm for image in images] == [(*corner, 4.0 * k) for k in range(count)]


def assert_no_volume(folder: Path) -> None:
    (image,) = images_of(folder)
    assert image.corner is None
    (study,) = find_studies(folder)
    reading = read_study(study, keys=KEYS)
    assert reading.volumes == {}
    assert not reading.ready
    (report,) = reading.series
    assert (report.role, report.reason) == ("other", f"not used because {WHY_NOT}")
    assert any(WHY_NOT in problem for problem in reading.problems)


@pytest.mark.parametrize(
    "stated",
    [
        {"NumberOfImagesInMosaic": None},
        {"NumberOfImagesInMosaic": (5, 5)},
        {"NumberOfImagesInMosaic": (0,)},
        {"NumberOfImagesInMosaic": (-5,)},
        {"NumberOfImagesInMosaic": (2.0e9,)},
        {"NumberOfImagesInMosaic": (26,)},  # 6 x 6 tiles do not fit
        {"SliceNormalVector": None},
        {"SliceNormalVector": (0, 0)},
        {"SliceNormalVector": (0, 0, 0.5)},
        {"SliceNormalVector": (0, 0, 0)},
        {"SliceNormalVector": (0, 1, 0)},
    ],
)
def test_a_csa_header_that_does_not_fit_is_refused(tmp_path, stated):
    assert_no_volume(saved(siemens(5, **stated), tmp_path))


def drop(tag: object) -> Spoil:
    def spoil(header: Dataset) -> None:
        del header[tag]

    return spoil


def put(keyword: str, value: object) -> Spoil:
    return lambda header: setattr(header, keyword, value)


def give(tag: int, value: object) -> Spoil:
    def spoil(header: Dataset) -> None:
        header[tag].value = value

    return spoil


SPOILT = {
    "no CSA header": drop(CSA),
    "a CSA header that is cut": lambda header: give(CSA, header[CSA].value[:300])(header),
    "no CSA header at all": give(CSA, b"nothing of the kind "),
    "no spacing": drop("SpacingBetweenSlices"),
    "a spacing of nothing": put("SpacingBetweenSlices", "0"),
    "a spacing backwards": put("SpacingBetweenSlices", "-3"),
    "no orientation": drop("ImageOrientationPatient"),
    "no position": drop("ImagePositionPatient"),
    "no pixel spacing": drop("PixelSpacing"),
    "one slice fewer, said elsewhere": give(SIEMENS_COUNT, 4),
    "one slice more, said elsewhere": give(SIEMENS_COUNT, 6),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_siemens_mosaic_that_does_not_say_how_it_lies_is_refused(tmp_path, spoil):
    assert_no_volume(write(tmp_path / "series", "along", spoil))


def drop_slice(header: Dataset) -> None:
    header[UIH_SLICES].value = Sequence(list(header[UIH_SLICES].value)[:-1])


UIH_SPOILT = {
    "no slices": give(UIH_SLICES, Sequence([])),
    "no sequence of slices": drop(UIH_SLICES),
    "a slice lost": drop_slice,
    "another count": give(UIH_COUNT, "6"),
    "a slice without a position": lambda header: drop("ImagePositionPatient")(header[UIH_SLICES].value[2]),
    "a slice of half a position": lambda header: put("ImagePositionPatient", [1, 2])(header[UIH_SLICES].value[2]),
    "a matrix of which no tiles can be made": put("Columns", phantom_files.GRID.shape[0] * 3 - 1),
}


@pytest.mark.parametrize("spoil", UIH_SPOILT.values(), ids=UIH_SPOILT)
def test_a_uih_mosaic_that_does_not_say_how_it_lies_is_refused(tmp_path, spoil):
    assert_no_volume(write(tmp_path / "series", "uih", spoil))


def test_more_tiles_than_any_mosaic_has_are_refused(tmp_path):
    """A picture of 4096 x 4096 pixels could be taken for 16 million slices of one pixel; this one is milder."""
    made = siemens(4, NumberOfImagesInMosaic=(46 * 46,))
    made.Rows = made.Columns = 46 * 4
    assert_no_volume(saved(made, tmp_path))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_count_that_is_said_once_is_enough(tmp_path, writer):
    spoil = drop(UIH_COUNT if writer == "uih" else SIEMENS_COUNT)
    assert len(images_of(write(tmp_path / "series", writer, spoil))) == 5


@pytest.mark.parametrize("writer", WRITERS)
def test_one_lost_mosaic_is_one_lost_b_value(tmp_path, writer):
    folder = write(tmp_path / "series", writer, b_values=phantom_files.B_VALUES)
    reports = [read_study(study, keys=KEYS).series[0] for study in find_studies(folder)]
    assert [report.b_values for report in reports] == [phantom_files.B_VALUES]
    lost = next(path for path in folder.iterdir() if read_headers(path)[0].b_value.nominal == 100)
    lost.unlink()
    reading = read_study(find_studies(folder)[0], keys=KEYS)
    assert reading.b_values_found == (0, 1000)
    assert not reading.ready
