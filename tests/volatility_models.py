"""One model of each volatility family, with parameters that are stationary, and states to go on from."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.simulation import Marginal
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.recursions import recursion_of
from collatrisk.volatility.specs import Aparch, Egarch, Figarch, Garch, RiskMetrics2006

SHAPES = {"normal": {}, "t": {"nu": 6.0}, "skewt": {"nu": 6.0, "lambda": -0.2}, "ged": {"nu": 1.4}}
MEANS = {"zero": {}, "constant": {"mu": 4e-4}, "ar1": {"mu": 4e-4, "ar[1]": -0.15}}

# Daily decimals, about 3 % a day.
DYNAMICS = {
    Garch(power=1.0): {"omega": 9e-4, "alpha[1]": 0.05, "gamma[1]": 0.06, "beta[1]": 0.90},
    Garch(p=2, o=1, q=2, power=1.4): {
        "omega": 3e-4, "alpha[1]": 0.03, "alpha[2]": 0.03, "gamma[1]": 0.05, "beta[1]": 0.5, "beta[2]": 0.38
    },
    Egarch(): {"omega": -0.21, "alpha[1]": 0.15, "gamma[1]": -0.08, "beta[1]": 0.97},
    Egarch(p=2, o=1, q=3): {
        "omega": -0.21, "alpha[1]": 0.1, "alpha[2]": 0.08, "gamma[1]": -0.1,
        "beta[1]": 0.5, "beta[2]": 0.27, "beta[3]": 0.2,
    },
    Aparch(): {"omega": 2.5e-4, "alpha[1]": 0.08, "gamma[1]": 0.4, "beta[1]": 0.88, "delta": 1.4},
    Aparch(p=2, o=1, q=1, delta=2.0): {
        "omega": 2e-5, "alpha[1]": 0.05, "alpha[2]": 0.03, "gamma[1]": 0.5, "beta[1]": 0.88
    },
    Figarch(truncation=400): {"omega": 3e-5, "phi": 0.2, "d": 0.45, "beta": 0.5},
    Figarch(p=0, q=1, power=1.5, truncation=60): {"omega": 6e-4, "d": 0.4, "beta": 0.25},
    RiskMetrics2006(): {},
}  # fmt: skip


def with_shape(spec, dist, mean="constant"):
    """The same spec with another law and mean."""
    return type(spec)(**{name: getattr(spec, name) for name in spec.__slots__} | {"dist": dist, "mean": mean})


def cases(dist="t", mean="constant"):
    """(spec, params) of every family with a law and a mean."""
    return [(with_shape(spec, dist, mean), MEANS[mean] | params | SHAPES[dist]) for spec, params in DYNAMICS.items()]


def history(n, seed=0):
    """n returns, some of them zero."""
    rng = np.random.default_rng(seed)
    values = 0.03 * rng.standard_t(5, n) * math.sqrt(0.6)
    values[::50] = 0.0
    return values


def fitted_state(asset, spec, params, n=700, seed=0):
    """A marginal whose state is where the filter leaves off after n returns."""
    likelihood = Likelihood(history(n, seed), spec)
    filtered = likelihood.filter(as_vector(spec, params))
    state = recursion_of(spec, params).state(filtered.residuals, filtered.variances, filtered.start)
    residuals, variances = (tuple(part.tolist()) for part in state)
    last = float(likelihood.returns[-1]) if spec.mean == "ar1" else None
    return Marginal(asset, spec, params, {}, residuals, variances, last_return=last)
