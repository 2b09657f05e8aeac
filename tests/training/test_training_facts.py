"""The prevalence that a training's probabilities are calibrated at."""

import pytest
import tiny

from prostate_alm.cohort import Case
from prostate_alm.training.facts import training_prevalence

CASES = [Case(f"c{place}", f"p{place}", int(place < 6), {}) for place in range(18)]


@pytest.mark.parametrize(
    ("changes", "prevalence"),
    [
        ({}, 6 / 18),
        ({"class_ratio": "1:4"}, 3 / 15),
        ({"class_ratio": "1:5"}, 2 / 14),  # 12 negatives allow floor(12 / 5) positives
        ({"overrides": {"balanced": True}}, 0.5),
        ({"class_ratio": "1:4", "overrides": {"balanced": True}}, 0.5),
    ],
)
def test_the_prevalence_is_that_of_the_draws(changes, prevalence):
    assert training_prevalence(tiny.BUNDLE, tiny.settings(**changes), CASES) == prevalence
