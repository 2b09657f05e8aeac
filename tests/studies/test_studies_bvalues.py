"""b-values: the standard source, contradictions, binning, nonsense; the law that nothing else can come out."""

import math
import struct
import warnings

import dicom_factory
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from prostate_alm.studies.bvalues import (
    NOMINAL_B_VALUES,
    TAGS,
    BValue,
    BValueError,
    nominal_b_value,
    read_b_value,
)

STANDARD = 0x00189087


@pytest.mark.parametrize("dialect", ["siemens", "siemens-bytes", "standard"])
@pytest.mark.parametrize("b", [0, 50, 400, 1000])
def test_every_source_gives_the_b_value(dialect, b):
    header = Dataset()
    dicom_factory.tag_b_value(header, b, dialect)
    assert read_b_value(header) == BValue(b, "(0018,9087)" if dialect == "standard" else "(0019,100C)")


def test_none_without_any_source():
    assert read_b_value(Dataset()) is None


@pytest.mark.parametrize(("value", "expected"), [([1000.0], 1000), ([1000.0, 1000.0], 1000), (None, None), ([], None)])
def test_the_standard_tag_may_hold_a_list_or_nothing(value, expected):
    header = Dataset()
    header.add_new(STANDARD, "FD", value)
    found = read_b_value(header)
    assert (found and found.value) == expected


def raw(place, vr, value, *, implicit=False, little=True):
    """A header with one element as it comes out of a file, not yet converted."""
    header, tag = Dataset(), Tag(place)
    header.set_original_encoding(implicit, little)
    header._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, implicit, little)
    return header


@pytest.mark.parametrize(("order", "little"), [("<", True), (">", False)])
@pytest.mark.parametrize("vr", ["FD", "UN"])
def test_the_standard_tag_is_in_the_byte_order_of_the_file(order, little, vr):
    header = raw(STANDARD, vr, struct.pack(order + "d", 1000), little=little)
    assert read_b_value(header) == BValue(1000, "(0018,9087)")


@pytest.mark.parametrize(("order", "little"), [("<", True), ("<", None), (">", False)])
@pytest.mark.parametrize(("place", "layout"), [(0x00651009, "d"), (0x20011003, "f")])
def test_raw_bytes_are_in_the_byte_order_of_the_file(place, layout, order, little):
    header = raw(place, "UN", struct.pack(order + layout, 1000), little=little)
    header.Manufacturer = "UIH" if layout == "d" else "Philips"
    assert read_b_value(header).value == 1000


@pytest.mark.parametrize("b", [50.0, 1000.0, 928.2885599370205, 0.001])
@pytest.mark.parametrize(("place", "layout"), [(0x00651009, "d"), (0x20011003, "f")])
def test_raw_bytes_in_the_wrong_byte_order_are_no_b_value(place, layout, b):
    header = raw(place, "UN", struct.pack(">" + layout, b))
    header.Manufacturer = "UIH" if layout == "d" else "Philips"
    with pytest.raises(BValueError, match="holds"):
        read_b_value(header)


def both(one, other):
    header = Dataset()
    dicom_factory.tag_b_value(header, one, "siemens")
    dicom_factory.tag_b_value(header, other, "standard")
    return header


@pytest.mark.parametrize(("one", "other"), [(400, 402), (44, 45), (44, 49), (1000, 1030), (970, 1030), (0, 5), (2, -3)])
def test_two_sources_that_agree_are_one(one, other):
    assert read_b_value(both(one, other)) == BValue(other, "(0018,9087)")


@pytest.mark.parametrize(("one", "other"), [(400, 0), (0, 6), (400, 500), (1000, 1100), (1000, 1050), (110, 104)])
def test_two_sources_that_disagree_are_refused(one, other):
    message = rf"^\(0018,9087\) states b {other} and \(0019,100C\) states b {one}$"
    with pytest.raises(BValueError, match=message):
        read_b_value(both(one, other))


def test_the_first_and_the_last_source_may_agree_while_one_between_disagrees():
    header = both(400, 400)
    header.Manufacturer, header.SequenceName = "SIEMENS", "*ep_b800t"
    with pytest.raises(BValueError, match=r"SequenceName \(0018,0024\) states b 800"):
        read_b_value(header)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -5.1, 20_001.0, "many", "1_000", "", [0.0, 1000.0], 10**400, object()]
)
def test_what_is_no_b_value_is_refused(value):
    header = Dataset()
    header.add_new(STANDARD, "DS", None)
    header[STANDARD]._value = ["", ""] if value == "" else value  # as if a file had held it
    with pytest.raises(BValueError, match=r"^\(0018,9087\) holds "):
        read_b_value(header)


def test_a_message_quotes_numbers_only():
    header = Dataset()
    header.Manufacturer = "SIEMENS"
    header.add_new(0x0019100C, "OB", b"Miller^Anna ")
    with pytest.raises(BValueError) as caught:
        read_b_value(header)
    assert str(caught.value) == "(0019,100C) holds no number"


@pytest.mark.parametrize("place", TAGS)
def test_a_sequence_with_damaged_items_is_refused_unread(place):
    header = raw(place, "SQ", b"\xfe\xff\x00\xe0\x06\0\0\0\x08\0\x08\0AA")
    header.add_new(0x0019100C, "OB", b"400 ")
    found, problem = None, f"({place[0]:04X},{place[1]:04X}) "
    try:
        found = read_b_value(header)
    except BValueError as error:
        problem = str(error)
    assert problem.startswith(f"({place[0]:04X},{place[1]:04X}) ")
    assert found is None


def test_bytes_and_numbers_stand_for_themselves():
    header = Dataset()
    header.add_new(0x00080070, "UN", b"SIEMENS ")
    header.add_new(0x0019100C, "IS", 400)
    assert read_b_value(header) == BValue(400, "(0019,100C)")


def test_what_describes_a_multi_frame_file_says_nothing_of_a_frame():
    header = Dataset()
    header.Manufacturer, header.SequenceName, header.NumberOfFrames = "SIEMENS", "*ep_b0", 2
    assert read_b_value(header) is None
    header.DiffusionBValue = 800.0
    assert read_b_value(header) == BValue(800, "(0018,9087)")
    header.NumberOfFrames = 1
    with pytest.raises(BValueError, match="states b 0"):
        read_b_value(header)


@pytest.mark.parametrize(
    ("value", "nominal"),
    [(0, 0), (5, 0), (-3, 0), (0.004, 0), (5.1, 5), (45, 50), (44, 44), (105, 100), (106, 106), (582, 600),
     (1030, 1000), (1031, 1031), (928.29, 928), (1455, 1500), (40, 40), (273, 273)],
)  # fmt: skip
def test_binning(value, nominal):
    assert nominal_b_value(value) == nominal
    assert BValue(value, "any").nominal == nominal


def test_the_vendors_own_nominal_wins():
    assert BValue(928.29, "any", stated_nominal=1000).nominal == 1000
    assert BValue(1.25, "any", stated_nominal=0).nominal == 0


def test_two_sources_agree_by_the_vendors_own_nominal():
    assert BValue(1000, "one").agrees_with(BValue(928.29, "other", stated_nominal=1000))
    assert not BValue(1000, "one").agrees_with(BValue(928.29, "other"))


@given(st.floats(-5, 5000, allow_nan=False))
def test_binning_moves_a_b_value_by_no_more_than_its_tolerance(value):
    nominal = nominal_b_value(value)
    assert abs(nominal - value) <= max(5.0, 0.03 * nominal) + 1e-9
    assert nominal == round(value) or nominal in NOMINAL_B_VALUES


@given(st.floats(-5, 20_000), st.floats(-5, 20_000))
def test_agreement_is_mutual(one, other):
    assert BValue(one, "one").agrees_with(BValue(other, "other")) == BValue(other, "other").agrees_with(
        BValue(one, "one")
    )


CREATORS = [
    b"SIEMENS MR HEADER ", b"SIEMENS CSA HEADER", b"GEMS_PARM_01", b"Philips Imaging DD 001", b"Image Private Header",
    b"MMCPrivate", b"", b"Anon",
]  # fmt: skip
MAKERS = [b"SIEMENS ", b"GE MEDICAL SYSTEMS", b"Philips ", b"UIH ", b"Hitachi ", b"CANON_MEC ", b"Unknown "]
NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, 400.0, 1000.0, 20_001.0]))
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"400 ", b"1000001000\\8\\0\\0 ", b"*ep_b400t ", b"b=1500(0,0,1) ", b"\\", b" ", *CREATORS, *MAKERS]
    ),
    NUMBERS.map(lambda number: struct.pack("<d", number)),
    NUMBERS.map(lambda number: struct.pack(">d", number)),
    st.floats(width=32).map(lambda number: struct.pack("<f", number)),
    st.binary(max_size=300).map(lambda tail: b"SV10\x04\x03\x02\x01\x02\0\0\0\x4d\0\0\0B_value\0" + tail),
)
REPRESENTATIONS = st.sampled_from(
    [None, "UN", "OB", "OW", "IS", "DS", "FD", "FL", "LO", "LT", "SH", "PN", "UL", "AT", "DA", "SQ", "??"]
)
ELEMENTS = st.dictionaries(st.sampled_from(TAGS), st.tuples(REPRESENTATIONS, CONTENTS))


@given(ELEMENTS, st.sampled_from(MAKERS), st.booleans(), st.booleans())
def test_any_bytes_give_a_b_value_or_none_or_a_clear_error(elements, maker, implicit, little):
    header = Dataset()
    header.set_original_encoding(implicit, little)
    for place, (vr, value) in {(0x0008, 0x0070): ("LO", maker), **elements}.items():
        tag = Tag(place)
        header._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, implicit, little)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that it takes nevertheless
        found, problem = None, "("
        try:
            found = read_b_value(header)
        except BValueError as error:
            problem = str(error)
    assert "(" in problem
    assert found is None or (-5 <= found.value <= 20_000 and found.nominal >= 0 and found.source.startswith("("))
