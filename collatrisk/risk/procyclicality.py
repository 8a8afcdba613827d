"""How much margin moves with the market, and the tools that dampen it.

Sources: Murphy, Vasios and Vause (2014), Bank of England Financial Stability Paper 29, for the measures; EMIR RTS
153/2013, article 28(1), for the tools.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]


def peak_to_trough(margin: ArrayLike) -> float:
    """``max(margin) / min(margin)``; 1 for a margin that never moves."""
    values = _margins("peak_to_trough", margin)
    return float(values.max() / values.min())


def largest_increase(margin: ArrayLike, days: int) -> float:
    """``max over t of margin[t + days] / margin[t] - 1``: the worst call for more within that many days."""
    values = _margins("largest_increase", margin)
    problems = Problems("largest_increase")
    days = problems.integer("days", days, low=1, high=values.size - 1, remedy="give 1, 5 or 30")
    problems.raise_if_any()
    return float(np.max(values[days:] / values[:-days]) - 1.0)


class DampedMargin(NamedTuple):
    """Margin under each tool: (a) a buffer, (b) weight to stressed observations, (c) a floor from ten years."""

    buffer: FloatArray
    stress_weight: FloatArray
    long_floor: FloatArray


def damped_margin(
    margin: ArrayLike, ten_year_margin: ArrayLike, stressed_margin: ArrayLike, *, buffer: float, stress_weight: float
) -> DampedMargin:
    """(a) ``m (1 + buffer)`` with the buffer in place, (b) ``(1 - w) m + w m_stress``, (c) ``max(m, m_10y)``.

    Parameters
    ----------
    margin, ten_year_margin, stressed_margin : money, > 0, broadcast. buffer, stress_weight : [0, 1]; the rule asks for
        at least 0.25 of one of them.
    """
    values = [_margins("damped_margin", part) for part in (margin, ten_year_margin, stressed_margin)]
    problems = Problems("damped_margin")
    for name, share in (("buffer", buffer), ("stress_weight", stress_weight)):
        problems.number(name, share, low=0, high=1, remedy="give 0.25")
    problems.raise_if_any()
    now, long, stress = np.broadcast_arrays(*values)
    mixed = (1.0 - stress_weight) * now + stress_weight * stress
    return DampedMargin(now * (1.0 + buffer), mixed, np.maximum(now, long))


def _margins(title: str, margin: ArrayLike) -> FloatArray:
    problems = Problems(title)
    values = np.atleast_1d(np.asarray(margin, dtype=np.float64))
    good = values.ndim == 1 and values.size > 0 and bool(np.all(np.isfinite(values) & (values > 0.0)))
    problems.check(good, "margin", margin, "must be a series of numbers above 0", "drop days without margin")
    problems.raise_if_any()
    return values
