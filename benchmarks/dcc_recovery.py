"""Recovery of dynamic correlation: histories from our own simulator, fitted again; bias and coverage of 95 % intervals.

    python benchmarks/dcc_recovery.py [replications]

Prints one line a case and parameter for the table in docs/dependence.md. A case with estimated margins simulates
GARCH assets and goes through `fit_volatility`; the others take the laws of the margins as known.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.special import ndtr, stdtr

from collatrisk.dependence import CorrelationDynamics, Dcc, DependenceFit, equicorrelation, fit_dependence
from collatrisk.market.clock import Clock
from collatrisk.simulation import Marginal, MarketModel, PathPlan
from collatrisk.simulation.first_step import first_step
from collatrisk.volatility import fit_volatility
from collatrisk.volatility.specs import ConstantVolatility, Garch

STEPS, BURN = 1500, 200
TRUTH = {"a": 0.05, "b": 0.92, "g": 0.04, "nu": 6.0}
CASES = (
    ("DCC, Gaussian, GARCH margins estimated", Dcc(copula="gaussian"), 3, True),
    ("DCC, Gaussian", Dcc(copula="gaussian"), 3, False),
    ("DCC, t", Dcc(), 3, False),
    ("cDCC, Gaussian", Dcc("corrected", "gaussian"), 3, False),
    ("ADCC, Gaussian", Dcc("asymmetric", "gaussian"), 3, False),
    ("DCC, Gaussian, pairs, 8 assets", Dcc(copula="gaussian", likelihood="composite"), 8, False),
)


def world(spec: Dcc, size: int, moving: bool) -> MarketModel:
    """A model of `size` assets with the true parameters; its paths are the histories."""
    names = tuple(f"A{i}" for i in range(size))
    level = equicorrelation(size, 0.5)
    b, g, negatives = TRUTH["b"], 0.0, None
    if spec.variant == "asymmetric":
        # E[n n'] of normal scores with correlation 1/2: (sqrt(3)/2 + (pi/2 + pi/6) / 2) / (2 pi).
        joint = (np.sqrt(0.75) + 0.5 * (np.pi / 2 + np.pi / 6)) / (2 * np.pi)
        b, g, negatives = 0.90, TRUTH["g"], np.full((size, size), joint) + (0.5 - joint) * np.eye(size)
    motion = CorrelationDynamics(spec.variant, TRUTH["a"], b, level, g, negatives)
    nu = TRUTH["nu"] if spec.copula == "t" else None
    fit = DependenceFit(spec, names, level, nu, dynamics=motion)
    return MarketModel(names, np.ones(size), Clock(), tuple(_marginal(name, moving, spec) for name in names), fit)


def _marginal(name: str, moving: bool, spec: Dcc) -> Marginal:
    if moving:
        params = {"mu": 0.0, "omega": 2e-5, "alpha[1]": 0.08, "beta[1]": 0.87}
        return Marginal(name, Garch(o=0, dist="normal"), params, {}, (0.02,), (4e-4,))
    if spec.copula == "t":
        law = ConstantVolatility(mean="constant", dist="t")
        return Marginal(name, law, {"mu": 0.0, "omega": 4e-4, "nu": TRUTH["nu"]})
    return Marginal(name, ConstantVolatility(mean="constant", dist="normal"), {"mu": 0.0, "omega": 4e-4})


def histories(model: MarketModel, count: int) -> np.ndarray:
    """Log returns, (count, STEPS, size)."""
    plan = PathPlan(model, n_paths=count, horizon_days=STEPS + BURN, seed=11, drift="zero_log")
    prices = plan.read(0, count).prices
    return np.ascontiguousarray(np.diff(np.log(prices), axis=0)[BURN:].transpose(2, 0, 1))


def refit(returns: np.ndarray, spec: Dcc, moving: bool) -> DependenceFit:
    names = [f"A{i}" for i in range(returns.shape[1])]
    if not moving:
        z, nu = returns / 0.02, TRUTH["nu"]
        uniforms = ndtr(z) if spec.copula == "gaussian" else stdtr(nu, z * np.sqrt(nu / (nu - 2)))
        return fit_dependence(uniforms, spec, assets=names)
    import pandas as pd

    index = pd.RangeIndex(len(returns))
    fits = {name: fit_volatility(returns[:, i], Garch(o=0, dist="normal")) for i, name in enumerate(names)}
    before = first_step(fits, dict.fromkeys(names, index), index)
    uniforms = ndtr(np.column_stack([fit.std_resid for fit in fits.values()]))
    return fit_dependence(uniforms, spec, assets=names, first_step=before)


def main(count: int) -> None:
    for title, spec, size, moving in CASES:
        began = time.perf_counter()
        truth = TRUTH | ({"b": 0.90} if spec.variant == "asymmetric" else {})
        fits = [refit(history, spec, moving) for history in histories(world(spec, size, moving), count)]
        with_errors = [fit for fit in fits if fit.dynamics is not None and fit.dynamics.covariance is not None]
        for name in with_errors[0].dynamics.names:
            found = np.array([fit.nu if name == "nu" else getattr(fit.dynamics, name) for fit in fits])
            mine = np.array([fit.nu if name == "nu" else getattr(fit.dynamics, name) for fit in with_errors])
            errors = np.array([fit.dynamics.std_errors.get(name, np.nan) for fit in with_errors])
            inside = float(np.mean(np.abs(mine - truth[name]) <= 1.96 * errors))
            print(  # noqa: T201
                f"{title:40s} {name:3s} truth {truth[name]:.3g} mean {found.mean():.4f} sd {found.std():.4f} "
                f"mean s.e. {np.nanmean(errors):.4f} coverage {inside:.3f} of {len(with_errors)}/{count}",
                flush=True,
            )
        print(f"  {time.perf_counter() - began:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
