"""Numbers and facts as a reader of the report sees them: digits follow the standard error, units are written out."""

from __future__ import annotations

import math
from collections.abc import Iterable

THIN = "\u202f"
MISSING = "n/a"
_MOST_DECIMALS = 5


def decimals_for(error: float) -> int:
    """Decimals at which the second digit of a standard error stands (2 where there is no error)."""
    if not (0 < error < math.inf):
        return 2
    return min(max(0, 1 - math.floor(math.log10(error))), _MOST_DECIMALS)


def percent(value: float, decimals: int = 1) -> str:
    """A fraction as a percentage: ``0.123`` is ``12.3 %``."""
    if not math.isfinite(value):
        return MISSING
    return f"{100 * value:.{decimals}f}{THIN}%"


def change(value: float) -> str:
    """A signed change in whole percents, ``−61 %``; one decimal where all but nothing is lost, no sign on none."""
    if not math.isfinite(value):
        return MISSING
    decimals = 1 if 0.995 <= -value < 1 else 0
    shown = f"{100 * value:+.{decimals}f}"
    return f"{'0' if float(shown) == 0 else shown.replace('-', '−')}{THIN}%"


def correlation(value: float) -> str:
    """Two decimals; what rounds to nothing has no sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def share(value: float) -> str:
    """A given fraction, not an estimate: as many digits as it was given with, ``5 %``."""
    return f"{100 * value:.6g}{THIN}%" if math.isfinite(value) else MISSING


def probability(value: float) -> str:
    """A probability with two significant digits below 1 %, so that a small one does not read as none."""
    if not math.isfinite(value):
        return MISSING
    if value == 0 or value >= 0.01:
        return percent(value, 1 if value else 0)
    decimals = min(1 - math.floor(math.log10(100 * value)), 6)
    return percent(value, decimals)


def percent_estimate(value: float, low: float, high: float, error: float) -> tuple[str, str]:
    """A fraction and its interval. None seen is printed with its upper confidence limit."""
    if not math.isfinite(value):
        return MISSING, ""
    if value == 0 and high > 0:
        return "none seen", f"at most {probability(high)}"
    if not (0 < error < math.inf):
        error = (high - low) / 4
    decimals = max(0, decimals_for(100 * error) - 1)
    return percent(value, decimals), f"{_bound(100 * low, decimals)} to {_bound(100 * high, decimals)}"


def _bound(value: float, decimals: int) -> str:
    return "unbounded" if not math.isfinite(value) else f"{value:.{decimals}f}"


def money(value: float) -> str:
    """An amount with separators of thousands and no cents above a hundred."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:,.2f}"


def money_estimate(value: float, low: float, high: float) -> tuple[str, str]:
    """An amount and its interval."""
    if not math.isfinite(value):
        return MISSING, ""
    if value == 0 and (high == 0 or math.isinf(high)):
        return "0", "no loss seen"
    end = money(high) if math.isfinite(high) else "unbounded"
    return money(value), f"{money(low)} to {end}"


def number(value: float, digits: int = 4) -> str:
    """A plain number with so many significant digits."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:,.{digits}g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.{digits - 1}e}"
    return text.replace("-", "\u2212") if "e" not in text else text


def count(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}" if math.isfinite(value) else MISSING


def days(value: float) -> str:
    """A number of days in words."""
    return f"{value:g} day{'' if value == 1 else 's'}"


def with_error(value: float, error: float) -> tuple[str, str]:
    """A parameter and its standard error, both to the error's second digit (six digits where there is no error)."""
    if not math.isfinite(value):
        return "", ""
    if not (math.isfinite(error) and error > 0):
        return number(value, 4), ""
    exponent = math.floor(math.log10(error))
    if exponent < -5:
        scale = math.floor(math.log10(abs(value))) if value else exponent
        digits = max(0, scale - exponent + 1)
        return f"{value:.{digits}e}", f"{error:.1e}"
    decimals = max(0, 1 - exponent)
    return f"{value:.{decimals}f}".replace("-", "\u2212"), f"{error:.{decimals}f}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    words = list(items)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "none"


def plural(count: int, noun: str) -> str:
    """``1 book``, ``2 books``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
