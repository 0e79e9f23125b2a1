"""What became of trials: stopped early or not, results posted or not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight

from compendium.statistics.shares import share, values_of

STOPPED = ("TERMINATED", "WITHDRAWN", "SUSPENDED")
COMPLETED = ("COMPLETED",)
UNKNOWN = ("UNKNOWN",)
DAYS_A_MONTH = 365.25 / 12


def discontinuation(table: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """Return how many trials stopped early, of those whose end is known.

    Parameters
    ----------
    table : DataFrame
        One row per trial, with `status`.
    by : str, optional
        A column (text or tuples) to split by; a trial counts under each of its values.

    Returns
    -------
    DataFrame
        `value` ("all" without `by`), `trials`, `stopped` (terminated, withdrawn or suspended),
        `completed`, `unknown` (the registry calls the status unknown), `not_stated`, `ongoing` (the
        rest), and `share`, `low`, `high`, `text` of stopped among stopped or completed. `best` and
        `worst` bound that share: had every trial of unknown status been completed, or stopped;
        `bounds` says them. Sorted by falling number of trials.
    """
    values = (
        pd.Series([("all",)] * len(table), index=table.index)
        if by is None
        else table[by].map(values_of)
    )
    split = pd.DataFrame({"value": values, "status": table["status"]}).explode("value")
    rows = [{"value": value, **_ends(group["status"])} for value, group in split.groupby("value")]
    columns = ["value", "trials", "stopped", "completed", "unknown", "not_stated", "ongoing"]
    columns += ["share", "low", "high", "best", "worst", "text", "bounds"]
    result = pd.DataFrame(rows, columns=columns)
    return result.sort_values(["trials", "value"], ascending=[False, True], ignore_index=True)


def _ends(status: pd.Series) -> dict[str, object]:
    stopped, completed, unknown = (
        int(status.isin(kind).sum()) for kind in (STOPPED, COMPLETED, UNKNOWN)
    )
    not_stated = int(status.isna().sum())
    ended = share(stopped, stopped + completed, of="trials stopped or completed")
    best = share(stopped, stopped + completed + unknown)
    worst = share(stopped + unknown, stopped + completed + unknown)
    bounds = f"{100 * best.estimate:.1f} to {100 * worst.estimate:.1f} %"
    return {
        "trials": len(status),
        "stopped": stopped,
        "completed": completed,
        "unknown": unknown,
        "not_stated": not_stated,
        "ongoing": len(status) - stopped - completed - unknown - not_stated,
        "share": ended.estimate,
        "low": ended.low,
        "high": ended.high,
        "best": best.estimate,
        "worst": worst.estimate,
        "text": str(ended),
        "bounds": bounds if best.n else "no estimate",
    }


@dataclass(frozen=True)
class TimeToResults:
    """How long results took to be posted.

    Attributes
    ----------
    curve : DataFrame
        Kaplan–Meier: `months` since primary completion, `at_risk`, `posted` (share with results by
        then), `low`, `high`; a row at 0 and one per time at which a trial posted.
    cohort : DataFrame
        Who is in it and who is not, and why: `state`, `n`; sums to all trials given.
    durations : Series
        Months of each trial followed, to results or to censoring.
    n, events : int
        Trials followed, and those that posted.
    """

    curve: pd.DataFrame
    cohort: pd.DataFrame
    durations: pd.Series
    n: int
    events: int


def time_to_results(table: pd.DataFrame) -> TimeToResults:
    """Estimate the time from primary completion to posted results.

    A trial is followed if it was completed or terminated and its primary completion is dated (to
    the month at least) and not after its data; it is censored at the date of its data. Trials
    whose record does not say whether results were posted are left out and counted.

    Parameters
    ----------
    table : DataFrame
        One row per trial: `status`, `primary_completion`, `primary_completion_kind`, `results`,
        `results_first_posted`, and `data_date`, the date to which its registry's data reach.

    Returns
    -------
    TimeToResults
        Intervals are pointwise 95 %, on the log(−log) scale with Greenwood's variance.

    Notes
    -----
    Months without a day are taken at their middle. Results posted before primary completion count
    as posted at 0. Withdrawal of a record would be a competing event; registries keep records.
    """
    end = _day(table["primary_completion"])
    data = _day(table["data_date"])
    posted = _day(table["results_first_posted"])
    results = table["results"].fillna("unknown")
    state = pd.Series("followed", index=table.index)
    for name, applies in reversed(
        (
            ("not completed or terminated", ~table["status"].isin([*COMPLETED, "TERMINATED"])),
            ("primary completion not dated to the month", end.isna()),
            (
                "primary completion anticipated or after the data",
                (table["primary_completion_kind"] == "anticipated").fillna(False) | (end > data),
            ),
            ("results not stated", (results == "unknown") & posted.isna()),
            ("results posted, date not stated", (results == "yes") & posted.isna()),
        )
    ):
        state = state.mask(applies.astype(bool), name)
    followed = state == "followed"
    event = followed & posted.notna() & (posted <= data)
    until = posted.where(event, data)
    months = ((until - end).dt.days / DAYS_A_MONTH).clip(lower=0)
    cohort = state.value_counts().rename_axis("state").reset_index(name="n")
    cohort = cohort.sort_values(["n", "state"], ascending=[False, True], ignore_index=True)
    curve = kaplan_meier(months[followed].to_numpy(float), event[followed].to_numpy(bool))
    return TimeToResults(curve, cohort, months[followed], int(followed.sum()), int(event.sum()))


def kaplan_meier(months: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    """Return the share that has had the event, by time.

    Parameters
    ----------
    months : ndarray, shape (n,)
        Time to the event or to censoring.
    event : ndarray of bool, shape (n,)
        Whether the event was seen.

    Returns
    -------
    DataFrame
        `months`, `at_risk`, `posted`, `low`, `high`; missing limits where nobody or everybody has
        had the event.
    """
    start = pd.DataFrame(
        {
            "months": [0.0],
            "at_risk": [len(months)],
            "posted": [0.0],
            "low": [np.nan],
            "high": [np.nan],
        }
    )
    if not event.any():
        return start
    fitted = SurvfuncRight(months, event.astype(int))
    survival = np.asarray(fitted.surv_prob)
    inner = (survival > 0) & (survival < 1)
    low, high = np.full(len(survival), np.nan), np.full(len(survival), np.nan)
    log = np.log(survival[inner])
    spread = norm.ppf(0.975) * np.asarray(fitted.surv_prob_se)[inner] / (survival[inner] * -log)
    # survival S lies in S^exp(±spread); the share with the event is its complement
    low[inner] = 1 - survival[inner] ** np.exp(-spread)
    high[inner] = 1 - survival[inner] ** np.exp(spread)
    steps = pd.DataFrame(
        {
            "months": np.asarray(fitted.surv_times, dtype=float),
            "at_risk": np.asarray(fitted.n_risk, dtype=int),
            "posted": 1 - survival,
            "low": low,
            "high": high,
        }
    )
    return pd.concat([start, steps], ignore_index=True)


@dataclass(frozen=True)
class PostedBy:
    """The Kaplan–Meier curve read at one time.

    Attributes
    ----------
    months : float
    estimate, low, high : float
        Share with posted results by then, and its interval (NaN where it cannot be had).
    n, at_risk : int
        Trials followed, and those still without results and under observation at that time.
    """

    months: float
    estimate: float
    low: float
    high: float
    n: int
    at_risk: int

    def __str__(self) -> str:
        interval = f"{100 * self.low:.1f}–{100 * self.high:.1f}"
        interval = "interval not estimable" if np.isnan(self.low) else interval
        return f"{100 * self.estimate:.1f} % ({interval}; Kaplan–Meier, {self.n:,} trials followed)"


def posted_by(result: TimeToResults, months: float) -> PostedBy:
    """Read the curve at a number of months after primary completion."""
    row = result.curve[result.curve["months"] <= months].iloc[-1]
    at_risk = int((result.durations > months).sum())
    return PostedBy(
        months, float(row["posted"]), float(row["low"]), float(row["high"]), result.n, at_risk
    )


def _day(dates: pd.Series) -> pd.Series:
    """Turn ISO dates into days; a month is taken at its middle, a bare year is missing."""
    text = dates.astype("string")
    full = text.where(text.str.len() != 7, text + "-15")
    return pd.to_datetime(full.where(full.str.len() == 10), format="%Y-%m-%d")
