"""Starts per year and their trend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm

from compendium.errors import InputError
from compendium.statistics.shares import values_of


def last_complete_year(dates: Iterable[str]) -> int:
    """Return the last calendar year that all data cover to its end.

    Parameters
    ----------
    dates : iterable of str
        Day, or at least year, to which each snapshot reaches, in ISO form.

    Examples
    --------
    >>> last_complete_year(["2020-07-28", "2026-04"]), last_complete_year(["2020-12-31"])
    (2019, 2020)
    """
    first = min(dates)
    year = int(first[:4])
    return year if first[4:] == "-12-31" else year - 1


def starts_per_year(
    table: pd.DataFrame, *, complete_to: int, by: str | None = None
) -> pd.DataFrame:
    """Count the trials that start in each year.

    Parameters
    ----------
    table : DataFrame
        One row per trial, with `start` (ISO date of any precision, or missing) and `start_kind`.
    complete_to : int
        The last calendar year that the data cover to its end.
    by : str, optional
        A column (text or tuples) to count apart; a trial counts under each of its values.

    Returns
    -------
    DataFrame
        `year` (missing for trials without a start date), `value` (of `by`; "all" without it), `n`,
        `state`: "complete", "partial" (after `complete_to`) or "not stated". Every year between
        the first and the last has a row for every value, of 0 if need be.
    """
    years = table["start"].str[:4].astype("Int64")
    values = (
        pd.Series([("all",)] * len(table), index=table.index)
        if by is None
        else table[by].map(values_of)
    )
    starts = pd.DataFrame({"year": years, "value": values}).explode("value")
    counts = starts.groupby(["year", "value"], dropna=False).size()
    known = years.dropna()
    names = sorted(starts["value"].unique())
    span: list = list(range(int(known.min()), int(known.max()) + 1)) if len(known) else []
    rows = [(year, name, int(counts.get((year, name), 0))) for year in span for name in names]
    missing = starts[starts["year"].isna()]["value"].value_counts()
    rows += [(pd.NA, name, int(missing[name])) for name in names if name in missing.index]
    result = pd.DataFrame(rows, columns=["year", "value", "n"]).astype({"year": "Int64"})
    result["state"] = np.select(
        [result["year"].isna(), (result["year"] > complete_to).fillna(False).astype(bool)],
        ["not stated", "partial"],
        "complete",
    )
    return result


@dataclass(frozen=True)
class Trend:
    """A rate ratio per year, with its interval.

    Attributes
    ----------
    ratio, low, high : float
        Starts of one year over those of the year before.
    first, last : int
        Years fitted.
    n : int
        Trials in them.
    dispersion : float
        Pearson chi-square over its degrees of freedom; standard errors are scaled by its root
        where it is above 1.
    offset : bool
        Whether growth of the registry itself was divided out.
    """

    ratio: float
    low: float
    high: float
    first: int
    last: int
    n: int
    dispersion: float
    offset: bool

    def __str__(self) -> str:
        change, low, high = (100 * (value - 1) for value in (self.ratio, self.low, self.high))
        return f"{change:+.1f} % a year ({low:+.1f} to {high:+.1f}), {self.first}–{self.last}"


def trend_in_words(starts: pd.DataFrame) -> str:
    """Fit the trend and say it, or say why there is none."""
    try:
        found = trend(starts)
    except InputError as error:
        return f"not estimable: {error.what}"
    return f"{found}; the counts scatter {found.dispersion:.1f} times as much as Poisson's"


def trend(
    starts: pd.DataFrame, *, first: int | None = None, registered: Mapping[int, int] | None = None
) -> Trend:
    """Fit a log-linear trend to the complete years.

    Parameters
    ----------
    starts : DataFrame
        What `starts_per_year` returned, for one value.
    first : int, optional
        The first year to fit; default: the first with a start.
    registered : mapping, optional
        All registrations of the registry by year, as an offset. Without it, growth of the registry
        and growth of the field cannot be told apart.

    Raises
    ------
    InputError
        If fewer than five complete years are left, or the offset misses one.

    Notes
    -----
    Poisson regression (log link); where the counts scatter more than Poisson, standard errors are
    scaled by the root of the Pearson dispersion.
    """
    years = starts[(starts["state"] == "complete") & (starts["year"] >= (first or 0))]
    years = years.sort_values("year")
    if len(years) < 5:
        raise InputError(f"{len(years)} complete years are too few for a trend", where="starts")
    x = years["year"].to_numpy(float)
    log_registered = None
    if registered is not None:
        without = sorted(set(years["year"]) - set(registered))
        if without:
            raise InputError(f"no number of registrations for {without[0]}", where="registered")
        log_registered = np.log([registered[int(year)] for year in x])
    model = sm.GLM(
        years["n"].to_numpy(float),
        sm.add_constant(x - x.mean()),
        family=sm.families.Poisson(),
        offset=log_registered,
    )
    fitted = model.fit()
    dispersion = float(fitted.pearson_chi2 / fitted.df_resid)
    error = fitted.bse[1] * max(1.0, dispersion) ** 0.5
    slope = fitted.params[1]
    ratio, low, high = np.exp([slope, slope - 1.96 * error, slope + 1.96 * error])
    return Trend(
        float(ratio),
        float(low),
        float(high),
        int(x[0]),
        int(x[-1]),
        int(years["n"].sum()),
        dispersion,
        registered is not None,
    )
