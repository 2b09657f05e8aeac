"""One study: read, predict, check, decide. Every failure on the way is a reason to be undecided."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prostate_alm import __version__
from prostate_alm.errors import IntegrityError, OutputError, RefusedError
from prostate_alm.studies import Rules, default_rules, read_isolated
from prostate_alm.transforms import image_features
from prostate_alm.triage.decision import SERIES, Decision, plain
from prostate_alm.triage.identity import place_key, settings_key
from prostate_alm.triage.ood import out_of_distribution
from prostate_alm.triage.privacy import cleaned, describe, free_words, identifiers, scrub
from prostate_alm.triage.scratch import no_room

if TYPE_CHECKING:
    from torch import Tensor

    from prostate_alm.bundle import Predictor
    from prostate_alm.operating_point import Threshold
    from prostate_alm.studies import Keys, StudyFiles, StudyReading


@dataclass
class Findings:
    """What is known about a study so far; kept whatever happens next.

    `reading` and `image` (4, H, W, D) are for what is drawn beside the decision, and None as far as it did not come.
    """

    reasons: list[str] = field(default_factory=list)
    logit: float | None = None
    series_used: dict[str, Any] = field(default_factory=dict)
    harmonised: bool = False
    harmonisation: dict[str, Any] | None = None
    qc: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: bool = False
    place_key: str | None = None
    reading: "StudyReading | None" = field(default=None, repr=False)
    image: "Tensor | None" = field(default=None, repr=False)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of the block to `seconds`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = round(time.perf_counter() - start, 3)


@dataclass(frozen=True)
class Judge:
    """Decides one study at a time with one model and its locked threshold.

    Args:
        predictor: the model.
        threshold: made for this very model.
        keys: the site's salted keys.
        harmonise: compute b100, b600, b1000 from other b-values.
        rules: the site's rules.

    Raises:
        IntegrityError: if the threshold was made for another model.
        RefusedError: if it is certified on patients that the model was trained on, or one of them does not say on
            which patients it was made: it promises nothing then.
    """

    predictor: "Predictor"
    threshold: "Threshold"
    keys: "Keys"
    harmonise: bool = False
    rules: Rules = field(default_factory=default_rules)
    training_ranges: dict[str, Any] | None = field(init=False, repr=False)
    settings_key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        made_for, model = self.threshold.model_sha256, self.predictor.sha256
        if not model or made_for != model:
            raise IntegrityError(
                f"the threshold was made for model {str(made_for)[:12]}, this one is {str(model)[:12]}; "
                "make one for it with 'prostate-alm calibrate'"
            )
        if self.threshold.kind != "approximate":
            self._refuse_shared_patients()
        object.__setattr__(self, "training_ranges", self.predictor.training_ranges)
        object.__setattr__(self, "settings_key", settings_key(self))

    def _refuse_shared_patients(self) -> None:
        trained, calibrating = self.predictor.trained_patients, set(self.threshold.patients)
        if trained is None or not calibrating:
            raise RefusedError(
                f"{'the model' if trained is None else 'the threshold'} does not say on which patients it was made, so "
                "that nobody knows whether the promise holds; make it again"
            )
        if shared := calibrating & trained:
            raise RefusedError(
                f"{len(shared)} of the threshold's calibration patients trained the model, so that it promises "
                "nothing; make one on other patients with 'prostate-alm calibrate'"
            )

    def judge(
        self, study: "StudyFiles", study_key: str, inputs_key: str | None, findings: Findings | None = None
    ) -> Decision:
        """Decide one study; never raises for anything that is wrong with the study or the computation.

        Args:
            study: its files, which can be read.
            study_key: its public key.
            inputs_key: goes into the decision.
            findings: empty; gets what is found on the way.

        Raises:
            OutputError: if temporary files cannot be written.
        """
        findings = findings or Findings()
        self._try(study, findings, self._decide)
        return self.decision(study_key, findings, inputs_key)

    def preview(self, study: "StudyFiles") -> Findings:
        """What is known about a study without the model: it is read and checked, and nothing is computed from it."""
        findings = Findings()
        self._try(study, findings, self._check)
        return findings

    def decision(self, study_key: str, findings: Findings, inputs_key: str | None = None) -> Decision:
        """The decision that follows from the findings; without a finite logit there is always a reason."""
        reasons, logit = list(findings.reasons), findings.logit
        if logit is not None and not math.isfinite(logit):
            reasons.append(f"the model's logit is not finite ({logit})")
            logit = None
        if not math.isfinite(self.threshold.value):
            reasons.append("the threshold is not finite")
        if logit is None and not reasons:
            reasons.append("no logit was computed")
        return Decision(
            study_key=study_key,
            logit=logit,
            threshold={"value": self.threshold.value, "promise": self.threshold.promise},
            reasons=tuple(dict.fromkeys(reasons)),
            series_used=findings.series_used,
            harmonised=findings.harmonised,
            harmonisation=findings.harmonisation,
            qc=findings.qc,
            model={"name": self.predictor.name, "version": self.predictor.version, "sha256": self.predictor.sha256},
            rules=self.stated_rules,
            software_version=__version__,
            seconds=findings.seconds | {"total": round(math.fsum(findings.seconds.values()), 3)},
            notice=self.predictor.notice,
            inputs_key=None if findings.failed else inputs_key,
            settings_key=self.settings_key,
            place_key=findings.place_key,
        )

    @cached_property
    def stated_rules(self) -> dict[str, Any]:
        """The rules in force, as results state them: the fingerprint, and which keys a site changed."""
        theirs, usual = self.rules.model_dump(mode="json"), default_rules().model_dump(mode="json")
        changed = [
            f"{section}.{key}" if isinstance(content, dict) else section
            for section, content in theirs.items()
            for key in (content if isinstance(content, dict) else [section])
            if (content[key] != usual[section][key] if isinstance(content, dict) else content != usual[section])
        ]
        return {"fingerprint": self.rules.fingerprint, "changed": changed}

    def _try(self, study: "StudyFiles", findings: Findings, look: Callable[["StudyFiles", Findings], None]) -> None:
        try:
            findings.place_key = place_key(Path(study.folder), self.keys)
            look(study, findings)
        except OutputError:  # nothing that a study could be blamed for
            raise
        except Exception as error:
            if (full := no_room(error)) is not None:
                raise full from error
            findings.failed = True
            findings.reasons.append(describe(error, identifiers(study) | free_words(study)))

    def _check(self, study: "StudyFiles", findings: Findings) -> None:
        secrets = identifiers(study)
        reading = self._read(study, findings, secrets)
        self._compare(reading, None, findings, secrets)

    def _decide(self, study: "StudyFiles", findings: Findings) -> None:
        secrets = identifiers(study)
        reading = self._read(study, findings, secrets)
        features = None
        if not findings.qc["missing"]:
            with findings.timed("predict"):
                features = self._predict(reading, findings)
        self._compare(reading, features, findings, secrets)

    def _read(self, study: "StudyFiles", findings: Findings, secrets: set[str]) -> "StudyReading":
        with findings.timed("read"):
            reading = read_isolated(study, keys=self.keys, harmonise=self.harmonise, rules=self.rules)
        findings.reading = reading
        findings.reasons += [scrub(problem, secrets) for problem in reading.problems]
        findings.harmonised = reading.harmonised
        findings.harmonisation = cleaned(plain(reading.harmonisation), secrets)
        series = {name: _series(reading.sources.get(volume)) for name, volume in SERIES.items()}
        findings.series_used = cleaned(plain(series), secrets)
        missing = [name for name in self.predictor.required_images if name not in reading.volumes]
        found = list(reading.b_values_found)
        findings.qc = {"b_values_found": found, "missing": missing, "scanner": cleaned(plain(reading.scanner), secrets)}
        findings.qc["acquisition"] = cleaned(plain(reading.acquisition), secrets)
        findings.qc["notes"] = cleaned([*reading.notes], secrets)
        if missing and not findings.reasons:
            findings.reasons.append(f"missing: {', '.join(missing)}; acquired b-values found: {found}")
        if not reading.ready and not findings.reasons:
            findings.reasons.append("the study is not ready")
        return reading

    def _compare(
        self, reading: "StudyReading", features: dict[str, float] | None, findings: Findings, secrets: set[str]
    ) -> None:
        known = (reading.scanner, features, self.training_ranges, reading.acquisition, reading.harmonised)
        findings.reasons += [scrub(reason, secrets) for reason in out_of_distribution(*known)]

    def _predict(self, reading: "StudyReading", findings: Findings) -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="prostate-alm-") as folder:
            images = {}
            for name in self.predictor.required_images:
                images[name] = Path(folder) / f"{name}.nii"
                reading.volumes[name].save(images[name])
            image = findings.image = self.predictor.image(images)
        findings.logit = float(self.predictor.logit(image))
        findings.qc["features"] = features = image_features(image)
        return features


def _series(source: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if source is None else {name: source.get(name) for name in ("description", "b", "source_tag")}
