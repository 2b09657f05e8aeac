"""A study of which slices are missing, or still on their way, is not decided."""

from dataclasses import replace
from itertools import chain

import dicom_factory
import numpy as np
import pytest

from prostate_alm.phantom import write_cohort
from prostate_alm.studies import Keys, Volume, checks, completeness, default_rules, find_studies, read_study
from prostate_alm.studies.geometry import Grid
from prostate_alm.studies.selection.verdicts import Choice

RULES = default_rules()

KEYS = Keys(b"a salt for the tests")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom")
    write_cohort(root, studies=2, class_ratio="1:1", dialect="siemens", seed=5, processes=1)
    return find_studies(root / "studies")[0]


def stack(study, description):
    """The study's images of one series by height, and all the others."""
    images = [image for image in study.files if image.description == description]
    others = tuple(image for image in study.files if image.description != description)
    return sorted(images, key=lambda image: image.position_mm[2]), others


@pytest.mark.slow
@pytest.mark.parametrize("left", [slice(-16, None), slice(-12, None), slice(-8, None), slice(-5, None), slice(0, 12)])
def test_a_t2_that_lost_slices_is_not_ready(phantom, left):
    images, others = stack(phantom, "t2_tse_tra")
    reading = read_study(replace(phantom, files=(*images[left], *others)), keys=KEYS)
    assert not reading.ready
    assert any("DWI reaches" in problem and "mm beyond T2 at the" in problem for problem in reading.problems)


@pytest.mark.slow
@pytest.mark.parametrize("left", [slice(9, None), slice(0, -9)])
def test_a_diffusion_that_lost_three_slices_of_every_b_value_is_not_ready(phantom, left):
    images, others = stack(phantom, "ep2d_diff_tra_DYNDIST")
    numbered = [replace(image, instance_number=index) for index, image in enumerate(images)]
    reading = read_study(replace(phantom, files=(*numbered[left], *others)), keys=KEYS)
    assert not reading.ready
    assert any("T2 reaches" in problem and "mm beyond DWI at the" in problem for problem in reading.problems)


def grid(slices, *, spacing=3.0, shift=0.0, flipped=False):
    affine = np.diag([2.0, 2.0, -spacing if flipped else spacing, 1.0])
    length = (slices - 1) * spacing / 2
    affine[:3, 3] = [-19, -19, shift + (length if flipped else -length)]
    return Grid((20, 20, slices), affine)


def ends_of(t2, dwi):
    measures = checks.measure_pair(t2, dwi, RULES.checks)
    return [measure.problem for measure in measures if measure.name.endswith("_end_mm") and measure.problem]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("dwi", "ends"),
    [
        (grid(20), []),
        (grid(20, shift=5.9), []),
        (grid(20, shift=6.1), [("T2", "lower", 6.1), ("DWI", "upper", 6.1)]),
        (grid(24), []),
        (grid(25), [("DWI", "lower", 7.5), ("DWI", "upper", 7.5)]),
        (grid(17, shift=4.5), [("T2", "lower", 9.0)]),
        (grid(17, spacing=3.5, shift=-70), [("DWI", "lower", 69.8), ("T2", "upper", 70.2)]),
    ],
)
def test_both_ends_are_compared_in_both_directions(dwi, ends, flipped):
    turned = {"lower": "upper", "upper": "lower"}
    problems = ends_of(grid(20, flipped=flipped), dwi)
    expected = sorted((longer, turned[end] if flipped else end, f"{beyond:.1f} mm") for longer, end, beyond in ends)
    assert len(problems) == len(expected)
    for longer, end, beyond in expected:
        assert any(f": {longer} reaches {beyond}" in text and f"at the {end} end" in text for text in problems)


def test_the_message_names_the_place_in_patient_coordinates():
    (problem,) = ends_of(grid(20), grid(17, shift=4.5))
    assert "at the lower end of the T2, (0.0, 0.0, -30.0) mm" in problem


@pytest.mark.parametrize(("slices", "enough"), [(13, False), (14, True)])
def test_a_stack_must_be_as_long_as_a_prostate(slices, enough):
    volume = Volume(np.zeros((4, 4, slices), np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))
    extent = checks.measure_volume(volume, RULES.checks)[0]
    assert (extent.name, extent.value, extent.problem == "") == ("extent_mm", 3.0 * slices, enough)


def test_sequences_that_both_lost_slices_are_too_short(made, read):
    for name in ("t2", "dwi_b100", "dwi_b600", "dwi_b1000"):
        for image in made[name]:
            image.ImagePositionPatient[2] /= 2
    reading = read(made)
    assert not reading.ready
    short = [problem for problem in reading.problems if "only 24 mm along the slices (6 slices)" in problem]
    assert [problem.split(": ")[0].split("), ")[1] for problem in short] == ["t2w", "dwi_b100, dwi_b600, dwi_b1000"]


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([1, 2, 3, 4, 5, 6], ""),
        ([6, 4, 2, 1, 3, 5], ""),
        ([1, 2, 4, 5, 6], "3"),
        ([3, 4, 5, 6], "1, 2"),
        ([0, 1, 3], "2"),
        ([101, 102, 103], ""),
        ([101, 103], "102"),
        ([1, 1, 2, 2], ""),
        ([1, 1001, 2001], ""),
        ([None, None], ""),
        ([1, 2, 9], "3, 4, 5, 6, 7, ..."),
    ],
)
def test_a_hole_in_the_instance_numbers_is_a_problem(phantom, numbers, missing):
    image = phantom.files[0]
    files = [replace(image, instance_number=number) for number in numbers]
    choice = Choice(None, type("Stack", (), {"slices": ((image,),)})())
    problems = completeness.check_numbers([choice], files)
    assert problems == (
        [f"{image.name}: InstanceNumber {missing} missing; has the whole series arrived?"] if missing else []
    )


@pytest.mark.parametrize(("stated", "told"), [(None, False), (3, False), (2, False), (4, True)])
def test_a_series_with_fewer_images_than_it_states_is_a_problem(phantom, stated, told):
    files = [replace(phantom.files[0], stated_images=stated) for _ in range(3)]
    other = replace(phantom.files[0], series_uid="1.2.3", stated_images=99)
    choice = Choice(None, type("Stack", (), {"slices": ((files[0],),)})())
    problems = completeness.check_stated([choice], [*files, other])
    said = f"{other.name}: 3 of 4 images that (0020,1002) states; has all of it arrived?"
    assert problems == ([said] if told else [])


def test_images_that_a_header_promises_and_that_did_not_arrive_are_a_problem(tmp_path):
    series = dicom_factory.study()
    for dataset in chain(*series.values()):
        dataset.ImagesInAcquisition = 6
    folder = dicom_factory.save(series, tmp_path)
    complete = read_study(find_studies(folder)[0], keys=KEYS)
    assert not any("(0020,1002)" in problem for problem in complete.problems)
    for dataset in chain(*series.values()):
        dataset.ImagesInAcquisition = 600
    reading = read_study(find_studies(dicom_factory.save(series, tmp_path))[0], keys=KEYS)
    assert not reading.ready
    assert any("of 600 images that (0020,1002) states" in problem for problem in reading.problems)


def test_the_reasons_for_damage_are_counted_and_named(tmp_path):
    folder = dicom_factory.save(dicom_factory.study(), tmp_path)
    paths = sorted((folder / "series3").iterdir())
    for path, content in zip(paths, [b"", b"", b"x", b"\0" * 500, paths[4].read_bytes()[:300], b"xy"], strict=True):
        path.write_bytes(content)
    (problem,) = read_study(find_studies(folder)[0], keys=KEYS).problems
    assert problem.startswith("6 damaged or unreadable file(s) among the study's files: an empty file; ")
    assert problem.endswith("; and 2 other reasons")


NUMBERINGS = {
    "series after series": lambda series, place: 1 + 6 * series + place,
    "in turns": lambda series, place: 1 + 3 * place + series,
    "each from 1": lambda _, place: 1 + place,
}


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_series_of_one_b_value_each_may_be_numbered_as_one(phantom, numbering):
    files, choices = [], []
    for series in range(3):
        images = [
            replace(phantom.files[0], series_uid=f"1.{series}", instance_number=NUMBERINGS[numbering](series, place))
            for place in range(6)
        ]
        files += images
        choices.append(Choice(None, type("Stack", (), {"slices": ((images[0],),)})(), b=100.0 * series))
    assert completeness.check_numbers(choices, files) == []
    lost = files.pop(8)  # from the middle of the second series
    problems = completeness.check_numbers(choices, files)
    assert any(f"InstanceNumber {lost.instance_number}" in problem or "missing" in problem for problem in problems)
