"""Sales split over time and along paths: the closed form of Almgren and Chriss, limits, delays, and any path source."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, strategies as st

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation.selling import AlmgrenChriss, BlockTrade, OrderBook, PriceImpact, Splitting, sell_over

# The example of Almgren and Chriss (2000), section 4: a million shares at 50, over five days.
PAPER = {"units": 1e6, "days": 5.0, "steps": 5, "daily_sigma": 0.95, "temporary": 2.5e-6, "permanent": 2.5e-7}


def test_the_example_of_the_paper() -> None:
    """Its urgency is "about 0.61 a day" at a risk aversion of 1e-6; the even schedule costs 6.625e5."""
    urgent = AlmgrenChriss(**PAPER, risk_aversion=1e-6, fixed_cost=0.0625)
    assert urgent.kappa == pytest.approx(0.61, abs=0.005)
    even = AlmgrenChriss(**PAPER, fixed_cost=0.0625)
    assert even.expected_cost() == pytest.approx(0.5 * 2.5e-7 * 1e12 + 62_500 + 2.375e-6 * 1e12 / 5, rel=1e-12)
    assert even.cost_variance() == pytest.approx(0.95**2 * 1e12 * 5 * 0.8 * 0.9 / 3, rel=1e-12)
    np.testing.assert_allclose(even.parts(), 2e5)


cases = st.builds(
    AlmgrenChriss,
    units=st.floats(1.0, 1e7),
    days=st.floats(0.1, 20.0),
    steps=st.integers(1, 40),
    daily_sigma=st.floats(0.0, 3.0),
    temporary=st.floats(1e-6, 1e-4),
    permanent=st.floats(0.0, 1e-7),
    risk_aversion=st.floats(0.0, 1e-5),
)


@given(cases)
def test_the_closed_form_is_the_definition_at_its_own_schedule(sale: AlmgrenChriss) -> None:
    mean, variance = sale.cost_of(sale.parts())
    assert sale.parts().sum() == pytest.approx(sale.units, rel=1e-9)
    assert sale.expected_cost() == pytest.approx(mean, rel=1e-6)
    assert sale.cost_variance() == pytest.approx(variance, rel=1e-5, abs=1e-9 * mean)


@given(cases, st.integers(0, 2**32 - 1))
def test_no_other_schedule_is_better(sale: AlmgrenChriss, seed: int) -> None:
    def objective(parts) -> float:
        mean, variance = sale.cost_of(parts)
        return mean + sale.risk_aversion * variance

    rng = np.random.default_rng(seed)
    other = np.abs(sale.parts() * (1.0 + 0.3 * rng.standard_normal(sale.steps))) + 1e-12
    other *= sale.units / other.sum()
    assert objective(sale.parts()) <= objective(other) * (1 + 1e-9)


@given(cases)
def test_the_same_impact_as_a_venue_costs_the_same(sale: AlmgrenChriss) -> None:
    price = 1e4 * (sale.temporary / sale.days * sale.steps + sale.permanent) * sale.units  # falls by little in all
    done = sell_over(sale.venue(price), sale.units, np.full(sale.steps, price), sale.splitting())
    assert done.cost == pytest.approx(sale.expected_cost(), rel=1e-6)


def test_splitting_finer_converges_to_the_continuous_closed_form() -> None:
    """Impact by speed: with T fixed and ever more steps, urgency kappa = sqrt(lambda sigma^2 / eta)."""
    rule = {**PAPER, "permanent": 0.0, "risk_aversion": 1e-6}
    kappa, days, units = math.sqrt(1e-6 * 0.95**2 / 2.5e-6), 5.0, 1e6
    double = math.sinh(2 * kappa * days)
    cost = 2.5e-6 * units**2 * kappa * (double + 2 * kappa * days) / (4 * math.sinh(kappa * days) ** 2)
    variance = 0.95**2 * units**2 * (double - 2 * kappa * days) / (4 * kappa * math.sinh(kappa * days) ** 2)
    errors = []
    for steps in (5, 50, 500):
        sale = AlmgrenChriss(**{**rule, "steps": steps})
        done = sell_over(sale.venue(50.0), units, np.full(steps, 50.0), sale.splitting(), step_days=days / steps)
        errors.append((abs(float(done.cost) / cost - 1), abs(sale.cost_variance() / variance - 1)))
    assert errors[0] > errors[1] > errors[2]
    assert max(errors[2]) < 0.01
    assert errors[2][1] == pytest.approx(errors[1][1] / 10, rel=0.1)  # the variance converges as 1 / steps


def test_a_temporary_fall_that_is_gone_at_once_costs_nothing_in_the_limit() -> None:
    law, price = PriceImpact.linear(1e-6), 100.0
    costs = [float(sell_over(law, 1000.0, np.full(n, price), Splitting.evenly(n)).cost) for n in (1, 10, 1000)]
    np.testing.assert_allclose(costs, 0.5 * 1e-6 * 1e5**2 / np.array([1, 10, 1000]), rtol=1e-9)


def test_volume_and_slippage_limit_each_step_and_the_delay_is_counted() -> None:
    path = np.array([[100.0, 100.0], [90.0, 110.0], [80.0, 120.0], [70.0, 130.0]])
    done = sell_over(PriceImpact(0.0), 25.0, path, Splitting(volume=100.0, participation=0.1))
    assert done.sold[:, 0].tolist() == [10.0, 10.0, 5.0, 0.0]
    assert done.proceeds.sum(axis=0).tolist() == [1000 + 900 + 400, 1000 + 1100 + 600]
    assert done.days.tolist() == [2.0, 2.0]
    assert done.cost.tolist() == [2500 - 2300, 2500 - 2700]
    assert done.slippage.tolist() == [0.0, 0.0]
    book = OrderBook((0.01, 0.2), (10.0, 100.0))
    patient = sell_over(book, 25.0, path, Splitting(max_slippage=0.05))
    assert patient.sold[:, 0].tolist() == [10.0, 10.0, 5.0, 0.0]
    waiting = sell_over(book, 25.0, path[:2], Splitting(max_slippage=0.05))
    assert waiting.left.tolist() == [5.0, 5.0]
    block = sell_over(BlockTrade(0.1, delay_days=2.0), 25.0, path)
    assert block.proceeds.sum(axis=0) == pytest.approx([25 * 72, 25 * 108])
    assert block.days.tolist() == [2.0, 2.0]
    late = sell_over(BlockTrade(0.1, delay_days=9.0), 25.0, path)
    assert late.left.tolist() == [25.0, 25.0]
    assert not late.proceeds.any()


def test_depth_that_goes_with_the_price() -> None:
    """At half the price, a quarter of the depth: linear impact is four times as large."""
    law, path = PriceImpact.linear(1e-5), [100.0, 50.0, 120.0]
    thirds = Splitting(schedule=(0.2, 0.5, 0.3))
    done = sell_over(law, 100.0, path, thirds, stress_depth=2.0)
    expected = [20 * 100 * (1 - 0.5e-5 * 2000), 50 * 50 * (1 - 0.5e-5 * 2500 * 4), 30 * 120 * (1 - 0.5e-5 * 3600)]
    assert done.proceeds.tolist() == pytest.approx(expected)
    later = sell_over(law, 100.0, path[1:], Splitting(), stress_depth=2.0, calm_price=100.0)
    assert later.proceeds[0] == pytest.approx(5000 * (1 - 0.5e-5 * 5000 * 4))


def random_walks(n_paths: int = 3000) -> cr.PricePaths:
    rng = np.random.default_rng(5)
    steps = rng.normal(-0.5 * 0.04**2, 0.04, (n_paths, 5))
    prices = 50.0 * np.exp(np.cumsum(np.hstack([np.zeros((n_paths, 1)), steps]), axis=1))
    return cr.PricePaths.from_array(prices[:, :, None], ["A"], "24/7")


def test_a_sale_on_paths_answers_with_estimates_whatever_the_workers() -> None:
    source, venue = random_walks(), PriceImpact.linear(1e-9, 1e-10)
    out = cr.run_sale(source, 1e5, venue, Splitting.evenly(5))
    with ThreadPoolExecutor(2) as pool:
        again = cr.run_sale(source, 1e5, venue, Splitting.evenly(5), executor=pool, block_size=1024)
    for metric in out.metrics:
        np.testing.assert_array_equal(out.values(metric), again.values(metric))
    # Even sales: the risk of what is still held, sigma^2 S^2 X^2 (0.8^2 + 0.6^2 + 0.4^2 + 0.2^2) to first order.
    spread = 50.0 * 0.04 * 1e5 * math.sqrt(0.64 + 0.36 + 0.16 + 0.04)
    assert out.values("cost").std() == pytest.approx(spread, rel=0.05)
    slip = out.mean("slippage")
    flat = sell_over(venue, 1e5, np.full(5, 50.0), Splitting.evenly(5)).cost
    assert abs(slip.value - float(flat)) < 0.01 * float(flat)  # the value squared has a convexity of sigma^2 a step
    assert out.mean("days").value == 4.0
    assert out.findings == ()
    assert list(out.summary().index) == list(out.metrics)
    assert out.expected_shortfall("cost").value > out.value_at_risk("cost").value > out.mean("cost").value
    assert "sale" in out._repr_html_()


def test_units_that_nobody_buys_are_a_finding() -> None:
    out = cr.run_sale(random_walks(100), 100.0, OrderBook((0.0,), (10.0,)))
    assert [finding.code for finding in out.findings] == ["unsold"]
    assert out.mean("left").value == pytest.approx(40.0)
    assert out.probability("left").value == 1.0


def test_a_price_that_never_moves_is_said_loudly() -> None:
    source = cr.PricePaths.from_array(np.full((2, 3, 1), 50.0), ["A"], "24/7")
    assert [finding.code for finding in cr.run_sale(source, 1.0, PriceImpact(0.0)).findings] == ["stale-price"]


def test_bad_questions_are_refused() -> None:
    source = random_walks(10)
    with pytest.raises(InputError, match=r"3 problems(?s:.*)asset = 'B'(?s:.*)units = -1(?s:.*)start_days = 9"):
        cr.run_sale(source, -1.0, PriceImpact(0.0), asset="B", start_days=9.0)
    with pytest.raises(InputError, match=r"2 problems(?s:.*)stress_depth = -1(?s:.*)calm_price = 0"):
        sell_over(PriceImpact(0.0), 1.0, [1.0, 2.0], stress_depth=-1.0, calm_price=0.0)
    with pytest.raises(InputError, match="metric = 'coste'"):
        cr.run_sale(source, 1.0, PriceImpact(0.0)).mean("coste")
    with pytest.raises(InputError, match="temporary = 1e-09: must be above"):
        AlmgrenChriss(1.0, 1.0, 1, 1.0, 1e-9, 1.0)
    with pytest.raises(InputError, match="3 problems"):
        AlmgrenChriss(0.0, 1.0, 0, -1.0, 1.0)
