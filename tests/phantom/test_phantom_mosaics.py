from pathlib import Path

import numpy as np
import phantom_files as files
import pytest
from pydicom.dataset import Dataset

from prostate_alm.phantom.dialects import DIALECTS
from prostate_alm.phantom.mosaics import tiled, volumes
from prostate_alm.phantom.protocol import Series

MOSAICS = [("siemens-mosaic", 0), ("siemens-mosaic", 1), ("uih", 0)]
TILES = {"siemens-mosaic": (3, 3), "uih": (3, 2)}  # five slices, columns and rows of tiles


def write_dwi(folder: Path, name: str, number: int, b_values: tuple[int, ...] = files.B_VALUES) -> list[Dataset]:
    return files.read(files.write(folder / "series", DIALECTS[name][number], files.tiny_series("dwi", b_values)))


@pytest.mark.parametrize(("name", "number"), MOSAICS)
def test_one_file_per_b_value_and_unused_tiles_are_zero(name: str, number: int, tmp_path: Path):
    headers = write_dwi(tmp_path, name, number)
    assert len(headers) == len(files.B_VALUES)
    assert sorted(int(header.InstanceNumber) for header in headers) == [1, 2, 3]
    (width, height, slices), (columns, rows) = files.GRID.shape, TILES[name]
    for header in headers:
        assert (header.Rows, header.Columns) == (rows * height, columns * width)
        tiles = [
            header.pixel_array[row * height : (row + 1) * height, column * width : (column + 1) * width]
            for row in range(rows)
            for column in range(columns)
        ]
        assert all(tile.any() for tile in tiles[:slices])
        assert not any(tile.any() for tile in tiles[slices:])


@pytest.mark.parametrize(("name", "number"), MOSAICS)
def test_only_diffusion_is_a_mosaic(name: str, number: int, tmp_path: Path):
    series = files.tiny_series("t2w", (None,))
    headers = files.read(files.write(tmp_path / "series", DIALECTS[name][number], series))
    assert len(headers) == files.GRID.shape[2]
    assert all((header.Rows, header.Columns) == files.GRID.shape[1::-1] for header in headers)


def test_a_siemens_mosaic_lies_around_the_middle_of_its_slice(tmp_path: Path):
    (header,) = write_dwi(tmp_path, "siemens-mosaic", 0, (100,))
    columns, rows, _ = files.GRID.shape
    middle_of_slice = files.GRID.position_mm((columns - 1) / 2, (rows - 1) / 2, 0)
    row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_mm, column_mm = header.PixelSpacing
    across = (header.Columns - 1) / 2 * column_mm * row + (header.Rows - 1) / 2 * row_mm * column
    np.testing.assert_allclose(np.array(header.ImagePositionPatient, dtype=float) + across, middle_of_slice, atol=0.01)


@pytest.mark.parametrize(("number", "sign"), [(0, 1), (1, -1)])
def test_tiles_of_siemens_follow_the_slice_normal(number: int, sign: int, tmp_path: Path):
    (header,) = write_dwi(tmp_path, "siemens-mosaic", number, (100,))
    csa = files.csareader.read(header[0x0029, 0x1010].value)
    normal = np.array(csa["tags"]["SliceNormalVector"]["items"])
    row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    np.testing.assert_allclose(normal, sign * np.cross(row, column), atol=1e-7)
    slices = files.decode(header)
    np.testing.assert_allclose((slices[1].origin - slices[0].origin) @ normal, files.GRID.spacing_mm[2], atol=1e-3)
    volume, _ = files.truth(100)
    np.testing.assert_array_equal([one.values for one in slices], volume[::sign])


def test_tiles_of_uih_stand_at_the_positions_of_their_items(tmp_path: Path):
    (header,) = write_dwi(tmp_path, "uih", 0, (100,))
    assert "ImagePositionPatient" not in header
    assert "SliceLocation" not in header
    volume, _ = files.truth(100)
    np.testing.assert_array_equal([one.values for one in files.decode(header)], volume)
    places = [float(item.SliceLocation) for item in header[0x0065, 0x1051].value]
    np.testing.assert_allclose(np.diff(places), files.GRID.spacing_mm[2], atol=1e-6)


def test_tiles_agree_with_a_loop():
    slices = list(np.random.default_rng(0).integers(0, 9, (5, 2, 3)))
    image = tiled(slices, columns=2, rows=3)
    expected = np.zeros((6, 6), dtype=int)
    for number, pixels in enumerate(slices):
        for row in range(2):
            for column in range(3):
                expected[number // 2 * 2 + row, number % 2 * 3 + column] = pixels[row, column]
    np.testing.assert_array_equal(image, expected)


def test_volumes_do_not_trust_the_order_of_frames():
    series = files.tiny_series("dwi", (0, 100))
    backwards = volumes(Series("dwi", series.frames[::-1]))
    assert [[frame.b_value for frame in frames] for frames in backwards] == [[100] * 5, [0] * 5]
    assert all([frame.slice_index for frame in frames] == list(range(5)) for frames in backwards)
