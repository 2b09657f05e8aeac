"""doctor: what is well is said to be, and everything that is not ends in the exit code of its kind."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from prostate_alm import studies
from prostate_alm.bundle import Predictor
from prostate_alm.operating_point import Threshold


@pytest.fixture
def bundle(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A trained bundle with a locked threshold, to be spoilt."""
    run = tiny.shared_run(tmp_path_factory.getbasetemp())
    shutil.copytree(run.folder / "bundle", tmp_path / "bundle")
    sha256 = Predictor.load(tmp_path / "bundle").sha256
    made = Threshold(-1.0, "certified", 0.1, 0.1, 22, 1, model_sha256=sha256, patients=("p",))
    # the threshold is no file of the hash list here: it may be locked after training
    made.save(tmp_path / "bundle" / "models" / "threshold.json")
    return tmp_path / "bundle"


def checks(out: str) -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in json.loads(out)}


def test_a_sound_installation_passes(prostate_alm, bundle):
    code, out, _ = prostate_alm("doctor", "--model", bundle, "--json")
    found = checks(out)
    assert code == 0
    assert all(check["ok"] for check in found.values())
    assert "FN rate at most 10.0% with 90.0% confidence" in str(found["threshold"]["detail"])
    assert {"Python", "packages", "device", "codecs", "temporary space", "site's salt", "model", "bundle"} < set(found)


def test_the_bundle_that_comes_along_is_checked_by_default(prostate_alm):
    code, out, _ = prostate_alm("doctor")
    assert code == 0
    assert "ok    notice: demo weights" in out
    assert "FAIL" not in out


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_a_flipped_byte_in_the_weights_is_an_integrity_failure(prostate_alm, bundle):
    flip(bundle / "models" / "model.pt")
    code, out, err = prostate_alm("doctor", "--model", bundle)
    assert code == 8
    assert "FAIL  model:" in out
    assert "1 of 7 checks failed, the first: model" in err


@pytest.mark.parametrize("spoil", ["flip", "another"])
def test_a_threshold_that_does_not_fit_is_an_integrity_failure(prostate_alm, bundle, spoil):
    path = bundle / "models" / "threshold.json"
    if spoil == "flip":
        flip(path)
    else:
        replace(Threshold.load(path), model_sha256="0" * 64).save(path)
    code, out, _ = prostate_alm("doctor", "--model", bundle, "--json")
    assert code == 8
    assert [name for name, check in checks(out).items() if not check["ok"]] == ["threshold"]


def test_a_model_without_a_threshold_is_told_so(prostate_alm, bundle):
    (bundle / "models" / "threshold.json").unlink()
    code, out, _ = prostate_alm("doctor", "--model", bundle)
    assert code == 0
    assert "triage needs --threshold" in out


def test_no_model_is_a_model_error(prostate_alm, tmp_path):
    code, out, _ = prostate_alm("doctor", "--model", tmp_path)
    assert code == 5
    assert "neither a bundle nor a finished run" in out


def test_other_versions_are_named(prostate_alm, bundle):
    path = bundle / "configs" / "metadata.json"
    path.write_text(path.read_text().replace('"pytorch_version": "', '"pytorch_version": "0.'))
    from prostate_alm.bundle import write_hashes

    write_hashes(bundle)
    code, out, _ = prostate_alm("doctor", "--model", bundle)
    assert code == 5
    assert "was made with torch 0.2.13.0" in out


def test_a_missing_decoder_is_named(prostate_alm, bundle, monkeypatch):
    monkeypatch.setattr(studies, "codecs", lambda: {"JPEG-LS Lossless": False, "RLE Lossless": True})
    code, out, _ = prostate_alm("doctor", "--model", bundle)
    assert code == 5
    assert "FAIL  codecs: no decoder for JPEG-LS Lossless" in out


def test_a_short_salt_is_a_usage_error(prostate_alm, bundle, monkeypatch):
    monkeypatch.setenv("PROSTATE_ALM_SALT", "short")
    code, out, _ = prostate_alm("doctor", "--model", bundle)
    assert code == 2
    assert "FAIL  site's salt:" in out


def test_little_space_is_an_output_error(prostate_alm, bundle, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    code, out, _ = prostate_alm("doctor", "--model", bundle)
    assert code == 6
    assert "FAIL  temporary space: 0.0 GiB free" in out
