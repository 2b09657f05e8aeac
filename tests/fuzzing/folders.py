"""Mutations of a folder: slices missing and doubled, files moved, strangers, loops and things that are no files."""

import os
import shutil
import zipfile
from pathlib import Path

from pydicom.uid import generate_uid

from fuzzing.case import Case, NotApplicableError

_MEBI = 1 << 20


def drop_slices(case: Case) -> None:
    """At least one file of the folder stays: nobody could miss a study of which nothing is left."""
    files = case.series(at_least=3)
    count = case.random.choice((1, 1, 1, 2, 3, len(files) // 2))
    for path in case.random.sample(files, min(count, len(files) - 1)):
        path.unlink()


def drop_a_series(case: Case) -> None:
    folders = sorted({path.parent for path in case.files} - {case.folder})
    if len(folders) < 2:
        raise NotApplicableError
    shutil.rmtree(case.random.choice(folders))


def double_a_file(case: Case) -> None:
    path = case.image()
    shutil.copyfile(path, path.with_name(f"{case.random.randrange(10**9)}{path.suffix}"))


def double_slices_under_new_uids(case: Case) -> None:
    for path in case.random.sample(case.series(), case.random.choice((1, 2))):
        dataset = case.dataset(path)
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(case.random.random())])
        case.save(path.with_name(f"{case.random.randrange(10**9)}{path.suffix}"), dataset)


def one_uid_for_two_images(case: Case) -> None:
    one, other = case.random.sample(case.series(), 2)
    dataset = case.dataset(one)
    uid = case.dataset(other).get("SOPInstanceUID")
    if uid is None or uid == dataset.get("SOPInstanceUID"):
        raise NotApplicableError
    dataset.SOPInstanceUID = uid
    case.save(one, dataset)


def rename_everything(case: Case) -> None:
    names = list(range(len(case.files)))
    case.random.shuffle(names)
    for path, name in zip(case.files, names, strict=True):
        if path.suffix not in (".json", ".bval", ".bvec", ".gz", ".txt"):
            path.rename(path.with_name(f"{name:06d}"))


def move_everything_into_one_folder(case: Case) -> None:
    order = list(case.files)
    case.random.shuffle(order)
    flat = case.folder / "flat"
    flat.mkdir()
    for index, path in enumerate(order):
        path.rename(flat / f"{index}{path.suffix}" if path.suffix in (".dcm", "") else flat / path.name)


def exchange_the_names_of_two_files(case: Case) -> None:
    one, other = case.random.sample(case.series(), 2)
    aside = case.folder / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def files_of_another_study(case: Case) -> None:
    other = case.random.choice(case.others)
    files = sorted(path for path in other.rglob("*") if path.is_file())
    place = case.image().parent
    few = max(1, min(5, len(files) // 4))  # more could be a complete study of their own
    for path in case.random.sample(files, case.random.choice((1, few))):
        os.link(path, place / f"stranger-{case.random.randrange(10**9)}{path.suffix}")
    case.note = other.name


def strange_files(case: Case) -> None:
    place = case.image().parent
    what = case.random.choice(("empty", "text", "random", "zeros", "zip", "bomb", "dicomdir", "names", "hidden"))
    contents = {"empty": b"", "text": b"To whom it may concern\n" * 20, "random": case.random.randbytes(5000),
                "zeros": bytes(100_000), "dicomdir": bytes(128) + b"DICM" + case.random.randbytes(300)}  # fmt: skip
    if what in contents:
        name = case.random.choice(("IM9999", "x.dcm", "notes.txt", "DICOMDIR", "a.nii.gz", "b.nrrd", "c.mha", "d.bval"))
        (place / name).write_bytes(contents[what])
    elif what in ("zip", "bomb"):
        with zipfile.ZipFile(place / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", bytes(20 * _MEBI if what == "bomb" else 10))
    elif what == "hidden":
        (place / "._IM0001.dcm").write_bytes(case.random.randbytes(300))
    else:
        for name in (b"line\nbreak", b"\xff\xfe not utf-8", b"x" * 250, b"-rf", b"a;b$(c)"):
            Path(os.fsdecode(os.path.join(os.fsencode(place), name))).write_bytes(b"no image" * 40)  # noqa: PTH118
    case.note = what


def links(case: Case) -> None:
    path = case.image()
    place, what = path.parent, case.random.choice(("up", "self", "two", "nowhere", "file", "outside", "folder"))
    if what == "up":
        (place / "up").symlink_to(case.folder, target_is_directory=True)
    elif what == "self":
        (place / "self.dcm").symlink_to(place / "self.dcm")
    elif what == "two":
        (place / "one").symlink_to(place / "two")
        (place / "two").symlink_to(place / "one")
    elif what == "nowhere":
        (place / "nowhere.dcm").symlink_to("/nonexistent/file.dcm")
    elif what == "file":
        (place / "again.dcm").symlink_to(path)
    elif what == "outside":
        (place / "outside").symlink_to("/", target_is_directory=True)
    else:
        (case.folder / "again").symlink_to(place, target_is_directory=True)
    case.note = what


def a_slice_behind_a_link(case: Case) -> None:
    """The file itself lies outside; only a link to it is where it should be."""
    path = case.image()
    aside = case.work / "aside.dcm"
    path.rename(aside)
    path.symlink_to(aside)


def things_that_are_no_files(case: Case) -> None:
    path = case.image()
    what = case.random.choice(("pipe", "folder", "pipe instead", "folder instead", "null", "secret"))
    if what == "pipe":
        os.mkfifo(path.parent / "pipe.dcm")
    elif what == "folder":
        (path.parent / "folder.dcm").mkdir()
    elif what == "null":
        (path.parent / "null.dcm").symlink_to("/dev/zero")
    elif what == "secret":
        path.chmod(0o644)
        (path.parent / "secret").mkdir(mode=0)
    else:
        path.unlink()
        if what == "pipe instead":
            os.mkfifo(path)
        else:
            path.mkdir()
    case.note = what


def deep_folders(case: Case) -> None:
    """A slice, or nothing, at the end of a thousand folders."""
    depth = case.random.choice((50, 500, 1000, 1800))
    path = case.image()
    with_file = case.random.random() < 0.5
    here = os.open(case.folder, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        if with_file:
            os.link(path, "slice.dcm", dst_dir_fd=here)
    finally:
        os.close(here)
    if with_file:
        path.unlink()
    case.note = f"{depth} deep{' with a slice' * with_file}"


KINDS = (
    drop_slices, drop_a_series, double_a_file, double_slices_under_new_uids, one_uid_for_two_images, rename_everything,
    move_everything_into_one_folder, exchange_the_names_of_two_files, files_of_another_study, strange_files, links,
    a_slice_behind_a_link, things_that_are_no_files, deep_folders,
)  # fmt: skip
