"""What a site's rules decide: they choose among what passes by content, and say so; they never make more of it."""

from collections.abc import Callable
from dataclasses import replace

import dicom_factory
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from prostate_alm.studies import Keys, Rules, StudyReading, default_rules, find_studies, load_rules, read_study
from prostate_alm.studies.headers import Header
from prostate_alm.studies.rules import DwiRules, GeometryRules, T2Rules
from prostate_alm.studies.selection import select
from prostate_alm.studies.selection.kinds import Role, split_parts

KEYS = Keys(b"a salt for the tests")
Reader = Callable[..., StudyReading]


@pytest.fixture
def rules(tmp_path) -> Callable[[str], Rules]:
    def load(text: str) -> Rules:
        site = tmp_path / "site.yaml"
        site.write_text(text)
        return load_rules(site)

    return load


@pytest.fixture
def read(tmp_path, rules) -> Reader:
    """Save a study once and read it under any rules."""

    def save_and_read(made: dicom_factory.Study, text: str = "") -> StudyReading:
        if not (tmp_path / "study").exists():
            dicom_factory.save(made, tmp_path / "study")
        (study,) = find_studies(tmp_path / "study")
        return read_study(study, keys=KEYS, rules=rules(text))

    return save_and_read


def series(*rules: str) -> str:
    return "series:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)


def reasons(reading: StudyReading) -> dict[str, str]:
    """SeriesDescription -> reason; descriptions in these tests tell the series apart."""
    return {report.description: report.reason for report in reading.series}


@pytest.fixture
def two_t2(made) -> dicom_factory.Study:
    made["again"] = dicom_factory.copy_of(dicom_factory.study(seed=7)["t2"], 14, "t2_tse_tra_high")
    return made


TO_THE_SECOND = {
    "description": 'description: "t2_tse_tra_high"',
    "pattern": 'description: "*HIGH"',
    "number": "series_number: 14",
    "both": 'series_number: 14, description: "t2*"',
    "all": 'series_number: 14, description: "t2*", vendor: Siemens, model: "Sky*"',
}


@pytest.mark.parametrize("condition", TO_THE_SECOND.values(), ids=TO_THE_SECOND)
def test_a_rule_chooses_between_two_t2(two_t2, read, condition):
    assert not read(two_t2).ready
    reading = read(two_t2, series(f"{condition}, use_as: t2, because: our protocol"))
    assert reading.problems == ()
    assert reading.sources["t2w"]["description"] == "t2_tse_tra_high"
    second = np.frombuffer(two_t2["again"][0].PixelData, "<u2").reshape(24, 24)
    assert np.array_equal(reading.volumes["t2w"].voxels[:, :, 0], second.T)
    assert reasons(reading)["t2_tse_tra_high"] == "used as axial T2"
    why = "not used because a rule of the site prefers series 14 (t2_tse_tra_high)"
    assert reasons(reading)["t2_tse_tra"] == why


@pytest.mark.parametrize(
    "condition", ["series_number: 15", 'description: "t2_tse_tr"', "vendor: GE", "vendor: other", 'model: "Prisma"',
                  "series_number: 14, vendor: Philips"],
)  # fmt: skip
def test_a_rule_that_fits_no_series_changes_nothing(two_t2, read, condition):
    before, after = read(two_t2), read(two_t2, series(f"{condition}, use_as: t2, because: our protocol"))
    assert (before.problems, before.series) == (after.problems, after.series)


def test_a_rule_goes_before_the_words_that_name_t2(two_t2, read):
    for image in two_t2["t2"]:
        image.SeriesDescription = "anatomy"
    assert read(two_t2).sources["t2w"]["description"] == "t2_tse_tra_high"
    reading = read(two_t2, series("series_number: 4, use_as: t2, because: our protocol"))
    assert reading.ready
    assert reasons(reading)["t2_tse_tra_high"] == "not used because a rule of the site prefers series 4 (*)"


@pytest.mark.parametrize("one_rule", [True, False])
def test_rules_for_both_t2_leave_it_open(two_t2, read, one_rule):
    both = ['description: "t2_tse_tra*"'] if one_rule else ["series_number: 4", "series_number: 14"]
    reading = read(two_t2, series(*(f"{condition}, use_as: t2, because: our protocol" for condition in both)))
    assert not reading.ready
    assert "t2w" not in reading.volumes
    assert any("several axial T2 fit equally well" in problem for problem in reading.problems)


def test_a_series_left_out_gives_the_reason_of_the_site(two_t2, read):
    reading = read(two_t2, series('description: "*_high", use_as: ignore, because: "a scout, see our page 3"'))
    assert reading.ready
    assert reading.sources["t2w"]["description"] == "t2_tse_tra"
    why = "not used because a rule of the site leaves it out: a scout, see our page 3"
    assert reasons(reading)["t2_tse_tra_high"] == why
    assert [report.role for report in reading.series if report.description == "t2_tse_tra_high"] == ["other"]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [('description: "t2_tse_tra"', "no usable axial T2"), ("series_number: 6", "no usable acquired diffusion (DWI)"),
     ("vendor: Siemens", "no usable axial T2")],
)  # fmt: skip
def test_a_rule_that_leaves_out_what_is_needed_makes_no_study_ready(made, read, condition, problem):
    assert read(made).ready
    reading = read(made, series(f"{condition}, use_as: ignore, because: not today"))
    assert not reading.ready
    assert any(problem in text for text in reading.problems)


@pytest.mark.parametrize(("first", "second", "taken"), [("ignore", "t2", 4), ("t2", "ignore", 14)])
def test_the_first_rule_that_fits_decides(two_t2, read, first, second, taken):
    reading = read(two_t2, series(*(f"series_number: 14, use_as: {use}, because: it" for use in (first, second))))
    assert reading.ready
    used = next(report for report in reading.series if report.reason == "used as axial T2")
    assert used.description == ("t2_tse_tra" if taken == 4 else "t2_tse_tra_high")


def test_what_cannot_be_read_can_be_left_out_too(made, read):
    """A mosaic that nobody can place might be the lost diffusion, unless the site knows better."""
    made["mosaic"] = dicom_factory.copy_of(dicom_factory.study()["sag"][:1], 20, "fmri")
    made["mosaic"][0].ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    del made["t2"]
    doubts = "a mosaic that does not say how its slices lie"
    assert any(doubts in problem for problem in read(made).problems)
    reading = read(made, series("series_number: 20, use_as: ignore, because: a test of the coil"))
    assert not any(doubts in problem for problem in reading.problems)
    assert "a test of the coil" in next(report.reason for report in reading.series if "coil" in report.reason)


REFUSED = {
    "t2 of a sagittal": ("series_number: 3, use_as: t2", "t2_tse_sag", "its plane is sagittal"),
    "t2 of an ADC map": ("series_number: 7, use_as: t2", "ep2d_diff_ADC", "it is an ADC map"),
    "t2 of diffusion": ("series_number: 6, use_as: t2", "ep2d_diff_tra", "it is used as DWI b100, b600, b1000"),
    "dwi of the T2": ("series_number: 4, use_as: dwi", "t2_tse_tra", "it is used as axial T2"),
    "dwi of an ADC map": ("series_number: 7, use_as: dwi", "ep2d_diff_ADC", "it is an ADC map"),
    "dwi of a calculated image": ("series_number: 8, use_as: dwi", "ep2d_diff_CALC_BVAL", "it is calculated"),
    "dwi of another T2": ("series_number: 3, use_as: dwi", "t2_tse_sag", "its plane is sagittal"),
}


@pytest.mark.parametrize(("rule", "description", "why"), REFUSED.values(), ids=REFUSED)
def test_a_rule_that_wants_what_content_refuses_is_a_problem(made, read, rule, description, why):
    """A whole study besides: the site meant another series than the one that would be taken."""
    role = rule.rpartition(" ")[2]
    reading = read(made, series(f"{rule}, because: our protocol"))
    assert not reading.ready
    (problem,) = [text for text in reading.problems if f"a rule of the site wants it as {role}" in text]
    assert f"({description})" in problem
    assert why in problem


def sets_of_diffusion(b_values: tuple[int, ...] = (100, 600, 1000)) -> dicom_factory.Study:
    """A study with two sets of diffusion images that differ in their echo time."""
    made, other = dicom_factory.study(), dicom_factory.study(b_values=b_values, seed=5)
    for b in b_values:
        made[f"other_b{b}"] = dicom_factory.copy_of(other[f"dwi_b{b}"], 16, "ep2d_diff tra second")
        for image in made[f"other_b{b}"]:
            image.EchoTime = "80"
    return made


def test_a_rule_chooses_between_two_sets_of_diffusion(read):
    made = sets_of_diffusion()
    assert any("several sets of diffusion images" in problem for problem in read(made).problems)
    reading = read(made, series("series_number: 16, use_as: dwi, because: the better coil"))
    assert reading.problems == ()
    second = np.frombuffer(made["other_b600"][0].PixelData, "<u2").reshape(20, 16)
    assert np.array_equal(reading.volumes["dwi_b600"].voxels[:, :, 0], second.T)
    (other,) = [report.reason for report in reading.series if report.role == "dwi" and "not used" in report.reason]
    assert "a rule of the site prefers series 16" in other


def test_a_rule_goes_before_the_wanted_b_values(read):
    made = sets_of_diffusion((50, 800))
    problems = [problem for problem in read(made).problems if "b-values" in problem]
    assert problems == []
    reading = read(made, series("series_number: 16, use_as: dwi, because: the better coil"))
    assert reading.b_values_found == (50, 800)
    assert not reading.ready


@pytest.mark.parametrize("one_rule", [True, False])
def test_rules_for_both_sets_leave_it_open(read, one_rule):
    both = ['description: "ep2d_diff?tra*"'] if one_rule else ["series_number: 6", "series_number: 16"]
    reading = read(sets_of_diffusion(), series(*(f"{condition}, use_as: dwi, because: it" for condition in both)))
    assert not reading.ready
    assert reading.b_values_found == ()
    assert any("several sets of diffusion images" in problem for problem in reading.problems)


def hitachi() -> dicom_factory.Study:
    """A study whose b-values stand only where no real file has ever confirmed them."""
    made = dicom_factory.study()
    for name, images in made.items():
        for image in images:
            image.remove_private_tags()
            image.Manufacturer, image.SequenceName = "Hitachi Medical Corporation", ""
            if name.startswith("dwi"):
                block = image.private_block(0x0029, "MMCPrivate", create=True)
                block.add_new(0x30, "FD", float(name.removeprefix("dwi_b")))
    return made


def test_unverified_b_values_are_refused_by_default(read):
    reading = read(hitachi())
    assert not reading.ready
    assert reading.b_values_found == ()
    why = "its b-value stands only in (0029,1030), which is not verified for this vendor (rule dwi.unverified_b_values)"
    assert reasons(reading)["ep2d_diff_tra"] == f"not used because {why}"
    assert any(why in problem for problem in reading.problems)


@pytest.mark.parametrize("word", ["accept", "refuse"])
def test_unverified_b_values_are_accepted_by_rule(read, word):
    reading = read(hitachi(), f"dwi: {{unverified_b_values: {word}}}")
    assert reading.ready == (word == "accept")
    if word == "accept":
        assert reading.b_values_found == (100, 600, 1000)
        assert {reading.sources[f"dwi_b{b}"]["source_tag"] for b in (100, 600, 1000)} == {"(0029,1030)"}


def tilted(degrees: float) -> dicom_factory.Study:
    """A study turned about the patient's left-right axis."""
    made = dicom_factory.study()
    turn = Rotation.from_euler("x", degrees, degrees=True)
    for image in [image for images in made.values() for image in images]:
        axes = np.reshape(image.ImageOrientationPatient, (2, 3)).astype(float)
        image.ImageOrientationPatient = list(turn.apply(axes).ravel().round(8))
        image.ImagePositionPatient = list(turn.apply(np.array(image.ImagePositionPatient, float)).round(6))
    return made


def changed(which: str, **header: object) -> dicom_factory.Study:
    made = dicom_factory.study()
    for image in made[which]:
        for keyword, value in header.items():
            setattr(image, keyword, value)
    return made


# a setting -> a study that is ready or not by it alone, and two values: not ready, ready
SETTINGS: dict[str, tuple[Callable[[], dicom_factory.Study], str, str]] = {
    "t2.echo_time_ms": (lambda: changed("t2", EchoTime="55"), "[60, 250]", "[50, 250]"),
    "t2.min_repetition_time_ms": (lambda: changed("t2", RepetitionTime="900"), "1000", "900"),
    "t2.never": (lambda: changed("t2", SeriesDescription="T2 DWI plan"), "[dwi*]", "[]"),
    "dwi.calculated_words": (lambda: changed("dwi_b600", SeriesDescription="calc"), '["*calc*"]', "[]"),
    "dwi.time_tolerance": (lambda: changed("dwi_b600", RepetitionTime="2800"), "0.01", "0.05"),
    "dwi.unverified_b_values": (hitachi, "refuse", "accept"),
    "geometry.max_tilt_deg": (lambda: tilted(20), "19", "21"),
    "geometry.min_slices": (dicom_factory.study, "7", "6"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_of_a_site_decides(read, setting):
    make, refuses, allows = SETTINGS[setting]
    made, (section, key) = make(), setting.split(".")
    assert not read(made, f"{section}: {{{key}: {refuses}}}").ready
    reading = read(made, f"{section}: {{{key}: {allows}}}")
    assert reading.problems == ()
    assert reading.ready


def test_words_that_name_t2_are_the_sites(two_t2, read):
    assert not read(two_t2, "t2: {named: [t2]}").ready
    reading = read(two_t2, "t2: {named: [high]}")
    assert reading.ready
    assert reading.sources["t2w"]["description"] == "t2_tse_tra_high"


def test_every_setting_is_tried():
    sections = {"t2": T2Rules, "dwi": DwiRules, "geometry": GeometryRules}
    every = {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    assert every - {"t2.named"} == set(SETTINGS)


# roles that a rule for file names gives to the slices of a volume file


def slices(named: str, number: int, **more: object) -> list[Header]:
    """Six axial slices of a volume file, which says nothing of itself but its name."""
    made = Header(
        path=None, sop_class="", sop_uid="", study_uid="files:1", series_uid=f"files:1/{number}", transfer_syntax="",
        modality="MR", image_type=(), rows=20, columns=16, frames=6, orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        pixel_spacing_mm=(2.0, 2.0), named=named, raw_description=f"file {number}",
    )  # fmt: skip
    return [replace(made, frame=k, position_mm=(0.0, 0.0, 8.0 * k), **more) for k in range(6)]


def verdicts(*files: list[Header]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Description -> role and reason; and the problems."""
    selection = select(split_parts([image for file in files for image in file], default_rules()), default_rules())
    found = {one.part.images[0].raw_description: (one.role.value, one.reason) for one in selection.verdicts}
    return found, selection.problems


@pytest.mark.parametrize(
    ("named", "role", "reason"),
    [
        ("t2", "t2", "used as axial T2"),
        ("adc", "adc", "not used because it is an ADC map by its name, not an acquired image"),
        ("calculated", "calculated", "not used because by its name it may be calculated, not acquired"),
        ("ignore", "other", "not used because a rule for file names leaves it out"),
        ("", "other", "not used because it states no ImageType"),
    ],
)
def test_a_name_gives_a_role(named, role, reason):
    assert verdicts(slices(named, 1))[0] == {"file 1": (role, reason)}


@pytest.mark.parametrize("role", Role)
def test_a_name_makes_a_t2_of_nothing_but_what_is_named_t2(role):
    found, problems = verdicts(slices("" if role is Role.OTHER else role.value, 1))
    assert (found["file 1"][1] == "used as axial T2") == (role is Role.T2)
    assert any("no usable axial T2" in problem for problem in problems) == (role is not Role.T2)


@pytest.mark.parametrize(
    ("orientation", "why"),
    [(dicom_factory.SAGITTAL, "sagittal"), (dicom_factory.CORONAL, "coronal"), (None, "unknown")],
)
def test_a_t2_by_name_must_be_axial(orientation, why):
    flat = () if orientation is None else (*orientation[0], *orientation[1])
    found, problems = verdicts(slices("t2", 1, orientation=flat))
    assert found["file 1"] == ("other", f"not used because its plane is {why}, not axial")
    assert "no usable axial T2" in problems


def test_two_t2_by_name_are_ambiguous():
    found, problems = verdicts(slices("t2", 1), slices("t2", 2))
    assert all("several axial T2 fit equally well" in reason for _, reason in found.values())
    assert any("several axial T2 fit equally well" in problem for problem in problems)


def test_diffusion_by_name_needs_its_b_values():
    found, problems = verdicts(slices("t2", 1), slices("dwi", 2))
    assert found["file 2"][0] == "other"
    assert "state no b-value" in found["file 2"][1]
    assert any("state no b-value" in problem for problem in problems)


def test_a_file_left_out_by_its_name_is_no_doubt():
    _, problems = verdicts(slices("t2", 1), slices("ignore", 2))
    assert problems == ["no usable acquired diffusion (DWI)"]
