"""The main job from end to end, at the smallest scale."""

import json

import pytest

from prostate_alm.cli.demo import Part, Scale, run_demo

TINY = Scale(
    parts=(
        Part("training", 6, "1:1", 1),
        Part("calibration", 4, "3:1", 2),
        Part("test", 4, "1:1", 3),
        Part("new", 2, "1:1", 4),
    ),
    members=1,
    epochs=2,
    constrained_epochs=1,
    fn_rate=0.5,
    risk=0.5,
)


@pytest.mark.slow
def test_the_demo_goes_the_whole_way_and_goes_on(tmp_path, capsys):
    run_demo(tmp_path, TINY)
    shown = capsys.readouterr().out.splitlines()
    for arm in ("base", "continued", "alm"):
        assert any(line.startswith(f"{arm}: AUC") for line in shown)
        assert any(line.startswith(f"{arm}: FPR@0FN") for line in shown)
    assert shown[-2] == f"report: {tmp_path / 'report' / 'report.html'}"
    assert shown[-1].startswith("new study ")
    assert "demo weights, trained on synthetic phantoms: not for any clinical use" in shown[-1]
    (result,) = (tmp_path / "triage").glob("*.json")
    assert json.loads(result.read_text())["decision"] in {"dce_required", "dce_not_required", "undecided"}
    run_demo(tmp_path, TINY)
    assert capsys.readouterr().out.splitlines() == shown
