"""Specs with a long memory: FIGARCH, whose weights are estimated, and RiskMetrics 2006, whose weights are given."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from collatrisk.base.validation import Problems
from collatrisk.volatility.spec_rules import Dist, Mean, check_shape

_LONGEST = 5000


@dataclass(frozen=True, slots=True)
class Figarch:
    """FIGARCH(p, d, q) of Baillie, Bollerslev and Mikkelsen (1996), in arch's form, cut off after `truncation` lags.

    ``s_t^power = omega / (1 - beta) + sum_{i=1}^{truncation} lambda_i |e_{t-i}|^power``, s^2 = h, with
    lambda_1 = phi - beta + d, lambda_i = beta lambda_{i-1} + delta_i - phi delta_{i-1}, delta_1 = d,
    delta_i = delta_{i-1} (i - 1 - d) / i. A shock dies off like i^(-1-d), not exponentially.

    The weights of the uncut model add up to 1 (no finite variance); those that are left leave a small gap, from which a
    long-run variance follows that depends on the cut. The fit says so.

    Parameters
    ----------
    p, q : 0 or 1: whether phi and whether beta is in the model.
    power : in (0, 4], 2 by default.
    truncation : lags that are kept, 10 to 5000.
    dist, mean : as for `Egarch`.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    p: int = 1
    q: int = 1
    power: float = 2.0
    truncation: int = 1000
    dist: Dist = "t"
    mean: Mean = "constant"

    def __post_init__(self) -> None:
        problems = Problems("Figarch")
        for name in ("p", "q"):
            problems.integer(name, getattr(self, name), low=0, high=1, remedy="FIGARCH(1, d, 1) is the usual one")
        problems.number("power", self.power, low=0, high=4, open_low=True, remedy="2 is FIGARCH proper")
        problems.integer("truncation", self.truncation, low=10, high=_LONGEST, remedy="1000 is usual")
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "figarch", **asdict(self)}


@dataclass(frozen=True, slots=True)
class RiskMetrics2006:
    """The long-memory variance of Zumbach (2007): a weighted mean of `kmax` exponentially weighted variances.

    Component k has the memory tau_k = tau1 rho^(k-1) steps, ``v_k <- mu_k v_k + (1 - mu_k) e^2``, mu_k = exp(-1/tau_k),
    and the weight 1 - ln(tau_k) / ln(tau0), up to the factor that makes them add up to 1. Nothing is estimated but
    the mean and the shape of the law.

    Parameters
    ----------
    tau0, tau1 : steps, tau0 > tau1 > 0: where the memory ends and the shortest memory. kmax : in [1, 50]. rho : > 1.
    mean, dist : as for `Egarch`.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    tau0: float = 1560.0
    tau1: float = 4.0
    kmax: int = 14
    rho: float = math.sqrt(2.0)
    mean: Mean = "zero"
    dist: Dist = "normal"

    def __post_init__(self) -> None:
        problems = Problems("RiskMetrics2006")
        problems.number("tau1", self.tau1, low=0, high=1e9, open_low=True, remedy="4 steps are usual")
        problems.number("tau0", self.tau0, low=1, high=1e9, open_low=True, remedy="1560 steps are usual")
        problems.number("rho", self.rho, low=1, high=100, open_low=True, remedy="the root of 2 is usual")
        problems.integer("kmax", self.kmax, low=1, high=50, remedy="14 is usual")
        if not problems.found:
            longest = self.tau1 * self.rho ** (self.kmax - 1)
            rule = f"must be above the longest memory, tau1 rho^(kmax - 1) = {longest:g}"
            problems.check(longest < self.tau0, "tau0", self.tau0, rule, "lower kmax or raise tau0")
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "riskmetrics2006", **asdict(self)}
