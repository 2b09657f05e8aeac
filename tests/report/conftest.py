"""The page of three arms with a locked threshold, open in a browser of the test file."""

import pytest
from browser import browser, opened
from report.evaluations import NOTICE, THRESHOLD, evaluated, grouped, three_arms

from prostate_alm.report import write_report


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of three arms with a locked threshold."""
    folder = tmp_path_factory.mktemp("page")
    cases = grouped(three_arms(), Vendor=["Siemens", "GE"], Scanner=["one"])
    given = evaluated(threshold=THRESHOLD, notice=NOTICE, cases=cases, training_prevalence=0.3)
    write_report(folder, given)
    return folder / "report.html"


@pytest.fixture
def watched(chromium, path):
    with opened(chromium, path) as found:
        yield found
        assert found.said == []
        assert found.requests == [path.as_uri()]
