"""A number with its error: no Monte Carlo or estimated number leaves the library without one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.risk.intervals import ExactValue, Interval, MappedInterval

Kind = Literal["probability", "quantile", "expected_shortfall", "mean", "threshold", "parameter", "exact"]


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """A value, its bounds, and how both were found.

    Attributes
    ----------
    value : the estimate, in the unit of what was estimated. ``float(estimate)`` gives it too.
    standard_error : its standard error in the same unit; infinite where the sample cannot tell.
    kind : which sort of quantity it is; decides which interval is right for it.
    method : the estimator and the interval in words, with every reservation.
    n : the number of paths or observations behind it.
    n_effective : how many independent ones they are worth: n / overlap for overlapping windows.
    interval : answers `ci`; see `collatrisk.risk.intervals`.
    monte_carlo, parameter, model : standard errors due to the finite number of independent paths (or observations), to
        estimated parameters, and to the choice of model; None where not known, which does not mean zero.
    at_least : whether the search ended at `value`, so that what was sought may be larger.
    """

    value: float
    standard_error: float
    kind: Kind
    method: str
    n: int
    n_effective: float
    interval: Interval
    monte_carlo: float | None = None
    parameter: float | None = None
    model: float | None = None
    at_least: bool = False

    @classmethod
    def exact(cls, value: float, method: str = "exact: no sampling error", n: int = 1) -> Estimate:
        """A number without sampling error, such as the result of one deterministic scenario."""
        return cls(float(value), 0.0, "exact", method, n, float(n), ExactValue(float(value)))

    def ci(self, level: float = 0.95) -> tuple[float, float]:
        """The confidence interval (low, high); an end that the sample cannot support is infinite.

        Parameters
        ----------
        level : confidence in (0, 1), 0.95 for 95 %.

        Raises
        ------
        InputError : if `level` is not in (0, 1).
        """
        problems = Problems("Estimate.ci")
        level = problems.number(
            "level", level, low=0, high=1, open_low=True, open_high=True, remedy="give 0.95 for 95 %"
        )
        problems.raise_if_any()
        return self.interval.ci(level)

    def mapped(
        self,
        scale: float = 1.0,
        shift: float = 0.0,
        *,
        floor: float = -math.inf,
        cap: float = math.inf,
        method: str | None = None,
    ) -> Estimate:
        """scale x this + shift, kept inside [floor, cap]: value, bounds and error parts together.

        A negative scale swaps the ends of the interval: this is how a lower quantile is had from losses -x.
        """

        def scaled(error: float | None) -> float | None:
            return None if error is None else abs(scale) * error

        return replace(
            self,
            value=min(max(scale * self.value + shift, floor), cap),
            standard_error=abs(scale) * self.standard_error,
            method=self.method if method is None else method,
            interval=MappedInterval(self.interval, scale, shift, floor, cap),
            monte_carlo=scaled(self.monte_carlo),
            parameter=scaled(self.parameter),
            model=scaled(self.model),
            at_least=self.at_least and scale > 0,
        )

    def format(self, level: float = 0.95) -> str:
        """Such as ``0.3684 [0.3641, 0.3727]``: as many digits as two of the standard error are worth."""
        low, high = self.ci(level)
        error = self.standard_error
        if not (0 < error < math.inf):
            error = (high - low) / 4
        words = "at least " if self.at_least else ""
        return f"{words}{_show(self.value, error)} [{_show(low, error)}, {_show(high, error)}]"

    def to_dict(self, level: float = 0.95) -> dict[str, Any]:
        """A JSON-ready dictionary with the bounds at one confidence; a number that is not finite becomes None.

        With ``at_least`` the value is the end of a search, and what was sought may be larger.
        """
        low, high = self.ci(level)
        return {
            "value": _finite(self.value),
            "at_least": self.at_least,
            "low": _finite(low),
            "high": _finite(high),
            "confidence": level,
            "standard_error": _finite(self.standard_error),
            "kind": self.kind,
            "method": self.method,
            "n": self.n,
            "n_effective": self.n_effective,
            "monte_carlo": _finite(self.monte_carlo),
            "parameter": _finite(self.parameter),
            "model": _finite(self.model),
        }

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return self.format()

    def __repr__(self) -> str:
        return f"Estimate({self.format()} at 95 %, {self.kind}, {self.method})"

    def __format__(self, spec: str) -> str:
        """``f"{estimate}"`` is `format`; with a number's format, such as ``.4f``, the value alone."""
        return format(self.value, spec) if spec else self.format()

    def _repr_html_(self) -> str:
        low, high = self.ci()
        error = self.standard_error if 0 < self.standard_error < math.inf else (high - low) / 4
        parts = [("Monte Carlo", self.monte_carlo), ("parameters", self.parameter), ("model", self.model)]
        rows: list[tuple[str, str]] = [
            ("at least" if self.at_least else "value", _show(self.value, error)),
            ("95 % interval", f"[{_show(low, error)}, {_show(high, error)}]"),
            ("standard error", f"{self.standard_error:.2g}"),
            *((f"standard error, {name}", f"{part:.2g}") for name, part in parts if part is not None),
            ("n", f"{self.n:,}" if self.n_effective == self.n else f"{self.n:,} (worth {self.n_effective:,.1f})"),
            ("method", self.method),
        ]
        return html_table((), rows, self.kind.replace("_", " "))


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else number


def _show(number: float, error: float) -> str:
    """`number` to the second digit of `error`."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    if not (0 < error < math.inf):
        return f"{number:.10g}" if error == 0 else f"{number:.6g}"
    decimals = 1 - math.floor(math.log10(error))
    if abs(number) < 1e-4 or decimals > 12:
        digits = max(0, min(15, math.floor(math.log10(abs(number))) + decimals))
        return f"{number:.{digits}e}"
    return f"{number:,.{max(0, decimals)}f}"
