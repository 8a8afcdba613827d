"""Recovery: simulate each volatility model from known parameters with the path kernel, fit it, see what comes back.

    python benchmarks/recovery.py [replications] [model ...]

Prints, per parameter, the truth, the mean and the root mean square error of the estimates, and the share of nominal
95 % intervals that hold the truth (estimate +- 1.96 robust standard errors; for omega, nu and delta, which are
positive and skewed, on the logarithm). Fits that ended on a bound have no standard error there: they are counted, and
left out of the coverage of that parameter.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence import DependenceFit, Independent
from collatrisk.market.clock import Clock
from collatrisk.simulation import Marginal, MarketModel, PathPlan
from collatrisk.volatility import (
    Aparch,
    ConstantVolatility,
    Egarch,
    Ewma,
    Figarch,
    Garch,
    RiskMetrics2006,
    VolatilityFit,
    VolatilitySpec,
    fit_volatility,
)
from collatrisk.volatility.recursions import recursion_of

Array = NDArray[np.float64]

N_RETURNS, BURN = 2500, 500
POSITIVE = {"omega", "nu", "delta"}


@dataclass(frozen=True)
class Case:
    """A model with its parameters and the variance from which it begins."""

    spec: VolatilitySpec
    params: dict[str, float]
    start: float


CASES = {
    "constant, t": Case(ConstantVolatility("constant", "t"), {"mu": 5e-4, "omega": 9e-4, "nu": 5.0}, 9e-4),
    "EWMA, skewed t": Case(Ewma(0.94, "constant", "skewt"), {"mu": 5e-4, "nu": 6.0, "lambda": -0.1}, 9e-4),
    "RiskMetrics 2006, t": Case(RiskMetrics2006(mean="constant", dist="t"), {"mu": 5e-4, "nu": 6.0}, 9e-4),
    "GARCH, normal": Case(
        Garch(o=0, dist="normal"), {"mu": 5e-4, "omega": 2e-5, "alpha[1]": 0.08, "beta[1]": 0.90}, 1e-3
    ),
    "GJR, t": Case(
        Garch(), {"mu": 5e-4, "omega": 3e-5, "alpha[1]": 0.06, "gamma[1]": 0.08, "beta[1]": 0.87, "nu": 6.0}, 1e-3
    ),
    "GJR, skewed t": Case(
        Garch(dist="skewt"),
        {"mu": 5e-4, "omega": 3e-5, "alpha[1]": 0.06, "gamma[1]": 0.08, "beta[1]": 0.87, "nu": 6.0, "lambda": -0.15},
        1e-3,
    ),
    "AR(1) GARCH, GED": Case(
        Garch(o=0, dist="ged", mean="ar1"),
        {"mu": 5e-4, "ar[1]": -0.1, "omega": 2e-5, "alpha[1]": 0.08, "beta[1]": 0.90, "nu": 1.4},
        1e-3,
    ),
    "TGARCH, t": Case(
        Garch(power=1.0),
        {"mu": 5e-4, "omega": 9e-4, "alpha[1]": 0.06, "gamma[1]": 0.08, "beta[1]": 0.88, "nu": 6.0},
        1e-3,
    ),
    "EGARCH, normal": Case(
        Egarch(dist="normal"),
        {"mu": 5e-4, "omega": -0.21, "alpha[1]": 0.18, "gamma[1]": -0.08, "beta[1]": 0.97},
        9e-4,
    ),
    "EGARCH, t": Case(
        Egarch(), {"mu": 5e-4, "omega": -0.21, "alpha[1]": 0.18, "gamma[1]": -0.08, "beta[1]": 0.97, "nu": 6.0}, 9e-4
    ),
    "APARCH, t": Case(
        Aparch(),
        {"mu": 5e-4, "omega": 2.5e-4, "alpha[1]": 0.09, "gamma[1]": 0.35, "beta[1]": 0.88, "delta": 1.4, "nu": 6.0},
        1e-3,
    ),
    "FIGARCH, t": Case(
        Figarch(), {"mu": 5e-4, "omega": 3e-5, "phi": 0.2, "d": 0.45, "beta": 0.5, "nu": 6.0}, 1e-3
    ),
}  # fmt: skip


def simulated(case: Case, n: int, seed: int) -> Array:
    """Returns (N_RETURNS, n) after a burn-in, by the path kernel."""
    recursion = recursion_of(case.spec, case.params)
    residuals = (math.sqrt(case.start),) * recursion.residual_lags
    variances = (case.start,) * recursion.variance_lags
    last = 0.0 if case.spec.mean == "ar1" else None
    marginal = Marginal("A", case.spec, case.params, {}, residuals, variances, last_return=last)
    alone = DependenceFit(Independent(), ("A",), np.eye(1), None)
    model = MarketModel(("A",), np.array([1.0]), Clock(), (marginal,), alone)
    plan = PathPlan(model, n_paths=n, horizon_days=N_RETURNS + BURN, seed=seed, drift="fitted")
    prices = plan.read(0, n).prices[BURN:, 0, :]
    return np.asarray(np.diff(np.log(prices), axis=0), dtype=np.float64)


def covered(fit: VolatilityFit, name: str, truth: float) -> float:
    """1 or 0; nan where the parameter has no standard error."""
    value, error = fit.params[name], fit.std_errors["robust"][name]
    if not math.isfinite(error):
        return math.nan
    if name in POSITIVE and truth > 0.0:
        return float(abs(math.log(value / truth)) < 1.959964 * error / value)
    return float(abs(value - truth) < 1.959964 * error)


def recovered(title: str, n: int, seed: int = 7) -> list[str]:
    """The rows of one model."""
    case = CASES[title]
    returns = simulated(case, n, seed)
    fits = [fit_volatility(column, case.spec) for column in returns.T]
    failed = sum(any(finding.code == "not-converged" for finding in fit.findings) for fit in fits)
    rows = []
    for name, truth in case.params.items():
        values = np.array([fit.params[name] for fit in fits])
        hits = np.array([covered(fit, name, truth) for fit in fits])
        kept = hits[np.isfinite(hits)]
        share = float(np.mean(kept)) if kept.size else math.nan
        distance = (share - 0.95) / math.sqrt(0.95 * 0.05 / max(kept.size, 1))
        error, rmse = np.std(values) / math.sqrt(n), math.sqrt(np.mean((values - truth) ** 2))
        rows.append(
            f"| {title} | {name} | {truth:g} | {np.mean(values):.4g} | {error:.1g} | {rmse:.2g} | "
            f"{share:.3f} | {distance:+.1f} | {n - kept.size} | {failed} |"
        )
        title = ""
    return rows


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    titles = sys.argv[2:] or list(CASES)
    head = "model | parameter | truth | mean | its error | rmse | coverage | its distance from 0.95 in errors"
    head += " | on a bound | not converged"
    sys.stdout.write(f"| {head} |\n|{'---|' * (head.count('|') + 1)}\n")
    for title in titles:
        sys.stdout.write("\n".join(recovered(title, n)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
