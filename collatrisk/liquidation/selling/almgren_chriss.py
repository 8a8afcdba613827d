"""Almgren and Chriss (2000), "Optimal execution of portfolio transactions": schedule, expected cost and its variance.

Journal of Risk 3 (2), 5-39: discrete times, linear permanent and temporary impact, arithmetic price, mean-variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems
from collatrisk.liquidation.selling.checks import check_array
from collatrisk.liquidation.selling.price_impact import PriceImpact
from collatrisk.liquidation.selling.splitting import Splitting

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlmgrenChriss:
    """The sale of a block in equal steps, and what it is to cost.

    Parameters
    ----------
    units : to sell, X > 0. days : until all is sold, T > 0. steps : N >= 1.
    daily_sigma : standard deviation of the price over a day, currency a unit, >= 0.
    temporary : eta, fall of the price of a part per unit a day, currency, > 0.
    permanent : gamma, fall that stays per unit sold, currency, >= 0.
    risk_aversion : lambda of ``E + lambda * V``, per unit of currency, >= 0; 0 sells evenly.
    fixed_cost : epsilon, currency a unit whatever the speed (half the spread and fees), >= 0.

    Raises
    ------
    InputError : with all broken rules at once: also where ``eta <= gamma * T / (2 N)``, which no schedule can solve.
    """

    units: float
    days: float
    steps: int
    daily_sigma: float
    temporary: float
    permanent: float = 0.0
    risk_aversion: float = 0.0
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("AlmgrenChriss")
        for name in ("units", "days", "temporary"):
            problems.number(name, getattr(self, name), low=0, open_low=True, remedy="give a number above 0")
        problems.integer("steps", self.steps, low=1, remedy="give the number of parts")
        for name in ("daily_sigma", "permanent", "risk_aversion", "fixed_cost"):
            problems.number(name, getattr(self, name), low=0, remedy="give 0 to leave it out")
        if not problems.found:
            rule = f"must be above permanent * days / steps / 2 = {self.permanent * self._tau / 2:g}"
            problems.check(self._eta > 0, "temporary", self.temporary, rule, "take more steps")
        problems.raise_if_any()

    @property
    def kappa(self) -> float:
        """Urgency a day: ``2 (cosh(kappa tau) - 1) / tau**2 = lambda sigma**2 / (eta - gamma tau / 2)``."""
        pull = self.risk_aversion * self.daily_sigma**2 / self._eta
        # acosh(1 + x) by its own series near 0, where 1 + x would lose x.
        half = self._tau * math.sqrt(pull) / 2.0
        return 2.0 * math.asinh(half) / self._tau

    def holdings(self) -> FloatArray:
        """Left at the start and after each step, float64 (steps + 1,): ``X sinh(kappa (T - t)) / sinh(kappa T)``."""
        remaining = np.linspace(1.0, 0.0, self.steps + 1)
        urgency = self.kappa * self.days
        if urgency < 1e-8:
            return self.units * remaining
        # sinh(a) / sinh(b) without overflow for large urgency.
        scale = np.exp(urgency * (remaining - 1.0))
        shape = scale * -np.expm1(-2.0 * urgency * remaining) / -math.expm1(-2.0 * urgency)
        return np.asarray(self.units * shape)

    def parts(self) -> FloatArray:
        """Units sold in each step, float64 (steps,), adding up to `units`."""
        return -np.diff(self.holdings())

    def expected_cost(self) -> float:
        """E of the optimal schedule, currency, against the value at the first price (their equation 19)."""
        base = 0.5 * self.permanent * self.units**2 + self.fixed_cost * self.units
        k, tau, total = self.kappa, self._tau, self.days
        if k * total < 1e-4:
            return base + self._eta * self.units**2 / total
        shape = math.tanh(k * tau / 2) * (tau * math.sinh(2 * k * total) + 2 * total * math.sinh(k * tau))
        return base + self._eta * self.units**2 * shape / (2 * tau**2 * math.sinh(k * total) ** 2)

    def cost_variance(self) -> float:
        """V of the optimal schedule, currency squared (their equation 19)."""
        k, tau, total = self.kappa, self._tau, self.days
        if k * total < 1e-4:
            n = self.steps
            return self.daily_sigma**2 * self.units**2 * total * (1 - 1 / n) * (1 - 0.5 / n) / 3
        shape = tau * math.sinh(k * total) * math.cosh(k * (total - tau)) - total * math.sinh(k * tau)
        scale = math.sinh(k * total) ** 2 * math.sinh(k * tau)
        return 0.5 * self.daily_sigma**2 * self.units**2 * shape / scale

    def cost_of(self, parts: ArrayLike) -> tuple[float, float]:
        """Expected cost and variance of any schedule, by their definitions (equations 4 and 5).

        Parameters
        ----------
        parts : units sold in each step, (steps,), at least 0, adding up to `units`.
        """
        problems = Problems("AlmgrenChriss.cost_of")
        sold = check_array(problems, "parts", parts, remedy="give units of each step")
        rule = f"must be {self.steps} amounts that add up to {self.units:g}"
        good = sold.shape == (self.steps,) and abs(sold.sum() - self.units) <= 1e-9 * self.units
        problems.check(good, "parts", parts, rule, "divide by the sum")
        problems.raise_if_any()
        left = self.units - np.cumsum(sold)
        fixed = self.fixed_cost * self.units + 0.5 * self.permanent * self.units**2
        mean = fixed + self._eta / self._tau * float(np.sum(sold**2))
        return mean, self.daily_sigma**2 * self._tau * float(np.sum(left**2))

    def splitting(self) -> Splitting:
        """The optimal schedule for `sell_over` and `run_sale`, in steps of ``days / steps``."""
        return Splitting(schedule=tuple((self.parts() / self.units).tolist()))

    def venue(self, price: float) -> PriceImpact:
        """The same impact as a venue at `price`, for parts sold one a step; selling any schedule there costs the same.

        A part n costs ``eta~ n**2 / tau`` and ``gamma n**2 / 2`` more than without impact, so its marginal fall is
        ``2 eta~ / tau`` a unit, that is gone by the next step, and gamma a unit, that stays. `fixed_cost` is left out.
        """
        problems = Problems("AlmgrenChriss.venue")
        problems.number("price", price, low=0, open_low=True, remedy="give the price at which the sale starts")
        problems.raise_if_any()
        return PriceImpact.linear(2.0 * self._eta / self._tau / price**2, self.permanent / price**2)

    @property
    def _tau(self) -> float:
        return self.days / self.steps

    @property
    def _eta(self) -> float:
        return self.temporary - 0.5 * self.permanent * self._tau
