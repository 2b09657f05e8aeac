"""Volume files that are damaged or mean harm: a reason, never a crash, never more memory than the image needs."""

import gzip
import os
import re
import resource
import zlib

import nibabel
import numpy as np
import pytest
import volume_factory

from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.geometry import ReadingError, build_stack
from prostate_alm.studies.headers import FormError
from prostate_alm.studies.volume_files import decode_volume_file
from prostate_alm.studies.volumes import read_volume

KEYS = Keys(b"a salt for the tests")
AFFINE = np.array([[-0.5, 0, 0, 40], [0, -0.5, 0, 30], [0, 0, 3, -20], [0, 0, 0, 1.0]])
VOXELS = np.arange(120, dtype=np.int16).reshape(6, 5, 4)


@pytest.fixture
def folder(tmp_path):
    """A study with one whole file, beside which others are damaged."""
    volume_factory.write(tmp_path / "p_adc.nii.gz", VOXELS, AFFINE)
    return tmp_path


def reason(folder):
    """Why the only file that takes no part does not; the damage counts against its study."""
    (study,) = find_studies(folder)
    (item,) = study.skipped
    assert item.damaged
    assert not read_study(study, keys=KEYS).ready
    assert str(folder) not in item.reason
    return item.reason


def nifti_with(path, position, dtype, *values):
    content = bytearray(volume_factory.write(path, VOXELS, AFFINE).read_bytes())
    replacement = np.array(values, dtype).tobytes()
    content[position : position + len(replacement)] = replacement
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("position", "dtype", "values", "expected"),
    [
        (0, "<i4", [7], "it is no NIfTI file"),
        (344, "S4", [b"ni1"], "no NIfTI file with header and voxels in one"),
        (40, "<i2", [9], "damaged volume file"),
        (42, "<i2", [-6], "an axis without voxels"),
        (42, "<i2", [30_000, 30_000, 30_000], "more than 512 MiB"),
        (42, "<i2", [300], "cut short"),
        (42, "<i2", [1, 1, 30_000], "cut short"),
        (108, "<f4", [1e9], "begin at an impossible place"),
        (108, "<f4", [np.nan], "damaged volume file"),
        (70, "<i2", [999], "damaged volume file"),
        (123, "u1", [5], "unit of length has the unknown code 5"),
        (280, "<f4", [np.nan], "holds no numbers"),
        (280, "<f4", [np.inf], "holds no numbers"),
        (252, "<i2", [0, 0], "neither sform nor qform"),
        (292, "<f4", [90], "its sform and its qform differ by 50.0 mm"),
    ],
)
def test_a_damaged_nifti_header(folder, position, dtype, values, expected):
    nifti_with(folder / "p_t2w.nii", position, dtype, *values)
    assert expected in reason(folder)


def test_axes_that_do_not_span_the_space(folder):
    image = nibabel.Nifti1Image(VOXELS, None)
    image.set_sform(np.diag([0.0, 0, 3, 1]), code=1)
    image.to_filename(folder / "p_t2w.nii")
    assert "do not span the space" in reason(folder)


@pytest.mark.parametrize("name", ["p_t2w.nii", "p_t2w.nii.gz", "p_t2w.mha", "p_t2w.mhd", "p_t2w.nrrd", "p_t2w.nhdr"])
@pytest.mark.parametrize("content", [b"", b"nothing", bytes(1000), b"\x1f\x8b" + bytes(500), b"NRRD0004\n" * 100])
def test_a_file_without_sense(folder, name, content):
    (folder / name).write_bytes(content)
    assert reason(folder)


@pytest.mark.parametrize("kept", [100, 400, 500])
@pytest.mark.parametrize("name", ["p_t2w.nii", "p_t2w.mha", "p_t2w.nrrd"])
def test_voxels_that_are_cut_short(folder, name, kept):
    path = folder / name
    if name.endswith("nii"):
        volume_factory.write(path, VOXELS, AFFINE)
    else:
        volume_factory.write_itk(path, VOXELS, AFFINE, compress=False)
    path.write_bytes(path.read_bytes()[:kept])
    assert reason(folder)


@pytest.mark.parametrize("name", ["p_b100.nii.gz", "p_b100.mha", "p_b100.nrrd", "p_b100.mhd"])
def test_compressed_voxels_that_are_damaged(folder, name):
    noise = np.random.default_rng(0).integers(0, 4000, (30, 30, 6)).astype(np.int16)
    path = volume_factory.write(folder / name, noise, AFFINE)
    packed = path.with_suffix(".zraw") if name.endswith("mhd") else path
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(content)
    (study,) = find_studies(folder)
    images = [image for image in study.files if image.path == path]
    with pytest.raises(ReadingError, match=r"compressed (data|voxels) are damaged") as caught:
        read_volume(build_stack(images))
    assert str(folder) not in str(caught.value)


@pytest.mark.parametrize(("name", "position"), [("b.nii.gz", -6), ("b.mha", -2), ("b.nrrd", -6)])
def test_a_checksum_that_does_not_fit(folder, name, position):
    path = volume_factory.write(folder / f"p_{name}", VOXELS, AFFINE)
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(FormError, match="damaged"):
        decode_volume_file(path)


@pytest.mark.parametrize("name", ["b.nii.gz", "b.mha", "b.nrrd"])
@pytest.mark.parametrize("lost", [1, 4, 60])
def test_compressed_voxels_that_are_cut_short(folder, name, lost):
    path = volume_factory.write(folder / f"p_{name}", VOXELS, AFFINE)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(FormError, match="cut short"):
        decode_volume_file(path)


@pytest.mark.parametrize("length", [b"CompressedDataSize = 100\n", b""])
def test_voxels_that_itk_reads_otherwise(folder, length):
    """MetaIO unpacks what it is told to, says nothing, and leaves the rest of the image as memory was.

    The image has to be above 32 MiB: glibc hands out so much as new memory. Less may be the memory of the image that
    was just written, and hold the right voxels by chance.
    """
    large = np.resize(np.arange(1, 1001, dtype=np.int16), (260, 260, 260))
    assert large.nbytes > 32 * 2**20
    path = volume_factory.write(folder / "p_b100.mha", large, AFFINE)
    path.write_bytes(re.sub(rb"CompressedDataSize = \d+\n", length, path.read_bytes(), count=1))
    with pytest.raises(FormError, match="ITK reads other voxels from it than it holds"):
        decode_volume_file(path)


def bomb(start, window):
    """A start, then 600 MiB of zeros, compressed to about 600 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    parts = [packer.compress(start), *(packer.compress(bytes(1 << 20)) for _ in range(600)), packer.flush()]
    return b"".join(parts)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.nrrd"])
def test_no_more_is_unpacked_than_announced(tmp_path, name):
    path = volume_factory.write(tmp_path / name, VOXELS, AFFINE)
    if name == "a.nii.gz":
        path.write_bytes(bomb(gzip.decompress(path.read_bytes()), 31))
    elif name == "a.mha":
        head, _, _ = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
        packed = bomb(b"", 15)
        lines = [line for line in head.split(b"\n") if b"CompressedDataSize" not in line]
        path.write_bytes(b"\n".join([*lines[:-1], b"ElementDataFile = LOCAL\n"]) + packed)
    else:
        head, _, _ = path.read_bytes().partition(b"\n\n")
        path.write_bytes(head + b"\n\n" + bomb(b"", 31))
    (study,) = find_studies(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormError, match="holds more than its header announces"):
        decode_volume_file(study.files[0].path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


META = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0", "ElementSpacing": "1 1 3", "DimSize": "6 5 4",
    "ElementType": "MET_SHORT", "ElementDataFile": "LOCAL",
}  # fmt: skip
NRRD = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "6 5 4",
    "space directions": "(1,0,0) (0,1,0) (0,0,3)", "endian": "little", "encoding": "raw", "space origin": "(0,0,0)",
}  # fmt: skip


def meta(path, **changed):
    fields = META | changed
    last = fields.pop("ElementDataFile")
    lines = [f"{name} = {value}" for name, value in (*fields.items(), ("ElementDataFile", last)) if value is not None]
    path.write_bytes("\n".join([*lines, ""]).encode("latin-1") + VOXELS.tobytes())


def nrrd(path, changed):
    lines = [f"{name}: {value}" for name, value in (NRRD | changed).items() if value is not None]
    path.write_bytes("\n".join(["NRRD0004", *lines, "", ""]).encode("latin-1") + VOXELS.tobytes())


def test_the_headers_that_the_next_tests_spoil_are_good(tmp_path):
    meta(tmp_path / "a.mha")
    nrrd(tmp_path / "b.nrrd", {})
    (study,) = find_studies(tmp_path)
    assert (len(study.files), study.skipped) == (8, ())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"TransformMatrix": None}, "no TransformMatrix"),
        ({"Offset": None}, "no Offset"),
        ({"Origin": "1 2 3"}, "more than one Offset"),
        ({"NDims": "99"}, "no 2, 3 or 4 axes"),
        ({"DimSize": "99999 99999 99999"}, "more than 512 MiB"),
        ({"DimSize": "6 5"}, "unusable or unusual DimSize"),
        ({"DimSize": "0 5 4"}, "an axis without voxels"),
        ({"DimSize": "6 5 5"}, "cut short"),
        ({"ElementSpacing": "nan 1 1"}, "unusable or unusual ElementSpacing"),
        ({"ElementSpacing": "0 1 1"}, "damaged"),
        ({"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "damaged"),
        ({"CompressedData": "True", "CompressedDataSize": "9999999999"}, "cut short"),
        ({"CompressedData": "yes"}, "unusable or unusual CompressedData"),
        ({"BinaryData": "False"}, "unusable or unusual BinaryData"),
        ({"ElementToIntensityFunctionSlope": "2"}, "ElementToIntensityFunctionSlope"),
        ({"CenterOfRotation": "1 2 3"}, "CenterOfRotation"),
        ({"DistanceUnits": "cm"}, "DistanceUnits"),
        ({"Comment": "A" * 5000}, "no text of short lines"),
        ({"Comment": "one\nDimSize = 6 5 4"}, "states one thing twice"),
        ({"ElementDataFile": "/etc/passwd"}, "names voxels outside its own folder"),
        ({"ElementDataFile": "../a.raw"}, "names voxels outside its own folder"),
        ({"ElementDataFile": ""}, "names voxels outside its own folder"),
        ({"ElementDataFile": ".."}, "names voxels outside its own folder"),
        ({"ElementDataFile": "C:\\a.raw"}, "names voxels outside its own folder"),
        ({"ElementDataFile": "LIST"}, "in several files"),
        ({"ElementDataFile": "a%03d.raw 1 4 1"}, "in several files"),
        ({"ElementDataFile": "missing.raw"}, "the file with its voxels is missing"),
    ],
)
@pytest.mark.parametrize("name", ["p_t2w.mha", "p_t2w.mhd"])
def test_a_metaimage_header_that_itk_must_not_see(folder, name, changed, expected):
    (folder.parent / "a.raw").write_bytes(VOXELS.tobytes())
    meta(folder / name, **changed)
    assert expected in reason(folder)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"space": None}, "no space"),
        ({"space origin": "(0,0,0) :=", "content": "x"}, "unusable or unusual space origin"),
        ({"space": "scanner-xyz"}, "unusable or unusual space"),
        ({"space directions": None}, "no space directions"),
        ({"space origin": None}, "no space origin"),
        ({"space units": '"cm" "cm" "cm"'}, "unusable or unusual space units"),
        ({"sizes": "99999 99999 99999"}, "more than 512 MiB"),
        ({"sizes": "6 5 5"}, "cut short"),
        ({"encoding": "A" * 300}, "unusable or unusual encoding"),
        ({"byte skip": "-1"}, "fields that are not known"),
        ({"space directions": "(0,0,0) (0,1,0) (0,0,3)"}, "damaged"),
        ({"data file": "/etc/passwd"}, "names voxels outside its own folder"),
        ({"data file": "../a.raw"}, "names voxels outside its own folder"),
        ({"datafile": "sub/a.raw"}, "names voxels outside its own folder"),
        ({"data file": "LIST"}, "in several files"),
        ({"data file": "missing.raw"}, "the file with its voxels is missing"),
    ],
)
@pytest.mark.parametrize("name", ["p_t2w.nrrd", "p_t2w.nhdr"])
def test_an_nrrd_header_that_itk_must_not_see(folder, name, changed, expected):
    nrrd(folder / name, changed)
    assert expected in reason(folder)


def test_voxels_in_a_pipe_are_not_waited_for(folder):
    os.mkfifo(folder / "a.raw")
    meta(folder / "a.mhd", ElementDataFile="a.raw")
    os.mkfifo(folder / "b.nii")
    reasons = {item.path.name: item.reason for study in find_studies(folder) for item in study.skipped}
    assert "in no regular file" in reasons["a.mhd"]
    assert "not a regular file" in reasons["b.nii"]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"EchoTime": ' + b"9" * 5000 + b"}"])
def test_a_damaged_sidecar(folder, content):
    volume_factory.write(folder / "p_t2w.nii", VOXELS, AFFINE)
    (folder / "p_t2w.json").write_bytes(content)
    assert "its JSON sidecar is damaged" in reason(folder)


@pytest.mark.parametrize("ending", [".json", ".bval"])
def test_a_companion_that_is_no_file(folder, ending):
    volume_factory.write(folder / "p_b100.nii", VOXELS, AFFINE)
    os.mkfifo(folder / f"p_b100{ending}")
    assert f"its {ending} is no regular file" in reason(folder)
    (folder / f"p_b100{ending}").unlink()
    (folder / f"p_b100{ending}").symlink_to(folder / "nowhere")
    assert f"its {ending} is a link that leads nowhere" in reason(folder)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [((6, 5, 4), np.complex64, "it holds complex numbers"), ((6, 5, 4, 1, 3), np.float32, "it has 5 axes, not 3 or 4")],
)
def test_what_is_no_series_of_images_is_no_damage(folder, shape, dtype, expected):
    nibabel.Nifti1Image(np.ones(shape, dtype), AFFINE).to_filename(folder / "p_field.nii")
    (study,) = find_studies(folder)
    assert [(item.reason, item.damaged) for item in study.skipped] == [
        (f"a volume file that is not read: {expected}", False)
    ]


def test_a_map_in_colour_is_an_image_that_is_not_used(tmp_path):
    colours = np.zeros((6, 5, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colours, AFFINE).to_filename(tmp_path / "colfa.nii")
    (study,) = find_studies(tmp_path)
    assert not any(image.monochrome for image in study.files)


def test_several_values_for_each_voxel(folder):
    meta(folder / "p_vectors.mha", ElementNumberOfChannels="3", DimSize="2 5 4")
    (study,) = find_studies(folder)
    assert [item.damaged for item in study.skipped] == [False]
    assert "several values for each voxel" in study.skipped[0].reason


def test_an_ignored_file_may_be_damaged(folder):
    (folder / "p_sag.mha").write_bytes(b"nothing")
    (study,) = find_studies(folder)
    assert [item.damaged for item in study.skipped] == [False]


def test_damage_counts_against_its_own_prefix_alone(tmp_path):
    for case in ("p1", "p2", "p3"):
        for name in ("t2w", "b100"):
            volume_factory.write(tmp_path / "all" / f"{case}_{name}.mha", VOXELS, AFFINE)
    (tmp_path / "all" / "p1_t2w.mha").write_bytes(b"nothing")
    for name in ("t2w", "b100"):
        (tmp_path / "all" / f"p3_{name}.mha").write_bytes(b"nothing")
    studies = {study.uid.rpartition("/")[2]: study for study in find_studies(tmp_path)}
    assert {uid: len(study.files) for uid, study in studies.items()} == {
        "p1": 4, "p2": 8, "p3": 0,
    }  # fmt: skip
    damage = {uid: sum(item.damaged for item in study.skipped) for uid, study in studies.items()}
    assert damage == {"p1": 1, "p2": 0, "p3": 2}
    assert studies["p3"].folder == tmp_path / "all" / "p3"


def test_a_file_that_changed_after_the_index(folder):
    path = volume_factory.write(folder / "p_b100.nii", VOXELS, AFFINE)
    images = [image for image in find_studies(folder)[0].files if image.path == path]
    volume_factory.write(path, VOXELS[:, :, :3], AFFINE)
    with pytest.raises(ReadingError, match="3 frames instead of 4"):
        read_volume(build_stack(images))
    path.unlink()
    with pytest.raises(ReadingError, match="the volume cannot be read"):
        read_volume(build_stack(images))
