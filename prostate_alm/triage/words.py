"""A decision in words, the same in every output that people read."""

from prostate_alm.triage.decision import Decision, Outcome

RESEARCH_ONLY = "Research use only. Not a medical device."
PRELIMINARY = "Preliminary, not verified by a person."

HEADLINES = {
    Outcome.DCE_REQUIRED: "DCE required",
    Outcome.DCE_NOT_REQUIRED: "DCE not required",
    Outcome.UNDECIDED: "Undecided",
}

_ADVICE = {
    Outcome.DCE_REQUIRED: "Acquire the contrast series.",
    Outcome.DCE_NOT_REQUIRED: "The contrast series may be left out, if the radiologist agrees.",
    Outcome.UNDECIDED: "Treat as DCE required: acquire the contrast series.",
}


def headline(decision: Decision) -> str:
    """The decision in as few words as it takes."""
    return HEADLINES[decision.outcome]


def what_to_do(decision: Decision) -> str:
    """One sentence for whoever plans the examination."""
    return _ADVICE[decision.outcome]
