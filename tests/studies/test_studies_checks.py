"""Every figure of quality: what it measures, the limit that the rules give it, and its place in the QC table."""

from collections.abc import Callable

import dicom_factory
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from prostate_alm.studies import (
    QUALITY_COLUMNS,
    REQUIRED,
    Keys,
    StudyReading,
    Volume,
    checks,
    default_rules,
    find_studies,
    load_rules,
    read_study,
)
from prostate_alm.studies.geometry import Grid
from prostate_alm.studies.quality import quality_row
from prostate_alm.studies.rules import CheckRules

KEYS = Keys(b"a salt for the tests")
LIMITS = default_rules().checks
PER_VOLUME = ("extent_mm", "not_finite", "blank_slices", "contrast", "saturated", "snr")
PER_STUDY = ("signal_ratio", "overlap", "lower_end_mm", "upper_end_mm")


def tissue(shape: tuple[int, int, int] = (40, 40, 20), *, noise: float = 10.0, seed: int = 0) -> np.ndarray:
    """Signal 100 with Gaussian noise in the middle, a bright part of 300, air around."""
    generator = np.random.default_rng(seed)
    voxels = np.zeros(shape)
    x, y, _ = shape
    voxels[x // 10 : -x // 10, :] = 100
    voxels[x // 4 : x // 4 + x // 8, y // 4 : y // 2] = 300
    return np.abs(voxels + noise * generator.standard_normal(shape))


def volume_of(voxels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 3.0)) -> Volume:
    return Volume(voxels.astype(np.float32), np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))


def limits_with(**limits: object) -> CheckRules:
    return CheckRules.model_validate({**LIMITS.model_dump(), **limits})


def measured(volume: Volume, limits: CheckRules = LIMITS) -> dict[str, checks.Measure]:
    found = checks.measure_volume(volume, limits)
    assert len({measure.name for measure in found}) == len(found)
    return {measure.name: measure for measure in found}


def test_a_whole_volume_has_every_figure_and_no_problem():
    found = measured(volume_of(tissue()))
    assert tuple(found) == PER_VOLUME
    assert all(measure.problem == "" and measure.value is not None for measure in found.values())


def blank(*slices: int) -> np.ndarray:
    voxels = tissue()
    voxels[:, :, list(slices)] = 7
    return voxels


def cut(share: float) -> np.ndarray:
    """So many voxels at the largest value."""
    voxels = tissue()
    return np.minimum(voxels, np.quantile(voxels, 1 - share))


def two_levels(high: float) -> np.ndarray:
    """A ramp from 100 with 5 % of its voxels near `high`."""
    voxels = 100 + np.linspace(0, 1e-3, 32_000)
    voxels[::20] = high
    return np.random.default_rng(0).permutation(voxels).reshape(40, 40, 20)


FIGURES = [
    ("extent_mm", lambda: tissue((30, 30, 12)), 36.0, {"min_extent_mm": 36}, {"min_extent_mm": 36.5}),
    ("blank_slices", lambda: blank(3), 1, {"max_blank_slices": 1}, {"max_blank_slices": 0}),
    ("blank_slices", lambda: blank(0, 5, 19), 3, {"max_blank_slices": 3}, {"max_blank_slices": 2}),
    ("contrast", lambda: two_levels(150), 1.5, {"min_contrast": 1.49}, {"min_contrast": 1.51}),
    ("contrast", lambda: two_levels(103), 1.03, {"min_contrast": 1.02}, {"min_contrast": 1.05}),
    ("saturated", lambda: cut(0.05), 0.05, {"max_saturated": 0.051}, {"max_saturated": 0.049}),
    ("snr", lambda: tissue(noise=20), 5.0, {"min_snr": 4.5}, {"min_snr": 5.5}),
]


@pytest.mark.parametrize(("name", "make", "value", "lax", "strict"), FIGURES)
def test_a_figure_is_what_it_says_and_its_limit_is_the_rules(name, make, value, lax, strict):
    kept, broken = (measured(volume_of(make()), limits_with(**limits))[name] for limits in (lax, strict))
    assert kept.value == broken.value == pytest.approx(value, rel=0.05)
    assert kept.problem == ""
    assert broken.problem != ""
    (limit,) = strict.values()
    shown = {"max_blank_slices": "blank", "max_saturated": f"at most {limit:.1%}"}.get(next(iter(strict)))
    assert (shown or f"at least {limit:g}") in broken.problem


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_counted_and_end_the_matter(count, value):
    voxels = tissue()
    voxels.flat[:count] = value
    found = measured(volume_of(voxels))
    assert list(found) == ["extent_mm", "not_finite"]
    assert (found["not_finite"].value, found["not_finite"].problem) == (count, "voxels are not finite")


@pytest.mark.parametrize("level", [0.0, 7.0, -3.0])
def test_constant_intensities_are_said_so(level):
    found = measured(volume_of(np.full((20, 20, 20), level)))
    assert list(found) == ["extent_mm", "not_finite", "contrast"]
    assert found["contrast"].problem == "intensities are constant"


def test_an_inverted_image_has_no_contrast():
    inverted = 4095 - tissue(noise=3.0)
    assert "looks inverted or empty" in measured(volume_of(inverted))["contrast"].problem


def test_an_image_that_is_mostly_air_is_not_called_inverted():
    voxels = np.zeros((40, 40, 20))
    voxels[10:25, 10:25] = tissue((15, 15, 20))
    contrast = measured(volume_of(voxels))["contrast"]
    assert (contrast.value, contrast.problem) == (None, "")


def test_a_blank_slice_is_named_by_its_place_in_the_patient():
    volume = Volume(blank(4, 6).astype(np.float32), np.diag([-2.0, -2.0, 3.0, 1.0]))
    assert measured(volume)["blank_slices"].problem == "2 slices are blank, the first at (39.0, 39.0, 12.0) mm"
    volume = Volume(blank(4).astype(np.float32), np.diag([-2.0, -2.0, 3.0, 1.0]))
    assert measured(volume)["blank_slices"].problem == "a slice is blank at (39.0, 39.0, 12.0) mm"


def magnitude(signal: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """|signal + complex Gaussian noise|, the noise of magnitude images (Gudbjartsson and Patz 1995)."""
    generator = np.random.default_rng(seed)
    return np.hypot(
        signal + noise * generator.standard_normal(signal.shape), noise * generator.standard_normal(signal.shape)
    )


@pytest.mark.parametrize("air", [True, False])
@pytest.mark.parametrize(("true", "kept"), [(0, False), (1, False), (1.5, False), (2, False), (3.5, True), (5, True)])
def test_an_image_whose_signal_drowns_in_noise_is_refused(true, kept, air):
    """The magnitude of noise alone is not 0: its median is nearly twice its own standard deviation."""
    signal = np.full((60, 60, 20), float(true))
    if air:
        signal[:6] = signal[-6:] = 0
    snr = measured(volume_of(100 * magnitude(signal, 1.0)))["snr"]
    assert (snr.problem == "") == kept
    assert snr.value > true


@pytest.mark.parametrize("signal_to_noise", [5, 20, 100])
@pytest.mark.parametrize("shape", [(60, 60, 10), (200, 200, 10), (64, 400, 6)])
def test_the_noise_is_found(signal_to_noise, shape):
    voxels = tissue(shape, noise=100 / signal_to_noise)
    assert measured(volume_of(voxels))["snr"].value == pytest.approx(signal_to_noise, rel=0.12)


@pytest.mark.parametrize("scale", [0.01, 37.0])
def test_figures_do_not_depend_on_the_unit_of_the_signal(scale):
    one, other = (measured(volume_of(voxels)) for voxels in (tissue(), scale * tissue()))
    for name in PER_VOLUME:
        assert one[name].value == pytest.approx(other[name].value, rel=1e-3)


def test_a_smooth_anatomy_is_no_noise():
    x = np.linspace(0, np.pi, 200)
    voxels = 1000 * np.sin(x)[:, None, None] * np.sin(x)[None, :, None] * np.ones(10)
    assert measured(volume_of(voxels))["snr"].value > 1000


def test_without_noise_or_tissue_there_is_no_ratio():
    voxels = np.zeros((40, 40, 20))
    voxels[10:30] = 100
    snr = measured(volume_of(voxels))["snr"]
    assert snr.value is None
    assert "its noise cannot be measured" in snr.problem
    assert checks.signal_to_noise(np.ones((2, 5, 5))) is None
    assert checks.signal_to_noise(np.zeros((5, 5, 5))) is None


def test_a_single_bright_voxel_is_not_saturation():
    voxels = tissue()
    voxels[5, 5, 5] = 4095
    assert measured(volume_of(voxels))["saturated"].value == pytest.approx(1 / voxels.size)


def axial(slices: int, *, below: int = 0, spacing: float = 3.0, turn: np.ndarray | None = None) -> Grid:
    """A stack that begins so many slices higher than another, positions rounded as files round them."""
    turned = np.eye(3) if turn is None else turn
    affine = np.eye(4)
    affine[:3, :3] = turned * [0.5, 0.5, spacing]
    affine[:3, 3] = np.round(np.array([-80.0, -80.0, -30.0]) + turned[:, 2] * spacing * below, 3)
    return Grid((320, 320, slices), affine)


def pair(t2: Grid, dwi: Grid, limits: CheckRules = LIMITS) -> dict[str, checks.Measure]:
    return {measure.name: measure for measure in checks.measure_pair(t2, dwi, limits)}


TURNS = st.tuples(*[st.floats(-20, 20)] * 3).map(lambda angles: Rotation.from_euler("xyz", angles, True).as_matrix())


@given(turn=TURNS)
def test_limits_hold_to_the_slice_however_the_stack_is_tilted(turn):
    """Two slices of 3 mm are the 6 mm that the rules allow, and ten slices of 4 mm the 40 mm that they ask for."""
    found = pair(axial(20, turn=turn), axial(18, below=2, turn=turn))
    assert [found[name].value for name in PER_STUDY[2:]] == [6, 0]
    assert [found[name].problem for name in PER_STUDY[2:]] == ["", ""]
    volume = Volume(tissue((12, 12, 10)).astype(np.float32), axial(10, spacing=4.0, turn=turn).affine)
    extent = checks.measure_volume(volume, LIMITS)[0]
    assert (extent.name, extent.value, extent.problem) == ("extent_mm", 40, "")


@given(turn=TURNS)
def test_a_slice_too_few_is_seen_however_the_stack_is_tilted(turn):
    found = pair(axial(20, turn=turn), axial(17, below=3, turn=turn))
    assert "T2 reaches 9.0 mm beyond DWI at the lower end" in found["lower_end_mm"].problem
    found = pair(axial(17, turn=turn), axial(20, turn=turn))
    assert "DWI reaches 9.0 mm beyond T2 at the upper end" in found["upper_end_mm"].problem


def test_ends_keep_the_limit_of_the_rules():
    t2, dwi = axial(20), axial(19, below=1)
    assert pair(t2, dwi, limits_with(max_end_distance_mm=3))["lower_end_mm"].problem == ""
    assert "at most 2.9 mm are allowed" in pair(t2, dwi, limits_with(max_end_distance_mm=2.9))["lower_end_mm"].problem


def shifted(millimetres: float) -> Grid:
    affine = axial(20).affine.copy()
    affine[0, 3] += millimetres
    return Grid((320, 320, 20), affine)


@pytest.mark.parametrize(("shift", "share"), [(0, 1.0), (40, 1.0), (60, 0.75), (80, 0.5), (100, 0.25), (130, 0.0)])
def test_overlap_is_a_share_of_the_middle(shift, share):
    """The middle of 160 mm is 80 mm; a shift of 40 mm leaves it inside."""
    for t2, dwi in ((axial(20), shifted(shift)), (shifted(shift), axial(20))):
        assert pair(t2, dwi)["overlap"].value == pytest.approx(share, abs=0.12)


def test_overlap_keeps_the_limit_of_the_rules_in_both_directions():
    small = Grid((320, 320, 20), axial(20).affine @ np.diag([0.4, 0.4, 1, 1]))
    small.affine[:2, 3] = -32
    for t2, dwi, text in ((axial(20), small, "DWI covers"), (small, axial(20), "T2 covers")):
        assert text in pair(t2, dwi)["overlap"].problem
        assert pair(t2, dwi, limits_with(min_overlap=0.0))["overlap"].problem == ""


def falling(*levels: float) -> dict[int, Volume]:
    return {b: volume_of(level * tissue()) for b, level in zip((0, 100, 600, 1000), levels, strict=False)}


@pytest.mark.parametrize(
    ("levels", "ratio", "rising"),
    [
        ((1, 0.9, 0.5, 0.3), 0.9, []),
        ((1, 0.9, 0.95, 0.3), 0.95 / 0.9, ["b100 to b600"]),
        ((1, 1, 0.5, 0.3), 1.0, ["b0 to b100"]),
        ((0.3, 0.5, 0.9, 1), 0.9 / 0.5, ["b0 to b100", "b100 to b600", "b600 to b1000"]),
    ],
)
def test_signal_must_fall_from_each_b_value_to_the_next(levels, ratio, rising):
    (measure,) = checks.measure_fall(falling(*levels), LIMITS)
    assert measure.name == "signal_ratio"
    assert measure.value == pytest.approx(ratio, rel=1e-3)
    assert measure.problem == "; ".join(f"DWI signal does not fall from {step}" for step in rising)


def test_the_fall_keeps_the_limit_of_the_rules():
    volumes = falling(1, 0.9)
    assert checks.measure_fall(volumes, limits_with(max_signal_ratio=0.91))[0].problem == ""
    assert checks.measure_fall(volumes, limits_with(max_signal_ratio=0.89))[0].problem != ""


def test_one_b_value_cannot_fall_and_no_tissue_is_a_problem():
    assert checks.measure_fall(falling(1), LIMITS) == []
    empty = {b: volume_of(np.zeros((20, 20, 20))) for b in (100, 600)}
    (measure,) = checks.measure_fall(empty, LIMITS)
    assert (measure.value, measure.problem) == (None, "DWI: no foreground in the image with the lowest b-value")


# one limit of the rules that the study below breaks, what its problem says, and whether its b-values need the fit
STRICT: dict[str, tuple[object, str, bool]] = {
    "min_extent_mm": (49, "only 48 mm along the slices (6 slices), at least 49 mm are needed", False),
    "max_end_distance_mm": (0, "T2 and DWI do not show the same region: T2 reaches 8.0 mm beyond DWI", False),
    "min_overlap": (0.9, "% of the middle of the DWI", False),
    "max_fit_residual": (0.0001, "the signal does not fall mono-exponentially", True),
    "fit_adc_mm2_per_s": ([0.0013, 0.003], "is not that of tissue (1.3 to 3e-3)", True),
    "max_extrapolation_above": (1.2, "b1000 is too far from the acquired range", True),
    "max_extrapolation_below": (90, "b100 is too far from the acquired range", True),
    "min_snr": (50, "the signal-to-noise ratio is 8.", False),
    "max_saturated": (0.0001, "values were cut off (at most 0.0%)", False),
    "min_contrast": (1.4, "the image looks inverted or empty", False),
    "max_blank_slices": (0, "a slice is blank at", False),
    "max_signal_ratio": (0.5, "DWI signal does not fall from b100 to b600", False),
}


def spoilt(limit: str, *, fitted: bool) -> dicom_factory.Study:
    """A study that breaks the strict limit and keeps a lax one."""
    made = dicom_factory.study(b_values=(200, 400, 800) if fitted else (100, 600, 1000))
    if limit == "max_blank_slices":
        dicom_factory.set_pixels(made["t2"][2], np.zeros((24, 24)))
    for image in [image for name, images in made.items() if name.startswith("dwi") for image in images]:
        x, y, z = image.ImagePositionPatient
        across, up = SHIFTS.get(limit, (0, 0))
        image.ImagePositionPatient = [x + across, y, z + up]
    return made


SHIFTS = {"min_overlap": (20, 0), "max_end_distance_mm": (0, 8)}
LAX: dict[str, dict[str, object]] = {
    "max_blank_slices": {"max_blank_slices": 1},
    "max_end_distance_mm": {"max_end_distance_mm": 8},
    "min_overlap": {"min_overlap": 0.4},
}


def reading_with(folder, limits: dict[str, object], *, fitted: bool) -> StudyReading:
    site = folder.parent / "site.yaml"
    site.write_text("checks: {" + ", ".join(f"{name}: {value}" for name, value in limits.items()) + "}")
    (study,) = find_studies(folder)
    return read_study(study, keys=KEYS, harmonise=fitted, rules=load_rules(site))


@pytest.mark.parametrize("limit", CheckRules.model_fields)
def test_a_study_is_ready_or_not_by_the_limits_of_its_site(tmp_path, limit):
    strict, problem, fitted = STRICT[limit]
    folder = dicom_factory.save(spoilt(limit, fitted=fitted), tmp_path / "study")
    lax = LAX.get(limit, {})
    ready = reading_with(folder, lax, fitted=fitted)
    assert ready.problems == ()
    assert ready.ready
    broken = reading_with(folder, lax | {limit: strict}, fitted=fitted)
    assert not broken.ready
    assert any(problem in text for text in broken.problems)


@pytest.fixture
def ready_reading(tmp_path) -> Callable[..., StudyReading]:
    def read(b_values: tuple[int, ...] = (100, 600, 1000)) -> StudyReading:
        (study,) = find_studies(dicom_factory.save(dicom_factory.study(b_values=b_values), tmp_path))
        return read_study(study, keys=KEYS, harmonise=True)

    return read


def test_every_figure_stands_in_the_table(ready_reading):
    reading = ready_reading()
    row = quality_row(reading)
    assert set(reading.measures) == {
        *PER_STUDY,
        *(f"{volume}_{figure}" for volume in REQUIRED for figure in PER_VOLUME),
    }
    assert list(row) == list(QUALITY_COLUMNS)
    for name, value in reading.measures.items():
        assert float(row[name]) == pytest.approx(value, rel=1e-3)


def test_a_figure_that_cannot_be_computed_is_empty(ready_reading):
    reading = ready_reading()
    reading.measures["t2w_snr"] = None
    assert quality_row(reading)["t2w_snr"] == ""
    reading.measures.clear()
    assert {quality_row(reading)[name] for name in PER_STUDY} == {""}


def test_the_figures_of_the_fit_stand_in_the_table_too(ready_reading):
    row = quality_row(ready_reading((50, 400, 800)))
    assert float(row["median_adc_mm2_per_s"]) == pytest.approx(dicom_factory.ADC, rel=0.01)
    assert 0 <= float(row["harmonisation_residual"]) < 0.01
    assert row["dwi_b600_snr"] == ""  # computed, so its noise is not that of a scanner


def test_figures_of_a_study_that_is_not_ready_are_given_as_well(tmp_path):
    made = dicom_factory.study()
    for image in made["dwi_b600"]:
        dicom_factory.set_pixels(image, np.zeros((20, 16)))
    (study,) = find_studies(dicom_factory.save(made, tmp_path))
    reading = read_study(study, keys=KEYS)
    row = quality_row(reading)
    assert row["ready"] == 0
    assert "series 6 (ep2d_diff_tra), dwi_b600: intensities are constant" in row["reasons"]
    assert row["dwi_b600_contrast"] == "1"
    assert row["dwi_b600_snr"] == ""
    assert float(row["dwi_b1000_snr"]) > 2


def test_one_defect_of_several_volumes_is_said_once(tmp_path):
    (study,) = find_studies(dicom_factory.save(dicom_factory.study(), tmp_path / "study"))
    site = tmp_path / "site.yaml"
    site.write_text("checks: {min_extent_mm: 60}")
    problems = read_study(study, keys=KEYS, rules=load_rules(site)).problems
    assert [text.split(":")[0] for text in problems] == [
        "series 4 (t2_tse_tra), t2w",
        "series 6 (ep2d_diff_tra), dwi_b100, dwi_b600, dwi_b1000",
    ]
