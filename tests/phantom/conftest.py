"""Two small cohorts that several tests look at."""

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from prostate_alm.phantom import write_cohort


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One cohort of three studies per dialect, all of seed 7."""
    folder = tmp_path_factory.mktemp("cohorts")
    for dialect in ("siemens", "standard"):
        write_cohort(folder / dialect, studies=3, class_ratio="1:2", dialect=dialect, seed=7, processes=1)
    return {dialect: folder / dialect for dialect in ("siemens", "standard")}


@pytest.fixture(scope="session")
def read_series() -> Callable[[Path], dict[str, list[Dataset]]]:
    """Reads a study's files, grouped by SeriesDescription."""

    def read(study: Path) -> dict[str, list[Dataset]]:
        series: dict[str, list[Dataset]] = {}
        for path in sorted(study.glob("*/*")):
            header = pydicom.dcmread(path)
            series.setdefault(header.SeriesDescription, []).append(header)
        return series

    return read
