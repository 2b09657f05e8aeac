"""Round trips: a phantom's own volumes, written in every dialect and read back, are equal and lie where they were."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import phantom_files
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from prostate_alm.phantom import DIALECTS, StudyPlan, ground_truth
from prostate_alm.phantom.protocol import KINDS, Frame, Series, acquire
from prostate_alm.phantom.scan import Dialect, Scan
from prostate_alm.phantom.writing import write_series
from prostate_alm.studies import Keys, StudyReading, find_studies, read_study
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.geometry import LPS_TO_RAS
from prostate_alm.studies.pixels import PixelReader

pytestmark = pytest.mark.slow
KEYS = Keys(b"a salt for the tests")
B_VALUES = (0, 100, 600, 1000)  # many dialects treat b 0 in a way of its own
PLAN = StudyPlan(index=1, label=1, dialect="standard", seed=11, b_values=B_VALUES)
PER_FRAME = "(5200,9230) > (0018,9117) > (0018,9087)"
SOURCES = {
    "siemens": "(0019,100C)",
    "siemens-mosaic": "(0019,100C)",
    "ge": "(0043,1039)",
    "philips": "(2001,1003)",
    "uih": "(0065,1009)",
    "standard": "(0018,9087)",
    "enhanced": PER_FRAME,
    "j2k": "(0018,9087)",
}
NOT_USED = {
    "localizer": ("other", "not used because it"),
    "sagittal": ("other", "not used because its plane is sagittal"),
    "adc": ("adc", "not used because it is an ADC map"),
    "calculated": ("calculated", "not used because it is calculated"),
}


@dataclass(frozen=True)
class RoundTrip:
    """What was scanned, how it was written, and what was read."""

    name: str
    dialect: Dialect
    frames: dict[str, list[Frame]]
    reading: StudyReading

    def truth(self, volume: str) -> np.ndarray:
        """The phantom's own volume, (columns, rows, slices)."""
        return np.stack([frame.pixels for frame in self.frames[volume]], axis=-1).transpose(1, 0, 2).astype(np.float64)

    def scaling(self, volume: str) -> tuple[float, float]:
        """Signal per unit that is read, and signal per stored step: only Philips stores in steps of its own.

        Philips' floating-point value is the signal over both of its slopes (Chenevert et al. 2014).
        """
        layout = self.dialect.layouts["t2w" if volume == "t2w" else "dwi"]
        return (layout.slope * layout.scale_slope, layout.slope) if self.name == "philips" else (1.0, 0.0)


@pytest.fixture(scope="module")
def series() -> list[Series]:
    return acquire(PLAN.anatomy(), B_VALUES, PLAN.generator(2))


@pytest.fixture(scope="module", params=phantom_files.VARIANTS, ids=lambda variant: f"{variant[0]}-{variant[1]}")
def trip(request, series, tmp_path_factory) -> RoundTrip:
    name, number = request.param
    dialect, numbering = DIALECTS[name][number], PLAN.generator(3)
    root = tmp_path_factory.mktemp("study")
    for place, one in enumerate(series, start=1):
        write_series(Path(root, str(place)), Scan(one, place, PLAN.identity(), dialect, numbering))
    (study,) = find_studies(root)
    reading = read_study(study, keys=KEYS)
    shutil.rmtree(root)
    every = {one.kind: one.frames for one in series}
    frames = {"t2w": every["t2w"], **{f"dwi_b{b}": [f for f in every["dwi"] if f.b_value == b] for b in B_VALUES}}
    frames = {volume: sorted(members, key=lambda frame: frame.slice_index) for volume, members in frames.items()}
    return RoundTrip(name, dialect, frames, reading)


def test_it_is_ready_without_a_word(trip):
    assert trip.reading.problems == ()
    assert trip.reading.notes == ()
    assert trip.reading.ready
    assert not trip.reading.harmonised


def test_voxels_are_equal(trip):
    """Exactly, where pixels are stored as they are; within half a stored step where the dialect scales them."""
    assert set(trip.reading.volumes) == set(trip.frames)
    for name, volume in trip.reading.volumes.items():
        unit, step = trip.scaling(name)
        truth = trip.truth(name)
        assert volume.voxels.shape == truth.shape
        assert np.ptp(truth) > 200
        if step:
            np.testing.assert_allclose(volume.voxels * unit, truth, rtol=1e-6, atol=step / 2)
        else:
            assert np.array_equal(volume.voxels, truth)


def test_landmarks_lie_where_they_are(trip):
    truth = ground_truth(PLAN)
    points = {**truth["landmarks_lps_mm"], "finding": truth["finding"]["centre_lps_mm"]}
    for name, volume in trip.reading.volumes.items():
        grid = trip.frames[name][0].grid
        for point in points.values():
            ras = volume.affine @ [*grid.index(np.array(point)), 1.0]
            np.testing.assert_allclose(LPS_TO_RAS @ ras, [*point, 1.0], atol=0.01)


def test_b_values_and_their_sources(trip):
    assert trip.reading.b_values_found == B_VALUES
    assert trip.reading.sources["t2w"]["source_tag"] is None
    for b in B_VALUES:
        source = trip.reading.sources[f"dwi_b{b}"]
        assert source["source_tag"] == SOURCES[trip.name]
        # UIH states what the gradients really gave beside the nominal value
        assert source["b"] == pytest.approx(1.2 + 0.975 * b if trip.name == "uih" else b)


def test_every_series_is_used_or_says_why_not(trip):
    reports = dict(zip(KINDS, trip.reading.series, strict=True))
    assert (reports["t2w"].role, reports["t2w"].reason) == ("t2", "used as axial T2")
    assert (reports["dwi"].role, reports["dwi"].reason) == ("dwi", "used as DWI b0, b100, b600, b1000")
    for kind, (role, reason) in NOT_USED.items():
        assert reports[kind].role == role
        assert reports[kind].reason.startswith(reason)


def test_maps_carry_b_values_of_their_own_that_nobody_took(trip):
    reports = dict(zip(KINDS, trip.reading.series, strict=True))
    assert reports["adc"].b_values == (1000,)
    assert reports["calculated"].b_values == (1500,)
    assert reports["dwi"].b_values == B_VALUES


def test_what_the_network_sees_does_not_depend_on_the_dialect(trip):
    """All b-values over one number of b 100, and the T2 over its own: a vendor's scaling falls out."""
    for name, volume in trip.reading.volumes.items():
        reference = "t2w" if name == "t2w" else "dwi_b100"
        ours = volume.voxels / np.percentile(trip.reading.volumes[reference].voxels[::4, ::4], 99.5)
        truth = trip.truth(name) / np.percentile(trip.truth(reference)[::4, ::4], 99.5)
        np.testing.assert_allclose(ours, truth, rtol=2e-3, atol=2e-3)


def test_figures_of_quality_keep_their_limits_by_far(trip):
    measures = trip.reading.measures
    for name in trip.frames:
        assert measures[f"{name}_snr"] > 4  # limit 2
        assert measures[f"{name}_contrast"] > 1.4  # limit 1.05
        assert measures[f"{name}_saturated"] < 0.002  # limit 0.02
        assert measures[f"{name}_extent_mm"] > 55  # limit 40
        assert measures[f"{name}_blank_slices"] == 0
    assert measures["signal_ratio"] < 0.9  # limit 1
    assert measures["overlap"] > 0.95  # limit 0.8
    assert abs(measures["lower_end_mm"]) < 3  # limit 6
    assert abs(measures["upper_end_mm"]) < 3


@pytest.mark.parametrize(("name", "number"), phantom_files.VARIANTS)
@pytest.mark.parametrize("kind", ["t2w", "dwi"])
def test_an_archive_that_drops_value_representations_changes_nothing(tmp_path, name, number, kind):
    """Implicit VR Little Endian is the default transfer syntax: an archive may hand on any file in it."""
    series = phantom_files.tiny_series(kind, phantom_files.B_VALUES if kind == "dwi" else (None,))
    explicit = sorted(phantom_files.write(tmp_path / "explicit", DIALECTS[name][number], series).iterdir())
    for path in explicit:
        dataset = pydicom.dcmread(path)
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress(generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(tmp_path / path.name, implicit_vr=True, little_endian=True)
        known, found = read_headers(path), read_headers(tmp_path / path.name)
        assert len(known) > 1 or len(explicit) > 1
        for one, other in zip(known, found, strict=True):
            assert other.transfer_syntax == ImplicitVRLittleEndian
            assert replace(other, path=one.path, transfer_syntax=one.transfer_syntax) == one
        pixels = [PixelReader().read(images[0]) for images in (known, found)]
        assert np.array_equal(*pixels)
