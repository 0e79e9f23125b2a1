"""Exhibits whose values mislead: dates, sizes and the many ways of saying nothing."""

import json
import re
from pathlib import Path

import pandas as pd

from compendium.museum.exhibit import Exhibit, Reading
from compendium.museum.workshop import flags, page, portal_csv, read, study, trial

DATES = "Dates"
SIZES = "Sizes, and the many ways of saying nothing"


def make_day_first(folder: Path) -> Path:
    """Register four trials in India, three of them in March."""
    days = ("03-04-2020", "04-03-2020", "06-03-2020", "11-03-2020")
    return portal_csv(
        folder,
        [
            trial(f"CTRI/2020/03/02450{number}", Date_registration=day, Source_Register="CTRI")
            for number, day in enumerate(days)
        ],
    )


def naive_day_first(path: Path) -> float:
    """Let the library find out the format."""
    table = pd.read_csv(path)
    dates = pd.to_datetime(table["Date registration"])
    return (dates.dt.month == 3).sum()


def careful_day_first(path: Path) -> Reading:
    """Read dates in the format of their registry."""
    registered = read(path)[0]["registered"]
    return Reading(
        registered.str[:7].eq("2020-03").sum(), "read day first, as this registry writes"
    )


def make_year_2641(folder: Path) -> Path:
    """Start one of three trials in the twenty-seventh century."""
    days = ("2019-05-20", "14/06/2641", "2021-02-01")
    return portal_csv(
        folder,
        [
            trial(f"IRCT2020010100000{number}N1", Date_enrollement=day, Source_Register="IRCT")
            for number, day in enumerate(days)
        ],
    )


def naive_year_2641(path: Path) -> float:
    """Take the four digits for the year."""
    table = pd.read_csv(path)
    years = table["Date enrollement"].str.extract(r"(\d{4})")[0].astype(int)
    return years.max()


def careful_latest_start(path: Path) -> Reading:
    """Keep the wording, flag the date, and leave it out of the years."""
    records, _ = read(path)
    return Reading(records["start"].str[:4].dropna().astype(int).max(), flags(records, "start"))


def make_serial_date(folder: Path) -> Path:
    """Let a spreadsheet turn one of three start dates into its day number."""
    days = ("2019-05-20", "18647.0", "2021-02-01")
    return portal_csv(folder, [trial(n, Date_enrollement=day) for n, day in enumerate(days, 1)])


def naive_serial_date(path: Path) -> float:
    """Turn whatever is a number into a date."""
    table = pd.read_csv(path)
    numbers = pd.to_numeric(table["Date enrollement"], errors="coerce")
    dates = pd.to_datetime(numbers).fillna(
        pd.to_datetime(table["Date enrollement"], errors="coerce")
    )
    return dates.dt.year.min()


def careful_earliest_start(path: Path) -> Reading:
    """Refuse to guess which day zero was meant."""
    records, _ = read(path)
    return Reading(records["start"].str[:4].dropna().astype(int).min(), flags(records, "start"))


def make_group_sizes(folder: Path) -> Path:
    """Give sizes by group, the last one without its semicolon."""
    sizes = ("active:49;sham:49;", "Target condition:200;Difficult condition:80", "60")
    return portal_csv(folder, [trial(n, Target_size=size) for n, size in enumerate(sizes, 1)])


def naive_group_sizes(path: Path) -> float:
    """Add the numbers between colon and semicolon."""
    table = pd.read_csv(path)
    sizes = [
        sum(int(n) for n in re.findall(r":(\d+);", text)) if ":" in text else int(text)
        for text in table["Target size"]
    ]
    return sum(sizes)


def careful_group_sizes(path: Path) -> Reading:
    """Add the groups of each trial, whatever stands at their end."""
    enrolment = read(path)[0]["enrolment"]
    return Reading(enrolment.sum(), "groups added: " + ", ".join(map(str, enrolment)))


def make_sentinel(folder: Path) -> Path:
    """Say "unknown" with the number 99,999,999 in one of four trials."""
    counts = (40, 60, 50, 99_999_999)
    return page(
        folder / "page-0001.json",
        [
            study(number, designModule={"enrollmentInfo": {"count": count}})
            for number, count in enumerate(counts, 1)
        ],
    )


def naive_sentinel(path: Path) -> float:
    """Take the mean."""
    studies = json.loads(path.read_text())["studies"]
    counts = [s["protocolSection"]["designModule"]["enrollmentInfo"]["count"] for s in studies]
    return sum(counts) / len(counts)


def careful_sentinel(path: Path) -> Reading:
    """Take the sentinel for what it says: nothing."""
    records, _ = read(path)
    return Reading(records["enrolment"].mean(), flags(records, "enrolment"))


def make_phase_na(folder: Path) -> Path:
    """Write "not applicable" in three spellings, a phase, and nothing."""
    phases = ("N/A", "NA", "Not Applicable", "Phase 2", "")
    return portal_csv(folder, [trial(n, Phase=phase) for n, phase in enumerate(phases, 1)])


def naive_phase_na(path: Path) -> float:
    """Count the empty cells."""
    table = pd.read_csv(path)
    return table["Phase"].isna().sum()


def careful_phase_na(path: Path) -> Reading:
    """Tell "not applicable", which is an answer, from no answer."""
    phases = read(path)[0]["phase"]
    return Reading(phases.isna().sum(), f"{phases.eq('NA').sum()} say “not applicable”")


def make_results_flag(folder: Path) -> Path:
    """Leave the results flag empty, as the portal does, where results were posted."""
    posted = ("21/05/2021", "", "02/06/2022", "")
    return portal_csv(
        folder,
        [
            trial(
                f"ISRCTN1000000{number}",
                results_yes_no="",
                results_date_posted=day,
                Source_Register="ISRCTN",
            )
            for number, day in enumerate(posted)
        ],
    )


def naive_results_flag(path: Path) -> float:
    """Ask the column that is there for it."""
    table = pd.read_csv(path)
    return (table["results yes no"] == "Yes").sum()


def careful_results_flag(path: Path) -> Reading:
    """Count the posting dates, and call the rest unknown."""
    results = read(path)[0]["results"]
    unknown, no = results.eq("unknown").sum(), results.eq("no").sum()
    return Reading(results.eq("yes").sum(), f"{unknown} unknown, {no} “no”")


VALUE_EXHIBITS = (
    Exhibit(
        "day-first",
        DATES,
        "The third of April, or the fourth of March",
        "Each registry writes dates in its own way, and a portal export holds them side by side. "
        "Left to itself, the reader takes the month for the day, in silence, because every day "
        "here is also a possible month.",
        "WHO portal: Date registration; three formats among 18 registries",
        "trials registered in March",
        make_day_first,
        naive_day_first,
        careful_day_first,
        3,
    ),
    Exhibit(
        "year-2641",
        DATES,
        "The trial that starts in 2641",
        "A typing error, kept by the registry ever since. It is enough to stretch an axis over six "
        "centuries.",
        "WHO portal: a trial of the Iranian registry",
        "year of the latest start",
        make_year_2641,
        naive_year_2641,
        careful_latest_start,
        2021,
    ),
    Exhibit(
        "serial-date",
        DATES,
        "Day 18,647",
        "A spreadsheet has turned a date into a number of days. Since when? 1900, 1904 and 1970 "
        "are all in use. This one is from this book's own sample: trial NCT04721210.",
        "this book's snapshot “ictrp-other-registries”",
        "year of the earliest start",
        make_serial_date,
        naive_serial_date,
        careful_earliest_start,
        2019,
    ),
    Exhibit(
        "last-group",
        SIZES,
        "The group without a semicolon",
        "Some registries give the size of each group, closed by a semicolon, which now and then is "
        "missing after the last. A pattern that asks for the semicolon drops that group.",
        "WHO portal, XML of 2020: 36 of 578 trials",
        "participants planned",
        make_group_sizes,
        naive_group_sizes,
        careful_group_sizes,
        438,
    ),
    Exhibit(
        "sentinel",
        SIZES,
        "A hundred million volunteers",
        "Where a number must be given and none is known, someone once typed 99,999,999. One such "
        "record is enough to spoil a mean.",
        "ClinicalTrials.gov: EnrollmentCount",
        "mean enrolment",
        make_sentinel,
        naive_sentinel,
        careful_sentinel,
        50,
    ),
    Exhibit(
        "phase-na",
        SIZES,
        "The answer that was taken for a blank",
        "“N/A” is an answer: this trial has no phase, as most device trials have none. The most "
        "used table reader in science takes the letters for an empty cell.",
        "ClinicalTrials.gov: 234,433 studies say not applicable, 141,903 say nothing",
        "trials that do not state a phase",
        make_phase_na,
        naive_phase_na,
        careful_phase_na,
        1,
    ),
    Exhibit(
        "results-flag",
        SIZES,
        "No results anywhere",
        "The column that should say whether results exist is empty in whole exports. Read as “no”, "
        "it says that nobody ever reported anything.",
        "WHO portal: 0 of 927 flags set in 2020; blank in 2026, although 13.8 % had a results date",
        "trials with results",
        make_results_flag,
        naive_results_flag,
        careful_results_flag,
        2,
    ),
)
