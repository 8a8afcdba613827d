"""VaR, ES and tail sketches: exact against sorting, and against closed forms within their own errors."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collatrisk.base.errors import InputError
from collatrisk.kernels.tails import CHUNK, compress_above
from collatrisk.risk import (
    Moments,
    TailSketch,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_value_at_risk,
    expected_shortfall,
    micro_sums,
    quantile_rank,
    tail_size,
    value_at_risk,
)

LEVELS = (0.5, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999)
some_losses = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=60)
some_level = st.sampled_from(LEVELS) | st.floats(0.01, 0.999)


def anchor(name: str) -> dict:
    vectors = json.loads(Path(__file__).with_name("vectors").joinpath("anchors.json").read_text())
    return next(vector for vector in vectors if vector["name"] == name)


def many(kind: str, n: int = 20_000) -> np.ndarray:
    """Long samples of awkward shapes, so that the one-pass kernel and its fallbacks all run."""
    rng = np.random.default_rng(11)
    x = rng.standard_t(3, size=n)
    return {
        "heavy": x,
        "sorted": np.sort(x),
        "reversed": np.sort(x)[::-1].copy(),
        "constant": np.full(n, 3.25),
        "mostly zero": np.where(rng.random(n) < 0.002, np.abs(x), 0.0),
        "ties": np.round(x),
        "periodic": np.where(np.arange(n) % 17 == 0, 50.0 + x, x),
        "two values": (rng.random(n) < 0.3).astype(float),
    }[kind]


AWKWARD = ("heavy", "sorted", "reversed", "constant", "mostly zero", "ties", "periodic", "two values")


def test_the_estimators_of_the_published_example() -> None:
    vector = anchor("anchors.empirical_es_fractional")
    losses = -np.array(vector["inputs"]["returns"], dtype=float)
    levels = vector["inputs"]["levels"]
    np.testing.assert_allclose(expected_shortfall(losses, levels), vector["expected"]["es"], rtol=1e-12)
    np.testing.assert_array_equal(value_at_risk(losses, levels), vector["expected"]["var_order_statistic"])


@pytest.mark.parametrize("level", ["0.9", "0.95", "0.975", "0.99", "0.995", "0.999", "0.07", "0.29", "0.57"])
def test_the_rank_is_the_one_that_decimals_mean(level: str) -> None:
    for n in [*range(1, 2001), 10**6, 10**9]:
        assert quantile_rank(n, float(level)) == math.ceil(Fraction(level) * n)


def test_99_per_cent_of_100_is_the_99th() -> None:
    assert value_at_risk(np.arange(1.0, 101.0), 0.99) == 99.0
    assert expected_shortfall(np.arange(1.0, 101.0), 0.99) == 100.0


@given(some_losses, some_level)
def test_small_samples_agree_with_the_naive_twins(losses: list[float], level: float) -> None:
    assert value_at_risk(losses, level) == naive.value_at_risk(losses, level)
    expected = naive.expected_shortfall(losses, level)
    assert expected_shortfall(losses, level) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("kind", AWKWARD)
def test_long_samples_are_exact(kind: str) -> None:
    losses = many(kind)
    ordered = np.sort(losses)
    ranks = [quantile_rank(losses.size, level) - 1 for level in LEVELS]
    np.testing.assert_array_equal(value_at_risk(losses, LEVELS), ordered[ranks])
    for level in LEVELS:
        assert value_at_risk(losses, level) == ordered[quantile_rank(losses.size, level) - 1]
        assert expected_shortfall(losses, level) == pytest.approx(naive.expected_shortfall(losses, level), rel=1e-12)


@given(st.lists(st.floats(-3, 3) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=40), st.floats(-3, 3))
def test_the_kernel_agrees_with_its_twin(values: list[float], threshold: float) -> None:
    array = np.array(values, dtype=float)
    out = np.empty(len(values) + CHUNK)
    above, equal, bad = compress_above(array, threshold, out)
    kept, twin_equal, twin_bad = naive.compress_above(values, threshold)
    assert (out[:above].tolist(), equal, bad) == (kept, twin_equal, twin_bad)


def test_the_kernel_says_when_its_buffer_is_too_small() -> None:
    assert compress_above(np.ones(3 * CHUNK), 0.0, np.empty(2 * CHUNK))[0] == -1


@given(some_losses, st.floats(0.01, 0.98), st.floats(-100, 100), st.floats(0.001, 100))
def test_what_every_risk_measure_obeys(losses: list[float], level: float, shift: float, scale: float) -> None:
    array = np.array(losses)
    var, es = value_at_risk(array, level), expected_shortfall(array, level)
    slack = 1e-6 * (1 + np.abs(array).max()) * (1 + scale)
    assert array.min() <= var <= array.max()
    assert es >= var - slack
    assert value_at_risk(array, level + 0.01) >= var
    assert expected_shortfall(array, level + 0.01) >= es - slack
    assert value_at_risk(scale * array + shift, level) == pytest.approx(scale * var + shift, abs=slack)
    assert expected_shortfall(scale * array + shift, level) == pytest.approx(scale * es + shift, abs=slack)


@given(st.integers(1, 40), st.data(), st.floats(0.05, 0.95))
def test_expected_shortfall_is_subadditive(n: int, data: st.DataObject, level: float) -> None:
    column = st.lists(st.floats(-1e3, 1e3), min_size=n, max_size=n)
    x, y = np.array(data.draw(column)), np.array(data.draw(column))
    assert expected_shortfall(x + y, level) <= expected_shortfall(x, level) + expected_shortfall(y, level) + 1e-6


@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("law", [stats.norm(), stats.t(5)])
def test_closed_forms_within_four_standard_errors(level: float, law: stats.rv_continuous) -> None:
    n = 400_000
    losses = law.ppf(np.random.default_rng(3).random(n))
    quantile = law.ppf(level)
    if law.dist.name == "norm":
        tail_mean = law.pdf(quantile) / (1 - level)
    else:
        tail_mean = law.pdf(quantile) * (5 + quantile**2) / 4 / (1 - level)
    var, es = estimate_value_at_risk(losses, level), estimate_expected_shortfall(losses, level)
    density_error = math.sqrt(level * (1 - level) / n) / law.pdf(quantile)
    assert var.standard_error == pytest.approx(density_error, rel=0.25)
    assert abs(var.value - quantile) < 4 * density_error
    assert abs(es.value - tail_mean) < 4 * es.standard_error


@pytest.mark.parametrize(
    ("losses", "rule"),
    [
        ([], "at least one loss"),
        ([1.0, math.nan, math.nan], "2 NaN among 3"),
        ([1.0, math.inf], "1 infinite among 2"),
        (["a", "b"], "must be numbers"),
        ([[1.0, 2.0], [3.0, 4.0]], "one-dimensional"),
        (3.0, "one-dimensional"),
    ],
)
def test_bad_losses_are_refused(losses: object, rule: str) -> None:
    for measure in (value_at_risk, expected_shortfall, estimate_value_at_risk, estimate_expected_shortfall):
        with pytest.raises(InputError, match=rule):
            measure(losses, 0.9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_loss_hidden_in_a_long_sample_is_found(bad: float) -> None:
    losses = many("heavy")
    losses[12_345] = bad
    with pytest.raises(InputError, match=r"1 (NaN|infinite) among 20000"):
        value_at_risk(losses, 0.99)


@pytest.mark.parametrize(
    ("level", "words"),
    [(99, "give 0.99 for 99 %"), (1.0, r"\(0, 1\)"), (0.0, r"\(0, 1\)"), (math.nan, r"\(0, 1\)"), ("0.9", r"\(0, 1\)")],
)
def test_bad_levels_are_refused(level: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        value_at_risk([1.0, 2.0], level)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        expected_shortfall([math.nan, math.inf], [0.5, 99, -1])
    assert len(caught.value.problems) == 4
    with pytest.raises(InputError, match="at least one level"):
        value_at_risk([1.0], [])


def test_a_series_will_do_and_one_loss_is_its_own_risk() -> None:
    assert value_at_risk(pd.Series([3.0, 1.0, 2.0]), 0.5) == 2.0
    assert value_at_risk([7], 0.99) == expected_shortfall([7], 0.99) == 7.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=200), st.integers(1, 30), st.data())
def test_a_sketch_does_not_depend_on_blocks_or_order(losses: list[float], keep: int, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(losses))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(losses)), max_size=5)))
    blocks = np.split(np.array(shuffled), cuts)
    sketches = [TailSketch(keep).add(block) for block in blocks]
    one = TailSketch(keep).add(losses)
    chained = TailSketch(keep)
    for block in blocks:
        chained = chained.add(block)
    folded = TailSketch(keep)
    for sketch in reversed(sketches):
        folded = folded.merge(sketch)
    assert one == chained == folded == sketches[0].merge(*sketches[1:])
    np.testing.assert_array_equal(one.tail, np.sort(losses)[-keep:])
    assert one.count == len(losses)


@pytest.mark.parametrize("kind", AWKWARD)
def test_a_sketch_gives_the_same_estimates_as_the_whole_sample(kind: str) -> None:
    losses = many(kind)
    sketch = TailSketch(tail_size(losses.size, 0.95))
    for block in np.split(losses, [4096, 9000, 15_000]):
        sketch = sketch.add(block)
    for level in (0.95, 0.99, 0.999):
        assert sketch.value_at_risk(level) == value_at_risk(losses, level)
        assert sketch.expected_shortfall(level) == expected_shortfall(losses, level)
        assert sketch.estimate_value_at_risk(level) == estimate_value_at_risk(losses, level)
        assert sketch.estimate_expected_shortfall(level) == estimate_expected_shortfall(losses, level)


def test_a_sketch_refuses_what_it_does_not_hold() -> None:
    sketch = TailSketch(10).add(np.arange(1000.0))
    with pytest.raises(InputError, match=r"must be at least 101 for level 0\.9 of 1000 losses"):
        sketch.value_at_risk(0.9)
    with pytest.raises(InputError, match="add losses first"):
        TailSketch(10).expected_shortfall(0.99)
    with pytest.raises(InputError, match="at least 1"):
        TailSketch(0)
    with pytest.raises(InputError, match="1 NaN"):
        sketch.add([math.nan])
    assert sketch.add([]) is sketch


def test_the_sketch_keeps_enough_for_its_intervals() -> None:
    for n in (10, 1000, 100_000):
        for level in (0.5, 0.9, 0.99, 0.999):
            sketch = TailSketch(tail_size(n, level)).add(np.arange(float(n)))
            whole = TailSketch(n).add(np.arange(float(n)))
            for confidence in (0.5, 0.95, 0.999_999):
                got = sketch.estimate_value_at_risk(level).ci(confidence)
                assert got == whole.estimate_value_at_risk(level).ci(confidence)


def test_micro_sums_do_not_depend_on_the_block_size() -> None:
    values = many("heavy", 10_000) * 1e7
    whole = micro_sums(values)
    for size in (1024, 2048, 4096):
        pieces = [micro_sums(values[first : first + size]) for first in range(0, values.size, size)]
        np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert math.fsum(whole) == pytest.approx(math.fsum(values), rel=1e-12)


@given(st.permutations(range(10)), st.integers(1, 9))
def test_moments_are_the_same_bits_in_any_order(order: list[int], cut: int) -> None:
    values = many("heavy", 9 * 1024 + 77) * 1e5
    blocks = [values[i * 1024 : (i + 1) * 1024] for i in order]
    one = Moments().add(values)
    left, right = Moments(), Moments()
    for block in blocks[:cut]:
        left = left.add(block)
    for block in blocks[cut:]:
        right = right.add(block)
    merged = left.merge(right)
    assert (merged.count, merged.mean, merged.variance) == (one.count, one.mean, one.variance)
    assert one.mean == pytest.approx(values.mean(), rel=1e-10)
    assert one.variance == pytest.approx(values.var(ddof=1), rel=1e-10)
    assert len(one.total) < 40


def test_moments_of_equal_values_and_of_none() -> None:
    constant = Moments().add(np.full(5000, 1e6 + 0.1))
    assert constant.variance == 0.0
    assert constant.mean == pytest.approx(1e6 + 0.1, rel=1e-15)
    assert math.isnan(Moments().mean)
    with pytest.raises(InputError, match="at least one value"):
        Moments().estimate()
    with pytest.raises(InputError, match="1 NaN"):
        estimate_mean([1.0, math.nan])


def test_the_order_statistic_meets_a_short_gamma_quantile_that_cornish_fisher_misses() -> None:
    """P&L = -0.5 * 10^4 u^2, u normal: its 0.99 quantile is -0.785; Cornish-Fisher gives -4707.88."""
    expected = anchor("anchors.cornish_fisher_fails_for_gamma")["expected"]
    pnl = -0.5e4 * np.random.default_rng(20).standard_normal(400_000) ** 2
    estimate = estimate_value_at_risk(pnl, 0.99)
    low, high = estimate.ci(0.9999)
    assert low <= expected["true_quantile"] <= high
    assert high - low < 0.25
    assert not low <= expected["cornish_fisher"] <= high
