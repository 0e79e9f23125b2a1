"""Exhibits whose words are in disguise: escaped, padded, garbled, or made of zeros."""

from itertools import combinations
from pathlib import Path

import pandas as pd

from compendium.museum.exhibit import Exhibit, Reading
from compendium.museum.workshop import flags, portal_csv, read, trial
from compendium.registry_ids import find_ids

WORDS = "Words in disguise"


def make_escaped(folder: Path) -> Path:
    """Escape one apostrophe once, one twice, and one not at all."""
    titles = ("Parkinson's pain", "Parkinson&#39;s pain", "Parkinson&amp;#39;s pain")
    return portal_csv(folder, [trial(n, Public_title=title) for n, title in enumerate(titles, 1)])


def naive_escaped(path: Path) -> float:
    """Search for the word."""
    table = pd.read_csv(path)
    return table["Public title"].str.contains("Parkinson's").sum()


def careful_escaped(path: Path) -> Reading:
    """Undo the entities, layer by layer."""
    titles = read(path)[0]["public_title"]
    return Reading(titles.str.contains("Parkinson's").sum(), "entities undone to the last layer")


def make_padded(folder: Path) -> Path:
    """Register two trials twice, the second time with titles blown up to 2,000 characters."""
    titles = ("Motor cortex stimulation for facial pain", "Burst stimulation of the spinal cord")
    first = [trial(n, Scientific_title=title) for n, title in enumerate(titles, 1)]
    second = [
        trial(
            f"ISRCTN1000000{number}",
            Scientific_title=title.ljust(2000),
            Source_Register="ISRCTN",
        )
        for number, title in enumerate(titles, 1)
    ]
    return portal_csv(folder, [*first, *second])


def naive_padded(path: Path) -> float:
    """Look for the same title twice."""
    table = pd.read_csv(path)
    return table["Scientific title"].duplicated().sum()


def careful_padded(path: Path) -> Reading:
    """Strip the padding before comparing."""
    titles = read(path)[0]["scientific_title"]
    return Reading(titles.duplicated().sum(), f"longest title: {titles.str.len().max()} characters")


def make_garbled(folder: Path) -> Path:
    """Write one sponsor right, once through Windows and once through an old Macintosh."""
    names = ("Fundación Dolor", "FundaciÃ³n Dolor", "Fundaci√≥n Dolor")
    return portal_csv(folder, [trial(n, Primary_sponsor=name) for n, name in enumerate(names, 1)])


def naive_garbled(path: Path) -> float:
    """Count the names."""
    table = pd.read_csv(path)
    return table["Primary sponsor"].nunique()


def careful_garbled(path: Path) -> Reading:
    """Undo the wrong decoding where that is certain, and say so."""
    records, _ = read(path)
    return Reading(records["sponsor"].nunique(), flags(records, "primary_sponsor"))


def make_countries(folder: Path) -> Path:
    """Name three countries in six ways, one of them twice in one trial."""
    names = (
        "Republic of Korea",
        "Korea, Republic of",
        "South Korea",
        "Turkey (Türkiye)",
        "Turkey",
        "Mexico;Mexico",
    )
    return portal_csv(folder, [trial(n, Countries=name) for n, name in enumerate(names, 1)])


def naive_countries(path: Path) -> float:
    """Count the names."""
    table = pd.read_csv(path)
    return table["Countries"].nunique()


def careful_countries(path: Path) -> Reading:
    """Resolve names by a committed table; what it does not hold stays unresolved."""
    codes = read(path)[0]["countries"].explode().dropna()
    return Reading(codes.nunique(), ", ".join(sorted(codes.unique())))


def make_zeros(folder: Path) -> Path:
    """Fill the second number of three unrelated trials with zeros, because a form wanted one."""
    return portal_csv(folder, [trial(n, Secondary_ID="ISRCTN00000000") for n in (1, 2, 3)])


def naive_zeros(path: Path) -> float:
    """Join on the number they share."""
    table = pd.read_csv(path)
    pairs = table.merge(table, on="Secondary ID")
    return (pairs["TrialID_x"] < pairs["TrialID_y"]).sum()


def careful_zeros(path: Path) -> Reading:
    """Refuse numbers made of zeros before anything is joined."""
    records, _ = read(path)
    numbers = [
        {found.number for text in cell for found in find_ids(text)}
        for cell in records["secondary_ids"]
    ]
    joined = sum(bool(a & b) for a, b in combinations(numbers, 2))
    return Reading(joined, "numbers made of zeros name no trial")


WORD_EXHIBITS = (
    Exhibit(
        "escaped",
        WORDS,
        "An apostrophe in two coats",
        "On its way through two systems an apostrophe was escaped twice. Whoever searches for "
        "Parkinson's finds one trial of three.",
        "WHO portal: entities escaped twice; this book's own sample has one in NCT07303998",
        "titles that mention Parkinson's",
        make_escaped,
        naive_escaped,
        careful_escaped,
        3,
    ),
    Exhibit(
        "padded",
        WORDS,
        "Two thousand characters of title",
        "The same study is registered in two places. In one of them the title is filled up with "
        "blanks, which no one sees on a screen and every comparison notices.",
        "WHO portal, 2020: 641 of 927 scientific titles padded to 2,000 characters",
        "trials found to be registered twice",
        make_padded,
        naive_padded,
        careful_padded,
        2,
    ),
    Exhibit(
        "garbled",
        WORDS,
        "One foundation, three sponsors",
        "An accent was written in one alphabet and read in another. The sponsor is one; the count "
        "says three. Repair is allowed only where it is certain: √2 must stay √2.",
        "WHO portal: 16 % of one registry's records; a Macintosh spreadsheet in another export",
        "sponsors",
        make_garbled,
        naive_garbled,
        careful_garbled,
        1,
    ),
    Exhibit(
        "countries",
        WORDS,
        "Six names for three countries",
        "Registries name countries as they please, and the portal repeats them. Guessing by "
        "similarity is worse: one library's fuzzy search takes the Republic of Korea for the "
        "other Korea.",
        "ClinicalTrials.gov: 226 names that are not ISO's; WHO portal: 8.9 % of rows repeat one",
        "countries",
        make_countries,
        naive_countries,
        careful_countries,
        3,
    ),
    Exhibit(
        "zeros",
        WORDS,
        "The number that joins strangers",
        "A form demanded a registration number, so someone typed zeros. Joined by it, three "
        "studies that have nothing in common become one.",
        "secondary identifiers in registries",
        "pairs of trials joined",
        make_zeros,
        naive_zeros,
        careful_zeros,
        0,
    ),
)
