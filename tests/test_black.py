"""Black's formula: published figures, twins, parity, derivatives, implied volatility, edges, bad input."""

from __future__ import annotations

import math

import naive_black as naive
import numpy as np
import pytest
from hypothesis import given, strategies as st

import collatrisk as cr
from collatrisk.kernels.black import CHUNK, log_ratio
from collatrisk.pricing.black import _checked

prices = st.floats(1e-3, 1e6)
volatilities = st.floats(0.01, 4.0)
terms = st.floats(1e-3, 10.0)
rates = st.floats(-0.1, 0.3)
kinds = st.sampled_from(["call", "put"])
SIGN = {"call": 1.0, "put": -1.0}


def random_options(n, seed=0):
    rng = np.random.default_rng(seed)
    forward = rng.uniform(50, 150, n)
    return forward, forward * np.exp(0.5 * rng.standard_normal(n)), rng.uniform(0.02, 2, n), rng.uniform(0.003, 3, n)


def test_published_figures():
    # J. C. Hull, Options, Futures and Other Derivatives, Black's model: a put on crude oil futures, printed as 1.12.
    assert cr.black_price(20, 20, 0.25, 4 / 12, kind="put", rate=0.09) == pytest.approx(1.12, abs=0.005)
    # The documentation of py_vollib: black("c", F=100, K=100, t=0.5, r=0.02, sigma=0.2).
    assert cr.black_price(100, 100, 0.2, 0.5, rate=0.02) == pytest.approx(5.5811067246048118, rel=1e-12)


@given(prices, prices, volatilities, terms, rates, kinds)
def test_values_agree_with_the_twin(forward, strike, volatility, years, rate, kind):
    value = cr.black_price(forward, strike, volatility, years, kind=kind, rate=rate)
    expected = naive.price(forward, strike, volatility, years, rate, SIGN[kind])
    assert abs(value - expected) <= 1e-12 * max(forward, strike) * math.exp(-rate * years)
    if kind == "call" and forward > strike / 100:
        assert abs(value - expected) <= 1e-11 * forward * math.exp(-rate * years)
    assert value >= 0.0


@given(prices, prices, volatilities, terms, rates)
def test_put_call_parity(forward, strike, volatility, years, rate):
    call, put = (cr.black_price(forward, strike, volatility, years, kind=kind, rate=rate) for kind in ("call", "put"))
    expected = math.exp(-rate * years) * (forward - strike)
    assert call - put == pytest.approx(expected, abs=1e-12 * max(forward, strike) * math.exp(-rate * years))


@given(st.floats(0.5, 2.0), volatilities, terms, rates, kinds)
def test_derivatives_agree_with_the_twin(moneyness, volatility, years, rate, kind):
    greeks = cr.black_greeks(100.0, 100.0 * moneyness, volatility, years, kind=kind, rate=rate)
    assert greeks.price == cr.black_price(100.0, 100.0 * moneyness, volatility, years, kind=kind, rate=rate)
    found = (greeks.delta, greeks.gamma, greeks.vega, greeks.theta)
    expected = naive.derivatives(100.0, 100.0 * moneyness, volatility, years, rate, SIGN[kind])
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-11)


def test_derivatives_are_slopes_of_the_value():
    forward, strike, volatility, years = random_options(500)
    for kind in ("call", "put"):
        greeks = cr.black_greeks(forward, strike, volatility, years, kind=kind, rate=0.03)

        def value(df=0.0, dv=0.0, dt=0.0, kind=kind):
            return cr.black_price(forward + df, strike, volatility + dv, years + dt, kind=kind, rate=0.03)

        h = 1e-3 * forward
        np.testing.assert_allclose(greeks.delta, (value(df=h) - value(df=-h)) / (2 * h), atol=1e-3)
        np.testing.assert_allclose(greeks.vega, (value(dv=1e-5) - value(dv=-1e-5)) / 2e-5, atol=1e-5)
        slope = (value(dt=-1e-6) - value(dt=1e-6)) / 2e-6
        np.testing.assert_allclose(greeks.theta, slope, rtol=1e-4, atol=1e-4)
        gamma = (value(df=h) - 2 * value() + value(df=-h)) / h**2
        near = np.abs(np.log(forward / strike)) > 0.02
        np.testing.assert_allclose(greeks.gamma[near], gamma[near], rtol=0.05, atol=1e-5)


@given(st.floats(0.2, 5.0), st.floats(0.02, 3.0), st.floats(0.01, 5.0), rates, kinds)
def test_implied_volatility_gives_the_price_back(moneyness, volatility, years, rate, kind):
    strike = 100.0 * moneyness
    value = cr.black_price(100.0, strike, volatility, years, kind=kind, rate=rate)
    found = cr.implied_volatility(value, 100.0, strike, years, kind=kind, rate=rate)
    again = cr.black_price(100.0, strike, found, years, kind=kind, rate=rate)
    assert again == pytest.approx(value, abs=2e-11)
    time_value = value * math.exp(rate * years) - max(SIGN[kind] * (100.0 - strike), 0.0)
    if 1e-4 < time_value < 0.999 * min(100.0, strike):
        assert found == pytest.approx(volatility, rel=1e-6)
        assert found == pytest.approx(naive.implied(value, 100.0, strike, years, rate, SIGN[kind]), rel=1e-6)


def test_implied_volatility_far_out_of_the_money():
    forward, strike, volatility, years = random_options(20_000, 3)
    kind = np.where(forward < strike, "call", "put")
    value = cr.black_price(forward, strike, volatility, years, kind=kind)
    seen = value > 1e-250
    assert (value[seen] < 1e-30).any()
    found = cr.implied_volatility(value, forward, strike, years, kind=kind)
    np.testing.assert_allclose(found[seen], volatility[seen], rtol=1e-9)


@pytest.mark.parametrize("volatility", [1e-6, 1e-3, 5.0, 12.0])
@pytest.mark.parametrize("strike", [100.0, 100.0001, 99.0])
def test_implied_volatility_at_the_ends(volatility, strike):
    value = cr.black_price(100.0, strike, volatility, 1.0)
    found = cr.implied_volatility(value, 100.0, strike, 1.0)
    assert cr.black_price(100.0, strike, found, 1.0) == pytest.approx(value, abs=3e-11)


@pytest.mark.parametrize(
    ("price", "kind", "expected"),
    [
        (20.0, "call", 0.0),
        (19.9, "call", math.nan),
        (100.0, "call", math.nan),
        (120.0, "call", math.nan),
        (0.0, "put", 0.0),
        (80.0, "put", math.nan),
    ],
)
def test_prices_that_no_volatility_gives(price, kind, expected):
    np.testing.assert_equal(cr.implied_volatility(price, 100.0, 80.0, 1.0, kind=kind), expected)


def test_no_time_or_no_strike_implies_nothing():
    assert np.isnan(
        cr.implied_volatility([1.0, 1.0, 1.0], [100.0, 100.0, 0.0], [99.5, 0.0, 1.0], [0.0, 1.0, 1.0])
    ).all()


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize(
    ("forward", "strike", "volatility", "years"),
    [
        (100, 90, 0, 1),
        (100, 110, 0, 1),
        (100, 100, 0, 1),
        (100, 90, 0.3, 0),
        (100, 0, 0.3, 1),
        (0, 90, 0.3, 1),
        (0, 0, 0, 0),
    ],
)
def test_where_nothing_moves_the_payoff_is_paid(forward, strike, volatility, years, kind):
    payoff = SIGN[kind] * (forward - strike)
    discount = math.exp(-0.05 * years)
    greeks = cr.black_greeks(forward, strike, volatility, years, kind=kind, rate=0.05)
    assert greeks.price == pytest.approx(discount * max(payoff, 0.0), rel=1e-15)
    share = 1.0 if payoff > 0 else 0.5 if payoff == 0 else 0.0
    assert greeks.delta == pytest.approx(discount * SIGN[kind] * share, rel=1e-15)
    assert (greeks.gamma, greeks.vega) == (0.0, 0.0)
    assert greeks.theta == pytest.approx(0.05 * greeks.price, rel=1e-15)


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, 3 * CHUNK + 5])
def test_inputs_broadcast_and_chunks_do_not_show(n):
    forward, strike, volatility, years = random_options(n, n)
    one_by_one = [cr.black_price(*option) for option in zip(forward, strike, volatility, years, strict=True)]
    np.testing.assert_array_equal(cr.black_price(forward, strike, volatility, years), one_by_one)
    surface = cr.black_price(forward[:, None], 100.0, volatility[None, :], 1.0, kind="put", rate=[[0.01]])
    assert surface.shape == (n, n)
    assert surface[-1, 0] == cr.black_price(forward[-1], 100.0, volatility[0], 1.0, kind="put", rate=0.01)
    assert isinstance(cr.black_price(1, 1, 1, 1), float)
    assert cr.black_price([], 100.0, 0.2, 1.0).shape == (0,)


def test_logarithms_of_ratios():
    rng = np.random.default_rng(8)
    a, b = np.exp(rng.uniform(-50, 50, (2, 2_000)))
    b[:1000] = a[:1000] * (1 + 1e-3 * rng.standard_normal(1000))
    found = [log_ratio(x, y) for x, y in zip(a, b, strict=True)]
    exact = np.log(a.astype(np.longdouble) / b.astype(np.longdouble)).astype(float)
    exact[:1000] = np.log1p(((a - b) / b)[:1000])
    np.testing.assert_allclose(found, exact, rtol=2e-15, atol=0)


def test_all_bad_inputs_are_named_at_once():
    with pytest.raises(cr.InputError) as error:
        cr.black_price([100, -1], math.nan, 0.2, math.inf, rate=[0.0, math.nan])
    assert [problem.name for problem in error.value.problems] == ["forward", "strike", "years", "rate"]
    with pytest.raises(cr.InputError) as error:
        cr.black_greeks("many", [True], 0.2, 1.0, kind="straddle")
    assert [problem.name for problem in error.value.problems] == ["forward", "strike", "kind"]
    with pytest.raises(cr.InputError, match="broadcast"):
        cr.black_price([1, 2], [1, 2, 3], 0.2, 1.0)
    with pytest.raises(cr.InputError, match="price"):
        cr.implied_volatility(-1.0, 100.0, 100.0, 1.0)


def test_values_can_go_into_an_array_of_the_callers():
    options = random_options(300)
    out = np.empty(300)
    assert cr.black_price(*options, out=out) is out
    np.testing.assert_array_equal(out, cr.black_price(*options))
    for wrong in (np.empty(299), np.empty(300, np.float32), np.empty(600)[::2], [0.0] * 300):
        with pytest.raises(cr.InputError, match="out"):
            cr.black_price(*options, out=wrong)


def test_no_options_have_no_prices_and_read_only_arrays_have_the_same():
    assert cr.black_price(np.array([]), 100.0, 0.5, 1.0).shape == (0,)
    assert cr.black_greeks(np.array([]), 1.0, np.ones(1), 1.0).vega.shape == (0,)
    forward = np.array([90.0, 100.0, 110.0])
    fixed = forward.copy()
    fixed.flags.writeable = False
    np.testing.assert_array_equal(cr.black_price(fixed, 100.0, 0.5, 1.0), cr.black_price(forward, 100.0, 0.5, 1.0))


def test_arrays_of_one_shape_go_to_the_kernel_as_they_are():
    inputs, shape = _checked("x", ("a", "b", "c", "d"), (np.ones((2, 3)), np.ones((2, 3)), 1.0, np.ones(3)), 0.0, "put")
    assert shape == (2, 3)
    assert [array.size for array in inputs] == [6, 6, 1, 6, 1, 1]
    assert [array.flags.writeable for array in inputs] == [True, True, True, True, True, True]
    assert inputs[5][0] == -1.0


def test_read_only_inputs_are_neither_compiled_anew_nor_written_to():
    from collatrisk.kernels.black import black_prices

    forwards = np.linspace(0.5, 2.0, 11)
    wanted = cr.black_price(forwards, 1.0, 0.5, 1.0)
    known = len(black_prices.signatures)
    given = forwards.copy()
    given.flags.writeable = False
    assert np.array_equal(cr.black_price(given, 1.0, 0.5, np.broadcast_to(1.0, 11)), wanted)
    assert len(black_prices.signatures) == known
    assert np.array_equal(given, forwards)
    assert not given.flags.writeable
