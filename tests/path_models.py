"""Small market models for the tests of simulation."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.dependence import DependenceFit, GaussianCopula, Independent, StudentTCopula
from collatrisk.market.clock import Clock
from collatrisk.simulation import Jump, Marginal, MarketModel
from collatrisk.simulation.path_inputs import path_inputs
from collatrisk.volatility.specs import ConstantVolatility, Garch


def gjr(asset, dist="t", nu=6.0, lam=0.0, mu=0.0, last=(-0.03,), variances=(8e-4,), **params):
    """A GJR-GARCH(1,1,1) marginal, daily, about 30 % a year in the long run."""
    values = {"mu": mu, "omega": 1.2e-5, "alpha[1]": 0.04, "gamma[1]": 0.06, "beta[1]": 0.88}
    return Marginal(asset, Garch(dist=dist), _shapes(values | params, dist, nu, lam), {}, last, variances)


def flat(asset, volatility=0.6, dist="normal", nu=6.0, lam=0.0, mu=0.0):
    """A constant-volatility marginal; `volatility` a year of 365 daily steps."""
    values = {"mu": mu, "omega": volatility**2 / 365}
    return Marginal(asset, ConstantVolatility(mean="constant", dist=dist), _shapes(values, dist, nu, lam))


def market(*marginals, rho=None, nu=None, spot=100.0, clock=None, jumps=()):
    """A market of marginals: independent, or with one correlation, or a t copula with `nu`."""
    names = tuple(marginal.asset for marginal in marginals)
    d = len(names)
    matrix = np.eye(d) if rho is None else np.full((d, d), rho) + (1.0 - rho) * np.eye(d)
    spec = Independent() if rho is None else GaussianCopula() if nu is None else StudentTCopula()
    dependence = DependenceFit(spec, names, matrix, nu)
    return MarketModel(names, np.full(d, spot), clock or Clock(), tuple(marginals), dependence, tuple(jumps))


def whole_inputs(plan):
    """What the kernel reads for a plan, with all parts, needed or not."""
    return path_inputs(plan.model, plan.clock, plan.seed, plan.drift, plan.n_steps)


def crash(*assets, intensity=2.0, fall=0.3):
    """A jump that takes `fall` off the named assets `intensity` times a year."""
    return Jump("crash", intensity, dict.fromkeys(assets, math.log(1.0 - fall)))


def _shapes(values, dist, nu, lam):
    if dist == "normal":
        return values
    return values | ({"nu": nu} if dist == "t" else {"nu": nu, "lambda": lam})
