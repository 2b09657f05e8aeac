"""Many studies, some of them broken, the run killed twice and taken up again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spoilt_studies import SPOILT

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
def test_at_three_in_the_morning_every_study_has_one_result_and_no_broken_one_is_spared(tmp_path):
    studies = len(SPOILT) + 8
    code = "import small_night; small_night.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(studies), str(len(SPOILT)), "7"],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    night = json.loads(done.stdout)
    assert night["wrong"] == []
    assert night["broken"] == dict.fromkeys(SPOILT, "undecided")
    assert night["outcomes"] == {"undecided": len(SPOILT), "dce_not_required": 8}  # else broken ones could not tell
    assert len(night["kills"]) == 2
    assert 0 < night["kills"][0] < night["kills"][1] < studies
