"""From a study to a decision and its outputs; whatever is not certain is `undecided`."""

from prostate_alm.triage.batch import triage_studies
from prostate_alm.triage.decision import Decision, Outcome
from prostate_alm.triage.judge import Judge
from prostate_alm.triage.ood import out_of_distribution
from prostate_alm.triage.preview import preview_studies
from prostate_alm.triage.session import Options
from prostate_alm.triage.verify import Verified, verify_log
from prostate_alm.triage.watch import SystemClock, watch_folder
from prostate_alm.triage.worklist import WORKLIST

__all__ = [
    "WORKLIST",
    "Decision",
    "Judge",
    "Options",
    "Outcome",
    "SystemClock",
    "Verified",
    "out_of_distribution",
    "preview_studies",
    "triage_studies",
    "verify_log",
    "watch_folder",
]
