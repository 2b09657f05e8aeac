"""Write docs/real_files.md: what is found in every folder of real scanner files, and what becomes of it."""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prostate_alm.errors import NoInputError
from prostate_alm.studies import Keys, SeriesReport, StudyFiles, find_studies, read_study

PAGE = Path(__file__).parents[1] / "docs" / "real_files.md"
MIXED = ("odd/conversions-noise-pixels", "prostatex-0000")
"""Folders whose subfolders have nothing to do with each other."""
INTRODUCTION = """# Real scanner files

What `prostate-alm inspect` finds in the real files that this project is tested with, series by series: what it is, how
it is used, or why it is not. A test writes this page anew from the files and compares.

Words of a series description that could name a person are shown as `*`. One study is a whole prostate study
(PROSTATEx-0000, Litjens et al. 2017, The Cancer Imaging Archive, doi 10.7937/K9TCIA.2017.MURS5CL, CC BY 3.0). The
others are heads and phantoms of other vendors (dcm_qa_*, nibabel, pydicom-data, dicom2nifti), which test reading: none
of them may be decided on, and each says why.
"""
_KEYS = Keys(b"only for the page of real files")


def page(mri: Path) -> str:
    """The whole page.

    Args:
        mri: the folder `data/mri` of the shared data.
    """
    return "\n".join([INTRODUCTION, *(line for folder in folders(mri) for line in _section(mri, folder))]) + "\n"


def folders(mri: Path) -> list[Path]:
    """Every folder that is a subject of its own, in order."""
    tops = [mri / "prostatex-0000", *sorted((mri / "vendors").iterdir()), *sorted((mri / "odd").iterdir())]
    found: list[Path] = []
    for top in tops:
        split = top.relative_to(mri).as_posix() in MIXED
        found += sorted(path for path in top.iterdir() if path.is_dir()) if split else [top]
    return found


def _section(mri: Path, folder: Path) -> Iterator[str]:
    yield f"\n## `{folder.relative_to(mri).as_posix()}`\n"
    try:
        studies = find_studies(folder)
    except NoInputError as error:
        yield str(error).replace(str(mri), "")
        return
    for study in studies:
        yield from _study(folder, study, many=len(studies) > 1)


def _study(folder: Path, study: StudyFiles, *, many: bool) -> Iterator[str]:
    reading = read_study(study, keys=_KEYS)
    if many:
        yield f"\nStudy in `{study.folder.relative_to(folder).as_posix()}`:\n"
    yield "| vendor | series | files | grid | mm | plane | b, s/mm2 (source) | verdict |"
    yield "|---|---|---|---|---|---|---|---|"
    for report in reading.series:
        yield "| " + " | ".join(_escaped(cell) for cell in _cells(report)) + " |"
    yield ""
    for count, reason in _skipped(study):
        yield f"- Skipped: {count} x {reason}"
    for note in reading.notes:
        yield f"- Note: {_escaped(note)}"
    for problem in reading.problems:
        yield f"- Stands against a decision: {_escaped(problem)}"


def _cells(report: SeriesReport) -> Iterator[str]:
    yield report.vendor or "-"
    yield f"`{report.description}`" if report.description else "-"
    yield str(report.files)
    yield "x".join(map(str, report.shape))
    yield "x".join(f"{length:.3g}" for length in report.spacing_mm) if report.spacing_mm else "-"
    yield report.orientation
    yield f"{', '.join(map(str, report.b_values))} ({report.b_source})" if report.b_values else "-"
    yield report.reason


def _skipped(study: StudyFiles) -> list[tuple[int, str]]:
    counts = Counter(skipped.reason for skipped in study.skipped)
    return [(count, _escaped(reason)) for reason, count in sorted(counts.items())]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*") if "`" not in text else text.replace("|", "\\|")


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mri"), help="the folder of real files")
    PAGE.write_text(page(parser.parse_args().data), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
