"""Control variates: the estimate, its interval, what is refused, and a textbook basket on the engine's own paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import ndtr

import collatrisk as cr
from collatrisk.base.errors import InputError


def test_is_the_intercept_of_least_squares_with_its_error() -> None:
    rng = np.random.default_rng(1)
    controls = rng.standard_normal((200, 2)) @ np.array([[1.0, 0.4], [0.0, 2.0]]) + [3.0, -1.0]
    values = 5.0 + controls @ [0.7, -0.2] + rng.standard_normal(200)
    design = np.column_stack([np.ones(200), controls - [3.0, -1.0]])
    coefficients = np.linalg.solve(design.T @ design, design.T @ values)
    rest = values - design @ coefficients
    error = math.sqrt(rest @ rest / 197 * np.linalg.inv(design.T @ design)[0, 0])
    found = cr.estimate_controlled_mean(values, controls, [3.0, -1.0])
    assert found.value == pytest.approx(coefficients[0], rel=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-12)
    assert (found.n, found.kind) == (200, "mean")


@settings(derandomize=True, deadline=None, max_examples=50)
@given(scale=st.floats(0.01, 1e4), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_units_of_a_control_do_not_matter(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    control = rng.standard_normal(50)
    values = control**2 + rng.random(50)
    one = cr.estimate_controlled_mean(values, control, 0.0)
    other = cr.estimate_controlled_mean(values, scale * control + shift, shift)
    assert other.value == pytest.approx(one.value, rel=1e-6)
    assert other.standard_error == pytest.approx(one.standard_error, rel=1e-6)


def test_perfect_control_leaves_no_error() -> None:
    control = np.random.default_rng(2).random(100)
    found = cr.estimate_controlled_mean(3.0 * control + 1.0, control, 0.5)
    assert found.value == pytest.approx(2.5, rel=1e-14)
    assert found.standard_error < 1e-14


def test_unbiased_and_its_interval_covers() -> None:
    """P(min of a coin and a normal): 2 000 samples of 400; the truth lies outside 95 % bounds in 5 %."""
    rng = np.random.default_rng(3)
    draws = rng.standard_normal((2000, 400))
    hits = (draws + 0.5 * rng.standard_normal(draws.shape) < -0.5).astype(float)
    truth = float(ndtr(-0.5 / math.sqrt(1.25)))
    found = [cr.estimate_controlled_mean(row, control, 0.0) for row, control in zip(hits, draws, strict=True)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - truth) < 4.0 * values.std() / math.sqrt(2000)
    inside = np.mean([one.ci()[0] <= truth <= one.ci()[1] for one in found])
    assert abs(inside - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / 2000)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(values.std(), rel=0.08)


def test_equal_values_promise_nothing() -> None:
    found = cr.estimate_controlled_mean(np.zeros(50), np.arange(50.0), 24.5, floor=0.0)
    assert found.value == 0.0
    assert found.ci() == (0.0, math.inf)


@pytest.mark.parametrize(
    ("controls", "means", "said"),
    [
        (np.arange(19.0), 9.0, "must have shapes"),
        (np.ones(20), 1.0, "must vary"),
        (np.column_stack([np.arange(20.0), 2.0 * np.arange(20.0)]), [9.5, 19.0], "combination"),
        (np.full(20, np.nan), 0.0, "numbers within"),
        (np.arange(20.0), 30.0, "standard errors away"),
        (np.arange(20.0), [9.5, 1.0], "must have shapes"),
        (["a"] * 20, 0.0, "must be numbers,"),
    ],
)
def test_refuses(controls: object, means: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        cr.estimate_controlled_mean(np.arange(20.0) ** 2, controls, means)  # type: ignore[arg-type]


def test_refuses_fewer_values_than_it_needs() -> None:
    with pytest.raises(InputError, match="more than 2"):
        cr.estimate_controlled_mean([1.0, 2.0], [0.0, 1.0], 0.5)


def test_geometric_basket_sharpens_the_margin_call_of_a_textbook_basket() -> None:
    """The example of `docs/variance_reduction.md`: the same answer as many more plain paths."""
    sd, d, days = 0.54 / math.sqrt(365.0), 5, 10
    names = [f"A{i}" for i in range(d)]
    model = cr.MarketModel.constant(dict.fromkeys(names, 0.54), 0.5, dict.fromkeys(names, 100.0))
    loan = cr.Loan(cr.Mix(dict.fromkeys(names, 1 / d)), collateral_value=1e6, ltv=0.65)
    terms = cr.Terms(liquidation_threshold=0.85, margin_call=1.15, restore_to=1.3, mark="bridge")
    plan = cr.PathPlan(model, n_paths=20_480, horizon_days=days, seed=4)
    called = cr.run_margin(plan, loan, terms, keep="paths")[0].steps("margin_called") >= 0
    y = np.log(plan.read(0, plan.n_paths).prices / 100.0).mean(axis=1)
    variance, drift = sd * sd * (0.5 + 0.5 / d), -0.5 * sd * sd
    b = math.log(1.15 * 0.65 / 0.85)
    apart = np.minimum(y - b, 50.0)
    stays = np.where((apart[:-1] > 0) & (apart[1:] > 0), -np.expm1(-2 * apart[:-1] * apart[1:] / variance), 0.0)
    total = math.sqrt(variance * days)
    truth = ndtr((b - drift * days) / total) + math.exp(2 * drift * b / variance) * ndtr((b + drift * days) / total)
    found = cr.estimate_controlled_mean(called, 1.0 - stays.prod(axis=0), truth, floor=0.0)
    plain = cr.run_margin(plan, loan, terms).probability("margin_called")
    many = cr.run_margin(cr.PathPlan(model, n_paths=409_600, horizon_days=days, seed=5), loan, terms)
    other = many.probability("margin_called")
    assert abs(found.value - other.value) < 4.0 * math.hypot(found.standard_error, other.standard_error)
    assert found.standard_error < 0.5 * plain.standard_error
