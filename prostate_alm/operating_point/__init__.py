"""A decision threshold with a promise: Neyman-Pearson umbrella over held-out calibration positives."""

from prostate_alm.operating_point.out_of_bag import OutOfBag, out_of_bag
from prostate_alm.operating_point.threshold import MARGIN, Threshold
from prostate_alm.operating_point.umbrella import approximate, certify, positives_needed

__all__ = ["MARGIN", "OutOfBag", "Threshold", "approximate", "certify", "out_of_bag", "positives_needed"]
