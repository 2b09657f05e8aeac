"""A decision as DICOM Comprehensive 3D SR, template TID 1500, unverified and preliminary."""

from collections.abc import Iterable, Iterator

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.studies.headers import Header
from prostate_alm.triage.decision import SERIES, Decision
from prostate_alm.triage.dicom.codes import (
    COMMENT,
    LOGIT,
    MRI,
    NEED,
    NO_UNITS,
    OUTCOMES,
    PROSTATE,
    SUMMARY,
    THRESHOLD,
    TREAT_AS,
    scheme,
)
from prostate_alm.triage.dicom.equipment import DEVICE, MANUFACTURER, made_by, numbers, uid_of
from prostate_alm.triage.dicom.source import CHARACTER_SET, Source
from prostate_alm.triage.words import PRELIMINARY, RESEARCH_ONLY, headline, what_to_do

_OF_THE_IMAGE = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


class TriageReport(sr.Comprehensive3DSR):
    """The document; patient and study come from the source as it was cleaned, not from the images again."""

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Take over what identifies patient and study."""
        for element in dataset:
            if element.keyword not in _OF_THE_IMAGE:
                self.add(element)


def structured_report(decision: Decision, source: Source) -> TriageReport:
    """The structured report of one decision.

    Args:
        decision: of the study; also an undecided one.
        source: where it belongs.

    Returns:
        A dataset ready for `save_as`. Its UIDs follow from what it says: the same decision gives the same UIDs.
    """
    uids = numbers("sr", source.identity.StudyInstanceUID, _facts(decision, source))
    with quiet():
        return TriageReport(
            evidence=[_evidence(image, source) for image in _files(source.images)],
            content=_content(decision, source),
            **uids,
            **made_by(decision),
            is_complete=True,
            is_final=False,
            is_verified=False,
            series_description="DCE triage, research use only",
            specific_character_set=CHARACTER_SET,
            coding_schemes=[scheme()],
        )


def _facts(decision: Decision, source: Source) -> list[object]:
    """Everything that the report says but the time; a logit that differs in its last digits is the same logit."""
    logit = None if decision.logit is None else round(decision.logit, 4)
    said = decision.to_json()
    images = [{name: sorted({image.sop_uid for image in found}) for name, found in source.used.items()}, source.facts()]
    keys = ("decision", "threshold", "reasons", "series_used", "harmonised", "model", "rules", "software_version")
    return [logit, images, {key: said[key] for key in keys}]


def _content(decision: Decision, source: Source) -> sr.MeasurementReport:
    model = decision.model
    measured = [(LOGIT, decision.logit), (THRESHOLD, float(decision.threshold["value"]))]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uid_of(source.identity.StudyInstanceUID, "tracking"), identifier="DCE triage"
        ),
        finding_sites=[sr.FindingSite(anatomic_location=PROSTATE)],
        algorithm_id=sr.AlgorithmIdentification(
            name=model["name"],
            version=model["version"],
            manufacturer=MANUFACTURER,
            parameters=[f"weights SHA-256 {model['sha256']}", f"software {DEVICE} {decision.software_version}"],
        ),
        measurements=[
            sr.Measurement(name=name, value=value, unit=NO_UNITS) for name, value in measured if value is not None
        ],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(name=NEED, value=OUTCOMES[decision.outcome]),
            sr.QualitativeEvaluation(name=TREAT_AS, value=OUTCOMES[decision.treat_as]),
        ],
        source_images=list(_source_images(source)),
    )
    group[0].ContentSequence.extend(_texts(decision, source))
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid_of(DEVICE, decision.software_version),
            name=DEVICE,
            manufacturer_name=MANUFACTURER,
            model_name=model["name"],
        ),
    )
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=MRI,
        imaging_measurements=[group],
    )


def _texts(decision: Decision, source: Source) -> Iterator[sr.TextContentItem]:
    def text(name: Code, value: str) -> sr.TextContentItem:
        return sr.TextContentItem(name=name, value=value, relationship_type=sr.RelationshipTypeValues.CONTAINS)

    yield text(SUMMARY, f"{headline(decision)}. {what_to_do(decision)} {RESEARCH_ONLY} {PRELIMINARY}")
    if decision.notice:
        yield text(COMMENT, f"Warning: {decision.notice}")
    yield text(COMMENT, f"Promise of the threshold: {decision.threshold['promise']}")
    for reason in decision.reasons:
        yield text(COMMENT, f"Reason to be undecided: {reason}")
    for name, volume in SERIES.items():
        used = decision.series_used.get(name)
        if used:
            found = dict.fromkeys(image.name for image in source.used.get(volume, ()))
            yield text(COMMENT, f"{name}: {', '.join(found) or used['description']}{_stated(used)}")
    yield text(COMMENT, f"b-values harmonised: {'yes' if decision.harmonised else 'no'}")
    changed = decision.rules.get("changed", [])
    yield text(COMMENT, f"rules: {', '.join(changed) + ' changed by the site' if changed else 'the defaults'}")


def _stated(used: dict[str, object]) -> str:
    b, tag = used.get("b"), used.get("source_tag")
    return "" if b is None else f", b {b:g} s/mm2" + (f" from {tag}" if tag else "")


def _evidence(image: Header, source: Source) -> Dataset:
    evidence = Dataset()
    evidence.update(source.identity)
    evidence.SOPClassUID, evidence.SOPInstanceUID = image.sop_class, image.sop_uid
    evidence.SeriesInstanceUID = image.series_uid
    return evidence


def _files(images: Iterable[Header]) -> list[Header]:
    """One image of each file."""
    return list({image.sop_uid: image for image in images}.values())


def _source_images(source: Source) -> Iterator[sr.SourceImageForMeasurementGroup]:
    """A reference to every image that a volume was read from, with its frames where a file holds several."""
    frames: dict[str, list[int]] = {}
    used = [image for found in source.used.values() for image in found]
    for image in used:
        if image.frames > 1 or image.frame:
            frames.setdefault(image.sop_uid, []).append(image.frame + 1)
    for image in _files(used):
        numbers = sorted(set(frames[image.sop_uid])) if image.sop_uid in frames else None
        yield sr.SourceImageForMeasurementGroup(image.sop_class, image.sop_uid, numbers)
