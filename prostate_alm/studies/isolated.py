"""Reading in a process of its own: a native decoder that aborts takes that process down, and no other study."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from prostate_alm.studies.index import StudyFiles
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.pixels import needs_native_decoder
from prostate_alm.studies.reading import StudyReading, read_study
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.subject import patient_key_of

DIED = "the process that read it died"


def is_risky(study: StudyFiles) -> bool:
    """True if reading it runs decoders that can end their process: compressed pixels, MetaImage, NRRD."""
    return any(needs_native_decoder(image) for image in study.files)


def read_isolated(
    study: StudyFiles, *, keys: Keys, harmonise: bool = False, rules: Rules | None = None
) -> StudyReading:
    """`read_study`, of a risky study in a child process; one that kills it is a reading with that problem.

    Args:
        study: from `find_studies`.
        keys: the site's keys.
        harmonise: as for `read_study`.
        rules: as for `read_study`.
    """
    if not is_risky(study):
        return read_study(study, keys=keys, harmonise=harmonise, rules=rules)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(read_study, study, keys=keys, harmonise=harmonise, rules=rules).result()
        except BrokenProcessPool:
            patient_key, notes = patient_key_of(study, keys)
            return StudyReading(keys.study(study.uid), patient_key, problems=(DIED,), notes=notes)
