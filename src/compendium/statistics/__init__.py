"""Statistics of a collection of trials: tables come in, tables with intervals go out.

A share never travels without its numerator, its denominator and an interval, and what is not known
is a row of its own, never a "no".
"""

from compendium.statistics.design import enrolment_quartiles, masking_shares
from compendium.statistics.outcomes import (
    PostedBy,
    TimeToResults,
    discontinuation,
    posted_by,
    time_to_results,
)
from compendium.statistics.shares import (
    NOT_STATED,
    Share,
    commonest,
    gap_map,
    lump_rare,
    share,
    share_note,
    share_table,
)
from compendium.statistics.years import (
    Trend,
    last_complete_year,
    starts_per_year,
    trend,
    trend_in_words,
)

__all__ = [
    "NOT_STATED",
    "PostedBy",
    "Share",
    "TimeToResults",
    "Trend",
    "commonest",
    "discontinuation",
    "enrolment_quartiles",
    "gap_map",
    "last_complete_year",
    "lump_rare",
    "masking_shares",
    "posted_by",
    "share",
    "share_note",
    "share_table",
    "starts_per_year",
    "time_to_results",
    "trend",
    "trend_in_words",
]
