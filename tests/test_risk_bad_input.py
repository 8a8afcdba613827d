"""Losses, levels, seeds and overlaps that break a rule: a clear error, no traceback of numpy and no quiet answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.risk import Moments, tail_size

LOSSES = np.random.default_rng(0).normal(size=1000)
MEASURES = [
    cr.value_at_risk,
    cr.expected_shortfall,
    cr.estimate_value_at_risk,
    cr.estimate_expected_shortfall,
]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(np.ma.masked_array([1.0, 2.0, 9.0], mask=[0, 0, 1]), id="masked"),
        pytest.param(pd.to_datetime(["2024-01-01", "2024-01-02"]), id="dates"),
        pytest.param(["1", "2"], id="text that reads as numbers"),
        pytest.param(np.array([1 + 2j]), id="complex"),
        pytest.param([10**400, 1], id="an int beyond float"),
        pytest.param([-1e308, 1e308] * 600, id="sums overflow"),
        pytest.param(np.append(np.zeros(20_000), 1e308), id="sums overflow, long"),
    ],
)
def test_losses_that_are_no_numbers_are_refused(measure: Callable[..., Any], losses: Any) -> None:
    with pytest.raises(cr.InputError, match="losses"):
        measure(losses, 0.9)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("level", [{0.9, 0.99}, {0.9: 1, 0.99: 2}, iter([0.9, 0.99]), [[0.9, 0.99]], [], "0.9"])
def test_levels_come_one_or_in_order(measure: Callable[..., Any], level: Any) -> None:
    with pytest.raises(cr.InputError, match="level"):
        measure(LOSSES, level)


def test_a_level_may_be_a_numpy_scalar_of_any_sort() -> None:
    assert cr.value_at_risk(LOSSES, np.array(0.9)) == cr.value_at_risk(LOSSES, 0.9)  # type: ignore[call-overload]


def test_the_highest_level_below_one_is_the_worst_loss() -> None:
    level = np.nextafter(1.0, 0.0)
    assert cr.expected_shortfall(LOSSES, level) == cr.value_at_risk(LOSSES, level) == LOSSES.max()
    assert np.isinf(cr.estimate_expected_shortfall(LOSSES, level).standard_error)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "a", None])
def test_seeds_of_the_bootstrap_are_checked(seed: Any) -> None:
    for estimate in (cr.estimate_value_at_risk, cr.estimate_expected_shortfall):
        with pytest.raises(cr.InputError, match=r"seed .*must be a whole number of at least 0"):
            estimate(LOSSES, 0.9, overlap=10, seed=seed)
    with pytest.raises(cr.InputError, match="seed"):
        cr.estimate_mean(LOSSES, overlap=10, seed=seed)


def test_floors_are_numbers() -> None:
    with pytest.raises(cr.InputError, match="floor = nan: must be a number"):
        cr.estimate_expected_shortfall(LOSSES, 0.9, floor=float("nan"))
    with pytest.raises(cr.InputError, match="floor"):
        cr.estimate_mean(LOSSES, floor=float("nan"))


def test_a_floor_holds_for_overlapping_windows_too() -> None:
    losses = np.maximum(LOSSES, 0.0)
    estimate = cr.estimate_expected_shortfall(losses, 0.01, overlap=100, floor=0.0)
    assert estimate.ci(0.99)[0] >= 0.0


@pytest.mark.parametrize("level", [[0.99, 0.999], [], 99, None])
def test_a_sketch_answers_one_level(level: Any) -> None:
    sketch = cr.TailSketch(100).add(LOSSES)
    with pytest.raises(cr.InputError, match="level"):
        sketch.value_at_risk(level)
    with pytest.raises(cr.InputError, match="level"):
        sketch.estimate_expected_shortfall(level)


@pytest.mark.parametrize("overlap", [0, -1, float("nan"), "k"])
def test_overlaps_are_checked(overlap: Any) -> None:
    sketch = cr.TailSketch(100).add(LOSSES)
    for call in (
        lambda: sketch.estimate_value_at_risk(0.99, overlap=overlap),
        lambda: sketch.estimate_expected_shortfall(0.99, overlap=overlap),
        lambda: Moments().add([1.0, 2.0]).estimate(overlap=overlap),
        lambda: tail_size(100, 0.99, overlap=overlap),
    ):
        with pytest.raises(cr.InputError, match="overlap"):
            call()


def test_a_sketch_merges_sketches_only() -> None:
    with pytest.raises(cr.InputError, match="must be a TailSketch"):
        cr.TailSketch(5).merge(LOSSES)  # type: ignore[arg-type]


def test_tail_size_names_all_that_is_wrong() -> None:
    with pytest.raises(cr.InputError, match="2 problems"):
        tail_size(-5, 99)


def test_moments_refuse_what_overflows() -> None:
    with pytest.raises(cr.InputError, match="give larger units"):
        cr.estimate_mean([1e200, -1e200])
