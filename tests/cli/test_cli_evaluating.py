"""From a run and a cohort to the report: what is handed over, and what one of many runs goes without."""

import json
import re
from dataclasses import replace

import pytest
import tiny

from prostate_alm.cli.evaluating import Measurement, evaluate_run
from prostate_alm.files import write_csv
from prostate_alm.report.comparison import read_evaluations
from prostate_alm.report.write import PAGE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five positives and three negatives, and one study that `prepare` left out."""
    cohort = tiny.make_cohort(tmp_path_factory.mktemp("evaluating") / "test", [1, 1, 1, 1, 1, 0, 0, 0], first=70)
    rows = [{"study_key": case.case_id, "ready": 1, "reasons": ""} for case in cohort.cases]
    rows.append({"study_key": "left out", "ready": 0, "reasons": "no usable axial T2 of Mr Miller"})
    write_csv(cohort.folder / "qc.csv", ["study_key", "ready", "reasons"], rows)
    cases = tuple(replace(case, groups={"site": "north", "age band": "60 to 69"}) for case in cohort.cases)
    cohort = replace(cohort, cases=cases)
    cohort.save()
    return cohort


@pytest.fixture(scope="module")
def evaluated(run, cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated")
    evaluate_run(run.folder, out, Measurement(cohort.folder))
    return out


def test_the_report_knows_scanners_flow_pictures_and_the_training_s_prevalence(evaluated, cohort):
    page = (evaluated / PAGE).read_text(encoding="utf-8")
    assert "Vendor: V, all cases." in page
    assert "Field strength: 3 T, all cases." in page
    assert "b-values: as acquired, all cases." in page
    assert "Site: north, all cases." in page
    assert "Age band: 60 to 69, all cases." in page
    assert "Not assessed" not in page
    assert re.search(r"Studies read</th><td class=\"number\">9<", page)
    assert "excluded: no usable axial T2</th>" in page
    assert "Miller" not in page
    assert "prevalence (33.3%)" in page  # 6 of the 18 training cases
    assert page.count("data:image/png;base64,") >= 10
    assert (evaluated / "report.pdf").read_bytes().startswith(b"%PDF")


def test_no_path_stands_in_any_file(evaluated, cohort):
    for path in evaluated.iterdir():
        content = path.read_bytes()
        assert str(cohort.folder).encode() not in content, path.name
        assert str(evaluated).encode() not in content, path.name


def test_a_comparison_reads_the_arms_own_figures_alone(evaluated, run, cohort, tmp_path):
    assert {row.get("part") for row in json.loads((evaluated / "metrics.json").read_text())} > {None, "subgroups"}
    (found,) = read_evaluations([evaluated])
    assert found.locked == {}  # no threshold was locked: figures read off the cases are no locked ones


def test_one_of_many_runs_has_neither_pictures_nor_pdf(run, cohort, tmp_path):
    out, _ = evaluate_run(run.folder, tmp_path / "e", Measurement(cohort.folder), tmp_path / "cache")
    assert "data:image" not in out.read_text(encoding="utf-8")
    assert not (tmp_path / "e" / "report.pdf").exists()
