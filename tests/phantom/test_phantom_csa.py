import struct
from pathlib import Path

import numpy as np
import phantom_files as files
import pydicom
import pytest

from prostate_alm.phantom.csa import Element, encode_csa
from prostate_alm.phantom.dialects import DIALECTS

NAME = 64


def items(encoded: bytes, name: str) -> list[object]:
    return files.csareader.read(encoded)["tags"][name]["items"]


def test_nibabel_reads_back_what_was_encoded():
    encoded = encode_csa(
        [
            Element("B_value", "IS", (1000,)),
            Element("NumberOfImagesInMosaic", "US", (48,)),
            Element("SliceNormalVector", "FD", (0.0, -0.5, 0.25), 3),
            Element("B_matrix", "FD", tuple(range(6)), 6),
            Element("DiffusionGradientDirection", "FD", (), 3),
            Element("DiffusionDirectionality", "CS", ("DIRECTIONAL",)),
            Element("MosaicRefAcqTimes", "FD", tuple(range(48)), 0),
        ]
    )
    assert items(encoded, "B_value") == [1000]
    assert items(encoded, "NumberOfImagesInMosaic") == [48]
    assert items(encoded, "SliceNormalVector") == [0.0, -0.5, 0.25]
    assert items(encoded, "B_matrix") == [0, 1, 2, 3, 4, 5]
    assert items(encoded, "DiffusionGradientDirection") == []
    assert items(encoded, "DiffusionDirectionality") == ["DIRECTIONAL"]
    assert items(encoded, "MosaicRefAcqTimes") == list(range(48))


@pytest.mark.parametrize("b_value", files.B_VALUES)
def test_the_header_of_a_mosaic_states_b_value_tiles_and_matrix(b_value: int, tmp_path: Path):
    series = files.tiny_series("dwi", (b_value,))
    (header,) = files.read(files.write(tmp_path / "series", DIALECTS["siemens-mosaic"][0], series))
    encoded = header[0x0029, 0x1010].value
    assert header[0x0029, 0x0010].value == "SIEMENS CSA HEADER"
    assert items(encoded, "B_value") == [b_value]
    assert items(encoded, "NumberOfImagesInMosaic") == [files.GRID.shape[2]]
    assert items(encoded, "ProtocolSliceNumber") == [0]
    matrix = items(encoded, "B_matrix")
    assert len(matrix) == (6 if b_value else 0)
    assert sum(matrix[place] for place in (0, 3, 5) if matrix) == pytest.approx(b_value)
    np.testing.assert_allclose(
        items(encoded, "SlicePosition_PCS"), np.array(header.ImagePositionPatient, dtype=float), atol=1e-6
    )


def blocks(encoded: bytes) -> dict[str, bytes]:
    """Each element's bytes; what a real header leaves behind the end of a name, not initialised, becomes zero."""
    (count,) = struct.unpack("<I", encoded[8:12])
    found, start = {}, 16
    for _ in range(count):
        name = encoded[start : start + NAME].split(b"\0")[0]
        (number,) = struct.unpack("<i", encoded[start + 76 : start + 80])
        end = start + 84
        for _ in range(number):
            (length,) = struct.unpack("<i", encoded[end : end + 4])
            end += 16 + length + -length % 4
        found[name.decode()] = name.ljust(NAME, b"\0") + encoded[start + NAME : end]
        start = end
    assert encoded[start:] == bytes(4)
    return found


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["siemens_dwi_0.dcm", "siemens_dwi_1000.dcm"])
def test_elements_are_encoded_byte_by_byte_as_a_scanner_does(name: str, shared: Path):
    header = pydicom.dcmread(shared / "data" / "mri" / "vendors" / "siemens-dwi-mosaic" / name)
    encoded = header[0x0029, 0x1010].value
    real, tags = blocks(encoded), files.csareader.read(encoded)["tags"]
    names = [name for name, tag in tags.items() if tag["vr"] in ("IS", "US", "FD", "CS", "LO", "SH")]
    assert len(names) > 30
    elements = [Element(name, tags[name]["vr"], tuple(tags[name]["items"]), tags[name]["vm"]) for name in names]
    assert blocks(encode_csa(elements)) == {name: real[name] for name in names}
