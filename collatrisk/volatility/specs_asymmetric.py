"""Specs in which a fall moves the volatility otherwise than a rise, beyond the GJR model: EGARCH and APARCH."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from collatrisk.base.validation import Problems
from collatrisk.volatility.spec_rules import Dist, Mean, check_orders, check_shape


@dataclass(frozen=True, slots=True)
class Egarch:
    """EGARCH(p, o, q) of Nelson (1991), in arch's form.

    ``ln h_t = omega + sum_i alpha_i (|z_{t-i}| - sqrt(2 / pi)) + sum_i gamma_i z_{t-i} + sum_j beta_j ln h_{t-j}`` with
    ``z_t = e_t / sqrt(h_t)``: alpha weighs the size of a shock and gamma its sign, and sqrt(2 / pi) is taken off under
    every law, normal or not.

    With t innovations E[exp(alpha |z|)] is infinite: no variance beyond the next step is finite. The fit says so.

    Parameters
    ----------
    p, o, q : whole numbers in [0, 10], p + o >= 1: lags of the size, of the sign, of the log variance.
    dist : law of z_t, unit variance: ``"normal"``, ``"t"``, ``"skewt"``, ``"ged"``.
    mean : ``"constant"``, ``"zero"``, or ``"ar1"``, r_t = mu + ar[1] r_{t-1} + e_t.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    p: int = 1
    o: int = 1
    q: int = 1
    dist: Dist = "t"
    mean: Mean = "constant"

    def __post_init__(self) -> None:
        problems = Problems("Egarch")
        check_orders(problems, self.p, self.o, self.q)
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "egarch", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Aparch:
    """APARCH(p, o, q) of Ding, Granger and Engle (1993), in arch's form.

    ``s_t^delta = omega + sum_i alpha_i (|e_{t-i}| - gamma_i e_{t-i})^delta + sum_j beta_j s_{t-j}^delta``, s^2 = h. A
    positive gamma makes falls weigh more. Persistence here is sum_i alpha_i E(|z| - gamma_i z)^delta + sum_j beta_j,
    held to 1 at most; arch holds sum(alpha) + sum(beta) to 1 instead, which can forbid the best fit of a stationary
    model.

    Parameters
    ----------
    p : whole number in [1, 10]. o : in [0, p]. q : in [0, 10].
    delta : the power, in [0.05, 4]; None estimates it.
    dist, mean : as for `Egarch`.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    p: int = 1
    o: int = 1
    q: int = 1
    delta: float | None = None
    dist: Dist = "t"
    mean: Mean = "constant"

    def __post_init__(self) -> None:
        problems = Problems("Aparch")
        check_orders(problems, self.p, self.o, self.q)
        if not problems.found:
            problems.check(self.p >= 1, "p", self.p, "must be at least 1", "use p=1")
            problems.check(self.o <= self.p, "o", self.o, "must not exceed p: gamma belongs to an alpha", "use o=p")
        if self.delta is not None:
            remedy = "None estimates it; 2 is a GARCH in variances, 1 in standard deviations"
            problems.number("delta", self.delta, low=0.05, high=4.0, remedy=remedy)
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "aparch", **asdict(self)}
