"""Running a bundle's configs, with a user's mistakes told from bugs."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.bundle.workflows import ConfigWorkflow

from prostate_alm.bundle.mistakes import STEPS, Explainer, telling_parser
from prostate_alm.bundle.origins import Origins
from prostate_alm.bundle.static import check_static
from prostate_alm.files import output_folder, write_text

NOISY = ("monai.bundle.workflows", "monai.data.nvimgcodec_pydicom_plugin", "ignite.engine.engine")


def run_workflow(folder: Path, configs: Sequence[str], overrides: Mapping[str, Any], *, trusted: bool = False) -> None:
    """Run configs of a bundle, merged in order, as `python -m monai.bundle run` does.

    Args:
        folder: the bundle's folder.
        configs: names under `configs`, without `.json`.
        overrides: config id -> value.
        trusted: run it without the static check: a bundle that the caller wrote.

    Raises:
        UserError: what the package itself raised, or a mistake in the configs: names the key and the file.
        IntegrityError: if the bundle is not safe to run (`check_static`).
    """
    if not trusted:
        check_static(folder)
    origins = Origins(folder, [f"{name}.json" for name in configs], overrides)
    with without_monai_noise():
        workflow = ConfigWorkflow(
            config_file=[str(folder / "configs" / f"{name}.json") for name in configs],
            meta_file=str(folder / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="train",
            bundle_root=str(folder),
            **overrides,
        )
        telling_parser(workflow.parser)
        try:
            workflow.initialize()
            workflow.run()
            workflow.finalize()
        except Exception as error:
            mistake = Explainer(workflow.parser, origins, STEPS).mistake_behind(error)
            if mistake is None:
                raise
            raise mistake from error


def write_notice(folder: str, notice: str) -> None:
    """Put what a bundle says of its weights beside the outputs of `monai.bundle run`; nothing if it says nothing."""
    if notice:
        write_text(output_folder(folder) / "NOTICE.txt", notice + "\n")


@contextmanager
def without_monai_noise() -> Iterator[None]:
    """Keep MONAI from telling, at every start, of an optional codec, and ignite from telling an error twice."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
