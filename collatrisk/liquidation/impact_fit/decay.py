"""How an impact fades: the response of returns to the volume of earlier steps, and the half-life that describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collatrisk.liquidation.impact_fit.laws import draw_blocks, shaped
from collatrisk.liquidation.impact_fit.sample import Sample
from collatrisk.risk import BootstrapInterval, Estimate

FloatArray = NDArray[np.float64]
_METHOD = "regression on {lags} lags, then pi + (1 - pi) 2^(-k/h); bootstrap of blocks of {block}"


@dataclass(frozen=True, slots=True, eq=False)
class DecayFit:
    """What is left of the move of a step, k steps later.

    Attributes
    ----------
    response : float64 (lags + 1,), share of the move that is left after 0, 1, ... steps; 1 at 0.
    low, high : float64 (lags + 1,), 95 % bounds of the response.
    half_life_days : of the part that decays; inf if nothing comes back. permanent_share : of the move that stays.
    lead : the move one step before the volume, relative to that of the step itself: where it is not small, prices move
        first and volume follows.
    """

    response: FloatArray
    low: FloatArray
    high: FloatArray
    half_life_days: Estimate
    permanent_share: Estimate
    lead: Estimate


def fit_decay(sample: Sample, power: float, lags: int, step_days: float, seed: int) -> DecayFit:
    """Regress moves on the shaped volume of this, the `lags` earlier and the next step."""
    gram, products = _normal_equations(sample, power, lags)
    counts = draw_blocks(gram.shape[0], seed)
    point = np.linalg.lstsq(gram.sum(axis=0), products.sum(axis=0), rcond=None)[0]
    grams = np.einsum("rb,bij->rij", counts, gram)
    sums = counts @ products
    drawn = np.stack([np.linalg.lstsq(g, s, rcond=None)[0] for g, s in zip(grams, sums, strict=True)])
    responses = _responses(drawn)
    response = _responses(point[None, :])[0]
    half_lives, shares = _describe(responses)
    (half_life,), (share,) = _describe(response[None, :])
    low, high = np.quantile(responses, (0.025, 0.975), axis=0)
    method = _METHOD.format(lags=lags, block=sample.block)

    def estimate(value: float, values: FloatArray) -> Estimate:
        ordered = np.sort(values)
        finite = ordered[np.isfinite(ordered)]
        error = float(finite.std(ddof=1)) if finite.size == ordered.size else math.inf
        interval = BootstrapInterval(tuple(ordered.tolist()), float(gram.shape[0]))
        return Estimate(value, error, "parameter", method, sample.size, float(gram.shape[0]), interval)

    return DecayFit(
        response=response,
        low=low,
        high=high,
        half_life_days=estimate(float(half_life) * step_days, half_lives * step_days),
        permanent_share=estimate(float(share), shares),
        lead=estimate(float(point[-1] / point[0]), drawn[:, -1] / drawn[:, 0]),
    )


def _normal_equations(sample: Sample, power: float, lags: int) -> tuple[FloatArray, FloatArray]:
    """X'X and X'y of each block; the columns are the lags 0 .. `lags` and the lead."""
    g = shaped(sample.amounts, power, sample.typical)
    rows = np.arange(lags, sample.size - 1)
    columns = np.stack([*(g[rows - lag] for lag in range(lags + 1)), g[rows + 1]], axis=1)
    moves = sample.moves[rows]
    n_blocks = max(rows.size // sample.block, 1)
    ends = np.minimum(np.arange(n_blocks + 1) * sample.block, rows.size)
    ends[-1] = rows.size
    parts = [slice(a, b) for a, b in pairwise(ends.tolist())]
    gram = np.stack([columns[part].T @ columns[part] for part in parts])
    return gram, np.stack([columns[part].T @ moves[part] for part in parts])


def _responses(coefficients: FloatArray) -> FloatArray:
    """Cumulative moves relative to the first, float64 (n, lags + 1); the lead is left out."""
    total = np.cumsum(coefficients[:, :-1], axis=1)
    first = np.where(total[:, :1] == 0.0, np.nan, total[:, :1])
    return np.asarray(total / first)


def _describe(responses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half-life in steps and share that stays, by least squares over a grid of half-lives, for each response."""
    lags = responses.shape[1] - 1
    steps = np.arange(lags + 1)
    best = np.full(responses.shape[0], np.inf)
    half_lives, shares = np.full_like(best, np.inf), np.ones_like(best)
    for half_life in (*np.geomspace(0.05, 4.0 * lags, 80), math.inf):
        fading = 2.0 ** (-steps / half_life)
        missing = 1.0 - fading
        weight = float(missing @ missing)
        share = np.clip((responses - fading) @ missing / weight, 0.0, 1.0) if weight > 0.0 else np.ones_like(best)
        error = np.sum((responses - fading - share[:, None] * missing) ** 2, axis=1)
        better = error < best - 1e-12
        best[better], half_lives[better], shares[better] = error[better], half_life, share[better]
    half_lives[shares >= 1.0] = math.inf
    return half_lives, shares
