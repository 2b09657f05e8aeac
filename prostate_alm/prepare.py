"""Studies and labels -> a cohort: volumes on their native grids, a manifest and a QC table."""

import multiprocessing
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from prostate_alm.cohort import MANIFEST, Case, Cohort
from prostate_alm.errors import NoInputError, UsageError, UserError
from prostate_alm.files import lock_folder, output_folder, write_csv
from prostate_alm.interrupts import ctrl_c_held
from prostate_alm.labels import LabelRow, read_label_rows
from prostate_alm.studies import (
    DIED,
    FILES,
    QUALITY_COLUMNS,
    Keys,
    Rules,
    StudyFiles,
    StudyTask,
    default_rules,
    is_risky,
    open_studies,
    store_study,
)

VOLUMES = "volumes"
QC_TABLE = "qc.csv"


@dataclass(frozen=True)
class Prepared:
    """The outcome.

    Args:
        cohort: the ready cases; saved.
        broken: study key and reasons of every study that is not in the cohort.
    """

    cohort: Cohort
    broken: list[tuple[str, tuple[str, ...]]]


def prepare(
    studies_root: Path | str,
    labels_csv: Path | str | None,
    out: Path | str,
    *,
    keys: Keys,
    harmonise: bool = False,
    rules: Rules | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Read every study below a folder and store what the network takes; finished studies are not read again.

    Args:
        studies_root: folder of any nesting, or a zip archive, of DICOM or volume files.
        labels_csv: table with the columns study and label (and site, age), or None for a cohort without labels.
        out: the cohort folder: `volumes/<study key>/`, `manifest.json`, `qc.csv`.
        keys: the site's keys.
        harmonise: compute b 100, 600 and 1000 from other b-values.
        rules: the site's rules; None means the defaults.
        processes: how many studies are read at a time; None means one per core, 1 reads in this process.
        progress: called with (studies done, studies in all).

    Returns:
        The cohort, and the studies that are not in it, with reasons.

    Raises:
        OutputError: if `out` cannot be written; found out before any study is read.
        NoInputError: if there is no DICOM at all, or no study is ready (qc.csv says why).
        UsageError: if a label is wrong or names no study (nothing is written then), or another process works in `out`.
    """
    root, out, rules = Path(studies_root), Path(out), rules or default_rules()
    labels = None if labels_csv is None else read_label_rows(labels_csv)
    existed = out.exists()
    output_folder(out)
    with lock_folder(out), ExitStack() as stack:
        try:
            studies = stack.enter_context(open_studies(root, rules))
            by_uid = None if labels is None else match_labels(labels, studies, root)
        except UserError:
            if not existed:
                shutil.rmtree(out, ignore_errors=True)
            raise
        volumes = output_folder(out / VOLUMES)
        for leftover in volumes.glob(".*.part.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        known = [study for study in studies if by_uid is None or study.uid in by_uid]
        records = read_all([StudyTask(study, volumes, keys, harmonise, rules) for study in known], processes, progress)
        records |= {study.uid: unread(keys, study, "no label") for study in studies if study.uid not in records}
        return _save(out, records, by_uid or {})


def match_labels(labels: Sequence[LabelRow], studies: Sequence[StudyFiles], root: Path) -> dict[str, LabelRow]:
    """Find the study that each row of the labels table means.

    Messages name the lines, not their content: an accession number or a folder may identify a person.

    Args:
        labels: rows, whose study is a StudyInstanceUID, an accession number or a folder below `root`.
        studies: all that was found, those without a readable file too.
        root: what the folders are relative to.

    Returns:
        StudyInstanceUID -> its row.

    Raises:
        UsageError: if a row fits no study or several, or two rows mean one study.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for study in studies:
        for name in _names(study, root):
            names[name].add(study.uid)
    matched: dict[str, LabelRow] = {}
    for row in labels:
        found = names.get(row.study.strip("/"), set())
        if len(found) != 1:
            what = f"{len(found)} studies" if found else "no study"
            raise UsageError(
                f"labels line {row.line} fits {what} in {root}; "
                "give a StudyInstanceUID, accession number or study folder"
            )
        first = matched.setdefault(next(iter(found)), row)
        if first is not row:
            raise UsageError(
                f"labels line {row.line} means the same study as line {first.line}; keep one line per study"
            )
    return matched


def _names(study: StudyFiles, root: Path) -> Iterator[str]:
    yield study.uid
    if study.accession:
        yield study.accession
    folder = study.folder.relative_to(root) if study.folder.is_relative_to(root) else Path()
    if study.uid.startswith(FILES):
        yield study.folder.name
    if folder.parts:
        yield folder.as_posix()
        yield folder.parts[0]
    else:
        yield root.resolve().name


def read_all(
    tasks: Sequence[StudyTask], processes: int | None, progress: Callable[[int, int], None] | None
) -> dict[str, dict[str, Any]]:
    """The record of every study, by its uid; what goes wrong with one study stays in its record."""
    records: dict[str, dict[str, Any]] = {}
    count = min(processes or os.cpu_count() or 1, len(tasks))
    here = count <= 1 and not any(is_risky(task.study) for task in tasks)
    outcomes = map(_alone, tasks) if here else _in_processes(tasks, max(count, 1))
    for uid, record in outcomes:
        records[uid] = record
        if progress is not None:
            progress(len(records), len(tasks))
    return records


def _alone(task: StudyTask) -> tuple[str, dict[str, Any]]:
    return task.study.uid, _outcome(task, lambda: store_study(task))


def _outcome(task: StudyTask, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The record, or one that says what went wrong: only what ends every study (a full disk) ends the batch."""
    try:
        return read()
    except (UserError, BrokenProcessPool):
        raise
    except Exception as error:
        return unread(task.keys, task.study, f"the study cannot be read, an unexpected {type(error).__name__}")


def _in_processes(tasks: Sequence[StudyTask], count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read in a pool; when a study kills its process, those that were under way are read again, each in its own."""
    lost: list[StudyTask] = []
    with _pool(count) as pool:
        ended: SimpleQueue[Future[dict[str, Any]]] = SimpleQueue()
        try:
            futures = _submit(pool, tasks, ended, lost)
            for _ in futures:
                future = ended.get()
                task = futures[future]
                try:
                    yield task.study.uid, _outcome(task, future.result)
                except BrokenProcessPool:
                    lost.append(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for task in lost:
        with _pool(1) as pool:
            try:
                (future,) = _submit(pool, [task], SimpleQueue())
                yield task.study.uid, _outcome(task, future.result)
            except BrokenProcessPool:
                yield task.study.uid, unread(task.keys, task.study, DIED)


def _submit(
    pool: ProcessPoolExecutor,
    tasks: Sequence[StudyTask],
    ended: "SimpleQueue[Future[dict[str, Any]]]",
    lost: list[StudyTask] | None = None,
) -> dict[Future[dict[str, Any]], StudyTask]:
    """Hand tasks to a pool, those after its death to `lost`; what is done comes to `ended`."""
    futures: dict[Future[dict[str, Any]], StudyTask] = {}
    with ctrl_c_held():
        for task in tasks:
            try:
                future = pool.submit(store_study, task)
            except BrokenProcessPool:
                if lost is None:
                    raise
                lost.append(task)
                continue
            futures[future] = task
            future.add_done_callback(ended.put)
    return futures


def _pool(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def unread(keys: Keys, study: StudyFiles, reason: str) -> dict[str, Any]:
    key = keys.study(study.uid)
    quality = dict.fromkeys(QUALITY_COLUMNS, "") | {"study_key": key, "ready": 0, "reasons": reason}
    return {"study_key": key, "ready": False, "problems": [reason], "quality": quality}


def _save(out: Path, records: Mapping[str, dict[str, Any]], labels: Mapping[str, LabelRow]) -> Prepared:
    rows = [
        record["quality"] | {"label": labels[uid].label if uid in labels else ""} for uid, record in records.items()
    ]
    write_csv(out / QC_TABLE, QUALITY_COLUMNS, sorted(rows, key=lambda row: row["study_key"]))
    broken = [(record["study_key"], tuple(record["problems"])) for record in records.values() if not record["ready"]]
    cases = tuple(_case(record, labels.get(uid)) for uid, record in records.items() if record["ready"])
    if not cases:
        (out / MANIFEST).unlink(missing_ok=True)
        raise NoInputError(
            f"none of {len(records)} studies is ready, the first because: {'; '.join(broken[0][1])}; "
            f"{out / QC_TABLE} lists them all"
        )
    cohort = Cohort(out, cases)
    cohort.save()
    return Prepared(cohort, sorted(broken))


def _case(record: Mapping[str, Any], row: LabelRow | None) -> Case:
    folder = f"{VOLUMES}/{record['study_key']}"
    return Case(
        case_id=record["study_key"],
        patient_id=record["patient_key"],
        label=None if row is None else row.label,
        images={name.removesuffix(".nii.gz"): f"{folder}/{name}" for name in record["images"]},
        scanner=record["scanner"],
        harmonised=record["harmonised"],
        acquisition=record["acquisition"],
        groups={} if row is None else row.groups,
    )
