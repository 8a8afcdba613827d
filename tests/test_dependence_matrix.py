"""Correlation matrices: the nearest one, the square root, shrinkage, Kendall's tau."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from collatrisk.base.errors import InputError
from collatrisk.dependence import correlation_factor, equicorrelation, nearest_correlation
from collatrisk.dependence.kendall import Concordance, tau_to_correlation
from collatrisk.dependence.shrinkage import constant_correlation_target, ledoit_wolf_intensity


@st.composite
def symmetric(draw: st.DrawFn) -> np.ndarray:
    size = draw(st.integers(2, 6))
    raw = draw(arrays(np.float64, (size, size), elements=st.floats(-1, 1)))
    matrix = (raw + raw.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return matrix


def test_published_example_of_higham() -> None:
    # N. J. Higham (2002), section 4: the nearest correlation matrix to this one has 0.7607 and 0.1573.
    given_matrix = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    nearest, finding = nearest_correlation(given_matrix)
    assert nearest[0, 1] == pytest.approx(0.7607, abs=5e-5)
    assert nearest[1, 2] == pytest.approx(0.7607, abs=5e-5)
    assert nearest[0, 2] == pytest.approx(0.1573, abs=5e-5)
    assert finding is not None
    assert (finding.code, finding.severity) == ("correlation-repaired", "warning")


def test_indefinite_example_of_higham_with_minus_ones() -> None:
    # The tridiagonal example of the same paper: [[2,-1,0,0],...] -> 1, -0.8084, 0.1916, 0.1068; -0.6562 in the middle.
    given_matrix = 2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    nearest, _ = nearest_correlation(given_matrix)
    expected = [
        [1.0, -0.8084, 0.1916, 0.1068],
        [-0.8084, 1.0, -0.6562, 0.1916],
        [0.1916, -0.6562, 1.0, -0.8084],
        [0.1068, 0.1916, -0.8084, 1.0],
    ]
    assert nearest == pytest.approx(np.array(expected), abs=5e-5)


@given(symmetric())
def test_nearest_is_a_correlation_matrix_and_stays(matrix: np.ndarray) -> None:
    nearest, _ = nearest_correlation(matrix)
    assert np.array_equal(np.diag(nearest), np.ones(len(matrix)))
    assert np.array_equal(nearest, nearest.T)
    assert np.linalg.eigvalsh(nearest)[0] >= -1e-11
    again, finding = nearest_correlation(nearest)
    assert np.array_equal(again, nearest)
    assert finding is None


@given(symmetric(), st.integers(0, 2**32 - 1))
def test_no_other_correlation_matrix_is_nearer(matrix: np.ndarray, seed: int) -> None:
    nearest, _ = nearest_correlation(matrix)
    distance = np.linalg.norm(matrix - nearest)
    rows = np.random.default_rng(seed).standard_normal((len(matrix), len(matrix)))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    other = rows @ rows.T
    for weight in (1.0, 0.1, 1e-3):
        mixture = (1 - weight) * nearest + weight * other
        assert distance <= np.linalg.norm(matrix - mixture) + 1e-7


def test_eigenvalue_floor_bounds_the_condition_number() -> None:
    nearest, finding = nearest_correlation(np.ones((4, 4)), min_eigenvalue=4e-8)
    values = np.linalg.eigvalsh(nearest)
    assert values[0] == pytest.approx(4e-8, rel=1e-3)
    assert finding is not None


@pytest.mark.parametrize(
    ("matrix", "rule"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1.0, 0.2], [0.3, 1.0]]), "symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "finite"),
    ],
)
def test_nearest_refuses_what_is_no_symmetric_matrix(matrix: np.ndarray, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        nearest_correlation(matrix)


@given(symmetric())
def test_factor_gives_the_matrix_back_also_when_singular(matrix: np.ndarray) -> None:
    correlation, _ = nearest_correlation(matrix)
    factor = correlation_factor(correlation)
    assert np.array_equal(factor, np.tril(factor))
    assert factor @ factor.T == pytest.approx(correlation, abs=3e-5)


def test_factor_of_identical_assets_is_exact() -> None:
    factor = correlation_factor(np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 1.0], [0.5, 1.0, 1.0]]))
    assert np.array_equal(factor[1], factor[2])
    assert factor[1, 1] == pytest.approx(math.sqrt(0.75))


def test_equicorrelation_has_its_bounds() -> None:
    assert np.linalg.eigvalsh(equicorrelation(4, -1 / 3))[0] == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(InputError, match="rho"):
        equicorrelation(4, -0.34)


@given(arrays(np.float64, st.tuples(st.integers(4, 25), st.just(3)), elements=st.integers(0, 6).map(float)))
def test_kendall_agrees_with_counting_pairs_ties_included(values: np.ndarray) -> None:
    if np.any(np.ptp(values, axis=0) == 0):
        values = values + np.arange(len(values))[:, None]
    tau = Concordance.of(values).tau
    for i in range(3):
        for j in range(3):
            assert tau[i, j] == pytest.approx(naive.kendall_tau_b(values[:, i], values[:, j]), abs=1e-12)


def test_influence_is_the_projection_and_gives_the_variance_of_tau() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    influence = Concordance.of(x).influence
    i = 7
    signs = np.sign(x[i, 0] - x[:, 0]) * np.sign(x[i, 1] - x[:, 1])
    all_signs = np.sign(x[:, None, 0] - x[None, :, 0]) * np.sign(x[:, None, 1] - x[None, :, 1])
    assert influence[i, 0, 1] == pytest.approx(2 * (signs.mean() - all_signs.mean()), abs=1e-12)
    # Independence: n Var(tau_hat) -> 4/9, of the projection 4/9 exactly.
    large = Concordance.of(rng.standard_normal((6000, 2))).influence
    assert np.mean(large[:, 0, 1] ** 2) == pytest.approx(4 / 9, abs=4 * 0.45 / math.sqrt(6000))


def test_tau_inverts_to_the_correlation() -> None:
    rho = np.array([[1.0, 0.6], [0.6, 1.0]])
    assert tau_to_correlation(2 / math.pi * np.arcsin(rho)) == pytest.approx(rho, abs=1e-15)


@pytest.mark.parametrize(("n", "d"), [(12, 3), (30, 5), (25, 2)])
def test_ledoit_wolf_agrees_with_its_naive_twin(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    common = rng.standard_normal((n, 1))
    scores = 0.7 * common + rng.standard_normal((n, d)) * np.linspace(0.5, 1.5, d)
    assert ledoit_wolf_intensity(scores) == pytest.approx(_twin_intensity(scores), abs=1e-10)


def _twin_intensity(scores: np.ndarray) -> float:
    if scores.shape[1] == 2:  # the sample already has constant correlation: nothing to shrink
        return 0.0
    intensity, sample, target = naive.ledoit_wolf_constant_correlation(scores)
    assert constant_correlation_target(sample) == pytest.approx(target, abs=1e-12)
    return intensity


def test_shrinkage_lowers_the_error_on_average() -> None:
    rng = np.random.default_rng(11)
    truth = equicorrelation(8, 0.5)
    factor = correlation_factor(truth)
    raw, shrunk = [], []
    for _ in range(60):
        scores = rng.standard_normal((30, 8)) @ factor.T
        sample = np.corrcoef(scores, rowvar=False)
        weight = ledoit_wolf_intensity(scores)
        raw.append(np.sum((sample - truth) ** 2))
        shrunk.append(np.sum(((1 - weight) * sample + weight * constant_correlation_target(sample) - truth) ** 2))
    gain = np.array(raw) - np.array(shrunk)
    assert gain.mean() > 4 * gain.std() / math.sqrt(len(gain))
