"""Phantom studies, as the package itself writes them, are read in every dialect."""

import pytest

from prostate_alm.phantom import DIALECTS, write_cohort
from prostate_alm.studies import Keys, find_studies, read_study

KEYS = Keys(b"a salt for the tests")


@pytest.mark.slow
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_phantom_is_ready_and_its_decoys_are_not_used(tmp_path, dialect):
    write_cohort(tmp_path, studies=2, class_ratio="1:1", dialect=dialect, seed=5, processes=1)
    for study in find_studies(tmp_path / "studies"):
        reading = read_study(study, keys=KEYS)
        assert reading.problems == ()
        assert reading.b_values_found == (100, 600, 1000)
        assert reading.volumes["t2w"].spacing_mm == pytest.approx((0.5, 0.5, 3.0), abs=1e-4)
        assert sorted(report.role for report in reading.series if "not used" in report.reason) == sorted(
            ["adc", "calculated", *["other"] * (len(reading.series) - 4)]
        )


@pytest.mark.slow
def test_a_phantom_with_other_b_values_needs_harmonisation(tmp_path):
    write_cohort(
        tmp_path, studies=2, class_ratio="1:1", dialect="siemens", seed=6, b_values=(50, 400, 800), processes=1
    )
    study = find_studies(tmp_path / "studies")[0]
    assert not read_study(study, keys=KEYS).ready
    assert read_study(study, keys=KEYS, harmonise=True).ready
