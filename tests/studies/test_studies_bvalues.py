"""b-values: each source, binning, contradictions."""

import dicom_factory
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from prostate_alm.studies.bvalues import NOMINAL_B_VALUES, BValueError, nominal_b_value, read_b_value


@pytest.mark.parametrize("dialect", ["siemens", "siemens-bytes", "standard"])
@pytest.mark.parametrize("b", [0, 50, 400, 1000])
def test_every_source_gives_the_b_value(dialect, b):
    header = Dataset()
    dicom_factory.tag_b_value(header, b, dialect)
    found = read_b_value(header)
    assert found is not None
    assert found.value == b
    assert found.source == ("(0018,9087)" if dialect == "standard" else "(0019,100C)")


def test_none_without_any_source():
    assert read_b_value(Dataset()) is None


def test_the_same_tag_of_another_vendor_is_no_b_value():
    header = Dataset()
    header.Manufacturer = "GE MEDICAL SYSTEMS"
    header.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x0C, "DS", "17")
    assert read_b_value(header) is None


def test_the_private_tag_without_its_creator_counts_for_siemens_only():
    header = Dataset()
    header.add_new(0x0019100C, "OB", b"400 ")
    assert read_b_value(header) is None
    header.Manufacturer = "SIEMENS"
    assert read_b_value(header).value == 400


def test_two_sources_that_agree_are_one():
    header = Dataset()
    dicom_factory.tag_b_value(header, 400, "siemens")
    dicom_factory.tag_b_value(header, 402, "standard")
    assert read_b_value(header).source == "(0018,9087)"


def test_two_sources_that_disagree_are_refused():
    header = Dataset()
    dicom_factory.tag_b_value(header, 400, "siemens")
    dicom_factory.tag_b_value(header, 0, "standard")
    with pytest.raises(BValueError, match=r"states b 0 and \(0019,100C\) states b 400"):
        read_b_value(header)


@pytest.mark.parametrize("raw", [b"many", b"-400", b"1e9 ", b"nan "])
def test_what_is_no_b_value_is_refused(raw):
    header = Dataset()
    header.Manufacturer = "SIEMENS"
    header.add_new(0x0019100C, "OB", raw)
    with pytest.raises(BValueError, match=r"\(0019,100C\)"):
        read_b_value(header)


@pytest.mark.parametrize(
    ("value", "nominal"),
    [(0, 0), (5, 0), (-3, 0), (0.004, 0), (5.1, 5), (45, 50), (44, 44), (105, 100), (106, 106), (582, 600),
     (1030, 1000), (1031, 1031), (928.29, 928), (1455, 1500), (40, 40), (273, 273)],
)  # fmt: skip
def test_binning(value, nominal):
    assert nominal_b_value(value) == nominal


@given(st.floats(-5, 5000, allow_nan=False))
def test_binning_moves_a_b_value_by_no_more_than_its_tolerance(value):
    nominal = nominal_b_value(value)
    assert abs(nominal - value) <= max(5.0, 0.03 * nominal) + 1e-9
    assert nominal == round(value) or nominal in NOMINAL_B_VALUES
