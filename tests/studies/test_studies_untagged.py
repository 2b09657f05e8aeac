"""b 0 without a tag is inferred only where nothing else fits; each condition alone is enough to stop it."""

from dataclasses import replace

import dicom_factory
import pytest

from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.bvalues import BValue
from prostate_alm.studies.bvalues.untagged import SOURCE, VENDORS, with_untagged_b0
from prostate_alm.studies.headers import Header

KEYS = Keys(b"a salt for the tests")


def slices(b: float | None, **more: object) -> list[Header]:
    """Six axial echo-planar images of a Canon scanner."""
    made = Header(
        path=None, sop_class="", sop_uid="", study_uid="1.2", series_uid="1.2.3", transfer_syntax="", modality="MR",
        image_type=("ORIGINAL", "PRIMARY", "DIFFUSION"), rows=20, columns=16, vendor="Canon",
        scanning_sequence=("SE", "EP"), sequence_name="dwi", echo_time_ms=70.0, repetition_time_ms=3000.0,
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), pixel_spacing_mm=(2.0, 2.0),
        b_value=None if b is None else BValue(b, "(0018,9087)"),
    )  # fmt: skip
    return [replace(made, position_mm=(0.0, 0.0, 3.0 * k), **more) for k in range(6)]


def inferred(images: list[Header]) -> list[float | None]:
    return [image.b_value.value if image.b_value else None for image in with_untagged_b0(images)]


@pytest.mark.parametrize("vendor", sorted(VENDORS))
@pytest.mark.parametrize("tagged", [[1500], [100, 800], [1000, 1000, 1000]])
def test_what_can_only_be_b_0_is_b_0(vendor, tagged):
    images = slices(None, vendor=vendor) + [image for b in tagged for image in slices(b, vendor=vendor)]
    assert inferred(images) == [0.0] * 6 + [b for b in tagged for _ in range(6)]


def test_an_inferred_b_0_says_so_and_the_others_stay_as_they_are():
    images = [*slices(800), *slices(None), *slices(100)]
    after = with_untagged_b0(images)
    assert [after[k] for k in (0, 5, 12, 17)] == [images[k] for k in (0, 5, 12, 17)]
    assert {image.b_value for image in after[6:12]} == {
        BValue(0.0, SOURCE, inferred="no b-value is stated, in a series of b100, b800")
    }
    assert replace(after[7], b_value=None) == images[7]


UNTAGGED = {
    "a vendor that tags b 0": {"vendor": "Siemens"},
    "another vendor": {"vendor": "other"},
    "no vendor": {"vendor": ""},
    "no echo-planar sequence": {"scanning_sequence": ("SE",)},
    "a derived image": {"image_type": ("DERIVED", "PRIMARY", "DIFFUSION")},
    "another image type": {"image_type": ("ORIGINAL", "PRIMARY", "DIFFUSION", "ADC")},
    "another echo time": {"echo_time_ms": 90.0},
    "no echo time": {"echo_time_ms": None},
    "another repetition time": {"repetition_time_ms": 5000.0},
    "more rows": {"rows": 24},
    "more columns": {"columns": 24},
    "another orientation": {"orientation": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)},
    "another sequence": {"sequence_name": "fmri"},
    "a b-value that is unclear": {"b_problem": "(0018,9087) holds no number"},
}


@pytest.mark.parametrize("change", UNTAGGED.values(), ids=UNTAGGED)
@pytest.mark.parametrize("which", ["one", "all"])
def test_an_untagged_image_that_differs_is_no_b_0(change, which):
    untagged = slices(None)
    changed = range(6) if which == "all" else (2,)
    images = [replace(image, **change) if k in changed else image for k, image in enumerate(untagged)]
    assert inferred([*images, *slices(1500)]) == [None] * 6 + [1500] * 6


@pytest.mark.parametrize("vendor", ["Siemens", "Philips", "UIH", "Hitachi", "other", ""])
def test_other_vendors_state_b_0(vendor):
    assert inferred([*slices(None, vendor=vendor), *slices(1500, vendor=vendor)])[:6] == [None] * 6


def moved(images: list[Header], index: int, z: float) -> list[Header]:
    return [replace(image, position_mm=(0.0, 0.0, z)) if k == index else image for k, image in enumerate(images)]


PLACES = {
    "one slice missing": slices(None)[1:],
    "one slice more": [*slices(None), replace(slices(None)[5], position_mm=(0.0, 0.0, 18.0))],
    "one slice twice": [*slices(None), slices(None)[2]],
    "every slice twice": [*slices(None), *slices(None)],
    "one slice elsewhere": moved(slices(None), 3, 9.5),
    "one slice without a place": [*slices(None)[:5], replace(slices(None)[5], position_mm=())],
    "one slice only": slices(None)[:1],
}


@pytest.mark.parametrize("untagged", PLACES.values(), ids=PLACES)
def test_positions_that_differ_are_no_b_0(untagged):
    assert set(inferred([*untagged, *slices(1500)])[: len(untagged)]) == {None}


@pytest.mark.parametrize("stated", [[0], [0, 1500], [4], [-2, 800]])
def test_beside_a_stated_b_0_nothing_is_inferred(stated):
    images = [*slices(None), *(image for b in stated for image in slices(b))]
    assert inferred(images)[:6] == [None] * 6


def test_without_a_b_value_in_the_series_nothing_is_inferred():
    assert inferred(slices(None)) == [None] * 6
    assert inferred(slices(1500)) == [1500] * 6
    assert with_untagged_b0([]) == []


def test_a_map_that_carries_a_b_value_is_no_diffusion_beside_it():
    assert inferred([*slices(None), *slices(1500, image_type=("DERIVED", "PRIMARY", "ADC"))])[:6] == [None] * 6


def test_a_map_in_the_same_series_does_not_stand_in_the_way():
    adc = slices(0, image_type=("DERIVED", "PRIMARY", "ADC"))
    assert inferred([*slices(None), *slices(1500), *adc])[:6] == [0.0] * 6


def test_tagged_images_of_two_forms_leave_it_open():
    assert inferred([*slices(None), *slices(800), *slices(1500, echo_time_ms=90.0)])[:6] == [None] * 6


def canon_study(name: str = "Canon Medical Systems") -> dicom_factory.Study:
    """A study whose b 0 carries no tag."""
    made = dicom_factory.study(b_values=(0, 100, 600, 1000), dialect="standard")
    for image in made["dwi_b0"]:
        del image.DiffusionBValue
    for images in made.values():
        for image in images:
            image.Manufacturer = name
            image.SequenceName = ""
            if "TRACEW" in image.ImageType:
                image.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION"]
    for image in made["calculated"]:
        image.ImageType = ["DERIVED", "SECONDARY", "CALC_BVAL"]
    return made


def test_a_study_says_which_b_value_was_inferred(tmp_path):
    (study,) = find_studies(dicom_factory.save(canon_study(), tmp_path))
    reading = read_study(study, keys=KEYS)
    assert reading.problems == ()
    assert reading.b_values_found == (0, 100, 600, 1000)
    assert reading.sources["dwi_b0"]["source_tag"] == SOURCE
    assert reading.notes == (
        "b0 of series 6 (ep2d_diff_tra) is inferred: no b-value is stated, in a series of b100, b600, b1000",
    )


def test_a_study_of_another_vendor_infers_nothing(tmp_path):
    (study,) = find_studies(dicom_factory.save(canon_study("Philips"), tmp_path))
    reading = read_study(study, keys=KEYS)
    assert 0 not in reading.b_values_found
    assert reading.notes == ()
    assert any("these images of a diffusion series state no b-value" in report.reason for report in reading.series)
