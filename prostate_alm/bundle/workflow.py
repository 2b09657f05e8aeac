"""Running a bundle's configs, with a user's mistakes told from bugs."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.bundle.workflows import ConfigWorkflow

from prostate_alm.errors import UsageError, UserError
from prostate_alm.files import output_folder, write_text

NOISY = ("monai.bundle.workflows", "monai.data.nvimgcodec_pydicom_plugin", "ignite.engine.engine")


def run_workflow(folder: Path, configs: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Run configs of a bundle, merged in order, as `python -m monai.bundle run` does.

    Args:
        folder: the bundle's folder.
        configs: names under `configs`, without `.json`.
        overrides: config id -> value.

    Raises:
        UserError: what the package itself raised, or a value in the configs that a component refused.
    """
    with without_monai_noise():
        try:
            workflow = ConfigWorkflow(
                config_file=[str(folder / "configs" / f"{name}.json") for name in configs],
                meta_file=str(folder / "configs" / "metadata.json"),
                logging_file=False,
                workflow_type="train",
                bundle_root=str(folder),
                **overrides,
            )
            workflow.initialize()
            workflow.run()
            workflow.finalize()
        except Exception as error:
            mistake = user_error_behind(error)
            if mistake is None:
                raise
            raise mistake from error


def user_error_behind(error: BaseException) -> UserError | None:
    """The mistake among the causes of an error that MONAI's config parser wrapped, if there is one."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, UserError):
            return link
    built = [link for link in chain if str(link).startswith("Failed to instantiate component")]
    if built and isinstance(chain[-1], ValueError | TypeError):
        component = str(built[-1]).split("'")[1]
        return UsageError(f"the bundle's config gives {component} a value that it refuses: {chain[-1]}")
    return None


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
