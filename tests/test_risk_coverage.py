"""Do intervals of 95 % hold the truth 95 times in 100? Counted on simulated samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import collatrisk as cr
from collatrisk.risk.bootstrap import block_length, kept_variance


def coverage(bounds: Callable[[], tuple[float, float]], truth: float, repeats: int) -> float:
    found = [bounds() for _ in range(repeats)]
    return sum(low <= truth <= high for low, high in found) / repeats


@pytest.mark.parametrize(("n", "level"), [(200, 0.99), (1000, 0.99), (1000, 0.95)])
def test_expected_shortfall_of_few_losses_in_the_tail(n: int, level: float) -> None:
    """2, 10 and 50 losses in the tail: bounds by the normal law would cover 0.75 to 0.80, 0.88 and 0.94."""
    rng = np.random.default_rng(3)
    truth = stats.norm.pdf(stats.norm.ppf(level)) / (1 - level)
    covered = coverage(lambda: cr.estimate_expected_shortfall(rng.normal(size=n), level).ci(), truth, 1000)
    # Skewness of the tail costs two or three points that the t law does not give back.
    assert covered > 0.905 if n * (1 - level) < 20 else covered > 0.93


def test_a_small_tail_says_that_its_bounds_are_weak() -> None:
    losses = np.random.default_rng(3).normal(size=1000)
    assert "10 losses in the tail (fewer than 100" in cr.estimate_expected_shortfall(losses, 0.99).method
    assert "fewer than" not in cr.estimate_expected_shortfall(losses, 0.9).method


def test_mean_of_few_values() -> None:
    rng = np.random.default_rng(4)
    covered = coverage(lambda: cr.estimate_mean(rng.normal(size=4)).ci(), 0.0, 2000)
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


@pytest.mark.parametrize(("n", "overlap"), [(100, 5), (1000, 10), (5000, 3)])
def test_kept_variance_is_the_bartlett_sum(n: int, overlap: int) -> None:
    lags = np.abs(np.arange(1 - overlap, overlap))
    shown = np.sum((1 - lags / overlap) * (1 - lags / block_length(n, overlap)))
    assert kept_variance(n, overlap) == pytest.approx(shown / overlap, rel=1e-12)


def test_bootstrap_of_overlapping_windows() -> None:
    """Sums of ten normals, one a step: blocks alone would cover 0.88 to 0.90."""
    rng = np.random.default_rng(5)
    overlap, n, repeats = 10, 800, 80
    windows = [np.convolve(rng.normal(size=n + overlap - 1), np.ones(overlap), "valid") for _ in range(repeats)]
    samples = iter(windows)
    mean = coverage(lambda: cr.estimate_mean(next(samples), overlap=overlap).ci(), 0.0, repeats)
    samples = iter(windows)
    quantile = math.sqrt(overlap) * stats.norm.ppf(0.9)
    var = coverage(lambda: cr.estimate_value_at_risk(next(samples), 0.9, overlap=overlap).ci(), quantile, repeats)
    assert mean > 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / repeats)
    assert var > 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / repeats)
