"""The files of one series."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from prostate_alm.phantom.scan import Scan


def write_series(folder: Path, scan: Scan) -> None:
    """Write one series as its dialect lays it out; names of files say nothing.

    Args:
        folder: made here; must not exist.
        scan: the series and all that decides its bytes.

    Raises:
        OSError: if the file system refuses.
    """
    folder.mkdir()
    for header in scan.dialect.layouts[scan.series.kind](scan):
        header.file_meta = _file_meta(header)
        scan.dialect.encode(header)
        name = scan.identity.file_name(scan.number, int(header.InstanceNumber)) + scan.dialect.suffix
        header.save_as(folder / name, enforce_file_format=True)


def _file_meta(header: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta
