"""Figures: what they print, what they refuse."""

import json
import math
import subprocess
import sys

import pytest

from prostate_alm.figures import Figure


def figure(**changes):
    fields = {
        "name": "FPR@0FN",
        "value": 0.3125,
        "interval": (0.2024, 0.4406),
        "confidence": 0.95,
        "n1": 36,
        "n0": 64,
        "kind": "oracle",
        "method": "m",
    }
    return Figure(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "FPR@0FN 0.31 [0.20, 0.44] (oracle, n1 = 36, n0 = 64)"),
        ({"interval": None, "kind": "locked"}, "FPR@0FN 0.31 (locked, n1 = 36, n0 = 64)"),
        ({"value": None, "interval": None}, "FPR@0FN undefined: m (oracle, n1 = 36, n0 = 64)"),
    ],
)
def test_a_figure_reads_with_its_kind_and_counts(changes, text):
    assert str(figure(**changes)) == text


def test_as_dict_is_what_metrics_json_holds():
    content = json.loads(json.dumps(figure().as_dict()))
    assert list(content) == ["name", "value", "interval", "confidence", "n1", "n0", "kind", "method"]
    assert content["interval"] == [0.2024, 0.4406]
    assert figure(interval=None).as_dict()["interval"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"value": math.nan},
        {"value": math.inf},
        {"interval": (0.1, math.nan)},
        {"interval": (0.5, 0.4)},
        {"confidence": 1.0},
        {"confidence": 0.0},
        {"n1": -1},
        {"n0": -1},
        {"kind": "best"},
    ],
)
def test_a_figure_that_cannot_be_is_refused(changes):
    with pytest.raises(ValueError, match="FPR@0FN"):
        figure(**changes)


def test_figures_and_metrics_import_without_torch():
    code = (
        "import sys, prostate_alm.figures, prostate_alm.metrics; print('torch' in sys.modules, 'monai' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
