"""From a study to a decision and its outputs; whatever is not certain is `undecided`."""

from prostate_alm.triage.batch import triage_studies
from prostate_alm.triage.decision import Decision, Outcome
from prostate_alm.triage.judge import Judge
from prostate_alm.triage.ood import out_of_distribution
from prostate_alm.triage.worklist import WORKLIST

__all__ = ["WORKLIST", "Decision", "Judge", "Outcome", "out_of_distribution", "triage_studies"]
