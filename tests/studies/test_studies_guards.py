"""What looks like a complete study and is not one: each is refused with its reason."""

import dicom_factory
import numpy as np
import pytest

from prostate_alm.studies import Keys, default_rules, find_studies, read_study
from prostate_alm.studies.rules import load_rules, loosened

KEYS = Keys(b"a salt for the tests")


def problems_of(reading):
    assert not reading.ready
    return "; ".join(reading.problems)


@pytest.mark.parametrize("word", ["STD_DEVIATION", "RA", "SNR_MAP", "ADC_MAP", "EXTRAPOLATED", "OTHER", "UNHEARD_OF"])
def test_derived_images_are_no_acquired_diffusion(made, read, word):
    for image in made["dwi_b1000"]:
        image.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", word]
    assert "b-values 100, 600" in problems_of(read(made))


@pytest.mark.parametrize(
    "words", ["DERIVED T2_MAP", "ORIGINAL DIXON FAT", "DERIVED M SUB", "DERIVED OTHER", "DERIVED MIXED MIXED"]
)
def test_derived_images_are_no_t2(made, read, words):
    first, *others = words.split()
    for image in made["t2"]:
        image.ImageType = [first, "PRIMARY", *others]
    assert "no usable axial T2" in problems_of(read(made))


def test_a_corrected_t2_is_still_acquired(made, read):
    for image in made["t2"]:
        image.ImageType = ["DERIVED", "PRIMARY", "M", "NORM", "DIS2D"]
    assert read(made).ready


@pytest.mark.parametrize("stated", [{"SpacingBetweenSlices": "4"}, {"SliceThickness": "4"}])
def test_every_second_slice_missing_is_named(made, read, stated):
    for image in made["t2"]:
        for keyword, value in stated.items():
            setattr(image, keyword, value)
    assert "slices lie 8.00 mm apart" in problems_of(read(made))


def test_a_gap_stated_in_place_of_the_distance_does_not_count(made, read):
    for image in made["t2"]:
        image.SpacingBetweenSlices, image.SliceThickness = "0.5", "7.5"
    assert read(made).ready


def test_the_rest_of_the_t2_series_is_missed(made, read):
    for image in made["t2"][-1:]:
        image.ImageType = ["DERIVED", "SECONDARY", "M"]
    assert "not used as T2 because it is a secondary image" in problems_of(read(made))


def test_a_t2_with_the_times_and_the_grid_of_the_diffusion_is_doubted(made, read):
    for image in made["t2"]:
        image.RepetitionTime, image.EchoTime = "2700", "63"
        image.Rows, image.Columns = made["dwi_b100"][0].Rows, made["dwi_b100"][0].Columns
        image.PixelData = made["dwi_b100"][0].PixelData
    for image, like in zip(made["t2"], made["dwi_b100"], strict=True):
        image.ImagePositionPatient, image.PixelSpacing = like.ImagePositionPatient, like.PixelSpacing
    assert "it may be its b 0" in problems_of(read(made))


def test_philips_echo_planar_images_are_no_t2(made, read):
    for image in made["t2"]:
        image.Manufacturer = "Philips"
        image.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x13, "SL", 59)
    assert "no usable axial T2" in problems_of(read(made))


def test_b_values_scaled_in_different_ways_are_not_one_set(made, read):
    for images in made.values():
        for image in images:
            image.Manufacturer = "Philips Healthcare"
    for image in [*made["dwi_b100"], *made["dwi_b600"]]:
        image.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.5)
    assert "b-values 100, 600" in problems_of(read(made))


def test_a_stack_of_images_scaled_in_different_ways_is_refused(made, read):
    for images in made.values():
        for image in images:
            image.Manufacturer = "Philips Healthcare"
    for image in made["dwi_b600"][::2]:
        image.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.5)
    assert "scaled in different ways" in problems_of(read(made))


def test_different_numbers_of_directions_are_no_trace(made, read):
    for name in ("dwi_b100", "dwi_b600", "dwi_b1000"):
        for image in made[name]:
            image.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
    more = dicom_factory.copy_of(dicom_factory.study()["dwi_b100"], 6)
    for image in more:
        image.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
        image.SeriesInstanceUID = made["dwi_b100"][0].SeriesInstanceUID
    made["more"] = more
    assert "different numbers of directions: 2 at b100, 1 at b600" in problems_of(read(made))


def test_images_of_several_types_at_one_position_are_refused(made, read):
    more = dicom_factory.copy_of(dicom_factory.study()["dwi_b600"], 6)
    for image in more:
        image.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "NORM"]
        image.SeriesInstanceUID = made["dwi_b600"][0].SeriesInstanceUID
    made["more"] = more
    assert "images of several types at one position" in problems_of(read(made))


def test_padding_stands_for_no_image(made, read):
    for image in made["dwi_b100"]:
        pixels = np.frombuffer(image.PixelData, "<u2").copy()
        pixels[:20] = 65535
        image.PixelData, image.PixelPaddingValue = pixels.tobytes(), 65535
        image.BitsStored, image.HighBit = 16, 15
    reading = read(made)
    assert reading.ready
    assert reading.volumes["dwi_b100"].voxels.max() < 1000


def test_lossy_compression_is_noted(made, read):
    for image in made["t2"]:
        image.LossyImageCompression = "01"
    reading = read(made)
    assert reading.ready
    assert reading.notes == ("series 4 (t2_tse_tra) was compressed with loss",)


def test_a_loosened_limit_is_noted_in_every_study(made, tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text("checks: {min_overlap: 0.6, max_end_distance_mm: 5, fit_adc_mm2_per_s: [0.1e-3, 3.5e-3]}")
    rules = load_rules(site)
    (study,) = find_studies(dicom_factory.save(made, tmp_path / "study"))
    notes = read_study(study, keys=KEYS, rules=rules).notes
    assert [note.split(":")[0] for note in notes] == [
        "a rule of the site loosens checks.min_overlap", "a rule of the site loosens checks.fit_adc_mm2_per_s",
    ]  # fmt: skip
    assert loosened(default_rules()) == []


def test_a_tie_breaker_is_noted(made, read):
    made["other"] = dicom_factory.copy_of(dicom_factory.study()["t2"], 14, "tse_tra")
    reading = read(made)
    assert reading.ready
    assert any("of several axial T2 only series 4" in note for note in reading.notes)
