"""Every dialect, read by readers that know nothing of the phantom: the same voxels at the same places."""

import hashlib
import re
from pathlib import Path
from typing import get_type_hints

import numpy as np
import phantom_files as files
import pytest

from prostate_alm.cli.data import phantom
from prostate_alm.errors import UsageError
from prostate_alm.phantom import StudyPlan, write_study
from prostate_alm.phantom.dialects import DIALECTS, choose_dialect
from prostate_alm.phantom.protocol import KINDS, Series

EVERY_VARIANT = pytest.mark.parametrize(("name", "number"), files.VARIANTS)
NORMAL = np.cross(*files.GRID.axes[:2])


def hashes(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@EVERY_VARIANT
@pytest.mark.parametrize("kind", ["t2w", "dwi", "adc"])
def test_voxels_and_their_places_survive(name: str, number: int, kind: str, tmp_path: Path):
    b_value = {"t2w": None, "dwi": 100, "adc": 1000}[kind]
    series = files.tiny_series(kind, (b_value,))
    headers = files.read(files.write(tmp_path / "series", DIALECTS[name][number], series))
    slices = sorted((s for header in headers for s in files.decode(header)), key=lambda s: s.origin @ NORMAL)
    volume, landmark = files.truth(b_value)
    step = max(float(header.get("RescaleSlope", 0)) for header in headers)
    np.testing.assert_allclose([one.values for one in slices], volume, atol=step / 2 + 1e-9)
    brightest = max(slices, key=lambda one: one.values.max())
    np.testing.assert_allclose(brightest.brightest(), landmark, atol=0.01)
    origins = [files.GRID.position_mm(0, 0, index) for index in range(len(slices))]
    np.testing.assert_allclose([one.origin for one in slices], origins, atol=0.01)


@EVERY_VARIANT
def test_the_same_arguments_give_the_same_bytes(name: str, number: int, tmp_path: Path):
    series = files.tiny_series("dwi", files.B_VALUES)
    first, second = (files.write(tmp_path / run, DIALECTS[name][number], series) for run in ("first", "second"))
    assert hashes(first) == hashes(second)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_whole_study_has_every_kind_of_series_once(name: str, tmp_path: Path):
    plan = StudyPlan(index=1, label=0, dialect=name, seed=3)
    write_study(tmp_path / "study", plan, scratch=tmp_path / "scratch")
    series = [files.read(folder) for folder in (tmp_path / "study").iterdir()]
    styles = choose_dialect(name, 1).styles
    assert sorted(one[0].SeriesDescription for one in series) == sorted(styles[kind].description for kind in KINDS)
    every = [header for one in series for header in one]
    assert len({header.SOPInstanceUID for header in every}) == len(every)
    assert {header.Manufacturer for header in every} == {choose_dialect(name, 1).manufacturer}
    assert all(header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID for header in every)
    assert all(header.file_meta.MediaStorageSOPClassUID == header.SOPClassUID for header in every)


@EVERY_VARIANT
def test_every_dialect_styles_and_lays_out_every_kind(name: str, number: int):
    dialect = DIALECTS[name][number]
    assert dialect.styles.keys() == dialect.layouts.keys() == set(KINDS)


@EVERY_VARIANT
def test_t2w_and_dwi_differ_by_more_than_their_names(name: str, number: int):
    styles = DIALECTS[name][number].styles
    assert styles["t2w"].times_ms != styles["dwi"].times_ms


def test_studies_take_the_variants_in_turn():
    chosen = [choose_dialect("ge", study) for study in (1, 2, 3)]
    assert chosen[0] is chosen[2]
    assert chosen[0] is not chosen[1]


def test_an_unknown_dialect_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="siemens, siemens-mosaic, ge, philips, uih, standard, enhanced, j2k"):
        choose_dialect("klingon", 1)


def test_the_command_line_names_every_dialect():
    option = get_type_hints(phantom, include_extras=True)["dialect"].__metadata__[0]
    assert set(DIALECTS) <= set(re.findall(r"[\w-]+", option.help))


def test_j2k_is_the_standard_dialect_in_fewer_bytes(tmp_path: Path):
    smooth = Series("t2w", tuple(files.tiny_series("t2w", (None,)).frames[:2]))
    plain, packed = (files.write(tmp_path / name, DIALECTS[name][0], smooth) for name in ("standard", "j2k"))
    for one, other in zip(files.read(plain), files.read(packed), strict=True):
        assert other.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
        assert (one.pixel_array == other.pixel_array).all()
        assert len(other.PixelData) < len(one.PixelData)
        assert one.SOPInstanceUID == other.SOPInstanceUID
        del one.PixelData, other.PixelData
        assert one == other
