"""MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr), read by SimpleITK once their text header has been checked.

ITK guesses where a header is silent, follows any path to detached voxels and trusts sizes: `itk_headers` settles all
that first.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from prostate_alm.studies.headers import FormError
from prostate_alm.studies.volume_files.forms import Form, NotReadError
from prostate_alm.studies.volume_files.itk_headers import Stored, check_metaimage, check_nrrd


class ItkFormat:
    """One format that ITK reads.

    Args:
        reader: ITK's name of its reader.
        check: raises a FormError for a header that ITK must not see, and tells where the voxels are.
    """

    def __init__(self, reader: str, check: Callable[[Path], Stored]) -> None:
        self._reader, self._check = reader, check

    def form(self, path: Path) -> Form:
        """What the header says; no voxel is read.

        Args:
            path: the file.

        Raises:
            FormError: if it is damaged, does not say how it lies in the patient, or has its voxels elsewhere.
            NotReadError: if a voxel is more than one number, or it has more than four axes.
        """
        self._check(path)
        reader = self._open(path)
        _run(reader.ReadImageInformation)
        if reader.GetNumberOfComponents() != 1:
            raise NotReadError("it holds several values for each voxel")
        sizes = [int(size) for size in reader.GetSize()]
        if len(sizes) < 3:
            raise NotReadError(f"it has {len(sizes)} axes, not 3 or 4")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused with the form
            steps = np.array(reader.GetDirection()).reshape(len(sizes), len(sizes)) * np.array(reader.GetSpacing())
        if steps[:3, 3:].any():
            raise FormError("it does not say how it lies in the patient: its fourth axis lies in space")
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = steps[:3, :3], reader.GetOrigin()[:3]
        affine[:2] *= -1  # LPS to RAS
        return Form.of(sizes, affine, voxel_bytes=8)

    def voxels(self, path: Path) -> np.ndarray:
        """The voxels as stored, on the stored axes.

        Args:
            path: a file; its header is checked again.

        Raises:
            FormError: if the voxels are cut short or damaged.
        """
        self.form(path)
        import SimpleITK

        stored = self._check(path).checksum()
        voxels = SimpleITK.GetArrayFromImage(_run(self._open(path).Execute))
        # MetaIO passes over errors, and leaves in the image what memory held
        if stored not in (crc32(voxels.data), crc32(voxels.byteswap().data)):
            raise FormError("ITK reads other voxels from it than it holds")
        return voxels.T

    def _open(self, path: Path) -> Any:
        import SimpleITK  # takes half a second

        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings quote paths
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO(self._reader)
        reader.SetFileName(str(path))
        return reader


def _run(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except RuntimeError as error:  # its text quotes the path
        raise FormError("ITK cannot read it: it is damaged or cut short") from error


METAIMAGE = ItkFormat("MetaImageIO", check_metaimage)
NRRD = ItkFormat("NrrdImageIO", check_nrrd)
