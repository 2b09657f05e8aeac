"""b-values: what each vendor writes, as typed values and as the raw bytes of a file that lost its dictionary."""

import io
import struct

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from prostate_alm.studies.bvalues import TAGS, BValue, BValueError, read_b_value

MAKERS = {
    "siemens": "SIEMENS", "ge": "GE MEDICAL SYSTEMS", "philips": "Philips Medical Systems", "uih": "UIH",
    "hitachi": "Hitachi Medical Corporation", "fujifilm": "FUJIFILM Healthcare Corporation", "canon": "CANON_MEC",
}  # fmt: skip
TYPED = [
    ("siemens", 0x0019, 0x0C, "SIEMENS MR HEADER", "IS", "400", 400),
    ("siemens", 0x0019, 0x0C, "SIEMENS MR HEADER", "OB", b"400 ", 400),
    ("siemens", 0x0019, 0x0C, "SIEMENS MR HEADER", "OB", b"1000", 1000),
    ("ge", 0x0043, 0x39, "GEMS_PARM_01", "IS", ["1000", "8", "0", "0"], 1000),
    ("ge", 0x0043, 0x39, "GEMS_PARM_01", "IS", ["1000001400", "8", "0", "0"], 1400),
    ("ge", 0x0043, 0x39, "GEMS_PARM_01", "IS", ["1000000000", "8", "0", "0"], 0),
    ("ge", 0x0043, 0x39, "GEMS_PARM_01", "IS", ["0", "268435456", "0", "0"], 0),
    ("ge", 0x0043, 0x39, "GEMS_PARM_01", "IS", "50", 50),
    ("philips", 0x2001, 0x03, "Philips Imaging DD 001", "FL", 800.0, 800),
    ("philips", 0x2001, 0x03, "Philips Imaging DD 001", "FL", 0.0, 0),
    ("philips", 0x2001, 0x03, "PHILIPS IMAGING DD 001", "FL", 40.0, 40),
    ("hitachi", 0x0029, 0x30, "MMCPrivate", "FD", 800.0, 800),
    ("fujifilm", 0x0029, 0x30, "MMCPrivate", "FD", 0.0, 0),
]
RAW = [
    ("siemens", 0x0019, 0x0C, b"400 ", 400),
    ("siemens", 0x0019, 0x0C, b"0\0", 0),
    ("ge", 0x0043, 0x39, b"1000001000\\8\\0\\0 ", 1000),
    ("ge", 0x0043, 0x39, b"0\\8\\0\\0 ", 0),
    ("philips", 0x2001, 0x03, "f", 1000),
    ("philips", 0x2001, 0x03, "f", 273),
    ("philips", 0x2001, 0x03, "f", 0),
    ("hitachi", 0x0029, 0x30, "d", 800),
]
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


def header_of(vendor):
    header = Dataset()
    header.Manufacturer = MAKERS[vendor]
    return header


def through_a_file(header, syntax):
    """As a file of this transfer syntax gives it back, with nothing but `TAGS`."""
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID, header.file_meta.MediaStorageSOPClassUID = syntax, MRImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    header.SOPClassUID, header.SOPInstanceUID, header.Rows = MRImageStorage, "1.2.3", 4
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True)
    file.seek(0)
    return dcmread(file, specific_tags=list(TAGS))


def tag(group, block, offset):
    return f"({group:04X},{block:02X}{offset:02X})"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("vendor", "group", "offset", "creator", "vr", "value", "b"), TYPED)
def test_the_vendors_tag_is_read_behind_its_creator(vendor, group, offset, creator, vr, value, b, syntax):
    header = header_of(vendor)
    header.private_block(group, creator, create=True).add_new(offset, vr, value)
    found = read_b_value(through_a_file(header, syntax))
    assert (found.value, found.source) == (b, tag(group, 0x10, offset))
    assert found.verified == (vendor not in ("hitachi", "fujifilm"))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("vendor", "group", "offset", "value", "b"), RAW)
def test_the_vendors_tag_is_read_as_raw_bytes_without_a_creator(vendor, group, offset, value, b, syntax):
    header = header_of(vendor)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    raw = value if isinstance(value, bytes) else struct.pack(order + value, b)
    header.add_new((group, 0x1000 | offset), "UN", raw)
    found = read_b_value(through_a_file(header, syntax))
    assert (found.value, found.source) == (b, tag(group, 0x10, offset))


@pytest.mark.parametrize(("vendor", "group", "offset", "creator", "vr", "value", "b"), TYPED)
def test_another_creator_means_another_thing(vendor, group, offset, creator, vr, value, b):
    header = header_of(vendor)
    header.private_block(group, "ACME 1.0", create=True).add_new(offset, vr, value)
    assert read_b_value(header) is None


@pytest.mark.parametrize(("vendor", "group", "offset", "value", "b"), RAW)
@pytest.mark.parametrize("other", [*MAKERS, None])
def test_without_a_creator_the_tag_is_the_vendors_own(vendor, group, offset, value, b, other):
    raw = value if isinstance(value, bytes) else struct.pack("<" + value, b)
    header = Dataset()
    if other:
        header.Manufacturer = MAKERS[other]
    header.add_new((group, 0x1000 | offset), "UN", raw)
    mine = other == vendor or {other, vendor} == {"hitachi", "fujifilm"}
    assert (read_b_value(header) is not None) == mine


@pytest.mark.parametrize(
    ("manufacturer", "group", "creator", "offset", "vr", "value"),
    [
        ("GE MEDICAL SYSTEMS", 0x0019, "GEMS_ACQU_01", 0x0C, "DS", "17"),
        ("SIEMENS AG, ERLANGEN", 0x0043, "", 0x39, "IS", "1000"),
        ("FUJIFILM Corporation", 0x0029, "FDMS 1.0", 0x30, "CS", "12"),
        ("SIEMENS", 0x0029, "SIEMENS CSA HEADER", 0x30, "OB", b"1000"),
        ("TOSHIBA", 0x0029, "TOSHIBA_MEC_MR3", 0x10, "OB", b"SV10"),
    ],
)
def test_the_same_number_of_another_vendor_is_no_b_value(manufacturer, group, creator, offset, vr, value):
    header = Dataset()
    header.Manufacturer = manufacturer
    if creator:
        header.add_new((group, 0x0010), "LO", creator)
    header.add_new((group, 0x1000 | offset), vr, value)
    assert read_b_value(header) is None


@pytest.mark.parametrize(("vendor", "group", "offset", "creator", "vr", "value", "b"), TYPED[:11])
def test_a_block_that_was_moved_up_is_found_by_its_creator(vendor, group, offset, creator, vr, value, b):
    header = header_of(vendor)
    header.private_block(group, "ACME 1.0", create=True).add_new(offset, "LO", "first come")
    header.private_block(group, creator, create=True).add_new(offset, vr, value)
    found = read_b_value(through_a_file(header, ExplicitVRLittleEndian))
    assert (found.value, found.source) == (b, tag(group, 0x11, offset))


def test_a_moved_block_without_its_creator_is_anybodys():
    header = header_of("siemens")
    header.add_new(0x0019110C, "IS", "400")
    assert read_b_value(header) is None


@pytest.mark.parametrize("b", [0.0010000000474974513, 0.004])
def test_philips_near_zero_is_zero(b):
    header = header_of("philips")
    header.add_new(0x20011003, "UN", struct.pack("<f", b))
    assert read_b_value(header).nominal == 0


@pytest.mark.parametrize(
    "raw",
    [b"1000", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x00\x00zD\x00\x00zD", b"\x00\x00z", struct.pack("<f", -9)],
)
def test_philips_bytes_that_are_no_float_are_refused(raw):
    header = header_of("philips")
    header.add_new(0x20011003, "UN", raw)
    with pytest.raises(BValueError, match=r"^\(2001,1003\) holds"):
        read_b_value(header)


@pytest.mark.parametrize("raw", [b"many", b"-400", b"1e9 ", b"nan ", b"1_0 ", b"    ", b"1" * 500, b"400\\800 "])
def test_siemens_bytes_that_are_no_number_are_refused(raw):
    header = header_of("siemens")
    header.add_new(0x0019100C, "OB", raw)
    with pytest.raises(BValueError, match=r"^\(0019,100C\) holds"):
        read_b_value(header)


@pytest.mark.parametrize("raw", [b"many\\8\\0\\0 ", b"\\8\\0\\0 ", b"999999999\\8\\0\\0", b"-400", b"1000900000"])
def test_ge_bytes_that_are_no_b_value_are_refused(raw):
    header = header_of("ge")
    header.add_new(0x00431039, "UN", raw)
    with pytest.raises(BValueError, match=r"^\(0043,1039\) holds"):
        read_b_value(header)


def test_what_pydicom_cannot_decode_names_its_tag():
    header = header_of("siemens")
    header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    header.add_new(0x0019100C, "OB", b"4x")
    file = through_a_file(header, ImplicitVRLittleEndian)  # the dictionary calls it IS
    with pytest.raises(BValueError, match=r"^\(0019,100C\) cannot be decoded"):
        read_b_value(file)


@pytest.mark.parametrize("group", [0x0019100C, 0x00431039, 0x20011003, 0x00651009, 0x00291030, 0x00291010])
@pytest.mark.parametrize("vendor", list(MAKERS))
def test_an_emptied_tag_states_nothing(vendor, group):
    header = header_of(vendor)
    header.add_new(group, "UN", b"")
    assert read_b_value(header) is None


def uih(actual, nominal, *, raw=False, creator="Image Private Header"):
    header = header_of("uih")
    if creator:
        header.add_new(0x00650010, "LO", creator)
    for number, value in ((0x00651009, actual), (0x0065100A, nominal)):
        if value is not None:
            header.add_new(number, "UN" if raw else "FD", struct.pack("<d", value) if raw else value)
    return header


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("raw", "creator"), [(False, "Image Private Header"), (True, "Image Private Header"), (True, "")]
)
@pytest.mark.parametrize(("actual", "nominal"), [(928.2885599370205, 1000.0), (1.2519398052526836, 0.0)])
def test_uih_states_an_actual_and_a_nominal_b_value(actual, nominal, raw, creator, syntax):
    found = read_b_value(through_a_file(uih(actual, nominal, raw=raw, creator=creator), syntax))
    assert found == BValue(actual, "(0065,1009)", stated_nominal=int(nominal))
    assert found.nominal == nominal


def test_uih_with_one_of_the_two():
    assert read_b_value(uih(928.29, None)).nominal == 928
    assert read_b_value(uih(None, 1000.0)) == BValue(1000, "(0065,100A)", stated_nominal=1000)


@pytest.mark.parametrize(("actual", "nominal"), [(50.0, 1000.0), (700.0, 1000.0), (40.0, 0.0)])
def test_uih_values_far_apart_are_a_contradiction(actual, nominal):
    with pytest.raises(BValueError, match=r"\(0065,1009\) states b .* and \(0065,100A\) states b"):
        read_b_value(uih(actual, nominal))


@pytest.mark.parametrize("stated", [928.29, 1000.0])
def test_uih_nominal_wins_over_the_standard_tag_too(stated):
    header = uih(928.29, 1000.0)
    header.DiffusionBValue = stated
    assert read_b_value(header) == BValue(stated, "(0018,9087)", stated_nominal=1000)
    header.DiffusionBValue = 500.0
    with pytest.raises(BValueError, match="states b 500"):
        read_b_value(header)


@pytest.mark.parametrize(
    ("vr", "value"), [("FD", 812.5), ("FD", -1.0), ("IS", "800"), ("UN", b"800 "), ("OB", struct.pack("<d", 1e-3))]
)
def test_of_hitachi_only_a_whole_double_is_trusted(vr, value):
    header = header_of("hitachi")
    header.private_block(0x0029, "MMCPrivate", create=True).add_new(0x30, vr, value)
    with pytest.raises(BValueError, match=r"^\(0029,1030\) holds"):
        read_b_value(header)


def test_the_hitachi_creator_alone_is_not_enough():
    header = Dataset()
    header.Manufacturer = "Fonar"
    header.private_block(0x0029, "MMCPrivate", create=True).add_new(0x30, "FD", 800.0)
    assert read_b_value(header) is None


@pytest.mark.parametrize(
    ("comment", "b"),
    [
        ("b=1500(0.445,0.000,0.895)", 1500),
        ("b=0(0.000,0.000,0.000) ", 0),
        ("[b=50.5(1,0,0)]", 50.5),
        ("b=1500", None),
        ("seen b=1500(0,0,1)", None),
        ("b=many(0,0,1)", None),
        ("Mrs Miller asked for a copy", None),
    ],
)
@pytest.mark.parametrize("maker", ["CANON_MEC", "TOSHIBA", "SIEMENS", None])
def test_canon_and_toshiba_state_it_in_a_comment(comment, b, maker):
    header = Dataset()
    header.ImageComments = comment
    if maker:
        header.Manufacturer = maker
    expected = None if b is None or maker in ("SIEMENS", None) else BValue(b, "(0020,4000)")
    assert read_b_value(header) == expected


def test_a_comment_may_not_contradict_the_tag():
    header = header_of("canon")
    header.ImageComments, header.DiffusionBValue = "b=1500(0.445,0.000,0.895)", 1000.0
    with pytest.raises(BValueError, match=r"states b 1000 and ImageComments \(0020,4000\) states b 1500"):
        read_b_value(header)
