"""The draws of `variance_evidence.py`: normals of a block of paths by several plans of sampling, and their prices.

The engine draws its own normals; here they are given, so that one block can be had from any plan. Laws, recursions and
prices are the engine's own kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from collatrisk.kernels.cubics import interpolate_even
from collatrisk.kernels.laws import innovate
from collatrisk.kernels.paths import _write_prices, _write_variances
from collatrisk.kernels.random import MIXING_SLOT, fill_normals
from collatrisk.kernels.rows import CHUNK, multiply_row
from collatrisk.kernels.scores import correlate
from collatrisk.kernels.steps import start_paths, step_plain

FloatArray = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def paths_from(inputs, normals, prices, variance):  # type: ignore[no-untyped-def]
    """`simulate_block` for normals that are given: (steps, d + 1, n), the last row of a step its mixing score."""
    steps, d, n = variance.shape
    scores, mixing = np.empty((d, CHUNK)), np.ones(CHUNK)
    rows = np.empty(CHUNK, dtype=np.int64)
    state = np.empty((d, 4 * CHUNK))
    for low in range(0, n, CHUNK):
        high = low + CHUNK
        start_paths(inputs.steps, state)
        for i in range(d):
            prices[0, i, low:high] = inputs.spot[i]
        for step in range(steps):
            scores[:] = normals[step, :d, low:high]
            if inputs.scores.correlated:
                correlate(inputs.scores.lower, scores)
            if inputs.scores.mixed:
                mixing[:] = normals[step, d, low:high]
                interpolate_even(inputs.scores.mixing, inputs.scores.mixing_scale[0], mixing, rows)
            for i in range(d):
                if inputs.scores.mixed:
                    multiply_row(mixing, scores[i])
                innovate(inputs.laws, i, scores[i], rows)
                step_plain(inputs.steps, i, 1.0, scores[i], state[i])
                _write_variances(inputs.scores.conditional[i], state[i, :CHUNK], mixing, variance[step, i, low:high])
                _write_prices(inputs.spot[i], state[i, 2 * CHUNK : 3 * CHUNK], prices[step + 1, i, low:high])


@njit(cache=True, nogil=True, error_model="numpy")
def engine_normals(key, first, d, out):  # type: ignore[no-untyped-def]
    """The engine's own normals, (steps, d or d + 1, n), drawn a chunk at a time as there; row d is the mixing score."""
    for low in range(0, out.shape[2], CHUNK):
        for pair in range(out.shape[0] // 2):
            for i in range(out.shape[1]):
                even, odd = out[2 * pair, i, low : low + CHUNK], out[2 * pair + 1, i, low : low + CHUNK]
                fill_normals(key, first + low, pair, i if i < d else MIXING_SLOT, even, odd)


@njit(cache=True, nogil=True, error_model="numpy")
def bridge_minimum(x, variance, log_uniforms, out):  # type: ignore[no-untyped-def]
    """The lowest log value of a path, (n,), by the sampled minimum of each step's bridge."""
    for n in range(out.size):
        out[n] = 0.0
    for step in range(variance.shape[0]):
        for n in range(out.size):
            a, b = x[step, n], x[step + 1, n]
            low = 0.5 * (a + b - np.sqrt((b - a) ** 2 - 2.0 * variance[step, n] * log_uniforms[step, n]))
            out[n] = min(out[n], low)


@njit(cache=True, nogil=True, error_model="numpy")
def crossing_probability(x, variance, barrier, out):  # type: ignore[no-untyped-def]
    """P(the bridge falls below the log barrier, given the ends of steps), (n,)."""
    for n in range(out.size):
        stays = 1.0
        for step in range(variance.shape[0]):
            a, b = x[step, n] - barrier, x[step + 1, n] - barrier
            stays = stays * (1.0 - np.exp(-2.0 * a * b / variance[step, n])) if a > 0.0 and b > 0.0 else 0.0
        out[n] = 1.0 - stays


def walk_basis(steps: int) -> FloatArray:
    """Orthogonal (steps, steps): column k the normalised steps of the k-th principal component of a random walk."""
    times = np.arange(1.0, steps + 1.0)
    values, vectors = np.linalg.eigh(np.minimum.outer(times, times))
    order = np.argsort(values)[::-1]
    moves = np.diff(np.vstack([np.zeros(steps), vectors[:, order]]), axis=0) * np.sqrt(values[order])
    return np.ascontiguousarray(moves)


def plain(rng: np.random.Generator, shape: tuple[int, int, int], _: FloatArray) -> FloatArray:
    """Independent normals (steps, rows, n)."""
    return rng.standard_normal(shape)


def antithetic(rng: np.random.Generator, shape: tuple[int, int, int], _: FloatArray) -> FloatArray:
    """Path n/2 + k mirrors the asset normals of path k and shares its mixing score."""
    steps, rows, n = shape
    half = rng.standard_normal((steps, rows, n // 2))
    mirrored = -half
    mirrored[:, -1] = half[:, -1]
    return np.concatenate([half, mirrored], axis=2)


def antithetic_mixing(rng: np.random.Generator, shape: tuple[int, int, int], _: FloatArray) -> FloatArray:
    """The same with the rank of the mixing variable mirrored too."""
    half = rng.standard_normal((shape[0], shape[1], shape[2] // 2))
    return np.concatenate([half, -half], axis=2)


def first_step(rng: np.random.Generator, shape: tuple[int, int, int], direction: FloatArray) -> FloatArray:
    """The collateral's direction of the first step in n strata of one path each."""
    normals = rng.standard_normal(shape)
    _stratify(rng, normals[:1], direction[:1] / np.linalg.norm(direction[:1]))
    return normals


def whole_walk(rng: np.random.Generator, shape: tuple[int, int, int], direction: FloatArray) -> FloatArray:
    """The sum of the collateral's direction over all steps in n strata of one path each."""
    normals = rng.standard_normal(shape)
    _stratify(rng, normals, direction)
    return normals


def _stratify(rng: np.random.Generator, normals: FloatArray, direction: FloatArray) -> None:
    n = normals.shape[2]
    d = direction.shape[1]
    now = np.tensordot(direction, normals[:, :d], axes=([0, 1], [0, 1]))
    wanted = ndtri((rng.permutation(n) + rng.random(n)) / n)
    normals[:, :d] += direction[:, :, None] * (wanted - now)


def sobol(rng: np.random.Generator, shape: tuple[int, int, int], _: FloatArray) -> FloatArray:
    """Sobol points (linear matrix scramble, digital shift), a dimension a normal, in the order of the steps."""
    steps, rows, n = shape
    points = qmc.Sobol(steps * rows, scramble=True, rng=rng).random(n)
    np.clip(points, 2.0**-33, 1.0 - 2.0**-33, out=points)
    return np.ascontiguousarray(ndtri(points).T).reshape(steps, rows, n)


def sobol_walk(rng: np.random.Generator, shape: tuple[int, int, int], _: FloatArray) -> FloatArray:
    """The same, the first dimensions given to the principal components of the walk, largest first."""
    normals = sobol(rng, shape, _)
    basis = walk_basis(shape[0])
    assets = normals[:, :-1]
    assets[:] = (basis @ assets.reshape(shape[0], -1)).reshape(assets.shape)
    return normals


PLANS: dict[str, Callable[[np.random.Generator, tuple[int, int, int], FloatArray], Any]] = {
    "plain": plain,
    "antithetic, mixing shared": antithetic,
    "antithetic, mixing mirrored": antithetic_mixing,
    "stratified first step": first_step,
    "stratified sum of the walk": whole_walk,
    "scrambled Sobol, step order": sobol,
    "scrambled Sobol, principal components": sobol_walk,
}
