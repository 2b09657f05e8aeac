"""Find, check, run and load a MONAI bundle: the one definition of training and inference."""

from prostate_alm.bundle.find import find_bundle
from prostate_alm.bundle.integrity import HASHES, check_hashes, model_hash, write_hashes
from prostate_alm.bundle.predictor import Predictor
from prostate_alm.bundle.weights import load_weights
from prostate_alm.bundle.workflow import run_workflow, write_notice

__all__ = [
    "HASHES",
    "Predictor",
    "check_hashes",
    "find_bundle",
    "load_weights",
    "model_hash",
    "run_workflow",
    "write_hashes",
    "write_notice",
]
