"""Recovery: simulate each volatility model from known parameters with the path kernel, fit it, see what comes back.

    python benchmarks/recovery.py [replications] [model ...] [--save FOLDER]

Prints, per parameter, the truth, the mean and the root mean square error of the estimates, and the share of nominal
95 % intervals that hold the truth (estimate +- 1.96 robust standard errors; for omega, nu and delta, which are
positive and skewed, on the logarithm). Fits that ended on a bound have no standard error there: they are counted, and
left out of the coverage of that parameter. Below each model, the likelihood ratio of the estimate against the truth:
it does not depend on the coordinates, and a fit that ended below the truth would show as a negative one.

Every fit is written to a file of its model in FOLDER (.recovery unless said otherwise) as soon as it is done; what is
there is not done again. More replications are a continuation of fewer: the paths are the same.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

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
    VolatilitySpec,
    fit_volatility,
)
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.likelihood import Likelihood
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


def fitted(case: Case, returns: Array) -> dict[str, Any]:
    """One replication: estimates, standard errors, findings, and twice the log-likelihood ahead of the truth."""
    fit = fit_volatility(returns, case.spec)
    truth = Likelihood(returns, case.spec, fit.presample).loglikelihood(as_vector(case.spec, case.params))
    return {
        "params": dict(fit.params),
        "errors": {kind: dict(errors) for kind, errors in fit.std_errors.items()},
        "findings": [finding.code for finding in fit.findings],
        "ratio": 2.0 * (fit.loglikelihood - truth),
    }


def replications(title: str, n: int, folder: Path, seed: int = 7) -> list[dict[str, Any]]:
    """The first n replications of a model, those that the file does not have yet fitted now."""
    case, file = CASES[title], folder / (re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") + ".jsonl")
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if len(known) < n:
        folder.mkdir(parents=True, exist_ok=True)
        for column in simulated(case, n, seed).T[len(known) :]:
            known.append(fitted(case, np.ascontiguousarray(column)))
            with file.open("a") as out:
                out.write(json.dumps(known[-1]) + "\n")
    return known[:n]


def covered(row: dict[str, Any], name: str, truth: float) -> float:
    """1 or 0; nan where the parameter has no standard error."""
    value, error = row["params"][name], row["errors"]["robust"][name]
    if not math.isfinite(error):
        return math.nan
    if name in POSITIVE and truth > 0.0:
        return float(abs(math.log(value / truth)) < 1.959964 * error / value)
    return float(abs(value - truth) < 1.959964 * error)


def coverage(hits: Array) -> str:
    """The share, its distance from 0.95 in standard errors, and how many are left out."""
    kept = hits[np.isfinite(hits)]
    share = float(np.mean(kept)) if kept.size else math.nan
    distance = (share - 0.95) / math.sqrt(0.95 * 0.05 / max(kept.size, 1))
    return f"{share:.3f} | {distance:+.1f} | {hits.size - kept.size}"


def recovered(title: str, n: int, folder: Path) -> list[str]:
    """The rows of one model."""
    case, fits = CASES[title], replications(title, n, folder)
    failed = sum("not-converged" in fit["findings"] for fit in fits)
    rows = []
    for name, truth in case.params.items():
        values = np.array([fit["params"][name] for fit in fits])
        hits = np.array([covered(fit, name, truth) for fit in fits])
        error, rmse = np.std(values) / math.sqrt(n), math.sqrt(np.mean((values - truth) ** 2))
        rows.append(
            f"| {title} | {name} | {truth:g} | {np.mean(values):.4g} | {error:.1g} | {rmse:.2g} | {coverage(hits)} | "
            f"{failed} |"
        )
    ratios = np.array([fit["ratio"] for fit in fits])
    size = len(case.params)
    hits = np.asarray(special.chdtrc(size, np.maximum(ratios, 0.0)) > 0.05, dtype=np.float64)
    spread = np.std(ratios) / math.sqrt(n)
    rows.append(
        f"| {title} | likelihood ratio | {size} | {np.mean(ratios):.2f} | {spread:.1g} | least {ratios.min():.2g} | "
        f"{coverage(hits)} | {failed} |"
    )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("replications", type=int, nargs="?", default=200)
    parser.add_argument("models", nargs="*", default=list(CASES))
    parser.add_argument("--save", type=Path, default=Path(".recovery"))
    options = parser.parse_args()
    head = "model | parameter | truth | mean | its error | rmse | coverage | its distance from 0.95 in errors"
    head += " | on a bound | not converged"
    sys.stdout.write(f"| {head} |\n|{'---|' * (head.count('|') + 1)}\n")
    for title in options.models:
        sys.stdout.write("\n".join(recovered(title, options.replications, options.save)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
