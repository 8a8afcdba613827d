"""Variance of a step from its open, high, low and close: many times as precise as its squared return.

With u = ln(high / open), d = ln(low / open), c = ln(close / open), all in variance per step:

- Parkinson (1980): ``(u - d)^2 / (4 ln 2)``.
- Garman and Klass (1980), their practical form: ``(u - d)^2 / 2 - (2 ln 2 - 1) c^2``.
- Rogers and Satchell (1991): ``u (u - c) + d (d - c)``; the only one that a drift does not bias.
- Yang and Zhang (2000), over a window of n steps: ``var(o) + k var(c) + (1 - k) mean(Rogers-Satchell)`` with o the
  log gap from the last close to the open and ``k = 0.34 / (1.34 + (n + 1) / (n - 1))``.

For a Brownian motion without drift, watched all the time, the first three are unbiased. Their efficiency, the variance
of c^2 over theirs, is 4.91 (Parkinson: 2 / (9 zeta(3) / (16 ln(2)^2) - 1); 5.2 in much of the literature), 7.4 and 6.0.
A high and a low seen only at a few trades are too near to each other: all of them are then too small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.ohlc import MAX_WICK, Bars, checked_bars, clipped_bars

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RangeVariance:
    """A variance a step from ranges.

    Attributes
    ----------
    method : ``"parkinson"``, ``"garman_klass"``, ``"rogers_satchell"`` or ``"yang_zhang"``.
    variance : Series, variance per step in the square of log returns, by the rows of the bars. The first row is missing
        where the gap from the last close counts, the first `window` rows of Yang and Zhang.
    overnight : whether the squared gap from the last close to the open is in it.
    findings : clipped and flat bars, by row.
    """

    method: str
    variance: pd.Series
    overnight: bool
    findings: tuple[Finding, ...]

    def summary(self) -> pd.DataFrame:
        """Bars, mean and median variance, root of the mean (sd per step), bars of zero variance."""
        known = self.variance.dropna()
        row = {
            "bars": known.size,
            "mean": known.mean(),
            "median": known.median(),
            "volatility": math.sqrt(known.mean()),
            "zero": int((known == 0.0).sum()),
        }
        return pd.DataFrame([row], index=pd.Index([self.method], name="method"))

    def __repr__(self) -> str:
        return f"RangeVariance({self.method}: {self.variance.size} bars)"

    def _repr_html_(self) -> str:
        table = self.summary()
        cells = [f"{value:.6g}" for value in table.to_numpy(dtype=np.float64)[0]]
        found = html_table(["method", *table.columns], [(self.method, *cells)])
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return found + (html_table(["finding", "severity", "message"], notes) if notes else "")


def range_variance(
    ohlc: pd.DataFrame,
    method: str = "garman_klass",
    *,
    overnight: bool = False,
    window: int = 21,
    max_wick: float | None = MAX_WICK,
) -> RangeVariance:
    """The variance of each step from its open, high, low and close.

    Parameters
    ----------
    ohlc : DataFrame with columns open, high, low, close (any case; others are ignored), prices > 0, rows in time order.
    method : see the head of this module; Garman-Klass is the most precise of those a step.
    overnight : add the squared log gap from the last close to the open, so that the whole time from close to close is
        covered: for markets that close. Yang-Zhang holds its own overnight part always.
    window : steps of Yang-Zhang, >= 2; ignored by the others.
    max_wick : a wick may be that many times the median log range of the 21 bars before (of the first 21 for these), or
        as long as the bar's own body |ln(close / open)| if that is more; a longer one is clipped to it. A real move has
        a body, a bad print has a wick. Each clipped bar is named in a finding; None clips nothing.

    Returns
    -------
    RangeVariance

    Raises
    ------
    InputError : an argument breaks a rule.
    DataError : columns are missing; prices are not positive numbers; a high is below, or a low above, the open or the
        close: with the rows.
    """
    problems = Problems("range_variance")
    problems.choice("method", method, (*ESTIMATORS, "yang_zhang"))
    flag = isinstance(overnight, bool)
    problems.check(flag, "overnight", overnight, "must be True or False", "True adds the gap from the last close")
    window = problems.integer("window", window, low=2, remedy="21 for a month of days")
    if max_wick is not None:
        problems.number("max_wick", max_wick, low=1.0, remedy=f"{MAX_WICK:g} is the default; None clips nothing")
    problems.raise_if_any()
    bars = checked_bars(ohlc)
    findings: tuple[Finding, ...] = ()
    if max_wick is not None:
        bars, findings = clipped_bars(bars, float(max_wick))
    if method == "yang_zhang":
        values, overnight = yang_zhang(bars, window), True
    else:
        values = ESTIMATORS[method](bars)
        values = values + bars.gap**2 if overnight else values
    findings = (*findings, *_flat(bars, values))
    return RangeVariance(method, pd.Series(values, bars.index, name=method), overnight, findings)


def parkinson(bars: Bars) -> Array:
    """(n,) ``ln(high / low)^2 / (4 ln 2)``: the square of the logarithm, not the logarithm of the square."""
    return (bars.up - bars.down) ** 2 / (4.0 * math.log(2.0))


def garman_klass(bars: Bars) -> Array:
    """(n,) ``(u - d)^2 / 2 - (2 ln 2 - 1) c^2``, never negative."""
    return 0.5 * (bars.up - bars.down) ** 2 - (2.0 * math.log(2.0) - 1.0) * bars.body**2


def rogers_satchell(bars: Bars) -> Array:
    """(n,) ``u (u - c) + d (d - c)``, never negative."""
    return bars.up * (bars.up - bars.body) + bars.down * (bars.down - bars.body)


def yang_zhang(bars: Bars, window: int) -> Array:
    """(n,) over the last `window` bars; nan for the first `window`, which lack a gap or bars."""
    share = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    gap, body = pd.Series(bars.gap), pd.Series(bars.body)
    inside = pd.Series(rogers_satchell(bars)).rolling(window).mean()
    found = gap.rolling(window).var() + share * body.rolling(window).var() + (1.0 - share) * inside
    return found.to_numpy(dtype=np.float64)


ESTIMATORS: dict[str, Callable[[Bars], Array]] = {
    "parkinson": parkinson,
    "garman_klass": garman_klass,
    "rogers_satchell": rogers_satchell,
}


def _flat(bars: Bars, values: Array) -> tuple[Finding, ...]:
    """Bars of zero variance, which a logarithm or a ratio would trip over."""
    rows = np.flatnonzero(values == 0.0)
    if rows.size == 0:
        return ()
    text = f"{rows.size} bars have a variance of 0 (stale or without trade): leave them out where variances are divided"
    shown = tuple(str(label) for label in bars.index[rows[:_SHOWN]])
    more = ("...",) if rows.size > _SHOWN else ()
    return (Finding("flat-bars", "warning", "bars", text, (*shown, *more)),)
