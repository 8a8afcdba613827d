"""Dutch auctions: nothing is lost or made, limits hold, and what a rule forbids is refused by name."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, strategies as st
from liquidation_vectors import refused

from collatrisk.base.errors import InputError
from collatrisk.kernels.auction_rules import bark_size
from collatrisk.liquidation.auction_book import AuctionBook, bark
from collatrisk.liquidation.curves import ExponentialDecrease, LinearDecrease, StairstepExponentialDecrease
from collatrisk.liquidation.dutch import DutchAuction
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import EnglishTerms

curves = st.one_of(
    st.builds(LinearDecrease, st.floats(60, 1e5)),
    st.builds(ExponentialDecrease, st.floats(0.99, 0.99999)),
    st.builds(StairstepExponentialDecrease, st.floats(0.5, 0.999), st.integers(1, 600)),
)
rules = st.builds(
    DutchTerms,
    curves,
    buffer=st.floats(0.9, 2),
    tail_s=st.one_of(st.just(math.inf), st.floats(60, 1e4)),
    cusp=st.floats(0, 0.9),
    tip=st.floats(0, 100),
    chip=st.floats(0, 0.1),
    dust=st.one_of(st.just(0.0), st.floats(0, 1e4)),
    penalty=st.floats(0, 0.3),
)
steps = st.lists(
    st.tuples(st.floats(0, 2000), st.floats(1e-3, 1.5), st.floats(0.5, 1.5)),
    max_size=12,  # wait, share of the lot, feed
)


@given(rules, st.floats(1e-3, 1e5), st.floats(1, 1e6), st.floats(0.2, 2), steps)
def test_collateral_and_money_add_up_at_every_step(terms, collateral, debt, cover, moves) -> None:
    feed = debt * cover / collateral
    auction, time, money = DutchAuction.start(terms, collateral=collateral, debt=debt, feed=feed), 0.0, 0.0
    for wait, share, change in moves:
        time, feed = time + wait, feed * change
        if auction.closed:
            break
        if auction.needs_reset(time):
            assert refused(lambda now=time, state=auction: state.take(math.inf, math.inf, time_s=now))
            auction = auction.redo(feed, time_s=time).auction
            continue
        price, amount = auction.price_at(time), auction.lot * share
        if not refused(lambda now=time, p=price, a=amount, state=auction: state.take(a, p, time_s=now)):
            before, done = auction, auction.take(amount, price, time_s=time)
            auction, money = done.auction, money + done.paid
            assert done.sold <= min(amount, before.lot)
            assert done.paid == pytest.approx(done.sold * price, rel=1e-9, abs=1e-9 * before.tab)
            assert done.paid <= before.tab
            assert auction.closed or auction.tab >= terms.smallest_rest or before.tab <= terms.smallest_rest
        assert min(auction.lot, auction.tab, auction.returned, auction.given_up, auction.sold) >= 0
        assert auction.sold + auction.returned + auction.lot == pytest.approx(collateral, rel=1e-9)
        assert auction.raised + auction.given_up + auction.tab == pytest.approx(auction.target, rel=1e-9)
        assert auction.raised == pytest.approx(money, rel=1e-12)
        repaid = auction.raised - auction.penalty_raised
        outstanding = 0.0 if auction.closed else debt - repaid
        assert repaid + outstanding + auction.bad_debt == pytest.approx(debt, rel=1e-9)


vaults = st.lists(
    st.tuples(st.sampled_from(["ETH", "BTC"]), st.floats(0.01, 1e3), st.floats(10, 1e5), st.floats(0.3, 0.999)),
    max_size=15,
)


@given(vaults, st.floats(10, 2e5), st.floats(10, 2e5), st.floats(0, 5e3), st.floats(0, 0.3))
def test_capacity_is_exceeded_by_less_than_dust_and_never_entered_when_full(rows, overall, each, dust, penalty) -> None:
    limits = {"capacity": overall, "collateral_capacity": each}
    terms = DutchTerms(LinearDecrease(3600), 1.2, dust=dust, penalty=penalty, **limits)
    book, slack = AuctionBook(), terms.smallest_rest * (1 + 1e-9) + 1e-6
    for asset, units, debt, health in rows:
        room, feed = book.room(terms, asset), debt * health / units
        arguments = {"collateral": units, "debt": debt, "feed": feed, "asset": asset, "book": book}
        if refused(lambda given=arguments: bark(terms, **given)):
            assert room == 0 or bark_size(debt, room, penalty, dust) < 0
            continue
        done = bark(terms, **arguments)
        assert room > 0
        assert done.auction.lot + done.collateral_left == pytest.approx(units, rel=1e-12)
        assert done.auction.debt + done.debt_left == pytest.approx(debt, rel=1e-12)
        assert done.debt_left == 0 or done.debt_left >= dust
        assert done.auction.tab <= room + (slack if done.debt_left == 0 else 0)
        book = done.book
        assert book.total <= overall + slack
        assert book.raising[asset] <= each + slack


@given(curves, st.floats(1.01, 1.6), st.floats(0.001, 0.3))
def test_the_delay_is_the_first_time_at_which_the_margin_is_met(curve, buffer, margin) -> None:
    terms = DutchTerms(curve, buffer)
    seconds = terms.time_until_taken(margin)
    auction = DutchAuction.start(terms, collateral=1, debt=1, feed=100)
    assert auction.price_at(seconds) <= 100 * (1 - margin) * (1 + 1e-9)
    assert auction.price_at(seconds * (1 - 1e-6)) > 100 * (1 - margin) * (1 - 1e-9)


@given(curves, st.floats(0, 1e5), st.floats(0, 1e5))
def test_prices_start_at_the_top_and_never_rise(curve, a, b) -> None:
    assert curve.price(7.0, 0) == 7.0
    assert curve.price(7.0, max(a, b)) <= curve.price(7.0, min(a, b)) <= 7.0


def test_smoothed_stairs_are_an_exponential() -> None:
    stairs, smooth = StairstepExponentialDecrease(0.99, 90), ExponentialDecrease(0.99 ** (1 / 90))
    assert stairs.continuous_time_to(0.8) == pytest.approx(smooth.time_to(0.8), rel=1e-12)
    assert stairs.price(3.0, 900) == pytest.approx(smooth.price(3.0, 900), rel=1e-12)
    assert smooth.time_to(0.0) == math.inf
    assert smooth.time_to(1.5) == stairs.time_to(1.5) == LinearDecrease(10).time_to(1.5) == 0


def test_a_reset_before_the_market_price_means_that_the_auction_never_clears() -> None:
    never = DutchTerms(LinearDecrease(3600), 1.25, cusp=0.9)
    assert never.time_until_taken(0.01) == math.inf
    assert [finding.code for finding in never.findings] == ["auction-cannot-clear"]
    assert DutchTerms(LinearDecrease(3600), 1.25, tail_s=60).findings
    clears = DutchTerms(LinearDecrease(3600), 1.25, cusp=0.5, tail_s=3600)
    assert clears.findings == ()
    assert clears.time_until_taken(0.1) == pytest.approx(3600 * (1 - 0.9 / 1.25))
    rising = DutchAuction.start(clears, collateral=1, debt=1, feed=100)
    assert rising.time_until_taken(0.1, 130) < rising.time_until_taken(0.1, 100) < rising.time_until_taken(0.1, 80)
    assert rising.time_until_taken(0.1, 60) == math.inf


def test_a_lot_that_runs_out_leaves_bad_debt_and_frees_its_capacity() -> None:
    terms = DutchTerms(LinearDecrease(3600), 1.0, dust=50, penalty=0.1)
    start = bark(terms, collateral=10, debt=100, feed=9, asset="ETH")
    done = start.auction.take(10, 9, time_s=0)
    assert done.auction.closed
    assert (done.paid, done.auction.bad_debt, done.auction.penalty_raised) == (90, 10, 0)
    assert done.auction.given_up == pytest.approx(20)
    assert start.book.release("ETH", done.released).total == pytest.approx(0)
    with pytest.raises(InputError, match="is over"):
        done.auction.take(1, 9, time_s=0)
    with pytest.raises(InputError, match="is over"):
        done.auction.redo(9, time_s=0)


def test_dust_too_small_to_matter_leaves_nothing_behind() -> None:
    auction = DutchAuction.start(DutchTerms(LinearDecrease(60), 2.0, dust=1e-30), collateral=1, debt=1, feed=1)
    done = auction.take(1, 2, time_s=0).auction
    assert (done.tab, done.returned, done.closed) == (0, 0.5, True)


def test_a_price_of_zero_sells_all_or_nothing() -> None:
    terms = DutchTerms(LinearDecrease(10), 1.0, dust=50)
    auction = DutchAuction.start(terms, collateral=10, debt=100, feed=20)
    with pytest.raises(InputError, match=r"allows no partial purchase.*; take 10"):
        DutchAuction.start(terms, collateral=10, debt=49, feed=20).take(1, 0, time_s=10)
    assert auction.take(10, 0, time_s=10).auction.bad_debt == 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"liquidation_threshold": 0.5, "debt": 40}, "is covered: the vault is healthy up to and at 40"),
        ({"debt": 80}, "is covered: the vault is healthy up to and at 80"),
        ({"collateral": 0}, "collateral = 0: must be a number above 0"),
        ({"debt": -1, "feed": 0}, "2 problems"),
        ({"liquidation_threshold": 1.2}, r"must be a number in \(0, 1\]"),
        ({"book": AuctionBook({"": 1000})}, "no room is left"),
        ({"book": AuctionBook({"other": 995})}, "room for less debt than the dust limit of 20"),
    ],
)
def test_what_bark_refuses(change, said) -> None:
    terms = DutchTerms(LinearDecrease(3600), 1.2, dust=20, capacity=1000)
    good = {"collateral": 40, "debt": 100, "feed": 2}
    assert bark(terms, **good).auction.tab == 100
    with pytest.raises(InputError, match=said):
        bark(terms, **{**good, **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cusp": 1.0}, "cusp = 1.0"),
        ({"buffer": 0}, "buffer = 0"),
        ({"chip": -0.1, "tip": -1, "dust": math.nan}, "3 problems"),
        ({"tail_s": 0}, "tail_s = 0"),
        ({"breaker": 4}, "breaker = 4"),
        ({"curve": "linear"}, "must be a LinearDecrease"),
    ],
)
def test_terms_that_make_no_auction(change, said) -> None:
    with pytest.raises(InputError, match=said):
        DutchTerms(**{"curve": LinearDecrease(1), "buffer": 1.2, **change})


@pytest.mark.parametrize("make", [lambda: LinearDecrease(0), lambda: ExponentialDecrease(1.0)])
def test_curves_that_never_end(make) -> None:
    with pytest.raises(InputError, match="must be a number"):
        make()


def test_a_buyer_without_limits_takes_all_there_is() -> None:
    auction = DutchAuction.start(DutchTerms(LinearDecrease(10), 1.0), collateral=3, debt=100, feed=10)
    assert auction.take(math.inf, math.inf, time_s=0).paid == 30
    with pytest.raises(InputError, match=r"amount = nan.*\n.*max_price = -1"):
        auction.take(math.nan, -1, time_s=0)


def test_time_does_not_run_backwards() -> None:
    auction = DutchAuction.start(DutchTerms(LinearDecrease(10), 1.2), collateral=1, debt=1, feed=1, time_s=100)
    with pytest.raises(InputError, match="elapsed_s = -1"):
        auction.price_at(99)


@given(st.floats(1.01, 1.5), st.lists(st.floats(0, 1000), max_size=20))
def test_english_bids_rise_to_the_tab_and_no_further(step, bids) -> None:
    terms, best = EnglishTerms(step, 100.0, 1000.0), 0.0
    for bid in bids:
        if terms.accepts_bid(bid, best, 500.0):
            assert best < bid <= 500
            assert bid == 500 or bid >= step * best
            best = bid
    assume(best > 0)
    assert not terms.accepts_bid(best, best, 500.0)
    assert terms.accepts_offer(100.0, step * 100.0)
    assert not terms.accepts_offer(100.0, step * 100.0 - 1e-6)
    assert terms.ends_at(0.0, 950.0) == 1000.0
    assert terms.ends_at(0.0, 20.0) == 120.0
    assert terms.ends_at(0.0, None) == 1000.0
