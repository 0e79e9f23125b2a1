"""What the registries' codes are called in front of readers."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from compendium.geography import country_name
from compendium.yamls import fail, load_yaml, plain

WORDS: dict[str, dict[str, str]] = {
    "phase": {
        "NA": "not applicable",
        "EARLY_PHASE1": "early phase 1",
        "PHASE1": "phase 1",
        "PHASE1_PHASE2": "phase 1/2",
        "PHASE2": "phase 2",
        "PHASE2_PHASE3": "phase 2/3",
        "PHASE3": "phase 3",
        "PHASE3_PHASE4": "phase 3/4",
        "PHASE4": "phase 4",
    },
    "status": {
        "NOT_YET_RECRUITING": "not yet recruiting",
        "RECRUITING": "recruiting",
        "ENROLLING_BY_INVITATION": "enrolling by invitation",
        "ACTIVE_NOT_RECRUITING": "active, not recruiting",
        "COMPLETED": "completed",
        "SUSPENDED": "suspended",
        "TERMINATED": "terminated",
        "WITHDRAWN": "withdrawn",
        "UNKNOWN": "unknown to the registry",
    },
    "study_type": {
        "INTERVENTIONAL": "interventional",
        "OBSERVATIONAL": "observational",
        "EXPANDED_ACCESS": "expanded access",
    },
    "allocation": {
        "RANDOMIZED": "randomised",
        "NON_RANDOMIZED": "not randomised",
        "NA": "not applicable (one group)",
    },
    "intervention_model": {
        "PARALLEL": "parallel groups",
        "CROSSOVER": "crossover",
        "SINGLE_GROUP": "one group",
        "FACTORIAL": "factorial",
        "SEQUENTIAL": "sequential",
    },
    "masking": {
        "NONE": "open label",
        "SINGLE": "one party masked",
        "DOUBLE": "two parties masked",
        "TRIPLE": "three parties masked",
        "QUADRUPLE": "four parties masked",
    },
    "sponsor_class": {
        "OTHER": "university, hospital, other",
        "INDUSTRY": "industry",
        "FED": "US federal agency",
        "NIH": "US NIH",
        "OTHER_GOV": "other government",
        "INDIV": "individual",
        "NETWORK": "network",
        "AMBIG": "ambiguous",
        "UNKNOWN": "unknown to the registry",
    },
}


def read_words(path: Path) -> dict[str, dict[str, str]]:
    """Read a protocol's words for its codes, and add them to those of the registries.

    Parameters
    ----------
    path : Path
        YAML: variable → code → words, such as ``data/protocol/words.yml``.

    Raises
    ------
    InputError
        With file, line and key, if it is anything else.
    """
    data = load_yaml(path)
    for variable in data:
        if not isinstance(data[variable], Mapping):
            fail(path, data, [variable], "codes and their words are missing")
        for code in data[variable]:
            if not isinstance(data[variable][code], str):
                fail(path, data, [variable, code], "words are missing")
    return WORDS | plain(data)


def in_words(code: str, variable: str, words: Mapping[str, Mapping[str, str]] = WORDS) -> str:
    """Return what a code of a variable is called; a code without an entry is its own name.

    Examples
    --------
    >>> in_words("PHASE1_PHASE2", "phase"), in_words("DNK", "countries"), in_words("x", "phase")
    ('phase 1/2', 'Denmark', 'x')
    """
    if variable == "countries":
        return country_name(code)
    return words.get(variable, {}).get(code, code)


def reworded(
    table: pd.DataFrame,
    variable: str,
    column: str = "value",
    words: Mapping[str, Mapping[str, str]] = WORDS,
) -> pd.DataFrame:
    """Return the table with the codes of one column in words.

    Parameters
    ----------
    table : DataFrame
        For example a share table.
    variable : str
        Whose codes they are.
    column : str
        Where they stand.
    words : mapping
        As `read_words` returns it.
    """
    return table.assign(**{column: [in_words(code, variable, words) for code in table[column]]})
