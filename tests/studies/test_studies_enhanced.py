"""Multi-frame files: what is said of all frames and of each, in any order, and files that do not fit together."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, LegacyConvertedEnhancedMRImageStorage

from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.dicom.enhanced import flatten
from prostate_alm.studies.dicom.instances import MAX_FRAMES, read_headers
from prostate_alm.studies.geometry import build_stack, plane_of
from prostate_alm.studies.headers import Header, Skipped
from prostate_alm.studies.volumes import read_volume

KEYS = Keys(b"a salt for the tests")
SHARED, PER_FRAME = "(5200,9229) > (0018,9117) > (0018,9087)", "(5200,9230) > (0018,9117) > (0018,9087)"
ROWS, COLUMNS = 3, 4


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def groups(**sequences: Dataset) -> Dataset:
    """Functional groups: keyword without `Sequence` -> its one item."""
    return item(**{f"{keyword}Sequence": [one] for keyword, one in sequences.items()})


def place(index: float) -> Dataset:
    return item(ImagePositionPatient=[1.0, 2.0, 3.0 * index])


def shared(**sequences: Dataset) -> Dataset:
    usual = {
        "PixelMeasures": item(PixelSpacing=[2.0, 1.5], SliceThickness="3"),
        "PlaneOrientation": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "MRTimingAndRelatedParameters": item(RepetitionTime="3000"),
        "MREcho": item(EffectiveEchoTime=70.0),
        "MRImageFrameType": item(FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]),
    }
    return groups(**usual | sequences)


def file_of(common: Dataset | None, frames: list[Dataset], **header: object) -> Dataset:
    """An Enhanced MR Image; the pixels of frame k are all 10 + k."""
    made = item(
        SOPClassUID=EnhancedMRImageStorage, SOPInstanceUID="1.2.3.9", StudyInstanceUID="1.2.3", Modality="MR",
        SeriesInstanceUID="1.2.3.4", SeriesNumber="5", SeriesDescription="dwi", Manufacturer="Somebody",
        ImageType=["ORIGINAL", "PRIMARY", "MIXED", "NONE"], EchoPulseSequence="SPIN", EchoPlanarPulseSequence="YES",
        NumberOfFrames=str(len(frames)), Rows=ROWS, Columns=COLUMNS, SamplesPerPixel=1, BitsAllocated=16,
        BitsStored=16, HighBit=15, PixelRepresentation=0, PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    if common is not None:
        made.SharedFunctionalGroupsSequence = [common]
    made.PerFrameFunctionalGroupsSequence = frames
    planes = np.arange(len(frames), dtype="<u2")[:, None, None] + np.full((ROWS, COLUMNS), 10, "<u2")
    made.PixelData = planes.astype("<u2").tobytes()
    for keyword, value in header.items():
        setattr(made, keyword, value)
    return made


def save(made: Dataset, path: Path) -> Path:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, "1.2.3.9"
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def headers(tmp_path):
    """The images of one multi-frame file."""

    def read(common: Dataset | None, frames: list[Dataset], **header: object) -> tuple[Header, ...]:
        found = read_headers(save(file_of(common, frames, **header), tmp_path / "file.dcm"))
        assert not isinstance(found, Skipped), found.reason
        return found

    return read


@pytest.fixture
def refused(tmp_path):
    """Why a multi-frame file is damaged."""

    def read(common: Dataset | None, frames: list[Dataset], **header: object) -> str:
        found = read_headers(save(file_of(common, frames, **header), tmp_path / "file.dcm"))
        assert isinstance(found, Skipped)
        assert found.damaged
        return found.reason

    return read


def diffusion(b: float | None, directionality: str = "ISOTROPIC") -> Dataset:
    return item(DiffusionDirectionality=directionality, **({} if b is None else {"DiffusionBValue": float(b)}))


def test_what_is_shared_holds_for_every_frame(headers):
    first, second = headers(shared(), [groups(PlanePosition=place(k)) for k in (0, 1)])
    for image in (first, second):
        assert image.pixel_spacing_mm == (2.0, 1.5)
        assert image.orientation == (1, 0, 0, 0, 1, 0)
        assert (image.echo_time_ms, image.repetition_time_ms) == (70.0, 3000.0)
        assert image.scanning_sequence == ("SE", "EP")
    assert [image.position_mm for image in (first, second)] == [(1, 2, 0), (1, 2, 3)]
    assert [image.frame for image in (first, second)] == [0, 1]


def test_what_a_frame_says_itself_goes_before_what_is_shared(headers):
    common = shared(MRDiffusion=diffusion(50), PixelValueTransformation=item(RescaleSlope="2", RescaleIntercept="1"))
    own = groups(
        PlanePosition=place(1), MRDiffusion=diffusion(800), MREcho=item(EffectiveEchoTime=90.0),
        PixelValueTransformation=item(RescaleSlope="0.5", RescaleIntercept="-7"),
        MRImageFrameType=item(FrameType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]),
    )  # fmt: skip
    first, second = headers(common, [groups(PlanePosition=place(0)), own])
    assert [image.b_value.value for image in (first, second)] == [50, 800]
    assert [image.scale for image in (first, second)] == [(2, 1), (0.5, -7)]
    assert [image.echo_time_ms for image in (first, second)] == [70, 90]
    assert [image.image_type[-1] for image in (first, second)] == ["NONE", "ADC"]


def test_groups_go_before_what_the_file_says_of_itself(headers):
    said = {"ImageType": ["ORIGINAL", "PRIMARY", "T2", "NONE"], "EchoTime": "10", "RescaleSlope": "9"}
    common = shared(PixelValueTransformation=item(RescaleSlope="2", RescaleIntercept="0"))
    (image, _) = headers(common, [groups(PlanePosition=place(k)) for k in (0, 1)], **said)
    assert (image.image_type[2], image.echo_time_ms, image.scale) == ("DIFFUSION", 70, (2, 0))


def test_what_no_group_says_is_what_the_file_says(headers):
    common = groups(PlaneOrientation=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    said = {"EchoTime": "85", "RescaleSlope": "3", "PixelSpacing": [1, 1]}
    (image, _) = headers(common, [groups(PlanePosition=place(k)) for k in (0, 1)], **said)
    assert (image.echo_time_ms, image.scale, image.pixel_spacing_mm) == (85, (3, 0), (1, 1))
    assert image.image_type[2] == "MIXED"


@pytest.mark.parametrize("common", [None, Dataset()])
def test_without_shared_groups_frames_speak_for_themselves(headers, common):
    frames = [shared(PlanePosition=place(k), MRDiffusion=diffusion(100)) for k in (0, 1)]
    images = headers(common, frames)
    assert [image.position_mm[2] for image in images] == [0, 3]
    assert {image.b_value.source for image in images} == {PER_FRAME}


ORDERS = {
    "slice by slice": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    "falling": [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    "b by b": [0, 5, 1, 6, 2, 7, 3, 8, 4, 9],
    "scrambled": [7, 2, 9, 4, 0, 6, 1, 8, 3, 5],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_frames_in_any_order_are_the_same_volumes(tmp_path, order):
    planes = [(b, k) for b in (100, 600) for k in range(5)]
    made = file_of(
        shared(), [groups(PlanePosition=place(planes[n][1]), MRDiffusion=diffusion(planes[n][0])) for n in order]
    )
    pixels = np.arange(10 * ROWS * COLUMNS, dtype="<u2").reshape(10, ROWS, COLUMNS)
    made.PixelData = pixels[order].tobytes()
    images = read_headers(save(made, tmp_path / "file.dcm"))
    for start, b in ((0, 100), (5, 600)):
        volume = read_volume(build_stack([image for image in images if image.b_value.nominal == b]))
        assert np.array_equal(volume.voxels, pixels[start : start + 5].transpose(2, 1, 0))
        assert volume.affine @ [0, 0, 4, 1] == pytest.approx([-1, -2, 12, 1])
        assert volume.spacing_mm == pytest.approx((1.5, 2, 3))


@pytest.mark.parametrize("described", [1, 3, 7])
def test_more_or_fewer_groups_than_frames_are_refused(refused, described):
    frames = [groups(PlanePosition=place(k)) for k in range(described)]
    assert f"2 frames, {described} described" in refused(shared(), frames, NumberOfFrames="2")


def test_a_file_without_groups_does_not_place_its_frames(headers):
    (image,) = headers(None, [], NumberOfFrames="4", ImagePositionPatient=[0, 0, 0])
    assert (image.frames, image.position_mm) == (4, ())


def test_fewer_pixels_than_frames_are_a_problem(tmp_path):
    made = file_of(shared(), [groups(PlanePosition=place(k), MRDiffusion=diffusion(100)) for k in range(6)])
    made.PixelData = made.PixelData[: ROWS * COLUMNS * 2 * 4]
    save(made, tmp_path / "file.dcm")
    reading = read_study(find_studies(tmp_path)[0], keys=KEYS)
    assert reading.volumes == {}
    assert any("an image cannot be decoded" in problem for problem in reading.problems)


@pytest.mark.parametrize(
    ("common", "own", "source"),
    [
        ({"MRDiffusion": diffusion(400)}, {}, SHARED),
        ({}, {"MRDiffusion": diffusion(400)}, PER_FRAME),
        ({"MRDiffusion": diffusion(50)}, {"MRDiffusion": diffusion(400)}, PER_FRAME),
    ],
)
def test_the_source_of_a_b_value_names_its_group(headers, common, own, source):
    for image in headers(shared(**common), [groups(PlanePosition=place(k), **own) for k in (0, 1)]):
        assert (image.b_value.value, image.b_value.source) == (400, source)


def test_a_b_value_of_the_file_counts_where_no_group_states_one(headers):
    (image, _) = headers(shared(), [groups(PlanePosition=place(k)) for k in (0, 1)], DiffusionBValue=250.0)
    assert (image.b_value.value, image.b_value.source) == (250, "(0018,9087)")


def test_private_b_values_describe_the_file_and_not_the_frame(tmp_path):
    made = file_of(shared(), [groups(PlanePosition=place(k)) for k in (0, 1)], Manufacturer="SIEMENS")
    made.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "800")
    assert [image.b_value for image in read_headers(save(made, tmp_path / "file.dcm"))] == [None, None]


def reports_of(tmp_path: Path, frames: list[Dataset]) -> tuple[list[tuple[str, str]], list[str]]:
    """What becomes of a file: role and reason of each part, and the problems."""
    save(file_of(shared(), frames), tmp_path / "file.dcm")
    reading = read_study(find_studies(tmp_path)[0], keys=KEYS)
    return [(report.role, report.reason) for report in reading.series], list(reading.problems)


def test_frames_without_directionality_are_b_0_of_the_same_series(tmp_path):
    frames = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(b, "NONE" if b == 0 else "ISOTROPIC"))
        for b in (0, 100, 800)
        for k in range(6)
    ]
    assert reports_of(tmp_path, frames)[0] == [("dwi", "used as DWI b0, b100, b800")]


def test_no_directionality_is_b_0(tmp_path):
    """PS3.3 C.8.13.5.9 has NONE for b 0 and for anisotropy maps, whose type refuses them."""
    frames = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(b, "ISOTROPIC" if b else "NONE"))
        for b in (None, 100, 800)
        for k in range(6)
    ]
    reports, _ = reports_of(tmp_path, frames)
    assert reports == [("dwi", "used as DWI b0, b100, b800")]


def test_a_b_value_without_diffusion_weighting_is_unclear(tmp_path):
    frames = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(b, "ISOTROPIC" if b < 800 else "NONE"))
        for b in (100, 800)
        for k in range(6)
    ]
    _, problems = reports_of(tmp_path, frames)
    assert any("states b 800 and (0018,9075) no diffusion weighting" in problem for problem in problems)


def test_a_group_of_a_frame_replaces_the_shared_one_whole(tmp_path):
    frames = [groups(PlanePosition=place(k), MRDiffusion=item(DiffusionDirectionality="NONE")) for k in range(6)]
    path = tmp_path / "file.dcm"
    save(file_of(shared(MRDiffusion=diffusion(1000, "ISOTROPIC")), frames), path)
    headers = read_headers(path)
    assert not isinstance(headers, Skipped)
    assert {header.b_value.value for header in headers} == {0.0}


@pytest.mark.parametrize("component", ["PHASE", "MIXED", "REAL"])
def test_only_magnitude_is_used(tmp_path, component):
    frame_type = item(FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], ComplexImageComponent=component)
    frames = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(b, "ISOTROPIC"), MRImageFrameType=frame_type)
        for b in (100, 800)
        for k in range(6)
    ]
    reports, problems = reports_of(tmp_path, frames)
    assert all(role == "other" and "no magnitude image" in reason for role, reason in reports)
    assert any("no magnitude image" in problem for problem in problems)


def test_frames_of_different_real_world_slopes_are_not_one_set(tmp_path):
    frames = [
        groups(
            PlanePosition=place(k),
            MRDiffusion=diffusion(b, "ISOTROPIC"),
            RealWorldValueMapping=item(RealWorldValueSlope=1.0 if b == 100 else 0.3, RealWorldValueIntercept=0.0),
        )
        for b in (100, 800)
        for k in range(6)
    ]
    _, problems = reports_of(tmp_path, frames)
    assert any("several sets of diffusion images" in problem for problem in problems)


def test_a_trace_wins_over_the_directions_beside_it(tmp_path):
    frames = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(800, directionality))
        for directionality in ("DIRECTIONAL", "DIRECTIONAL", "ISOTROPIC")
        for k in range(6)
    ]
    save(file_of(shared(), frames), tmp_path / "file.dcm")
    reading = read_study(find_studies(tmp_path)[0], keys=KEYS)
    assert reading.volumes["dwi_b800"].voxels[0, 0].tolist() == [22, 23, 24, 25, 26, 27]


@pytest.mark.parametrize("kind", ["ADC", "DIFFUSION_ANISO", "FA"])
def test_maps_among_the_frames_are_not_acquired(tmp_path, kind):
    acquired = [groups(PlanePosition=place(k), MRDiffusion=diffusion(800)) for k in range(6)]
    frame_type = item(FrameType=["DERIVED", "PRIMARY", "DIFFUSION", kind])
    maps = [
        groups(PlanePosition=place(k), MRDiffusion=diffusion(800, "NONE"), MRImageFrameType=frame_type)
        for k in range(6)
    ]
    reports, _ = reports_of(tmp_path, [*maps, *acquired])
    assert ("dwi", "used as DWI b800") in reports
    assert [role for role, reason in reports if "map" in reason] == ["adc" if kind == "ADC" else "other"]


def philips(slope: float, scale_slope: float, index: int) -> Dataset:
    """One frame with Philips' private image sequence (2005,140F), which holds the ScaleSlope."""
    frame = groups(
        PlanePosition=place(index), PixelValueTransformation=item(RescaleSlope=str(slope), RescaleIntercept="0")
    )
    private = Dataset()
    private.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", scale_slope)
    frame.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    frame.add_new((0x2005, 0x140F), "SQ", [private])
    return frame


@pytest.mark.parametrize(
    ("vendor", "scales"), [("Philips Medical Systems", [(4, 0), (0.25, 0)]), ("Somebody", [(2, 0), (3, 0)])]
)
def test_philips_scales_each_frame_once_more(headers, vendor, scales):
    images = headers(shared(), [philips(2, 0.25, 0), philips(3, 4, 1)], Manufacturer=vendor)
    assert [image.scale for image in images] == scales


PULSES = {
    ("SPIN", "NO"): ("SE",), ("SPIN", "YES"): ("SE", "EP"), ("GRADIENT", "NO"): ("GR",),
    ("BOTH", "YES"): ("SE", "GR", "EP"), ("GRADIENT", None): ("GR",), (None, "YES"): ("EP",), (None, None): (),
}  # fmt: skip


@pytest.mark.parametrize(("pulse", "planar"), PULSES)
def test_the_pulse_sequence_is_told_in_classic_words(headers, pulse, planar):
    frames = [groups(PlanePosition=place(k)) for k in (0, 1)]
    (image, _) = headers(shared(), frames, EchoPulseSequence=pulse, EchoPlanarPulseSequence=planar)
    assert image.scanning_sequence == PULSES[pulse, planar]


@pytest.mark.parametrize("where", ["file", "shared", "frame"])
@pytest.mark.parametrize("answer", ["YES", "NO"])
def test_inversion_recovery_is_seen_wherever_it_stands(headers, where, answer):
    said = {"MRModifier": item(InversionRecovery=answer)}
    (image, _) = headers(
        shared(**(said if where == "shared" else {})),
        [groups(PlanePosition=place(k), **(said if where == "frame" else {})) for k in (0, 1)],
        EchoPlanarPulseSequence="NO",
        **({"InversionRecovery": answer} if where == "file" else {}),
    )
    assert image.scanning_sequence == (("SE", "IR") if answer == "YES" else ("SE",))


def test_classic_words_in_the_file_itself_are_kept(headers):
    frames = [groups(PlanePosition=place(k)) for k in (0, 1)]
    (image, _) = headers(shared(), frames, ScanningSequence="RM", SequenceName="own", PulseSequenceName="other")
    assert (image.scanning_sequence, image.sequence_name) == (("RM",), "own")
    (image, _) = headers(shared(), frames, PulseSequenceName="*ep_b100t")
    assert image.sequence_name == "*ep_b100t"


@pytest.mark.parametrize("sop_class", [EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage])
@pytest.mark.parametrize("stated", ["1", None])
def test_an_enhanced_file_of_one_frame_is_placed_too(headers, sop_class, stated):
    frame = groups(PlanePosition=place(2), MRDiffusion=diffusion(600))
    (image,) = headers(shared(), [frame], SOPClassUID=sop_class, NumberOfFrames=stated)
    assert image.position_mm == (1, 2, 6)
    assert plane_of(image, 35.0) == "axial"
    assert (image.b_value.value, image.b_value.source) == (600, PER_FRAME)


@pytest.mark.parametrize("frames", ["-3", str(MAX_FRAMES + 1), "2000000000"])
def test_an_impossible_number_of_frames_is_refused(refused, frames):
    assert f"({float(frames):g} frames)" in refused(shared(), [groups(PlanePosition=place(0))], NumberOfFrames=frames)


TOO_LARGE = [{"Rows": 4000, "Columns": 4000}, {"BitsAllocated": 64, "Rows": 8000}, {"Rows": 9000}]


@pytest.mark.parametrize("more", TOO_LARGE)
def test_an_image_too_large_to_decode_is_refused(refused, more):
    frames = [groups(PlanePosition=place(0))]
    assert "more than 512 MiB" in refused(shared(), frames, NumberOfFrames=str(MAX_FRAMES), **more)


def test_flattening_leaves_the_file_as_it_is():
    made = file_of(shared(MRDiffusion=diffusion(50)), [groups(PlanePosition=place(k)) for k in (0, 1)])
    made.file_meta = FileMetaDataset()
    before = made.to_json()
    assert [level for level, _ in flatten(made)] == ["(5200,9229)"] * 2
    assert made.to_json() == before
