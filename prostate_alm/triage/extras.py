"""What is written beside a study's JSON on request: DICOM objects for the archive, and a saliency map.

None of it can change a decision or lose one: what cannot be written becomes a note in the JSON.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.errors import OutputError
from prostate_alm.files import whole_file, writing
from prostate_alm.triage.absence import NothingToWriteError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from torch import Tensor

    from prostate_alm.bundle import Predictor
    from prostate_alm.studies import StudyFiles, StudyReading
    from prostate_alm.triage.decision import Decision
    from prostate_alm.triage.saliency import SaliencyMap

REPORT, PAGE, MAP = ".sr.dcm", ".pdf.dcm", ".saliency.nii.gz"
"""Endings: structured report, case report as encapsulated PDF, saliency map."""
ENDINGS = (REPORT, PAGE, MAP)

NO_DICOM, NO_MAP = "no DICOM output", "no saliency map"
"""What a note begins with that says why something cannot be written at all; trying again would not help."""


@dataclass(frozen=True)
class Case:
    """What the extras need beside the decision.

    Args:
        study: its files, which can be read.
        reading: what was read of it; None if reading failed.
        image: the preprocessed image (4, H, W, D); None if there was none.
    """

    study: "StudyFiles"
    reading: "StudyReading | None" = None
    image: "Tensor | None" = None


@dataclass(frozen=True)
class Extras:
    """What is written beside a study's JSON.

    Args:
        out: the output folder.
        predictor: the model that decided.
        dicom: write `<study_key>.sr.dcm` and `<study_key>.pdf.dcm`.
        saliency: write `<study_key>.saliency.nii.gz`.
    """

    out: Path
    predictor: "Predictor"
    dicom: bool = False
    saliency: bool = False

    def write(self, decision: "Decision", case: Case) -> list[str]:
        """Write what is wanted, each file whole or not at all.

        Returns:
            Notes: what could not be written, and why. They hold no identifier.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        notes: list[str] = []
        shown: SaliencyMap | None = None
        if self.saliency:
            with _noted(NO_MAP, notes):
                shown = self._write_map(decision, case)
        if self.dicom:
            with _noted(NO_DICOM, notes):
                self._write_dicom(decision, case, shown, notes)
        return notes

    def complete(self, decision: "Decision") -> bool:
        """True if all that is wanted was written with the decision, or its notes say why it cannot be.

        False also if a file lies there that was not written with it: it may be another patient's.
        """
        notes = [str(note) for note in decision.qc.get("notes", [])]
        here = {ending for ending in ENDINGS if _path(self.out, decision.study_key, ending).exists()}
        own = {ending for ending in here if f"{decision.study_key}{ending}" in decision.files}
        wanted = [(REPORT, NO_DICOM), (PAGE, NO_DICOM)] if self.dicom else []
        wanted += [(MAP, NO_MAP)] if self.saliency else []
        return here == own and all(
            ending in own or any(note.startswith(f"{why}: ") for note in notes) for ending, why in wanted
        )

    def _write_map(self, decision: "Decision", case: Case) -> "SaliencyMap":
        from prostate_alm.triage.saliency import saliency

        if case.reading is None or case.image is None:
            raise NothingToWriteError("the model saw no image of this study")
        shown = saliency(self.predictor, case.image, case.reading.volumes)
        shown.volume.save(_path(self.out, decision.study_key, MAP))
        return shown

    def _write_dicom(self, decision: "Decision", case: Case, shown: "SaliencyMap | None", notes: list[str]) -> None:
        from prostate_alm.triage.case_report import case_report, study_pictures
        from prostate_alm.triage.dicom import encapsulated_report, read_source, structured_report

        source = read_source(case.study, case.reading.images if case.reading else {})
        with _noted("no structured report", notes):
            self._save(structured_report(decision, source), decision, REPORT)
        with _noted("no case report", notes):
            pdf = case_report(decision, study_pictures(case.reading.volumes if case.reading else {}, shown))
            self._save(encapsulated_report(pdf, decision, source), decision, PAGE)

    def _save(self, dataset: "Dataset", decision: "Decision", ending: str) -> None:
        from prostate_alm.studies.dicom.quiet import quiet

        content = BytesIO()  # pydicom gives the disk's errors a text of many lines
        with quiet():
            dataset.save_as(content, enforce_file_format=True)
        with whole_file(_path(self.out, decision.study_key, ending)) as part:
            part.write_bytes(content.getvalue())


def remove_extras(out: Path, study_key: str) -> None:
    """Remove those of an earlier decision: an old structured report must not stand beside a new decision.

    Raises:
        OutputError: if one cannot be removed.
    """
    for ending in ENDINGS:
        path = _path(out, study_key, ending)
        with writing(path):
            path.unlink(missing_ok=True)


def _path(out: Path, study_key: str, ending: str) -> Path:
    return out / f"{study_key}{ending}"


@contextmanager
def _noted(what: str, notes: list[str]) -> Iterator[None]:
    """Whatever fails in the block, but the folder itself, becomes a note; of an unexpected error only its kind."""
    try:
        yield
    except OutputError:
        raise
    except NothingToWriteError as error:
        notes.append(f"{what}: {error}")
    except Exception as error:
        notes.append(f"{what}, an unexpected {type(error).__name__}; the next triage of the study tries again")
