"""Count, mean and spread of numbers seen piece by piece, and what follows from them."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

ROUNDING = 1e-11  # of a sum of squares in float64, over thousands of subjects
CHUNK = 4096  # places handled at a time, to keep scratch memory small


@dataclass(frozen=True)
class Moments:
    """Moments of one quantity over subjects, for any array of places.

    Attributes
    ----------
    n : ndarray of int32
        Subjects counted.
    mean : ndarray, float64
        Their mean; NaN where `n` is 0.
    m2 : ndarray, float64
        Sum of squared deviations from the mean; NaN where `n` is 0.
    """

    n: np.ndarray
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def of_sums(cls, n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> "Moments":
        """Return moments from sums in float64, shape (…, places, seeds); both are overwritten.

        Fisher z of single-precision data never exceeds 7.3 and is known to seven digits, so
        float64 sums lose nothing that was there.
        """
        counts = np.broadcast_to(n.astype(float), total.shape)
        gaps = bool((n == 0).any())
        for start in range(0, total.shape[-2], CHUNK):
            part = (..., slice(start, start + CHUNK), slice(None))
            count, mean, m2 = counts[part], total[part], squares[part]
            with np.errstate(invalid="ignore", divide="ignore"):
                np.divide(mean, count, out=mean)
            of_mean = count * mean
            of_mean *= mean
            m2 -= of_mean
            # what is left of equal values is rounding, of either sign
            of_mean *= ROUNDING
            np.copyto(m2, 0.0, where=m2 < of_mean)
            if gaps:
                np.copyto(m2, np.nan, where=count == 0)
        return cls(n, total, squares)

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of subjects together.

        After Chan, Golub and LeVeque (1979); exact, whatever the sizes of the two.
        """
        n = self.n + other.n
        weight = np.divide(other.n, n, out=np.zeros(n.shape), where=n > 0)
        apart = other.mean - self.mean
        mean = self.mean + weight * apart
        m2 = self.m2 + other.m2 + apart**2 * weight * self.n
        for only, empty in ((self, other), (other, self)):
            alone = empty.n == 0
            if alone.any():
                mean = np.where(alone, only.mean, mean)
                m2 = np.where(alone, only.m2, m2)
        return Moments(n, mean, m2)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation over subjects; NaN for fewer than two."""
        return np.sqrt(self._variance())

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean; NaN for fewer than two subjects."""
        return np.sqrt(self._variance() / np.maximum(self.n, 1))

    @property
    def t(self) -> np.ndarray:
        """One-sample t of the mean against zero; NaN where the values do not vary."""
        error = self.standard_error
        return np.divide(self.mean, error, out=np.full(error.shape, np.nan), where=error > 0)

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return the t-based confidence interval of the mean."""
        quantile = stats.t.ppf(0.5 + level / 2, np.maximum(self.n - 1, 1))
        reach = quantile * self.standard_error
        return self.mean - reach, self.mean + reach

    def _variance(self) -> np.ndarray:
        return np.divide(self.m2, self.n - 1, out=np.full(self.m2.shape, np.nan), where=self.n > 1)
