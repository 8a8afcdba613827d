"""The kernels of dynamic correlation against their twins: matrices side by side, the likelihood and its slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dcc_models import dcc_scores
from naive_dcc import dcc_path, dcc_values

from collatrisk.dependence.correlation_path import correlation_path
from collatrisk.dependence.dynamic_likelihood import DynamicLikelihood, Targets
from collatrisk.kernels import dcc_search, packed
from collatrisk.kernels.packed import LANES

MOTIONS = ("standard", "corrected", "asymmetric")
THETA = {"standard": (0.05, 0.9, 0.0), "corrected": (0.05, 0.9, 0.0), "asymmetric": (0.04, 0.88, 0.05)}


def matrices(size, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((LANES, size, 2 * size))
    return x @ x.transpose(0, 2, 1) / size


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_factors_inverses_and_solutions_of_many_matrices(size):
    q = matrices(size)
    lower, p = np.tril_indices(size), size * (size + 1) // 2
    vectors = np.random.default_rng(2).standard_normal((LANES, size))
    flat = np.zeros((3 * p + 3 * size) * LANES)
    rows = flat.reshape(-1, LANES)
    rows[:p] = q[:, lower[0], lower[1]].T
    rows[3 * p : 3 * p + size] = vectors.T
    places = [k * LANES for k in (0, p, 2 * p, 3 * p, 3 * p + size, 3 * p + 2 * size)]
    factor, columns, inverse, vector, solved, diagonal = places
    packed.factorise(flat, factor, size, diagonal)
    packed.invert_factor(flat, factor, size, diagonal, columns)
    packed.subtract_inverse(flat, columns, size, inverse)
    packed.solve_lower(flat, factor, size, diagonal, vector)
    packed.subtract_transposed(flat, columns, size, vector, solved)
    root = np.linalg.cholesky(q)
    wanted = np.linalg.inv(q)
    scale = np.abs(wanted).max()
    assert np.allclose(rows[:p], root[:, lower[0], lower[1]].T, atol=1e-12)
    assert np.allclose(rows[2 * p : 3 * p], -wanted[:, lower[0], lower[1]].T, atol=1e-12 * scale)
    half = np.linalg.solve(root, vectors[:, :, None])[:, :, 0]
    assert np.allclose(rows[3 * p : 3 * p + size], half.T, atol=1e-11 * np.abs(half).max())
    found = np.linalg.solve(q, vectors[:, :, None])[:, :, 0]
    assert np.allclose(rows[3 * p + size : 3 * p + 2 * size], -found.T, atol=1e-12 * scale * 10)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_hand_made_products_have_the_bits_of_the_plain_loop(count):
    rng = np.random.default_rng(3)
    flat = rng.standard_normal(12 * LANES)
    plain = flat.copy()
    packed.subtract_products(flat, 0, 5 * LANES, count, 11 * LANES)
    packed.subtract_products_plain(plain, 0, 5 * LANES, count, 11 * LANES)
    assert np.array_equal(flat, plain)
    rows = plain.reshape(-1, LANES)
    again = np.random.default_rng(3).standard_normal(12 * LANES).reshape(-1, LANES)
    wanted = again[11] - (again[:count] * again[5 : 5 + count]).sum(axis=0)
    assert np.allclose(rows[11], wanted, atol=1e-13)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("nu", [None, 5.0])
@pytest.mark.parametrize("pairs", [False, True])
def test_likelihood_is_that_of_the_twin(motion, nu, pairs):
    x = dcc_scores(333, 4, 0.05, 0.9)
    likelihood = DynamicLikelihood(x, motion, nu, pairs)
    theta = np.array(THETA[motion])
    found = likelihood.evaluate(theta)[0]
    wanted = dcc_values(x, motion, *theta, nu, pairs) / (3 if pairs else 1) + likelihood._margins
    assert np.allclose(found, wanted, atol=1e-11)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("nu", [None, 5.0])
@pytest.mark.parametrize("pairs", [False, True])
def test_scores_are_the_slopes_of_the_likelihood(motion, nu, pairs):
    x = dcc_scores(150, 3, 0.05, 0.9)
    likelihood = DynamicLikelihood(x, motion, nu, pairs, shrinkage=0.2)
    theta = np.array(THETA[motion])
    scores = likelihood.evaluate(theta)[1]
    for place in range(3 if motion == "asymmetric" else 2):
        step = np.zeros(3)
        step[place] = 1e-6
        ends = [likelihood.evaluate(theta + sign * step)[0] for sign in (1, -1)]
        assert np.allclose(scores[:, place], (ends[0] - ends[1]) / 2e-6, atol=2e-6 * max(1, np.abs(scores).max()))


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize(("size", "nu"), [(2, 5.0), (5, None), (6, 5.0), (7, None), (13, 5.0)])
def test_tiles_give_the_likelihood_of_the_twin(motion, size, nu):
    x = dcc_scores(301, size, 0.05, 0.9)
    theta = np.array(THETA[motion])
    found = DynamicLikelihood(x, motion, nu, False)
    wanted = dcc_values(x, motion, *theta, nu, False) + found._margins
    assert np.allclose(found.evaluate(theta)[0], wanted, atol=1e-11 * size)


@pytest.mark.skipif(not dcc_search.WIDE, reason="this processor has no registers of eight numbers")
@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize(("size", "nu"), [(2, None), (3, None), (5, 5.0), (7, None), (13, 5.0)])
def test_tiles_and_runs_give_the_same(motion, size, nu, monkeypatch):
    x = dcc_scores(301, size, 0.05, 0.9)
    theta = np.array(THETA[motion])
    found, wanted = (DynamicLikelihood(x, motion, nu, False, shrinkage=0.1) for _ in range(2))
    found.evaluate(theta)
    monkeypatch.setattr(dcc_search, "WIDE", False)
    for mine, theirs in zip(found.evaluate(theta), wanted.evaluate(theta), strict=True):
        assert np.allclose(mine, theirs, atol=1e-12 * np.abs(theirs).max())
    assert found._problem.laid.shape[2] != wanted._problem.laid.shape[2]
    leaning = wanted.target_slopes(theta)
    assert np.allclose(found.target_slopes(theta), leaning, atol=1e-12 * np.abs(leaning).max())


def test_a_matrix_that_is_not_positive_definite_gives_nan():
    x = dcc_scores(200, 8, 0.05, 0.9)
    likelihood = DynamicLikelihood(x, "standard", None, False)
    with np.errstate(invalid="ignore"):
        assert np.isnan(likelihood.evaluate(np.array([-0.9, 0.5, 0.0]))[0]).any()


@pytest.mark.parametrize("pairs", [False, True])
def test_slopes_in_the_targets(pairs):
    x = dcc_scores(200, 3, 0.05, 0.9)
    theta = np.array(THETA["asymmetric"])
    likelihood = DynamicLikelihood(x, "asymmetric", 6.0, pairs)
    slopes = likelihood.target_slopes(theta)
    fixed = likelihood.targets(theta)
    rng = np.random.default_rng(4)
    for target in (0, 1):
        change = rng.standard_normal((3, 3))
        change = change + change.T
        means = []
        for sign in (1, -1):
            moved = replace(likelihood)
            correlation, negatives = fixed.correlation.copy(), fixed.negatives.copy()
            (correlation[0] if target == 0 else negatives)[...] += sign * 1e-6 * change
            moved.__dict__["_fixed_targets"] = Targets(fixed.driving, correlation, negatives)
            means.append(moved.evaluate(theta)[0].mean())
        assert (means[0] - means[1]) / 2e-6 == pytest.approx(float(np.sum(slopes[target] * change)), rel=1e-5)


@pytest.mark.parametrize("motion", MOTIONS)
def test_last_state_and_path_are_those_of_the_twin(motion):
    x = dcc_scores(120, 3, 0.05, 0.9)
    theta = np.array(THETA[motion])
    likelihood = DynamicLikelihood(x, motion, None, False)
    path = dcc_path(x, motion, *theta)
    assert np.allclose(likelihood.last_state(theta), path[-1], atol=1e-13)
    targets = likelihood.targets(theta)
    negatives = targets.negatives if motion == "asymmetric" else None
    found = correlation_path(x, motion, theta, targets.correlation[0], negatives)
    sd = np.sqrt(np.diagonal(path, axis1=1, axis2=2))
    assert np.allclose(found, np.array(path) / (sd[:, :, None] * sd[:, None, :]), atol=1e-12)
