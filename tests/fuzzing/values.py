"""Mutations of what a header means: places, b-values, sizes, identities; in frames and items as well."""

from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid

from fuzzing.case import Case, NotApplicableError

_NUMBERS = frozenset(("DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"))
_STRANGE = (0, -1, 1, 2, 3, 7, 4095, 65535, 65536, 2**31 - 1, -(2**31), 1e-9, -1e-3, 0.5, 1e9, 1e30, 1e300)
_SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.102", "1.2.3", "", "not a uid", "1.2.840.10008.5.1.4.1.1.4",
)  # fmt: skip
_CHARSETS = (
    "ISO_IR 192",
    "ISO 2022 IR 87",
    "\\ISO 2022 IR 149",
    "GB18030",
    "ISO_IR 999",
    "",
    "utf8",
    "\\" * 50,
    "ISO_IR 13",
)


def _elements(dataset: Dataset, depth: int = 0) -> Iterator[tuple[Dataset, DataElement]]:
    """Every element at every depth with its data set, pixel data left out."""
    for element in dataset:
        if element.VR == "SQ":
            items = element.value if len(element.value) < 30 else [element.value[0], element.value[-1]]
            for item in items:
                if depth < 6:
                    yield from _elements(item, depth + 1)
        elif element.tag < 0x7FE00000:
            yield dataset, element


def _all(case: Case, dataset: Dataset) -> list[tuple[Dataset, DataElement]]:
    try:
        found = list(_elements(dataset))
    except Exception as error:
        raise NotApplicableError from error
    if not found:
        raise NotApplicableError
    return found


def _named(case: Case, dataset: Dataset, *keywords: str) -> tuple[Dataset, DataElement]:
    found = [(owner, element) for owner, element in _all(case, dataset) if element.keyword in keywords]
    if not found:
        raise NotApplicableError
    return case.random.choice(found)


def _change(case: Case, keyword: str, change) -> None:
    """Change the value of an element of one file, wherever it stands."""
    path = case.image()
    dataset = case.dataset(path)
    owner, element = _named(case, dataset, keyword)
    try:
        owner[element.tag] = DataElement(element.tag, element.VR, change(element.value))
    except Exception as error:
        raise NotApplicableError from error
    case.save(path, dataset)
    case.note = f"{keyword} {owner[element.tag].value}"


def shift_a_position_a_little(case: Case) -> None:
    """By at most 0.02 mm along each axis."""
    _change(
        case,
        "ImagePositionPatient",
        lambda value: [float(f"{float(x) + case.random.uniform(-0.02, 0.02):.5f}") for x in value],
    )


def shift_a_position(case: Case) -> None:
    distance = case.random.choice((0.1, 0.5, 1, 3, 3.6, 6, 50, 1e4, 1e15))
    axis = case.random.randrange(3)
    _change(
        case,
        "ImagePositionPatient",
        lambda value: [float(x) + distance * (index == axis) for index, x in enumerate(value)],
    )


def turn_an_image(case: Case) -> None:
    angle = case.random.choice((1e-5, 1e-3, 0.01, 0.1, 1.0, -1.0, 1e9))
    index = case.random.randrange(6)
    _change(
        case, "ImageOrientationPatient", lambda value: [float(x) + angle * (i == index) for i, x in enumerate(value)]
    )


def scale_the_pixel_spacing(case: Case) -> None:
    factor = case.random.choice((1.00001, 1.0005, 1.01, 2, -1, 0, 1e6))
    _change(case, "PixelSpacing", lambda value: [float(x) * factor for x in value])


def another_b_value(case: Case) -> None:
    path = case.image()
    dataset = case.dataset(path)
    tags = {0x00189087, 0x0019100C, 0x00431039, 0x20011003, 0x00651009, 0x0065100A}
    found = [(owner, element) for owner, element in _all(case, dataset) if int(element.tag) in tags]
    if not found:
        raise NotApplicableError
    owner, element = case.random.choice(found)
    b = case.random.choice((0, 1, 48, 51, 395, 401, 800, 1000, 1001, 1400, 3000, 100_000, -1))
    if isinstance(element.value, bytes):
        value: object = f"{b} ".encode()
    elif element.tag == 0x00431039:
        value = [1_000_000_000 + b, *list(element.value)[1:]] if element.VR == "IS" else f"{b}\\8\\0\\0"
    else:
        value = float(b) if element.VR in ("FD", "FL") else str(b)
    try:
        owner[element.tag] = DataElement(element.tag, element.VR, value)
    except Exception as error:
        raise NotApplicableError from error
    case.save(path, dataset)
    case.note = f"{element.tag} {value}"


def strange_number(case: Case) -> None:
    """Any numeric element, at any depth, takes a number that it should not have."""
    path = case.image()
    dataset = case.dataset(path)
    numeric = [pair for pair in _all(case, dataset) if pair[1].VR in _NUMBERS]
    if not numeric:
        raise NotApplicableError
    owner, element = case.random.choice(numeric)
    number = case.random.choice(_STRANGE)
    whole = element.VR in ("IS", "SL", "SS", "UL", "US")
    try:
        value = int(number) if whole else float(number)
        owner[element.tag] = DataElement(element.tag, element.VR, str(value) if element.VR == "IS" else value)
    except Exception as error:
        raise NotApplicableError from error
    case.save(path, dataset)
    case.note = f"{element.tag} {number}"


def drop_an_element_at_any_depth(case: Case) -> None:
    path = case.image()
    dataset = case.dataset(path)
    owner, element = case.random.choice(_all(case, dataset))
    del owner[element.tag]
    case.save(path, dataset)
    case.note = str(element.tag)


def drop_or_double_an_item(case: Case) -> None:
    """A sequence, such as that of the frames, has one item too few or one twice."""
    path = case.image()
    dataset = case.dataset(path)
    sequences = [element for element in dataset if element.VR == "SQ" and len(element.value)]
    if not sequences:
        raise NotApplicableError
    items = case.random.choice(sequences).value
    index = case.random.randrange(len(items))
    if case.random.random() < 0.5:
        del items[index]
    else:
        items.insert(index, items[case.random.randrange(len(items))])
    case.save(path, dataset)


def exchange_two_items(case: Case) -> None:
    """Two frames exchange one functional group, so that the sequence is as long as before."""
    path = case.image()
    dataset = case.dataset(path)
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    if not frames or len(frames) < 2:
        raise NotApplicableError
    one, other = case.random.sample(range(len(frames)), 2)
    tags = sorted(set(frames[one].keys()) & set(frames[other].keys()))
    tag = case.random.choice(tags)
    if tag == 0x00209113:  # two frames that exchange all that places them: nobody can tell
        raise NotApplicableError
    frames[one][tag] = frames[other][tag]
    case.save(path, dataset)
    case.note = str(tag)


def extreme_size(case: Case) -> None:
    keyword = case.random.choice(
        ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
         "PixelRepresentation")
    )  # fmt: skip
    path = case.image()
    dataset = case.dataset(path)
    size = case.random.choice((0, 1, 2, 3, 8, 12, 32, 64, 255, 10_000, 65_535))
    setattr(dataset, keyword, case.random.choice((size, 10**8, -5)) if keyword == "NumberOfFrames" else size)
    case.save(path, dataset)
    case.note = f"{keyword} {dataset[keyword].value}"


def largest_image(case: Case) -> None:
    """Everything as large as it can be stated: 65,535 x 65,535 x 10,000."""
    path = case.image()
    dataset = case.dataset(path)
    dataset.Rows = dataset.Columns = case.random.choice((65_535, 16_000, 8_000))
    dataset.NumberOfFrames = case.random.choice((1, 2, 10_000, 2**31 - 1))
    dataset.BitsAllocated, dataset.SamplesPerPixel = case.random.choice((1, 8, 16, 64)), case.random.choice((1, 3))
    case.save(path, dataset)


def strange_scale(case: Case) -> None:
    path = case.image()
    dataset = case.dataset(path)
    keyword = case.random.choice(("RescaleSlope", "RescaleIntercept"))
    value = case.random.choice(("0", "1e-30", "1e38", "-1", "1e300", "inf", "nan", "1\\2", ""))
    element = DataElement(0x00281053 if keyword == "RescaleSlope" else 0x00281052, "LO", value)
    dataset[element.tag] = element
    case.save(path, dataset)
    case.note = f"{keyword} {value}"


def another_identity(case: Case) -> None:
    keyword = case.random.choice(
        ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID",
         "SOPClassUID", "Modality", "ImageType", "SeriesNumber", "EchoTime", "BodyPartExamined", "PatientSex")
    )  # fmt: skip
    values = {"Modality": "CT", "ImageType": "DERIVED\\SECONDARY", "SeriesNumber": "77", "EchoTime": "17",
              "BodyPartExamined": "HEAD", "PatientSex": "F"}  # fmt: skip
    uid = generate_uid(entropy_srcs=[str(case.random.random())])
    value = values.get(keyword, uid if keyword.endswith("UID") else "SOMEONE^ELSE")
    files = [case.image()] if case.random.random() < 0.7 else case.series()
    for path in files:
        dataset = case.dataset(path)
        setattr(dataset, keyword, case.random.choice((value, "", None)) if len(files) == 1 else value)
        case.save(path, dataset)
    case.note = f"{keyword} of {len(files)}"


def another_transfer_syntax(case: Case) -> None:
    """In name only: the bytes stay as they are."""
    path = case.image()
    content = path.read_bytes()
    stated = case.dataset(path).file_meta.get("TransferSyntaxUID")
    if not stated:
        raise NotApplicableError
    name = case.random.choice([syntax for syntax in _SYNTAXES if syntax != UID(stated)])
    old = str(stated).encode() + b"\0" * (len(stated) % 2)
    at = content.find(old)
    if at < 8 or content[at - 8 : at - 4] != b"\x02\x00\x10\x00":
        raise NotApplicableError
    new = name.encode() + b"\0" * (len(name) % 2)
    case.put(path, content[: at - 2] + len(new).to_bytes(2, "little") + new + content[at + len(old) :])
    case.note = name


def another_character_set(case: Case) -> None:
    path = case.image()
    dataset = case.dataset(path)
    dataset[0x00080005] = DataElement(0x00080005, "CS", case.random.choice(_CHARSETS))
    dataset[0x0008103E] = DataElement(0x0008103E, "UN", case.random.randbytes(20))
    case.save(path, dataset)


KINDS = (
    shift_a_position_a_little, shift_a_position, turn_an_image, scale_the_pixel_spacing, another_b_value,
    strange_number, drop_an_element_at_any_depth, drop_or_double_an_item, exchange_two_items, extreme_size,
    largest_image, strange_scale, another_identity, another_transfer_syntax, another_character_set,
)  # fmt: skip
