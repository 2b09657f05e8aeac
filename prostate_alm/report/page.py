"""The report as one HTML page that needs nothing from outside itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prostate_alm import __version__
from prostate_alm.figures import Figure
from prostate_alm.metrics import RocPoints, roc_points
from prostate_alm.operating_point import Threshold
from prostate_alm.render import Mark, environment, roc_plot, score_plot
from prostate_alm.report import wording
from prostate_alm.report.summary import ArmSummary, Errors, errors_at


@dataclass(frozen=True)
class Page:
    """What a report says, apart from how it looks.

    Args:
        summaries: one per arm.
        main: the arm that it answers for; one of the summaries.
        threshold: the locked threshold behind `main.locked`, or None.
        notice: a warning that belongs on the first screen, or empty.
        provenance: model name, version, hashes, cohort; nested mappings are fine.
    """

    summaries: Sequence[ArmSummary]
    main: ArmSummary
    threshold: Threshold | None
    notice: str
    provenance: Mapping[str, Any]

    @property
    def operating_threshold(self) -> float | None:
        """The locked threshold if there is one, else the oracle's, in logits."""
        return self.main.oracle_threshold.value if self.threshold is None else self.threshold.value

    @property
    def errors(self) -> Errors | None:
        """The cases called wrongly at the operating threshold."""
        return None if self.operating_threshold is None else errors_at(self.main.scores, self.operating_threshold)

    def html(self) -> str:
        """The page as text; the same content gives the same bytes."""
        template = environment("prostate_alm.report").get_template("report.html.j2")
        return template.render(
            page=self,
            words=wording,
            n1=self.main.auc.n1,
            n0=self.main.auc.n0,
            version=__version__,
            roc=_roc(self),
            scores=_scores(self),
            methods=_methods(self.summaries),
        )


def _roc(page: Page) -> str | None:
    """The ROC picture, the main arm first; None if a class is missing."""
    oracle, locked = page.main.fpr_at_0fn.value, page.main.locked
    if oracle is None:
        return None
    ordered = [page.main, *(summary for summary in page.summaries if summary is not page.main)][:4]
    curves: dict[str, RocPoints] = {
        f"{wording.arm_name(summary.arm)}, AUC {wording.area(summary.auc).value}": roc_points(
            summary.scores.logits, summary.scores.labels
        )
        for summary in ordered
    }
    name = wording.arm_name(page.main.arm)
    marks = [Mark(oracle, 1.0, f"{name}: 0 missed (oracle)")]
    if locked:
        rates = locked.fp / page.main.auc.n0, locked.tp / page.main.auc.n1
        marks.append(Mark(*rates, f"{name}: locked threshold"))
    return roc_plot(curves, marks, title="ROC curves of all arms, with the operating points")


def _scores(page: Page) -> str:
    logits, positive = page.main.scores.logits, page.main.scores.labels == 1
    title = f"Distribution of scores by class, arm {wording.arm_name(page.main.arm)}"
    return score_plot(logits[positive], logits[~positive], threshold=page.operating_threshold, title=title)


def _methods(summaries: Sequence[ArmSummary]) -> list[tuple[str, str]]:
    """Figure and method, each pair once, in the order of the report; an AUC has no threshold and so no kind."""
    figures: list[Figure] = []
    for summary in summaries:
        figures += [summary.auc, summary.fpr_at_0fn, summary.fpr_at_1fn]
        figures += [summary.versus_base.difference] if summary.versus_base else []
        figures += summary.locked.figures if summary.locked else ()
    names = [figure.name if figure.name.startswith("AUC") else f"{figure.name} ({figure.kind})" for figure in figures]
    return list(dict.fromkeys(zip(names, (figure.method for figure in figures), strict=True)))
