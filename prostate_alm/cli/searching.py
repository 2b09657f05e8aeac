"""`prostate-alm search`: the paper's incremental grid search on a hospital's own cohort."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prostate_alm.cli import console
from prostate_alm.cli.engines import ADDRESS, ENGINE, GPUS, PROCESSES, engine_of
from prostate_alm.cli.training import (
    CohortFolder,
    ConstrainedEpochs,
    Device,
    Epochs,
    Members,
    Override,
    Seed,
    overrides_of,
)

if TYPE_CHECKING:
    from prostate_alm.render.grid import Grid
    from prostate_alm.training.search.table import Tried

NATURAL = "natural"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


def search(
    cohort: CohortFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder of the search; the same call goes on after a kill.")],
    loss: Annotated[
        list[str] | None, typer.Option("--loss", help="Only this base loss; may be repeated. [default: all nine]")
    ] = None,
    class_ratio: Annotated[
        list[str] | None,
        typer.Option(
            "--class-ratio",
            metavar="natural|1:8",
            help="Thin the positives; natural does not. May be repeated. [default: natural and 1:8]",
        ),
    ] = None,
    grid: Annotated[
        Path | None, typer.Option("--grid", metavar="FILE", help="Other grids, as YAML or JSON. [default: the paper's]")
    ] = None,
    members: Members = 10,
    epochs: Epochs = None,
    constrained_epochs: ConstrainedEpochs = None,
    seed: Seed = 0,
    engine: ENGINE = "local",
    processes: PROCESSES = None,
    address: ADDRESS = None,
    gpus_per_task: GPUS = 0.0,
    device: Device = "auto",
    override: Override = None,
) -> None:
    """Choose every loss's hyper-parameters by validation AUC, train base, continued and ALM, and keep a run for each.

    First the loss's own parameter, then mu(0) and rho, then delta: the mean validation AUC over the members decides.
    OUT/RATIO/LOSS is then a run, ready for 'evaluate' and 'triage'; 'evaluate OUT' measures all of them.

    Example: prostate-alm search cohort/ --out search/ --loss bce --loss a-fl --class-ratio 1:8
    """
    from prostate_alm.bundle import find_bundle
    from prostate_alm.losses import BASE_LOSSES
    from prostate_alm.training import TrainingSettings
    from prostate_alm.training.search.grids import Grids, load_grids
    from prostate_alm.training.search.run import SearchSettings
    from prostate_alm.training.search.run import search as search_rows

    settings = SearchSettings(
        losses=tuple(dict.fromkeys(loss or BASE_LOSSES)),
        class_ratios=tuple(
            None if ratio == NATURAL else ratio for ratio in dict.fromkeys(class_ratio or (NATURAL, "1:8"))
        ),
        grids=Grids() if grid is None else load_grids(grid),
        common=TrainingSettings(
            members=members,
            seed=seed,
            epochs=epochs,
            constrained_epochs=constrained_epochs,
            device=console.torch_device(device),
            overrides=overrides_of(override or []),
        ),
    )
    spread = engine_of(engine, processes, address, gpus_per_task)
    bundle = find_bundle("prostate_dce_classification")
    with console.terminable(), console.trainings() as shown:
        try:
            tried = search_rows(cohort, out, bundle, settings, spread, watch=shown, said=console.note)
        except KeyboardInterrupt:
            console.note("stopped; nothing finished is lost. Run the same command again to go on.")
            raise
    table = _table7(tried)
    _write(out, table)
    console.result(table.markdown())


def _table7(tried: "list[Tried]") -> "Grid":
    from prostate_alm.report.comparison import Trained, hyperparameter_grid

    chosen = [one for one in tried if one.chosen]
    rows: dict[tuple[str | None, str], Trained] = {}
    for one in chosen:  # base, continued, alm: the last names all hyper-parameters
        before = rows.get((one.class_ratio, one.loss))
        aucs = {**(before.validation_aucs if before else {}), one.arm: one.validation_aucs}
        told = {**(before.hyperparameters if before else {}), **one.hyperparameters}
        rows[one.class_ratio, one.loss] = Trained(one.class_ratio, one.loss, len(one.validation_aucs), told, aucs)
    return hyperparameter_grid(sorted(rows.values(), key=lambda one: one.order))


def _write(out: Path, table: "Grid") -> None:
    """`table7.md` and `table7.csv`: what was chosen, in the paper's form."""
    from prostate_alm.files import write_csv, write_text

    write_text(out / "table7.md", table.markdown(1))
    columns = [*table.heads, *(head for head, _ in table.groups)]
    rows = (dict(zip(columns, [*heads, *cells], strict=True)) for heads, cells in table.rows)
    write_csv(out / "table7.csv", columns, rows)
