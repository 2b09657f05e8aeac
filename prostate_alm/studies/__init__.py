"""Hospital files -> volumes: index, b-values, selection, geometry, harmonisation.

Rule one is to fail safe: a missing sequence, an unclear choice or a failed check becomes a problem of the study, and a
study with a problem is never decided on.
"""

from prostate_alm.studies.acquisition import ACQUIRED, protocol_of
from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.dicom.codestreams import codecs
from prostate_alm.studies.index import UNREADABLE, StudyFiles, find_studies, open_studies
from prostate_alm.studies.isolated import DIED, is_risky, read_isolated
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.quality import COLUMNS as QUALITY_COLUMNS
from prostate_alm.studies.reading import REQUIRED, SeriesReport, StudyReading, read_study
from prostate_alm.studies.rules import Rules, default_rules, load_rules
from prostate_alm.studies.store import Task as StudyTask
from prostate_alm.studies.store import store_study
from prostate_alm.studies.volume_files import FILES
from prostate_alm.studies.volume_files.names import companions_of, is_volume_file
from prostate_alm.studies.volumes import Volume

__all__ = [
    "ACQUIRED",
    "CANONICAL_B_VALUES",
    "DIED",
    "FILES",
    "QUALITY_COLUMNS",
    "REQUIRED",
    "UNREADABLE",
    "Keys",
    "Rules",
    "SeriesReport",
    "StudyFiles",
    "StudyReading",
    "StudyTask",
    "Volume",
    "codecs",
    "companions_of",
    "default_rules",
    "find_studies",
    "is_risky",
    "is_volume_file",
    "load_rules",
    "open_studies",
    "protocol_of",
    "read_isolated",
    "read_study",
    "store_study",
]
