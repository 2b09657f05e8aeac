"""Archives among the inputs: one at a time is unpacked, and a study in two of them is still seen."""

import zipfile

import pretended_studies
import pytest

from prostate_alm.triage import inputs, triage_studies
from prostate_alm.triage.session import CHANGED


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where archives are unpacked; gives the folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def zipped(tmp_path):
    """Write an archive of studies: `zipped("name", {"a": {"logit": 2.0}})`; gives its path."""

    def write(name, contents):
        path = tmp_path / "incoming" / f"{name}.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for study, content in contents.items():
                folder = pretended_studies.write_study(tmp_path / "packing" / name, study, **content)
                archive.write(folder / "1.dcm", f"{study}/1.dcm")
        return path

    return write


@pytest.fixture
def opened(monkeypatch):
    """The paths that were opened, in order."""
    paths, usual = [], inputs.open_studies

    def noted(path, rules):
        paths.append(path.name)
        return usual(path, rules)

    monkeypatch.setattr(inputs, "open_studies", noted)
    return paths


def test_no_more_than_one_archive_is_unpacked_at_a_time(ruling, tmp_path, zipped, temporary, monkeypatch):
    paths = [zipped(f"z{number}", {f"s{number}": {"logit": float(number)}, f"t{number}": {}}) for number in range(4)]
    unpacked = []
    look = pretended_studies.FakePredictor.logit

    def noted(self, image):
        unpacked.append(len([path for path in temporary.glob("*/*") if list(path.rglob("*.dcm"))]))
        return look(self, image)

    monkeypatch.setattr(pretended_studies.FakePredictor, "logit", noted)
    decisions = triage_studies(paths, ruling, out=tmp_path / "out")
    assert [decision.logit for decision in decisions[::2]] == [0.0, 1.0, 2.0, 3.0]
    assert unpacked == [1] * 8
    assert list(temporary.iterdir()) == []


def test_one_archive_is_unpacked_once_and_finished_ones_not_again(ruling, tmp_path, zipped, opened, temporary):
    first = zipped("first", {"a": {}, "b": {}})
    triage_studies([first], ruling, out=tmp_path / "out")
    assert opened == ["first.zip"]
    opened.clear()
    second = zipped("second", {"c": {}})
    triage_studies([first, second], ruling, out=tmp_path / "out")
    assert opened == ["first.zip", "second.zip"]  # to look at both; the new one is still open then


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("beside", ["zip", "folder"])
def test_a_study_in_two_places_is_held_against_itself(ruling, tmp_path, studies, zipped, predictor, same, beside):
    one = zipped("one", {"a": {"uid": "1.2.3", "logit": -8.0}})
    content = {"uid": "1.2.3", "logit": -8.0 if same else -9.0}
    other = zipped("other", {"a": content}) if beside == "zip" else studies("a", **content)
    (decision,) = triage_studies([one, other], ruling, out=tmp_path / "out")
    assert (decision.outcome, predictor.calls) == (("dce_not_required", 1) if same else ("undecided", 0))


def test_of_equal_copies_the_one_that_need_not_be_unpacked_is_read(ruling, tmp_path, studies, zipped, opened):
    packed = zipped("packed", {"a": {"uid": "1.2.3"}})
    plain = studies("a", uid="1.2.3")
    triage_studies([packed, plain], ruling, out=tmp_path / "out")
    assert opened == ["packed.zip", "a"]


@pytest.mark.parametrize("change", ["replaced", "damaged", "removed"])
def test_an_archive_that_changes_under_way_leaves_its_studies_undecided(ruling, tmp_path, zipped, change):
    first, second = zipped("first", {"a": {"logit": -8.0}}), zipped("second", {"b": {"logit": -8.0}})

    def meddle(decision, _where):
        if decision.outcome == "dce_not_required":  # after the first study, before the other archive is opened again
            if change == "replaced":
                zipped("second", {"b": {"logit": -9.0}})
            elif change == "damaged":
                second.write_bytes(second.read_bytes()[:50])
            else:
                second.unlink()

    # the one that is still open is decided first, so that a third one closes it
    third = zipped("third", {"c": {"logit": 8.0}})
    decisions = triage_studies([first, second, third], ruling, out=tmp_path / "out", progress=meddle)
    assert [decision.outcome for decision in decisions] == ["dce_not_required", "undecided", "dce_required"]
    assert decisions[1].reasons == (CHANGED,)
    zipped("second", {"b": {"logit": -8.0}})
    decisions = triage_studies([first, second, third], ruling, out=tmp_path / "out")
    assert decisions[1].outcome == "dce_not_required"  # it is tried again
