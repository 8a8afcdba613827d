"""Estimates: the interval must be right for the kind, and honest where the sample cannot tell."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collatrisk.base.errors import InputError
from collatrisk.risk import (
    Estimate,
    NormalInterval,
    TailSketch,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_probability,
    estimate_value_at_risk,
    probability,
)
from collatrisk.risk.bootstrap import block_length, resamples
from collatrisk.risk.intervals import binomial_ranks


def sample(n: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


EVERY_KIND = [
    estimate_probability(3, 1000),
    estimate_value_at_risk(sample(5000), 0.99),
    estimate_value_at_risk(sample(500), 0.9, overlap=5),
    estimate_value_at_risk(sample(20), 0.99),
    estimate_expected_shortfall(sample(5000), 0.99),
    estimate_mean(sample(5000)),
    estimate_mean(sample(1)),
    Estimate.exact(0.25),
    estimate_value_at_risk(sample(5000), 0.99).mapped(-2.0, 1.0, floor=-4.0),
]


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_probabilities_have_exact_binomial_bounds(n: int, data: st.DataObject, confidence: float) -> None:
    hits = data.draw(st.integers(0, n))
    estimate = estimate_probability(hits, n)
    expected = stats.binomtest(hits, n).proportion_ci(confidence, method="exact")
    assert estimate.ci(confidence) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)
    assert estimate.ci(confidence)[0] <= estimate.value <= estimate.ci(confidence)[1]


def test_zero_hits_are_not_a_zero_bound() -> None:
    none = probability(np.zeros(1000, dtype=bool))
    low, high = none.ci()
    assert (none.value, low) == (0.0, 0.0)
    assert high == pytest.approx(1 - 0.025 ** (1 / 1000), rel=1e-9)
    assert probability([True] * 10).ci()[1] == 1.0
    assert probability([True]).ci()[0] == pytest.approx(0.025)


def test_overlapping_windows_count_as_fewer() -> None:
    flags = np.arange(1000) < 40
    apart, sharing = probability(flags), probability(flags, overlap=10)
    assert sharing.n_effective == 100
    assert sharing.value == apart.value
    assert sharing.standard_error == pytest.approx(apart.standard_error * math.sqrt(10))
    expected = stats.binomtest(4, 100).proportion_ci(0.95, method="exact")
    assert sharing.ci() == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert sharing.monte_carlo is None
    assert apart.monte_carlo == apart.standard_error


@given(st.integers(1, 400), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_ranks_of_a_quantile_are_the_tightest_that_hold(n: int, level: float, confidence: float) -> None:
    tail = (1 - confidence) / 2
    low, high = binomial_ranks(n, level, tail)
    law = stats.binom(n, level)
    assert law.cdf(low - 1) <= tail * (1 + 1e-9)
    assert low == n or law.cdf(low) > tail * (1 - 1e-9)
    assert law.sf(high - 1) <= tail * (1 + 1e-9)
    assert high == 1 or law.sf(high - 2) > tail * (1 - 1e-9)
    losses = np.arange(1.0, n + 1)
    bounds = estimate_value_at_risk(losses, level).ci(confidence)
    assert bounds == (low if low >= 1 else -math.inf, high if high <= n else math.inf)


def test_quantile_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(21)
    truth = stats.t(3).ppf(0.95)
    trials = 1500
    inside = 0
    for _ in range(trials):
        low, high = estimate_value_at_risk(rng.standard_t(3, size=300), 0.95).ci()
        inside += low <= truth <= high
    assert inside / trials > 0.95 - 4 * math.sqrt(0.95 * 0.05 / trials)


def test_a_sample_too_small_for_a_bound_says_so() -> None:
    estimate = estimate_value_at_risk(sample(50), 0.99)
    assert estimate.ci()[1] == math.inf
    assert math.isfinite(estimate.ci()[0])
    assert "no upper bound" in estimate.method
    # One loss lies below the 99 % quantile with probability 0.99: it bounds it from below, and nothing else.
    assert estimate_value_at_risk([4.0], 0.99).ci() == (4.0, math.inf)
    alone = estimate_value_at_risk([4.0], 0.5)
    assert (alone.value, *alone.ci()) == (4.0, -math.inf, math.inf)
    assert "no lower or upper bound" in alone.method


def test_the_error_of_expected_shortfall_is_that_of_its_sampling() -> None:
    rng = np.random.default_rng(8)
    level, n = 0.95, 4000
    truth = stats.norm.pdf(stats.norm.ppf(level)) / (1 - level)
    estimates = [estimate_expected_shortfall(rng.standard_normal(n), level) for _ in range(600)]
    values = np.array([estimate.value for estimate in estimates])
    claimed = np.mean([estimate.standard_error for estimate in estimates])
    assert claimed == pytest.approx(values.std(ddof=1), rel=4 / math.sqrt(2 * 600))
    covered = np.mean([low <= truth <= high for low, high in (estimate.ci() for estimate in estimates)])
    assert covered > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 600) - 0.01


def test_the_formula_of_the_error_of_expected_shortfall() -> None:
    losses = sample(10_000)
    level = 0.99
    tail = np.sort(losses)[-100:]
    var, es = np.sort(losses)[-101], tail.mean()
    expected = math.sqrt((tail.var(ddof=1) + level * (es - var) ** 2) / 100)
    assert estimate_expected_shortfall(losses, level).standard_error == pytest.approx(expected, rel=1e-12)


def test_tails_that_cannot_tell_have_no_upper_bound() -> None:
    unseen = estimate_expected_shortfall(np.zeros(10_000), 0.99, floor=0.0)
    assert (unseen.value, unseen.standard_error, *unseen.ci()) == (0.0, 0.0, 0.0, math.inf)
    assert "all losses in the tail are equal" in unseen.method
    single = estimate_expected_shortfall(sample(50), 0.99)
    assert single.standard_error == math.inf
    assert single.ci() == (-math.inf, math.inf)
    assert "fewer than two losses" in single.method
    assert estimate_mean(np.zeros(100), floor=0.0).ci() == (0.0, math.inf)
    assert estimate_mean([3.0]).ci() == (-math.inf, math.inf)


def test_a_floor_holds_the_lower_bound() -> None:
    rare = np.zeros(10_000)
    rare[7] = 1e6
    assert estimate_mean(rare).ci()[0] < 0
    assert estimate_mean(rare, floor=0.0).ci()[0] == 0.0
    assert estimate_expected_shortfall(rare, 0.99, floor=0.0).ci()[0] == 0.0


def test_the_mean_is_within_its_error() -> None:
    estimate = estimate_mean(sample(100_000) + 2.0)
    assert abs(estimate.value - 2.0) < 4 * estimate.standard_error
    assert estimate.standard_error == pytest.approx(1 / math.sqrt(100_000), rel=0.02)


def test_resamples_are_blocks_of_neighbours_and_repeat() -> None:
    rows = list(resamples(100, 12, seed=3, replicates=5))
    length = block_length(100, 12)
    assert length == 12
    for row in rows:
        assert row.size == 100
        starts = row[::length]
        assert (row == np.repeat(starts, length)[:100] + np.tile(np.arange(length), 9)[:100]).all()
        assert 0 <= row.min() <= row.max() < 100
    again = list(resamples(100, 12, seed=3, replicates=5))
    assert all((one == two).all() for one, two in zip(rows, again, strict=True))
    other = list(resamples(100, 12, seed=4, replicates=5))
    assert not all((one == two).all() for one, two in zip(rows, other, strict=True))


def test_the_bootstrap_sees_that_windows_overlap() -> None:
    steps, overlap = sample(3009), 10
    windows = np.convolve(steps, np.ones(overlap), mode="valid")
    estimate = estimate_mean(windows, overlap=overlap, seed=1)
    truth = overlap / math.sqrt(steps.size)
    assert estimate.standard_error == pytest.approx(truth, rel=0.25)
    assert estimate.standard_error > 2.5 * estimate_mean(windows).standard_error
    assert estimate.n_effective == 300
    assert "moving-block bootstrap" in estimate.method
    low, high = estimate.ci()
    assert low < estimate.value < high
    assert estimate == estimate_mean(windows, overlap=overlap, seed=1)
    assert estimate != estimate_mean(windows, overlap=overlap, seed=2)


def test_the_bootstrap_does_not_promise_what_windows_cannot_hold() -> None:
    windows = np.convolve(sample(509), np.ones(10), mode="valid")
    far, near = estimate_value_at_risk(windows, [0.99, 0.5], overlap=10)
    assert far.ci()[1] == math.inf
    assert all(map(math.isfinite, near.ci()))
    few = estimate_expected_shortfall(windows[:15], 0.9, overlap=10)
    assert few.standard_error == math.inf
    assert "worth fewer than two" in few.method


def test_a_sketch_of_overlapping_windows_is_cautious() -> None:
    sketch = TailSketch(10_000).add(sample(10_000))
    apart, sharing = sketch.estimate_value_at_risk(0.95), sketch.estimate_value_at_risk(0.95, overlap=10)
    assert sharing.value == apart.value
    assert sharing.ci()[0] < apart.ci()[0] < apart.ci()[1] < sharing.ci()[1]
    tail_mean = sketch.estimate_expected_shortfall(0.95, overlap=10)
    assert tail_mean.standard_error == pytest.approx(
        math.sqrt(10) * sketch.estimate_expected_shortfall(0.95).standard_error
    )


@pytest.mark.parametrize("estimate", EVERY_KIND, ids=lambda estimate: estimate.kind)
def test_estimates_travel(estimate: Estimate) -> None:
    assert pickle.loads(pickle.dumps(estimate)) == estimate
    told = json.loads(json.dumps(estimate.to_dict(), allow_nan=False))
    assert told["value"] == estimate.value
    low, high = estimate.ci()
    assert told["low"] == (low if math.isfinite(low) else None)
    assert told["high"] == (high if math.isfinite(high) else None)
    page = estimate._repr_html_()
    assert page.startswith("<table")
    assert "95 % interval" in page
    assert float(estimate) == estimate.value
    assert low <= estimate.value <= high


@pytest.mark.parametrize("estimate", EVERY_KIND, ids=lambda estimate: estimate.kind)
def test_more_confidence_is_a_wider_interval(estimate: Estimate) -> None:
    bounds = [estimate.ci(level) for level in (0.5, 0.8, 0.95, 0.99)]
    lows, highs = zip(*bounds, strict=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)


def test_html_is_escaped() -> None:
    assert "<script>" not in Estimate.exact(1.0, "<script>")._repr_html_()


@pytest.mark.parametrize("level", [0, 1, 95, math.nan, "0.95", True])
def test_bad_confidences_are_refused(level: object) -> None:
    with pytest.raises(InputError, match=r"give 0\.95 for 95 %"):
        EVERY_KIND[0].ci(level)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.36835856, 0.0022, "0.3684 [0.3640, 0.3727]"),
        (1_234_567.891, 250.0, "1,234,568 [1,234,078, 1,235,058]"),
        (12.3456, 0.5, "12.35 [11.37, 13.33]"),
        (3.2e-7, 1.1e-7, "3.2e-07 [1.0e-07, 5.4e-07]"),
        (0.0, 0.0, "0 [0, 0]"),
        (2.5, math.inf, "2.5 [-inf, inf]"),
    ],
)
def test_digits_follow_the_standard_error(value: float, error: float, text: str) -> None:
    estimate = Estimate(value, error, "mean", "", 10, 10.0, NormalInterval(value, error))
    assert estimate.format() == str(estimate) == f"{estimate}" == text


def test_a_number_format_formats_the_value() -> None:
    assert f"{estimate_probability(1, 3):.4f}" == "0.3333"
    assert estimate_probability(0, 100_000).format() == "0 [0, 3.69e-05]"


def test_mapping_carries_bounds_and_errors() -> None:
    estimate = estimate_value_at_risk(sample(5000), 0.99)
    turned = estimate.mapped(-2.0, 1.0)
    low, high = estimate.ci()
    assert turned.ci() == (1 - 2 * high, 1 - 2 * low)
    assert turned.value == 1 - 2 * estimate.value
    assert turned.standard_error == 2 * estimate.standard_error == turned.monte_carlo
    clipped = estimate.mapped(floor=0.0, cap=estimate.value)
    assert clipped.ci() == (low, estimate.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: probability([]), "at least one"),
        (lambda: probability([0, 1, 2]), "1 such as 2"),
        (lambda: probability([0.5]), "True or False"),
        (lambda: probability([math.nan]), "True or False"),
        (lambda: estimate_probability(3, 2), "at most 2"),
        (lambda: estimate_probability(-1, 0), "2 problems"),
        (lambda: estimate_mean([1.0], overlap=0), "at least 1"),
        (lambda: estimate_value_at_risk([1.0], 0.5, overlap=1.5), "overlap"),
    ],
)
def test_bad_input_is_refused(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        call()
