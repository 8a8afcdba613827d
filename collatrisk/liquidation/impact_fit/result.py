"""A calibrated impact: the laws side by side, what fades, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import refuse
from collatrisk.liquidation.impact_fit.decay import DecayFit
from collatrisk.liquidation.impact_fit.laws import LawFit
from collatrisk.liquidation.selling import PriceImpact

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImpactFit:
    """What `calibrate_impact` found.

    Attributes
    ----------
    kind : ``"depth"`` or ``"trades"``. n : observations. laws : by name, each with its errors.
    best : the law with the least error out of sample. decay : None for depth, which says nothing about time.
    marginal : whether moves are where the price ends; if not, they are averages over the amount.
    findings : ``poor-fit``, ``sparse``, ``feedback``, ``no-decay``, ``wrong-sign``, ``exponent-on-bound``,
        ``few-quotes``.
    """

    kind: Literal["depth", "trades"]
    n: int
    laws: dict[str, LawFit]
    best: str
    decay: DecayFit | None
    marginal: bool
    findings: tuple[Finding, ...]

    def venue(self, law: str | None = None) -> PriceImpact:
        """The fitted impact as a venue of sales; amounts of the sample must be values in currency.

        Parameters
        ----------
        law : one of `laws`; None: the best.

        Raises
        ------
        InputError : an unknown law, or one whose coefficient is not positive.
        """
        name = self.best if law is None else law
        problems = Problems("ImpactFit.venue")
        problems.choice("law", name, tuple(self.laws))
        problems.raise_if_any()
        fit = self.laws[name]
        coefficient, exponent = fit.coefficient.value, fit.exponent.value
        if coefficient <= 0.0:
            refuse("ImpactFit.venue", "coefficient", coefficient, "must be above 0 to be sold into", "see findings")
        # The average of a fall that grows as v^p is 1 / (p + 1) of its end.
        end = coefficient if self.marginal else coefficient * (exponent + 1.0)
        if self.decay is None:
            return PriceImpact(end, exponent)
        return PriceImpact(end, exponent, self.decay.permanent_share.value, self.decay.half_life_days.value)

    def to_frame(self) -> pd.DataFrame:
        """One row a law: coefficient and exponent with 95 % bounds, R2 and error in and out of sample."""
        import pandas as pd

        rows = []
        for fit in self.laws.values():
            bounds = (*fit.coefficient.ci(), *fit.exponent.ci())
            inside = (fit.r_squared, fit.rmse, fit.test_r_squared, fit.test_rmse)
            rows.append((fit.law, fit.coefficient.value, *bounds[:2], fit.exponent.value, *bounds[2:], *inside))
        columns = ["law", "coefficient", "coefficient_low", "coefficient_high", "exponent", "exponent_low"]
        columns += ["exponent_high", "r_squared", "rmse", "test_r_squared", "test_rmse"]
        return pd.DataFrame(rows, columns=columns).set_index("law")

    def __repr__(self) -> str:
        return f"ImpactFit({self.kind}, n = {self.n}, best: {self.best}, R2 {self.laws[self.best].r_squared:.3f})"

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [
            (fit.law, fit.coefficient, fit.exponent, f"{fit.r_squared:.3f}", f"{fit.test_r_squared:.3f}")
            for fit in self.laws.values()
        ]
        if self.decay is not None:
            rows.append(("half-life, days", self.decay.half_life_days, "", "", ""))
            rows.append(("share that stays", self.decay.permanent_share, "", "", ""))
        notes = [(finding.code, finding.message, "", "", "") for finding in self.findings]
        columns = ("law", "coefficient", "exponent", "R2", "R2 out of sample")
        return html_table(columns, [*rows, *notes], f"Impact from {self.kind} (n = {self.n:,}), best: {self.best}")
