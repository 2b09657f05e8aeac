"""Find, check, run and load a MONAI bundle: the one definition of training and inference."""

from prostate_alm.bundle.find import find_bundle
from prostate_alm.bundle.graph import all_values, near
from prostate_alm.bundle.integrity import HASHES, check_hashes, model_hash, write_hashes
from prostate_alm.bundle.predictor import Predictor
from prostate_alm.bundle.problems import problems_of
from prostate_alm.bundle.reading import read_config
from prostate_alm.bundle.static import Finding, check_static, static_findings
from prostate_alm.bundle.weights import load_weights
from prostate_alm.bundle.workflow import run_workflow, write_notice

__all__ = [
    "HASHES",
    "Finding",
    "Predictor",
    "all_values",
    "check_hashes",
    "check_static",
    "find_bundle",
    "load_weights",
    "model_hash",
    "near",
    "problems_of",
    "read_config",
    "run_workflow",
    "static_findings",
    "write_hashes",
    "write_notice",
]
