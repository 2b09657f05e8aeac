"""ROC points against scikit-learn and against the AUC."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from prostate_alm.metrics import auc, roc_points


@pytest.mark.parametrize("decimals", [0, 6])
def test_the_points_are_those_of_the_definition(decimals):
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, size=80)
    logits = np.round(generator.normal(size=80) + labels, decimals)
    points = roc_points(logits, labels)
    fpr, tpr, thresholds = roc_curve(labels, logits, drop_intermediate=False)
    np.testing.assert_array_equal(points.thresholds, thresholds)
    np.testing.assert_allclose(points.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(points.tpr, tpr, atol=1e-12)
    assert np.trapezoid(points.tpr, points.fpr) == pytest.approx(auc(logits, labels).value)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_curve(label):
    with pytest.raises(ValueError, match="both classes"):
        roc_points([1.0, 2.0], [label, label])
