"""A whole run: members trained by the bundle, assembled into a bundle of their own."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import prostate_alm
from prostate_alm.cohort import Cohort
from prostate_alm.errors import UsageError
from prostate_alm.files import discard_parts, lock_folder, output_folder, sha256, write_json
from prostate_alm.training.assemble import assemble
from prostate_alm.training.engine import Engine, run_tasks
from prostate_alm.training.settings import TrainingSettings, check, config_files, member_task
from prostate_alm.training.stages import train_member

RUN = "run.json"


def train(
    cohort_folder: Path | str,
    run_folder: Path | str,
    bundle: Path,
    settings: TrainingSettings,
    *,
    processes: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train an ensemble on a cohort; run again after a kill, it goes on and ends in the same bits.

    Args:
        cohort_folder: made by `prepare`.
        run_folder: gets `members/NN/ARM/`, `run.json` and the finished `bundle/`.
        bundle: the bundle that defines the pipeline.
        settings: what to train.
        processes: members trained at a time on this machine; None takes the number of cores.
        engine: where members are trained instead, not yet entered; its workers must see all folders.
        progress: called with one line per finished member.

    Returns:
        The run's bundle.

    Raises:
        NoInputError, UsageError: for a cohort or settings that cannot be trained.
        OutputError: if the run folder cannot be written.
    """
    cohort = Cohort.load(cohort_folder)
    check(settings, bundle, cohort)
    run = output_folder(run_folder).resolve()
    cache = run / "cache"
    with lock_folder(run):
        discard_parts(run)
        record(run / RUN, {"settings": asdict(settings)} | trained_on(cohort, config_files(bundle, settings)))
        tasks = [
            member_task(settings, bundle, cohort.folder, run / "members" / f"{member:02d}", cache=cache, member=member)
            for member in range(settings.members)
        ]
        for count, folder in enumerate(run_tasks(train_member, tasks, processes=processes, engine=engine), start=1):
            progress(f"member {folder.name} trained ({count} of {settings.members})")
        return assemble(run, bundle, cohort, settings, cache)


def trained_on(cohort: Cohort, configs: list[Path]) -> dict[str, Any]:
    """What a run's results depend on beside its settings: cohort, configs and version, each as it is recorded."""
    return {
        "cohort_sha256": cohort.digest(),
        "configs_sha256": {path.name: sha256(path) for path in configs},
        "software_version": prostate_alm.__version__,
    }


def record(path: Path, content: dict[str, Any]) -> None:
    """Write what a folder's results depend on, or refuse to go on in a folder that was started otherwise.

    Args:
        path: of the record; its folder is what the message names.
        content: JSON; the first value that differs is named, however deep it stands.

    Raises:
        UsageError: if the record is there and says something else.
    """
    content = json.loads(json.dumps(content))
    if not path.is_file():
        write_json(path, content)
        return
    recorded = json.loads(path.read_text(encoding="utf-8"))
    differing = [name for name in content if recorded.get(name) != content[name]]
    if differing:
        raise UsageError(
            f"{path.parent} was started with another {_named(differing[0], recorded, content)}; "
            "choose another --out, or the same call again"
        )


def _named(name: str, recorded: Any, content: Any) -> str:
    """What differs below a key of two records."""
    before, now = recorded.get(name), content.get(name)
    if isinstance(before, dict) and isinstance(now, dict):
        return _named(next(key for key in {**now, **before} if before.get(key) != now.get(key)), before, now)
    return name.removesuffix("_sha256")
