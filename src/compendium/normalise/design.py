"""The portal's one cell for a study's design, taken apart in each registry's own grammar."""

import re

COLUMNS = ("allocation", "intervention_model", "primary_purpose", "masking")

_LABELS = {
    "allocation": "allocation",
    "randomization": "allocation",
    "randomisation": "allocation",
    "randomized": "allocation",
    "randomised": "allocation",
    "masking": "masking",
    "blinding": "masking",
    "intervention model": "intervention_model",
    "assignment": "intervention_model",
    "group": "intervention_model",
    "primary purpose": "primary_purpose",
    "purpose": "primary_purpose",
    "study design purpose": "primary_purpose",
}
_LABELLED = re.compile(
    r"(?:^|[.;,\n]\s*)(?P<label>[A-Z][A-Za-z ]{2,40}?)\s*:\s*(?P<value>.*?)"
    r"(?=[.;,]*\s*\n|[.;,]+\s*[A-Z][A-Za-z ]{2,40}?\s*:|[.;,\s]*$)",
    re.DOTALL,
)
_YES = re.compile(r"^(?P<label>[A-Za-z ]+):[ \t]*(?P<answer>yes|no)?[ \t]*$", re.MULTILINE)
_EU_MODELS = ("Parallel group", "Cross over")
_EU_MASKING = ("Open", "Single blind", "Double blind")
# Words that may be trusted inside a sentence.
_IN_PROSE = {
    "allocation": re.compile(r"\b(?:non[- ]|not )?randomi[sz]ed\b", re.IGNORECASE),
    "masking": re.compile(
        r"\b(?:open[- ]label|open\s*\(masking not used\)|(?:single|double|triple|quadruple)"
        r"[- ](?:blind(?:ed)?|masked))",
        re.IGNORECASE,
    ),
    "intervention_model": re.compile(
        r"\b(?:parallel|cross-?over|factorial|single)(?=[- ](?:group|assignment|arm))",
        re.IGNORECASE,
    ),
    "primary_purpose": re.compile(
        r"\((Treatment|Prevention|Diagnostic|Screening|Other)\)\s*$"
        r"|\b(treatment|prevention|diagnosis)(?= purpose)",
        re.IGNORECASE,
    ),
}


def read_design(text: str | None) -> dict[str, str]:
    r"""Find what a design cell says about allocation, model, purpose and masking.

    Parameters
    ----------
    text : str or None
        "Label: value" parts (ClinicalTrials.gov, ANZCTR, DRKS, IRCT, NTR), the EU register's list
        of yes and no, one word (ChiCTR), or prose (ISRCTN, JPRN).

    Returns
    -------
    dict
        Keys among `COLUMNS`; values are the registry's words, for
        `compendium.normalise.vocabularies` to judge. What is not said is absent.

    Examples
    --------
    >>> read_design("Controlled: yes\nRandomised: yes\nOpen: no\nDouble blind: yes\n")
    {'allocation': 'Randomised: yes', 'masking': 'Double blind: yes'}
    >>> read_design("Pragmatic open-label randomised trial (Treatment)")["masking"]
    'open-label'
    """
    if not text or not text.strip():
        return {}
    answers = {m["label"].strip(): m["answer"] for m in _YES.finditer(text)}
    if {"Controlled", "Randomised"} <= answers.keys():
        return _eu_design(answers)
    parts: dict[str, str] = {}
    for match in _LABELLED.finditer(text):
        column = _LABELS.get(match["label"].strip().lower())
        if column and match["value"].strip():
            parts.setdefault(column, match["value"].strip())
    if parts:
        return parts
    if len(text.split()) <= 3:
        return {"intervention_model": text.strip()} | (
            {"allocation": text.strip()} if "random" in text.lower() else {}
        )
    found = {column: pattern.search(text) for column, pattern in _IN_PROSE.items()}
    return {
        column: next(filter(None, match.groups()), match[0])
        for column, match in found.items()
        if match
    }


def _eu_design(answers: dict[str, str | None]) -> dict[str, str]:
    said = {label for label, answer in answers.items() if answer == "yes"}
    parts = {}
    if answers["Randomised"]:
        parts["allocation"] = f"Randomised: {answers['Randomised']}"
    for column, labels in (("intervention_model", _EU_MODELS), ("masking", _EU_MASKING)):
        named = [label for label in labels if label in said]
        if len(named) == 1:
            parts[column] = f"{named[0]}: yes"
    return parts
