"""The shapes of a law by maximum likelihood on residuals that are standardised already."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.volatility.distributions import Array, logpdf
from collatrisk.volatility.likelihood import LAMBDA_BOUNDS, NU_BOUNDS


def fit_shapes(z: Array, dist: str) -> tuple[dict[str, float], Array]:
    """nu and lambda, as far as the law has them, and the log density of each residual (n,)."""
    from scipy.optimize import minimize, minimize_scalar

    if dist == "normal":
        return {}, logpdf(dist, z)
    low, high = math.log(NU_BOUNDS[0] - 2.0), math.log(NU_BOUNDS[1] - 2.0)

    def minus(log_excess: float, lam: float) -> float:
        return -float(np.sum(logpdf(dist, z, 2.0 + math.exp(log_excess), lam)))

    if dist == "t":
        found = minimize_scalar(lambda s: minus(s, 0.0), bounds=(low, high), method="bounded", options={"xatol": 1e-7})
        shapes = {"nu": 2.0 + math.exp(float(found.x))}
        return shapes, logpdf(dist, z, shapes["nu"])
    start = np.array([math.log(4.0), 0.0])
    bounds: list[tuple[float, float]] = [(low, high), LAMBDA_BOUNDS]

    def along(point: Array) -> float:
        return minus(float(point[0]), float(point[1]))

    best = minimize(along, start, method="Nelder-Mead", bounds=bounds)
    shapes = {"nu": 2.0 + math.exp(float(best.x[0])), "lambda": float(best.x[1])}
    return shapes, logpdf(dist, z, shapes["nu"], shapes["lambda"])
