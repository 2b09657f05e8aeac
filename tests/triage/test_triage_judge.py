import errno
import json
from dataclasses import replace

import pretended_studies
import pytest

from prostate_alm.errors import IntegrityError, OutputError, RefusedError
from prostate_alm.operating_point import Threshold
from prostate_alm.triage import Judge, judge, triage_studies


@pytest.fixture
def run(tmp_path, ruling):
    def triage(folder, **changes):
        (decision,) = triage_studies([folder], replace(ruling, **changes), out=tmp_path / "out")
        stored = json.loads((tmp_path / "out" / f"{decision.study_key}.json").read_text())
        assert stored == decision.to_json()
        return stored

    return triage


@pytest.mark.parametrize(
    ("logit", "expected"), [(-1.0, "dce_not_required"), (0.0, "dce_required"), (1.0, "dce_required")]
)
def test_a_sound_study_is_decided_by_the_threshold(run, studies, threshold, logit, expected):
    result = run(studies("a", logit=logit))
    assert (result["decision"], result["logit"], result["reasons"]) == (expected, logit, [])
    assert result["threshold"] == {"value": 0.0, "promise": threshold.promise}
    assert result["series_used"]["b600"]["source_tag"] == "(0018,9087)"
    assert set(result["seconds"]) == {"read", "predict", "total"}


@pytest.mark.parametrize(
    ("content", "words", "logit"),
    [
        ({"others": []}, "missing: t2w", None),
        ({"b_values": []}, "dwi_b1000; acquired b-values found: []", None),
        ({"b_values": [100, 600]}, "missing: dwi_b1000", None),
        ({"b_values": [50, 400, 800]}, "found: [50, 400, 800]", None),
        ({"problems": ["two axial T2 series are equally good"]}, "two axial T2", -9.0),
        ({"raises": "pixels truncated"}, "OSError: pixels truncated", None),
        ({"predictor_raises": "sizes differ"}, "RuntimeError: sizes differ", None),
        ({"logit": "nan"}, "not finite", None),
        ({"logit": "-inf"}, "not finite", None),
        ({"logit": "inf"}, "not finite", None),
        ({"logit": "no number"}, "ValueError", None),
        ({"feature": 7.0}, "t2w_p50 = 7 is outside", -9.0),
        ({"feature": float("nan")}, "t2w_p50", -9.0),
        ({"feature": None}, "TypeError", -9.0),
        ({"scanner": {"vendor": "Philips"}}, "vendor 'Philips'", -9.0),
        ({"scanner": {"model": ""}}, "scanner model", -9.0),
        ({"scanner": {"field_strength_t": 1.5}}, "field strength 1.5 T", -9.0),
        ({"scanner": {"field_strength_t": "strong"}}, "ValueError", -9.0),
    ],
)
def test_whatever_is_wrong_the_study_is_undecided_and_says_why(run, studies, content, words, logit):
    result = run(studies("a", **({"logit": -9.0} | content)))
    assert result["decision"] == "undecided"
    assert any(words in reason for reason in result["reasons"])
    assert result["logit"] == logit


def test_a_reading_that_is_not_ready_without_saying_why_is_undecided(run, studies, monkeypatch):
    from prostate_alm.triage import judge

    read = judge.read_isolated

    def unready(*arguments, **options):
        reading = read(*arguments, **options)
        reading.ready = False
        return reading

    monkeypatch.setattr(judge, "read_isolated", unready)
    assert run(studies("a"))["reasons"] == ["the study is not ready"]


def test_no_training_ranges_leave_every_study_undecided(run, studies, predictor):
    predictor.training_ranges = None
    result = run(studies("a"))
    assert (result["decision"], result["logit"]) == ("undecided", -1.0)
    assert result["reasons"] == ["the model records no training ranges"]


def test_other_b_values_are_decided_when_harmonised(run, studies):
    result = run(studies("a", b_values=[50, 400, 800]), harmonise=True)
    assert (result["decision"], result["harmonised"]) == ("dce_not_required", True)
    assert result["harmonisation"] == {"fit": "mono-exponential", "acquired": [50, 400, 800]}
    assert result["qc"]["b_values_found"] == [50, 400, 800]


def test_a_harmonised_study_unlike_the_cohort_reports_its_logit_and_stays_undecided(run, studies, predictor):
    predictor.notice = "demo weights"
    result = run(studies("a", b_values=[50, 400, 800], scanner={"vendor": "Philips"}), harmonise=True)
    assert (result["decision"], result["logit"], result["notice"]) == ("undecided", -1.0, "demo weights")
    assert "harmonisation" in result


def test_volumes_lie_in_a_temporary_folder_that_is_gone_afterwards(run, studies, predictor):
    run(studies("a"))
    run(studies("b", predictor_raises="x"))
    assert len(predictor.folders) == 2
    assert not any(folder.exists() for folder in predictor.folders)


@pytest.mark.parametrize("step", ["a folder", "a volume", "the reader"])
def test_a_full_temporary_folder_is_not_blamed_on_the_study(studies, ruling, tmp_path, monkeypatch, step):
    def full(*_, **_options):
        if step == "a volume":  # which are written whole
            raise OutputError("no space")
        raise OSError(errno.ENOSPC, "No space left on device")

    owner, name = {
        "a folder": (judge.tempfile, "TemporaryDirectory"),
        "a volume": (pretended_studies.FakeVolume, "save"),
        "the reader": (judge, "read_isolated"),
    }[step]
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OutputError, match="o space"):
        triage_studies([studies("a")], ruling, out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.json"))


@pytest.mark.parametrize("made_for", ["b" * 64, "", None])
def test_a_threshold_for_another_model_is_refused(ruling, predictor, made_for):
    with pytest.raises(IntegrityError, match="made for"):
        Judge(
            predictor, Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256=made_for, patients=("p",)), ruling.keys
        )


def test_a_model_without_a_hash_is_refused(ruling, predictor):
    predictor.sha256 = ""
    with pytest.raises(IntegrityError):
        Judge(predictor, Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="", patients=("p",)), ruling.keys)


@pytest.mark.parametrize(
    ("trained", "calibrating"), [(None, ("p",)), (frozenset({"t"}), ()), (frozenset({"p"}), ("p",))]
)
def test_a_certified_threshold_that_may_rest_on_trained_patients_is_refused(ruling, predictor, trained, calibrating):
    predictor.trained_patients = trained
    threshold = replace(ruling.threshold, patients=calibrating)
    with pytest.raises(RefusedError, match=r"does not say on which patients|trained the model"):
        Judge(predictor, threshold, ruling.keys)
    assert Judge(predictor, replace(threshold, kind="approximate"), ruling.keys)  # which promises nothing


PLANTED = ["Planted", "Surname", "PID-77123", "ACC-99817", "19410307", "1.2.3.4.5", "incoming", ".dcm", "Secretfolder"]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"problems": ["series of Planted^Surname (PID-77123), ACC-99817 in /incoming/x/1.dcm"]},
        {"raises": "cannot read Secretfolder of SURNAME 19410307, study 1.2.3.4.5.12.Secretfolder"},
        {"predictor_raises": "PosixPath('/incoming/Secretfolder/1.dcm') planted pid-77123"},
        {"scanner": {"vendor": "Planted", "model": "PID-77123"}},
    ],
)
def test_nothing_stored_identifies_the_patient(run, studies, tmp_path, content):
    content = {"birth_date": "19410307", "patient_id": "PID-77123"} | content
    run(studies("Secretfolder", **content))
    stored = "".join(path.read_text() for path in (tmp_path / "out").iterdir()).casefold()
    assert [word for word in PLANTED if word.casefold() in stored] == []
    assert str(tmp_path).casefold() not in stored
