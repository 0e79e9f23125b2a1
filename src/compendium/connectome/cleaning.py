"""Filtering and regression of one run as a single projection, with the degrees of freedom left.

Band-pass, global signal and confounds are taken out together, as one least-squares projection:
done one after the other, a later step brings back what an earlier one removed. Because the
projection is explicit, the degrees of freedom that remain are counted and not guessed: the volumes,
less one for the mean, less the frequencies outside the band, less every independent regressor
(a scrubbed volume is one). What was taken out before the source was published is not known here,
and not subtracted. A partial correlation's Fisher z has the variance 1 / (df - 2), which is the
familiar 1 / (n - 3) where only the mean was taken out: df - 2 is the weight of a run.

A band-passed run is kept as its cosine coefficients within the band. They are a rotation of the
filtered series, so every correlation is the same, and there are fewer of them than volumes.
"""

from dataclasses import asdict, dataclass

import numpy as np
import scipy.fft

from compendium.errors import InputError

MINIMUM_DF = 10
ROUNDING = 1e-6  # a series that varies less than this, relative to its size, is constant
BLOCK = 1024  # locations handled at a time


@dataclass(frozen=True)
class Cleaning:
    """What is taken out of every run.

    Attributes
    ----------
    band : tuple of float or None
        Lowest and highest frequency that stay, Hz; None keeps all but the mean.
    regress_global : bool
        Whether the mean series of all locations with signal is regressed out.
    """

    band: tuple[float, float] | None = None
    regress_global: bool = False

    def __post_init__(self) -> None:
        if self.band is not None and not 0 <= self.band[0] < self.band[1]:
            raise InputError(
                f"a band of {self.band[0]:g} to {self.band[1]:g} Hz is empty",
                remedy="give the lower frequency first",
            )

    def as_dict(self) -> dict:
        """Return the options as they stand in a manifest."""
        options = asdict(self)
        options["band"] = None if self.band is None else list(self.band)
        return options


@dataclass(frozen=True)
class CleanRun:
    """One run, ready to be cleaned block by block.

    Attributes
    ----------
    df : int
        Degrees of freedom that every cleaned series has.
    n_columns : int
        Numbers kept per location: volumes, or coefficients within the band.
    n_regressors : int
        Independent series regressed out: confounds, scrubbed volumes, global signal.
    n_volumes : int
        Volumes of the run.
    missing : ndarray, shape (n_locations,), bool
        Locations without signal: constant, or not finite.
    """

    run: np.ndarray
    basis: np.ndarray | None
    confounds: np.ndarray
    df: int
    missing: np.ndarray

    @property
    def n_volumes(self) -> int:
        """Volumes of the run."""
        return len(self.run)

    @property
    def n_columns(self) -> int:
        """Numbers kept per location."""
        return len(self.confounds)

    @property
    def n_regressors(self) -> int:
        """Independent series regressed out."""
        return self.confounds.shape[1]

    def block(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the cleaned series of some locations, scaled to length 1, and their SDs.

        Parameters
        ----------
        start, stop : int
            Range of locations.

        Returns
        -------
        unit : ndarray, shape (n_columns, stop - start), float64
            Columns of length 1; columns of 0 where the location is missing.
        sd : ndarray, shape (stop - start,), float64
            SD of the cleaned series in the run's own units; NaN where missing.
        """
        run = self.run[:, start:stop]
        series = _project(run, self.basis)
        if self.confounds.shape[1]:
            series -= self.confounds @ (self.confounds.T @ series)
        length = np.sqrt(np.einsum("tv,tv->v", series, series))
        # what is left of a series that lay wholly in what was taken out is rounding, no signal
        with np.errstate(invalid="ignore"):
            left = length > ROUNDING * np.abs(run).max(axis=0)
        gone = self.missing[start:stop] | ~left
        series *= np.divide(1.0, length, out=np.zeros_like(length), where=~gone)
        series[:, gone] = 0  # NaN times 0 is NaN
        return series, np.where(gone, np.nan, length / np.sqrt(self.n_volumes - 1))


def clean_run(
    run: np.ndarray,
    cleaning: Cleaning,
    repetition_time: float | None = None,
    confounds: np.ndarray | None = None,
    where: str = "",
) -> CleanRun:
    """Work out how one run is cleaned.

    Parameters
    ----------
    run : ndarray, shape (n_volumes, n_locations)
        Time series; NaN marks locations without signal.
    cleaning : Cleaning
        What is taken out.
    repetition_time : float, optional
        Seconds between volumes; needed for a band.
    confounds : ndarray, shape (n_volumes, n_confounds), optional
        Series to be regressed out.
    where : str
        Subject and run, for messages.

    Returns
    -------
    CleanRun

    Raises
    ------
    InputError
        If the run is not a table of numbers, has too few volumes for the cleaning asked for, has
        no signal anywhere, or if the confounds do not fit it.

    Examples
    --------
    >>> run = np.random.default_rng(0).standard_normal((100, 3))
    >>> clean = clean_run(run, Cleaning(band=(0.01, 0.1)), repetition_time=2.0)
    >>> clean.n_volumes, clean.n_columns, clean.df
    (100, 37, 37)
    """
    run = np.asarray(run)
    if run.ndim != 2 or not np.issubdtype(run.dtype, np.floating):
        raise InputError(
            f"a run is a table of decimal numbers, volumes by locations; this is {run.ndim}D "
            f"of type {run.dtype}",
            where=where,
        )
    n_volumes = len(run)
    if n_volumes < MINIMUM_DF + 1:
        raise _too_short(n_volumes, n_volumes - 1, where)
    basis = None if cleaning.band is None else _cosines(n_volumes, cleaning, repetition_time, where)
    regressors = [] if confounds is None else [_checked(confounds, n_volumes, where)]
    missing = _missing(run)
    if missing.all():
        raise InputError(
            "no location has a signal: every series is constant or not finite",
            where=where,
            remedy="leave the run out",
        )
    if cleaning.regress_global:
        regressors.append(_global_mean(run, missing))
    projected = [_project(columns, basis) for columns in regressors]
    kept = n_volumes if basis is None else basis.shape[1]
    taken = np.zeros((kept, 0))
    if projected:
        # a regressor that lies wholly outside the band leaves rounding, and rounding is not one
        whole = np.linalg.norm(np.hstack(regressors), axis=0)
        taken = _orthonormal(np.hstack(projected), ROUNDING * whole)
    df = kept - taken.shape[1] - (basis is None)  # the mean costs one; the band leaves it out
    if df < MINIMUM_DF:
        raise _too_short(n_volumes, df, where)
    return CleanRun(run, basis, taken, df, missing)


def _cosines(
    n_volumes: int, cleaning: Cleaning, repetition_time: float | None, where: str
) -> np.ndarray:
    """Return the orthonormal cosines within the band, shape (n_volumes, n_kept); never the mean."""
    if not repetition_time or repetition_time <= 0:
        raise InputError(
            "a band in Hz needs the time between volumes, and the source does not state it",
            where=where,
            remedy="state the repetition time in the source (of Lead-DBS and .npy folders as an "
            "option, FOLDER?tr=2.0), or prepare without a band",
        )
    low, high = cleaning.band
    frequencies = np.arange(n_volumes) / (2 * n_volumes * repetition_time)
    kept = (frequencies >= low) & (frequencies <= high) & (frequencies > 0)
    return scipy.fft.idct(np.eye(n_volumes), axis=0, norm="ortho")[:, kept]


def _project(columns: np.ndarray, basis: np.ndarray | None) -> np.ndarray:
    """Return the series demeaned, or as coefficients of the basis, float64."""
    series = columns.astype(np.float64)
    with np.errstate(invalid="ignore"):  # series without signal are set to 0 later
        if basis is None:
            series -= series.mean(axis=0)
            return series
        return basis.T @ series


def _checked(confounds: np.ndarray, n_volumes: int, where: str) -> np.ndarray:
    confounds = np.asarray(confounds, float)
    if confounds.ndim != 2 or len(confounds) != n_volumes or not np.isfinite(confounds).all():
        raise InputError(
            f"the confounds are not a table of {n_volumes} finite rows, one a volume "
            f"(shape {confounds.shape})",
            where=where,
        )
    return confounds


def _missing(run: np.ndarray) -> np.ndarray:
    """Return which locations have no signal: constant to rounding, or not finite."""
    missing = np.ones(run.shape[1], bool)
    for start in range(0, run.shape[1], 4 * BLOCK):
        part = run[:, start : start + 4 * BLOCK]
        low, high = part.min(axis=0), part.max(axis=0)  # NaN and infinity show in either
        size = np.maximum(np.abs(low), np.abs(high))
        with np.errstate(invalid="ignore"):
            varies = (high - low) > ROUNDING * size
        missing[start : start + 4 * BLOCK] = ~(varies & np.isfinite(size))
    return missing


def _global_mean(run: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return the mean series of all locations with signal, shape (n_volumes, 1), float64."""
    total = np.zeros(len(run))
    for start in range(0, run.shape[1], 4 * BLOCK):
        good = ~missing[start : start + 4 * BLOCK]
        total += run[:, start : start + 4 * BLOCK][:, good].sum(axis=1, dtype=np.float64)
    return (total / (~missing).sum())[:, None]


def _orthonormal(columns: np.ndarray, smallest: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what the columns span, without what adds nothing new."""
    sizes = np.linalg.norm(columns, axis=0)
    good = sizes > smallest
    left, strength, _ = np.linalg.svd(columns[:, good] / sizes[good], full_matrices=False)
    return left[:, strength > 1e-8]


def _too_short(n_volumes: int, df: int, where: str) -> InputError:
    return InputError(
        f"{n_volumes} volumes leave {max(df, 0)} degrees of freedom, "
        f"at least {MINIMUM_DF} are needed",
        where=where,
        remedy="leave the run out, or take out less",
    )
