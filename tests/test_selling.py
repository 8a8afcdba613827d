"""Where collateral is sold: published figures, slow twins, limits, and what must hold for every venue."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st
from liquidation_vectors import cases
from naive_selling import book_sale, power_sale, split_sale

from collatrisk.base.errors import InputError
from collatrisk.liquidation.selling import (
    BlockTrade,
    ConstantProductPool,
    MarketState,
    OrderBook,
    PriceImpact,
    SalesVenue,
    Splitting,
    sell_over,
)

BOOK = OrderBook((0.0, 0.01, 0.03), (5.0, 20.0, 40.0))
VENUES = [
    PriceImpact.linear(1e-5, 2e-6, half_life_days=0.5),
    PriceImpact.square_root(0.04, 1e6, permanent_share=0.3, half_life_days=2.0),
    PriceImpact(0.0),
    ConstantProductPool(100.0, 10_000.0, fee=0.003, half_life_days=0.1),
    BOOK,
    BlockTrade(0.04, largest=50.0),
]
venues = st.sampled_from(VENUES)
amounts = st.just(0.0) | st.floats(1e-6, 200.0)  # less is lost in the rounding of what a book has sold before
states = st.builds(MarketState, st.floats(0.0, 20.0), st.floats(0.0, 0.4), st.floats(0.2, 5.0))


def test_published_figures_of_the_pool_and_the_square_root_law() -> None:
    named = {case.values[0]["name"]: case.values[0] for case in cases("anchors")}
    case = named["anchors.impact_cpmm"]
    pool = ConstantProductPool(case["inputs"]["reserve_in"], case["inputs"]["reserve_out"])
    fill = pool.sell(case["inputs"]["sell"], 2000.0)
    np.testing.assert_allclose(fill.proceeds, case["expected"]["received"], rtol=1e-9)
    np.testing.assert_allclose(fill.slippage, case["expected"]["average_slippage"], rtol=1e-9)
    np.testing.assert_allclose(fill.price_after, case["expected"]["price_after"], rtol=1e-9)
    case = named["anchors.impact_square_root"]
    law = PriceImpact.square_root(case["inputs"]["daily_sigma"], 1e6, case["inputs"]["k"])
    fill = law.sell(1e6 * np.array(case["inputs"]["quantity_over_adv"]), 1.0)
    np.testing.assert_allclose(1.0 - fill.price_after, case["expected"]["impact"], rtol=1e-12)
    np.testing.assert_allclose(fill.slippage, 2 / 3 * np.array(case["expected"]["impact"]), rtol=1e-12)


@given(venues, amounts, st.floats(1.0, 500.0), states)
def test_every_venue_adds_up(venue: SalesVenue, units: float, price: float, state: MarketState) -> None:
    fill = venue.sell(units, price, state=state)
    assert fill.sold + fill.left == pytest.approx(units, abs=1e-12)
    assert 0.0 <= fill.sold <= units
    assert fill.proceeds == pytest.approx(fill.average_price * fill.sold, rel=1e-12, abs=1e-12)
    assert fill.price_after <= fill.average_price * (1 + 1e-9) + 1e-9 * price
    assert fill.average_price <= price * (1.0 - state.permanent) * (1 + 1e-9)
    assert fill.slippage == pytest.approx(1.0 - fill.average_price / price, abs=1e-12)


@given(venues, amounts, st.floats(0.0, 1.0), st.floats(1.0, 500.0), states)
def test_two_sales_at_once_are_one(venue: SalesVenue, units: float, share: float, price: float, state) -> None:
    """Without time in between, splitting changes nothing: the state carries all memory."""
    whole = venue.sell(units, price, state=state)
    first = venue.sell(share * units, price, state=state)
    second = venue.sell(units - share * units, price, state=first.state)
    permanent = isinstance(venue, PriceImpact) and venue.permanent_share > 0 and venue.exponent != 1.0
    if not permanent:  # what stays of a concave fall makes room at the start of the curve
        assert first.proceeds + second.proceeds == pytest.approx(whole.proceeds, rel=1e-9, abs=1e-9)
    assert first.sold + second.sold == pytest.approx(whole.sold, rel=1e-9, abs=1e-9)


@given(venues, st.floats(0.0, 0.9), st.floats(1.0, 500.0), states)
def test_capacity_is_the_last_unit_above_the_limit(venue: SalesVenue, slippage: float, price: float, state) -> None:
    most = float(venue.capacity(slippage, price, state=state))
    limit = price * (1.0 - slippage)
    if math.isinf(most):
        return
    if most > 1e-9:
        assert venue.sell(most * (1 - 1e-9), price, state=state).price_after >= limit * (1 - 1e-6)
    assert venue.sell(most + 1e-6 * (1 + most), price, state=state).price_after <= limit * (1 + 1e-9)


@given(amounts, st.floats(0.3, 1.5), st.floats(0.0, 50.0), st.floats(0.0, 0.5))
def test_the_power_law_against_its_twin(units: float, exponent: float, earlier: float, permanent: float) -> None:
    law = PriceImpact(0.3 * 20_000.0**-exponent, exponent)
    fill = law.sell(units, 100.0, state=MarketState(earlier, permanent))
    slow = power_sale(units, 100.0, law.coefficient, exponent, earlier, permanent)
    assert fill.proceeds == pytest.approx(slow, rel=2e-4, abs=1e-2)


@given(amounts, st.floats(0.0, 70.0), st.floats(0.1, 3.0))
def test_the_book_against_its_twin(units: float, earlier: float, depth: float) -> None:
    fill = BOOK.sell(units, 100.0, state=MarketState(earlier, depth=depth))
    sold, proceeds = book_sale(units, 100.0, list(zip(BOOK.distances, BOOK.sizes, strict=True)), earlier, depth)
    assert fill.sold == pytest.approx(sold, abs=1e-9)
    assert fill.proceeds == pytest.approx(proceeds, abs=1e-7)


@given(
    st.lists(st.floats(0.0, 30.0), min_size=1, max_size=6), st.floats(0, 5e-5), st.floats(0, 2e-5), st.floats(0.2, 9.0)
)
def test_a_split_sale_against_its_twin(parts, transient, permanent, half_life) -> None:
    total = sum(parts)
    splitting = Splitting(schedule=tuple(part / total for part in parts) if total else (1.0,))
    prices = [100.0] * len(parts)
    done = sell_over(PriceImpact.linear(transient, permanent, half_life), total, prices, splitting)
    slow = split_sale(total, prices, transient, permanent, half_life, parts)
    assert done.proceeds.sum() == pytest.approx(slow, rel=1e-9, abs=1e-9)
    assert done.sold.sum() + done.left == pytest.approx(total)


def test_deep_markets_have_no_impact() -> None:
    deep = MarketState(depth=1e15)
    for venue in VENUES:
        if not isinstance(venue, BlockTrade | ConstantProductPool):
            assert venue.sell(100.0, 50.0, state=deep).proceeds == pytest.approx(5000.0, rel=1e-6)
    assert ConstantProductPool(1e15, 1e17).sell(100.0, 100.0).proceeds == pytest.approx(10_000.0, rel=1e-9)
    assert ConstantProductPool(100.0, 1e4).sell(1.0, 100.0, state=deep).slippage == pytest.approx(0.0, abs=1e-12)


def test_the_pool_follows_the_price_outside() -> None:
    pool = ConstantProductPool(100.0, 10_000.0)
    assert pool.sell(0.0, 50.0).price_after == pytest.approx(50.0)
    reserve = math.sqrt(1e6 / 50.0)
    assert pool.sell(10.0, 50.0).proceeds == pytest.approx(reserve * 50.0 * 10.0 / (reserve + 10.0))


def test_an_exhausted_book_leaves_units_and_offers_nothing() -> None:
    fill = BOOK.sell([60.0, 65.0, 100.0], 100.0)
    assert fill.left.tolist() == [0.0, 0.0, 35.0]
    assert fill.price_after.tolist() == [97.0, 0.0, 0.0]
    again = BOOK.sell(10.0, 100.0, state=MarketState(consumed=65.0))
    assert (again.sold, again.proceeds, again.average_price) == (0.0, 0.0, 0.0)


def test_a_depth_table_becomes_a_monotone_book() -> None:
    book = OrderBook.from_depth([3e4, 1e4, 2e4, 6e4], [0.05, 0.01, 0.03, 0.04], price=100.0)
    # Moves by size are 1, 3, 5, 4 %: the last two are pooled at 4.5 %.
    assert book.distances == pytest.approx((0.01, 0.03, 0.045))
    assert book.sizes == pytest.approx((100.0, 100.0, 400.0))
    assert book.capacity([0.01, 0.03, 0.045], 100.0) == pytest.approx([100.0, 200.0, 600.0])
    assert book.sell(150.0, 100.0).proceeds == pytest.approx(100 * 99 + 50 * 97)
    assert book.sell(150.0, 50.0).proceeds == pytest.approx(100 * 49.5 + 50 * 48.5)


def test_half_of_what_was_taken_is_back_after_a_half_life() -> None:
    for venue in (BOOK, OrderBook((0.0,), (1.0,), half_life_days=2.0), PriceImpact(1e-6, 0.5, 0.0, 3.0)):
        state = venue.sell(1.0, 100.0).state
        assert venue.rest(state, 0.0).consumed == pytest.approx(1.0)
    assert BOOK.rest(MarketState(8.0), 1.0).consumed == 0.0
    slow = OrderBook((0.0,), (1.0,), half_life_days=2.0)
    assert slow.rest(MarketState(8.0), 2.0).consumed == pytest.approx(4.0)
    law = PriceImpact(1e-3, 0.5, 0.0, 3.0)
    fallen = 1.0 - law.sell(50.0, 100.0).price_after / 100.0
    after = law.sell(0.0, 100.0, state=law.rest(law.sell(50.0, 100.0).state, 3.0))
    assert 1.0 - after.price_after / 100.0 == pytest.approx(fallen / 2.0)
    never = PriceImpact.linear(1e-6, half_life_days=math.inf)
    assert never.rest(MarketState(8.0), 1e6).consumed == 8.0


def test_venues_are_values() -> None:
    for venue in VENUES:
        assert pickle.loads(pickle.dumps(venue)) == venue
        assert isinstance(venue, SalesVenue)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: OrderBook((), ()), "must not be empty"),
        (lambda: OrderBook((0.02, 0.01), (1.0, -1.0)), r"2 problems(?s:.*)sizes\[1\](?s:.*)distances\[1\]"),
        (lambda: OrderBook.from_levels([]), "bids = .*must not be empty"),
        (lambda: OrderBook.from_levels([(101, 1)], [(100, 1)]), "below the best ask of 100: the book is crossed"),
        (lambda: OrderBook.from_levels([(100, -1), (math.nan, 2)]), r"2 problems(?s:.*)bids\[1\] price = nan"),
        (lambda: OrderBook.from_levels([(100, 1)], price=99.0), "price = 99"),
        (lambda: OrderBook.from_depth([-1.0, 2.0], [0.1, 1.0], 0.0), r"3 problems(?s:.*)sizes = -1(?s:.*)moves = 1"),
        (lambda: OrderBook.from_depth([], [], 1.0), "not empty"),
        (lambda: BOOK.sell([-1.0, 2.0], math.nan), r"units = -1(?s:.*)price = nan"),
        (lambda: BOOK.sell([1.0, 2.0], [1.0, 2.0, 3.0]), "must broadcast"),
        (lambda: PriceImpact(-1.0, 3.0, 2.0, -1.0), "4 problems"),
        (lambda: PriceImpact.square_root(0.0, 1e6), "daily_sigma = 0"),
        (lambda: ConstantProductPool(0.0, 1.0, 1.0), "2 problems"),
        (lambda: BlockTrade(1.0, -1.0, 0.0), "3 problems"),
        (lambda: MarketState(-1.0, 1.0, 0.0), "3 problems"),
        (lambda: MarketState("x"), "must be a number or an array"),
        (lambda: Splitting(-1.0, 0.0, (0.5, 0.4), 1.0), "4 problems"),
        (lambda: Splitting(participation=0.1), "needs the volume"),
        (lambda: Splitting.evenly(0), "steps = 0"),
        (lambda: sell_over("desk", -1.0, [], None, step_days=0), "5 problems"),
        (lambda: sell_over(BOOK, [1.0, 2.0], [[1.0, 2.0, 3.0]]), "give one for each path"),
    ],
)
def test_bad_input_is_refused_with_all_its_problems(action, message) -> None:
    with pytest.raises(InputError, match=message):
        action()
