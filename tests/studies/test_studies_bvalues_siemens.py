"""b-values of Siemens: SequenceName; the CSA header with nibabel as oracle, damage, and one made to hang a reader."""

import random
import struct
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from prostate_alm.studies.bvalues import BValue, BValueError, read_b_value, siemens_sources
from prostate_alm.studies.dicom.csa import LARGEST_BYTES, csa_text

NAMES = ["EchoLinePosition", "B_value", "B_matrix", "DiffusionDirectionality", "B_valueX"]


def siemens_header():
    header = Dataset()
    header.Manufacturer = "SIEMENS"
    return header


def nibabel_reader():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "highly experimental", told at import
        from nibabel.nicom import csareader
    return csareader


def entry(name, texts, spare=0, vr=b"LO"):
    """One named entry with its values; `spare` empty items follow, as Siemens writes them."""
    made = struct.pack("<64si4s3i", name.encode(), max(1, len(texts)), vr, 6, len(texts) + spare, 77)
    for text in (*texts, *[""] * spare):
        value = text.encode() + b"\0" if text else b""
        made += struct.pack("<4i", 1, len(value), 77, 1) + value + b"\0" * (-len(value) % 4)
    return made


def csa(entries):
    return struct.pack("<4s4B2I", b"SV10", 4, 3, 2, 1, len(entries), 77) + b"".join(entries)


def image(header, vr="OB"):
    dataset = siemens_header()
    dataset.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    dataset.add_new(0x00291010, vr, header)
    return dataset


WHOLE = csa([entry("EchoLinePosition", ["48"], spare=5), entry("B_value", ["400"], spare=5), entry("B_matrix", [])])


def test_the_csa_header_states_the_b_value_where_the_tag_is_missing():
    assert read_b_value(image(WHOLE)) == BValue(400, "(0029,1010)")
    assert read_b_value(image(WHOLE, vr="UN")) == BValue(400, "(0029,1010)")


def test_it_is_not_looked_at_where_the_tag_is_there():
    dataset = image(WHOLE[:230])
    with pytest.raises(BValueError):
        read_b_value(dataset)
    dataset.add_new(0x0019100C, "OB", b"800 ")
    assert read_b_value(dataset) == BValue(800, "(0019,100C)")


def test_it_is_found_in_the_next_block():
    dataset = Dataset()
    dataset.add_new(0x00290010, "LO", "SIEMENS MEDCOM HEADER2")
    dataset.add_new(0x00290011, "LO", "SIEMENS CSA HEADER")
    dataset.add_new(0x00291110, "OB", WHOLE)
    assert read_b_value(dataset) == BValue(400, "(0029,1110)")
    dataset[0x00290011].value = "SIEMENS CSA NON-IMAGE"
    assert read_b_value(dataset) is None


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * 200,
        b"SV10",
        WHOLE.replace(b"SV10", b"\x0c\0\0\0"),  # the older kind
        csa([entry("EchoLinePosition", ["48"])]),
        csa([entry("B_value", [])]),
        csa([entry("B_value", [], spare=6)]),
        csa([entry("B_valueX", ["400"]), entry("B_matrix", ["B_value\0"])]),
    ],
)
def test_a_header_without_a_b_value_states_nothing(header):
    assert read_b_value(image(header)) is None


@pytest.mark.parametrize(
    "header",
    [
        WHOLE[:230],
        WHOLE[: WHOLE.index(b"400\0")],
        csa([entry("B_value", ["many"])]),
        csa([entry("B_value", ["-400"])]),
        csa([entry("B_value", ["nan"])]),
        csa([entry("B_value", ["20001"])]),
        WHOLE + b"\0" * (LARGEST_BYTES + 1 - len(WHOLE)),
        WHOLE.replace(struct.pack("<4i", 1, 4, 77, 1), struct.pack("<4i", 1, -4, 77, 1)),
        WHOLE.replace(struct.pack("<4i", 1, 4, 77, 1), struct.pack("<4i", 1, 1 << 30, 77, 1)),
    ],
)
def test_damage_is_a_clear_error(header):
    with pytest.raises(BValueError, match=r"^\(0029,1010\) holds"):
        read_b_value(image(header))


def test_text_in_place_of_the_header_is_refused():
    with pytest.raises(BValueError, match="holds no bytes"):
        read_b_value(image("SV10", vr="LT"))


def test_a_header_that_leads_back_to_its_beginning_ends_nevertheless():
    size = LARGEST_BYTES
    header = bytearray(size)
    header[:16] = struct.pack("<4s4x2I", b"SV10", 1000, 77)
    header[16:100] = struct.pack("<64si4s3i", b"EchoLinePosition", 0, b"LO", 6, 1000, 77)
    header[100:116] = struct.pack("<4i", 0, size - 16 - 116, 0, 0)
    header[-16:] = struct.pack("<4i", 0, 100 - size, 0, 0)
    header[200:208] = b"B_value\0"
    with pytest.raises(ValueError, match="impossible length"):
        csa_text(bytes(header), "B_value")


ENTRIES = st.tuples(
    st.sampled_from(NAMES), st.lists(st.from_regex(r"[0-9]{1,5}", fullmatch=True), max_size=3), st.integers(0, 3)
)


@given(st.lists(ENTRIES, max_size=6, unique_by=lambda row: row[0]))
def test_a_sound_header_reads_as_nibabel_reads_it(rows):
    rows = [("EchoColumnPosition", ["1"], 0), *rows]
    header = csa([entry(*row) for row in rows])
    reader = nibabel_reader()
    assert csa_text(header, "B_value") == (reader.get_scalar(reader.read(header), "B_value") or None)


@given(st.binary(max_size=60), st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)))
def test_a_spoilt_header_gives_a_b_value_or_none_or_a_clear_error(piece, start, end):
    spoilt = WHOLE[:start] + piece + WHOLE[end:]
    found, problem = None, "(0029,1010) holds"
    try:
        found = read_b_value(image(spoilt))
    except BValueError as error:
        problem = str(error)
    assert problem.startswith("(0029,1010) holds")
    assert found is None or -5 <= found.value <= 20_000


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["siemens_dwi_0", "siemens_dwi_1000", "csa_slice_norm"])
def test_real_headers_read_as_nibabel_reads_them(shared, name):
    path = shared / "data" / "mri" / "vendors" / "siemens-dwi-mosaic" / f"{name}.dcm"
    header = dcmread(path, specific_tags=[0x00291010])[0x00291010].value
    reader = nibabel_reader()
    tags = reader.read(header)["tags"]
    assert len(tags) > 50
    for entry_name, oracle in tags.items():
        first = oracle["items"][0] if oracle["items"] else None
        ours = csa_text(header, entry_name)
        assert (ours is None and first in (None, "", b"")) or type(first)(ours) == (
            first.strip() if isinstance(first, str) else first
        )


@pytest.mark.shared_data
def test_a_real_header_cut_or_spoilt_anywhere_is_none_or_a_clear_error(shared):
    path = shared / "data" / "mri" / "vendors" / "siemens-dwi-mosaic" / "siemens_dwi_1000.dcm"
    header = dcmread(path, specific_tags=[0x00291010])[0x00291010].value
    dice = random.Random(0)
    outcomes = set()
    for _ in range(500):
        spoilt = bytearray(header[: dice.randrange(len(header))] if dice.random() < 0.5 else header)
        for _ in range(20):
            if spoilt:
                spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        try:
            found = read_b_value(image(bytes(spoilt)))
            outcomes.add(found and found.value)
        except BValueError:
            outcomes.add("refused")
    assert {1000, None, "refused"} <= outcomes


@pytest.mark.parametrize(
    ("name", "b"),
    [
        ("*ep_b400t", 400), ("ep_b1000#1", 1000), ("ep_b0", 0), ("*ep_b50", 50), ("*re_b800t", 800),
        ("*ep_b1000#29", 1000), ("*ep_b50_800", None), ("*ep_b0_1000", None), ("*ep_b50_b800", None),
        ("*tse2d1_25", None), ("epfid2d1_64", None), ("*ep_b", None),
        ("*ep_b400x", None), ("my_ep_b400t", None), ("*ep_b400t 2", None),
    ],
)  # fmt: skip
def test_a_siemens_sequence_name_is_the_last_resort(name, b):
    header = siemens_header()
    header.SequenceName = name
    assert read_b_value(header) == (None if b is None else BValue(b, "(0018,0024)"))
    if b is not None:
        header.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", str(b))
        assert read_b_value(header) == BValue(b, "(0019,100C)")


@pytest.mark.parametrize("maker", ["GE MEDICAL SYSTEMS", "UIH", "", None])
def test_the_sequence_name_of_another_vendor_says_nothing(maker):
    header = Dataset()
    header.SequenceName, header.DiffusionBValue = "ep_b0", 1000.0
    if maker is not None:
        header.Manufacturer = maker
    assert read_b_value(header) == BValue(1000, "(0018,9087)")


def test_the_siemens_creator_makes_a_siemens_image():
    header = Dataset()
    header.SequenceName = "*ep_b400t"
    header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    assert read_b_value(header) == BValue(400, "(0018,0024)")


def test_a_sequence_name_may_not_contradict_the_tag():
    header = siemens_header()
    header.SequenceName = "*ep_b1500t"
    header.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "1000")
    with pytest.raises(BValueError, match=r"states b 1000 and SequenceName \(0018,0024\) states b 1500"):
        read_b_value(header)
    assert siemens_sources(header) == {"(0019,100C)": 1000, "(0018,0024)": 1500}
