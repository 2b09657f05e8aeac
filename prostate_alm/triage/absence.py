"""An output that a study cannot have."""


class NothingToWriteError(Exception):
    """A study that an output does not exist for, whatever is tried; the message holds no identifier.

    Example:
        >>> raise NothingToWriteError("the study's files are no DICOM files")
        Traceback (most recent call last):
        prostate_alm.triage.absence.NothingToWriteError: the study's files are no DICOM files
    """
