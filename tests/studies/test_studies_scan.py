"""The quick scan sees what pydicom sees: on real files, on every encoding, and on files that are cut."""

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dicom_factory
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from prostate_alm.studies.dicom import scan
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.dicom.scan import DeflatedError, read_elements
from prostate_alm.studies.headers import Skipped

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # odd files are the point here
CREATOR, CSA, SCALE, SIEMENS_B = 0x00290010, 0x00291010, 0x2005100E, 0x0019100C
TAGS = frozenset(
    (
        *(0x00080005, 0x00080008, 0x00080018, 0x00080060, 0x0008103E, 0x00100010, 0x00101010, 0x00180081, 0x00189087),
        *(0x00200011, 0x0020000D, 0x00204000, 0x00200032, 0x00280008, 0x00280010, 0x00280011, 0x00280030),
        *(CREATOR, CSA, 0x00190010, SIEMENS_B, 0x20050010, SCALE),
    )
)
LITTLE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]
ENCODINGS = [*LITTLE, ExplicitVRBigEndian]
WINDOW = 1 << 15


def small() -> Dataset:
    """A header with something in every kind of place."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    made.SOPClassUID, made.SOPInstanceUID, made.StudyInstanceUID = MRImageStorage, "1.2.3.4", "1.2.3"
    made.Modality, made.SeriesDescription, made.PatientName = "MR", "t2_tse_tra", "Müller^Jörg"
    made.EchoTime, made.SeriesNumber, made.DiffusionBValue = "101.5", "7", 600.0
    made.ImagePositionPatient, made.PixelSpacing = [-1.5, 2.25, 1e-3], [0.5, 0.5]
    made.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", b"SV10 and more ")
    made.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "600")
    made.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.5)
    dicom_factory.set_pixels(made, dicom_factory.texture((5, 4, 1))[:, :, 0])
    return made


def save(made: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = MRImageStorage, "1.2.3.4"
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(path, enforce_file_format=True)
    return path


def outcome(read: Callable[[], Dataset]) -> Any:
    """Every element with its VR and value, or the kind of error where one comes; the errors of reading as a whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = read()
        except Exception as error:
            return type(error)
        found: dict[Any, Any] = {}
        for tag in dataset.keys():  # noqa: SIM118, to iterate would convert, and fail as a whole
            try:
                found[tag] = dataset[tag].VR, dataset[tag].value
            except Exception as error:
                found[tag] = type(error)
        return found, dataset.file_meta.get("TransferSyntaxUID"), dataset.original_encoding


def by_pydicom(path: Path, tags: frozenset[int] = TAGS) -> Any:
    return outcome(lambda: pydicom.dcmread(path, stop_before_pixels=True, specific_tags=sorted(tags)))


def scanned(path: Path, tags: frozenset[int] = TAGS) -> Any:
    return outcome(lambda: read_elements(path, tags))


@pytest.fixture
def no_parse(monkeypatch):
    """Files that the scan must understand by itself."""

    def refuse(path, tags):
        raise AssertionError("left to pydicom")

    monkeypatch.setattr(scan, "parse", refuse)


def test_the_example_holds_every_tag(tmp_path):
    found, *_ = by_pydicom(save(small(), tmp_path / "a"))
    assert {*found} == TAGS - {0x00101010, 0x00204000, 0x00280008}
    assert found[0x00100010] == ("PN", "Müller^Jörg")


@pytest.mark.parametrize("syntax", LITTLE)
def test_usual_files_are_scanned_and_equal_pydicoms(tmp_path, no_parse, syntax):
    path = save(small(), tmp_path / "a", syntax)
    assert scanned(path) == by_pydicom(path)


def test_big_endian_equals_pydicoms(tmp_path):
    path = save(small(), tmp_path / "a", ExplicitVRBigEndian)
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00280010] == ("US", 5)


def deep(depth: int, *, undefined: bool) -> Sequence:
    item = Dataset()
    item.CodeMeaning, item.SeriesNumber, item.Rows = "in the way", "99", 9
    if depth > 1:
        item.ReferencedSeriesSequence = deep(depth - 1, undefined=undefined)
        item["ReferencedSeriesSequence"].is_undefined_length = undefined
    item.is_undefined_length_sequence_item = undefined
    return Sequence([item, Dataset(), item])


@pytest.mark.parametrize("syntax", LITTLE)
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_sequences_are_stepped_over(tmp_path, no_parse, syntax, undefined, depth):
    made = small()
    made.ReferencedStudySequence = deep(depth, undefined=undefined)
    made["ReferencedStudySequence"].is_undefined_length = undefined
    path = save(made, tmp_path / "a", syntax)
    assert (b"\xff\xff\xff\xff" in path.read_bytes()) == undefined
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00200011] == ("IS", 7)


def test_sequences_deeper_than_any_real_one_are_left_to_pydicom(tmp_path):
    made = small()
    made.ReferencedStudySequence = Sequence([Dataset()])
    inner = made
    for _ in range(20):
        item = Dataset()
        inner.ReferencedStudySequence = Sequence([item])
        inner["ReferencedStudySequence"].is_undefined_length = True
        item.is_undefined_length_sequence_item = True
        inner = item
    path = save(made, tmp_path / "a")
    assert scanned(path) == by_pydicom(path)


def test_unknown_sequences_of_undefined_length_equal_pydicoms(tmp_path):
    """A UN of undefined length holds implicit elements, whatever the file's own encoding (PS3.5 6.2.2)."""
    content = save(small(), tmp_path / "a").read_bytes()
    inside = (
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x60\x00\x02\x00\x00\x00CT" + b"\xfe\xff\x0d\xe0" + bytes(4)
    )
    unknown = b"\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff" + inside + b"\xfe\xff\xdd\xe0" + bytes(4)
    at = content.index(b"\x10\x00\x10\x00PN")
    path = tmp_path / "b"
    path.write_bytes(content[:at] + unknown + content[at:])
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00080060] == ("CS", "MR")


def test_what_is_no_item_does_not_lead_astray(tmp_path):
    """Bytes of an undefined length that, taken for an item, would lead to the end of another such element."""
    content = save(small(), tmp_path / "a").read_bytes()
    at = content.index(b"\x10\x00\x10\x00PN")
    head, end = b"\x09\x00\x10\x10OB\0\0\xff\xff\xff\xff", b"\xfe\xff\xdd\xe0" + bytes(4)
    name = content[at : content.index(b"\x18\x00\x81\x00")]
    other = b"\x11\x00" + head[2:] + b"\xfe\xff\x00\xe0" + bytes(4)
    leap = len(end) + len(name) + len(other)
    path = tmp_path / "b"
    path.write_bytes(
        content[:at] + head + b"\x01\x02\x03\x04" + leap.to_bytes(4, "little") + end + name + other + end
        + content[at + len(name) :]
    )  # fmt: skip
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00100010] == ("PN", "Müller^Jörg")


@pytest.mark.parametrize("syntax", LITTLE)
@pytest.mark.parametrize("representation", ["UN", "OB", "IS"])
def test_private_elements_equal_pydicoms(tmp_path, no_parse, syntax, representation):
    made = small()
    made.private_block(0x0019, "SIEMENS MR HEADER").add_new(
        0x0C, representation, "600" if representation == "IS" else b"600 "
    )
    made.add_new(0x00211044, "UN", b"of somebody who left no creator ")
    path = save(made, tmp_path / "a", syntax)
    assert scanned(path, TAGS | {0x00211044}) == by_pydicom(path, TAGS | {0x00211044})


@pytest.mark.parametrize("syntax", LITTLE)
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "Müller^東京^Ωμέγα"),
        ("ISO_IR 100", "Jürgen^Ærø"),
        ("ISO_IR 138", "שרון^דבורה"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_in_every_character_set(tmp_path, no_parse, syntax, charset, name):
    made = small()
    made.SpecificCharacterSet, made.PatientName, made.SeriesDescription = charset, name, ""
    path = save(made, tmp_path / "a", syntax)
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00100010] == ("PN", name)
    assert scanned(path, frozenset((0x00100010,))) == by_pydicom(path, frozenset((0x00100010,)))


@pytest.mark.parametrize("charset", ["no such set", "ISO_IR 192\\ISO 2022 IR 87", "", None])
def test_impossible_character_sets_equal_pydicoms(tmp_path, charset):
    made = small()
    made.PatientName = made.SeriesDescription = "plain"
    content = save(made, tmp_path / "a").read_bytes()
    before = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
    value = b"" if charset is None else charset.encode() + b" " * (len(charset) % 2)
    after = b"" if charset is None else b"\x08\x00\x05\x00CS" + len(value).to_bytes(2, "little") + value
    path = tmp_path / "b"
    path.write_bytes(content.replace(before, after))
    assert scanned(path) == by_pydicom(path)


@pytest.mark.parametrize("syntax", LITTLE)
@pytest.mark.parametrize("length", [WINDOW - 2, WINDOW, WINDOW + 2, 100_000, 1 << 20])
def test_elements_longer_than_a_window(tmp_path, no_parse, syntax, length):
    made = small()
    made.private_block(0x0009, "SOMEBODY", create=True).add_new(0x10, "OB", bytes(length))  # before all the others
    made.private_block(0x0029, "SIEMENS CSA HEADER").add_new(0x10, "OB", b"ab" * (length // 2))
    path = save(made, tmp_path / "a", syntax)
    assert scanned(path) == by_pydicom(path)
    assert len(scanned(path)[0][CSA][1]) == length


@pytest.mark.parametrize("distance", range(-14, 15))
def test_an_element_across_the_edge_of_a_window(tmp_path, no_parse, distance):
    made = small()
    start = save(made, tmp_path / "a").read_bytes().index(b"\x10\x00\x10\x00PN")
    filler = WINDOW - start - 2 * 20 + distance - distance % 2
    made.private_block(0x0009, "SOMEBODY", create=True).add_new(0x10, "OB", bytes(filler))
    path = save(made, tmp_path / "b")
    assert scanned(path) == by_pydicom(path)


def test_a_value_of_more_than_a_mebibyte_is_left_to_pydicom(tmp_path):
    made = small()
    made.private_block(0x0029, "SIEMENS CSA HEADER").add_new(0x10, "OB", bytes((1 << 20) + 2))
    path = save(made, tmp_path / "a")
    assert scanned(path) == by_pydicom(path)


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_a_file_cut_anywhere_equals_pydicoms(tmp_path, syntax):
    made = small()
    made.ReferencedStudySequence = deep(2, undefined=True)
    made["ReferencedStudySequence"].is_undefined_length = True
    content = save(made, tmp_path / "a", syntax).read_bytes()
    path = tmp_path / "b"
    for length in range(132, len(content), 11):
        path.write_bytes(content[:length])
        assert scanned(path) == by_pydicom(path), length


@pytest.mark.parametrize(("said", "written"), [LITTLE, LITTLE[::-1]])
@pytest.mark.parametrize("first", [None, b"\x08\x00\x00\x00"])
@pytest.mark.parametrize("behind", [0, 400_000])
def test_a_wrong_transfer_syntax_equals_pydicoms(tmp_path, said, written, first, behind):
    """Some archives re-encode a file and leave its transfer syntax as it was; old ones begin with a group length."""
    content = save(small(), tmp_path / "a", written).read_bytes()
    uid = [syntax.encode() + b"\0" * (len(syntax) % 2) for syntax in (written, said)]
    element = [b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value for value in uid]
    content = content.replace(*element)
    if first:
        middle = b"UL\x04\x00" if written == ExplicitVRLittleEndian else b"\x04\0\0\0"
        at = content.index(b"\x08\x00\x05\x00")
        content = content[:at] + first + middle + b"\x10\0\0\0" + content[at:]
    path = tmp_path / "b"
    path.write_bytes(content + bytes(behind))
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00080060] == ("CS", "MR")


def test_what_cannot_be_converted_fails_as_pydicoms_does(tmp_path, no_parse):
    path = save(small(), tmp_path / "a")
    double = struct.pack("<d", 600.0)
    path.write_bytes(path.read_bytes().replace(b"FD\x08\x00" + double, b"FD\x06\x00" + double[2:]))
    assert scanned(path) == by_pydicom(path)
    assert scanned(path)[0][0x00189087] is BytesLengthException


def deflated(made: Dataset, path: Path, syntax_at: int = 0) -> Path:
    """The data set as PS3.5 A.5 packs it, its syntax behind so many bytes of an element that means nothing."""
    content = save(made, path).read_bytes()
    body = content[content.index(b"\x08\x00\x05\x00") :]
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    filler = b"\x02\x00\x03\x00ZZ" + syntax_at.to_bytes(2, "little") + b"1" * syntax_at if syntax_at else b""
    meta = filler + b"\x02\x00\x10\x00UI\x16\x00" + DeflatedExplicitVRLittleEndian.encode()
    path.write_bytes(bytes(128) + b"DICM" + meta + packer.compress(body) + packer.flush())
    return path


@pytest.mark.parametrize("syntax_at", [0, 2000, 60_000])
def test_a_deflated_file_is_refused_wherever_its_syntax_stands(tmp_path, monkeypatch, syntax_at):
    path = deflated(small(), tmp_path / "a", syntax_at)
    assert pydicom.dcmread(path).Modality == "MR"
    monkeypatch.setattr(zlib, "decompress", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DeflatedError):
        read_elements(path, TAGS)
    refused = read_headers(path)
    assert isinstance(refused, Skipped)
    assert refused.damaged
    assert "Deflated" in refused.reason


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\^="), max_size=12)
VALUES = {
    "CS": st.lists(st.sampled_from(["ORIGINAL", "M", "A B", ""]), max_size=4),
    "DS": st.lists(st.integers(-(10**6), 10**6).map(lambda number: f"{number / 8}"), max_size=6),
    "IS": st.lists(st.integers(-(2**31), 2**31 - 1).map(str), max_size=3),
    "LO": TEXT,
    "LT": TEXT,
    "SH": TEXT,
    "PN": TEXT,
    "UI": st.sampled_from(["", "1.2.3", "1.2.840.10008.5.1.4.1.1.4"]),
    "US": st.lists(st.integers(0, 2**16 - 1), max_size=3),
    "FD": st.lists(st.floats(width=64, allow_nan=False), max_size=3),
    "FL": st.lists(st.floats(width=32, allow_nan=False), max_size=3),
    "OB": st.binary(max_size=40).map(lambda content: content + bytes(len(content) % 2)),
    "UN": st.binary(max_size=40).map(lambda content: content + bytes(len(content) % 2)),
}
KNOWN = {
    0x00080008: "CS", 0x00080018: "UI", 0x00080060: "CS", 0x0008103E: "LO", 0x00100010: "PN", 0x00180081: "DS",
    0x00180024: "SH", 0x00189087: "FD", 0x00200011: "IS", 0x00200032: "DS", 0x00204000: "LT", 0x00280010: "US",
    0x00280030: "DS", 0x00400555: "SQ", 0x00081110: "SQ", 0x52009229: "SQ",
}  # fmt: skip
CREATORS = {0x0019: "SIEMENS MR HEADER", 0x0043: "GEMS_PARM_01", 0x2005: "Philips MR Imaging DD 001", 0x0051: "NOBODY"}


@st.composite
def datasets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    """Any elements in any number, private ones and sequences too."""
    made = Dataset()
    if depth == 0 and draw(st.booleans()):
        made.SpecificCharacterSet = draw(st.sampled_from(["ISO_IR 192", "ISO_IR 100", "", ["", "ISO 2022 IR 87"]]))
    for tag in draw(st.sets(st.sampled_from(sorted(KNOWN)), max_size=8)):
        if KNOWN[tag] != "SQ":
            made.add_new(tag, KNOWN[tag], draw(VALUES[KNOWN[tag]]))
        elif depth < 3:
            items = draw(st.lists(datasets(depth + 1), max_size=2))
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            made.add_new(tag, "SQ", Sequence(items))
            made[tag].is_undefined_length = draw(st.booleans())
    for group in draw(st.sets(st.sampled_from(sorted(CREATORS)), max_size=2)):
        if draw(st.booleans()):
            made.add_new((group, 0x0010), "LO", CREATORS[group])
        for number in draw(st.sets(st.sampled_from([0x0C, 0x0D, 0x0E, 0x39]), max_size=2)):
            kind = draw(st.sampled_from(["IS", "DS", "FL", "OB", "UN", "LO"]))
            made.add_new((group, 0x1000 | number), kind, draw(VALUES[kind]))
    return made


ASKED = frozenset(
    (
        *(tag for tag, kind in KNOWN.items() if kind != "SQ"),
        *((group << 16) | 0x1000 | number for group in CREATORS for number in (0x0C, 0x0E, 0x39)),
        *((group << 16) | 0x10 for group in CREATORS),
    )
)


def test_a_null_within_the_character_set_fails_as_in_pydicom(tmp_path):
    path = save(small(), tmp_path / "a")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ISO_IR 100", b"ISO_IR\x00100", 1))
    assert path.read_bytes() != content
    assert scanned(path) is by_pydicom(path) is ValueError


@given(made=datasets(), syntax=st.sampled_from(ENCODINGS), data=st.data())
def test_any_dataset_equals_pydicoms_whole_and_damaged(tmp_path_factory, made, syntax, data):
    path = save(made, tmp_path_factory.getbasetemp() / "any.dcm", syntax)
    asked = frozenset(data.draw(st.sets(st.sampled_from(sorted(ASKED)), min_size=1)))
    assert repr(scanned(path, asked)) == repr(by_pydicom(path, asked))  # as text: nan is nan
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(132, len(content)))])
    assert repr(scanned(path, ASKED)) == repr(by_pydicom(path, ASKED))


def has_prefix(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@pytest.fixture(scope="module")
def real(shared):
    paths = [path for path in sorted((shared / "data" / "mri").rglob("*")) if path.is_file() and has_prefix(path)]
    assert len(paths) > 600
    return paths


@pytest.mark.slow
@pytest.mark.shared_data
def test_every_real_file_equals_pydicoms(real):
    for path in real:
        assert scanned(path) == by_pydicom(path), path.name


@pytest.mark.slow
@pytest.mark.shared_data
def test_every_element_of_a_real_file_of_each_folder_equals_pydicoms(real):
    for path in {path.parent: path for path in real}.values():
        whole = pydicom.dcmread(path, stop_before_pixels=True)
        every = frozenset(element.tag for element in whole if element.tag < 0x7FE00000 and element.VR != "SQ")
        assert repr(scanned(path, every)) == repr(by_pydicom(path, every)), path.name
