"""`run_auctions` as a user meets it: estimates, ratios, findings, refusals, and every kind of path source."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from auction_cases import HOURLY
from margin_cases import FakePaths, one_path
from path_models import flat, market

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation import (
    AuctionTerms,
    BatchTerms,
    Depth,
    DutchTerms,
    EnglishTerms,
    Keepers,
    LinearDecrease,
    StairstepExponentialDecrease,
    run_auctions,
)

MAKER = DutchTerms(StairstepExponentialDecrease(0.99, 90.0), 1.2, tail_s=8400, cusp=0.4, chip=0.001, penalty=0.13)
TERMS = AuctionTerms(MAKER, liquidation_threshold={"A": 0.85, "*": 0.8})
LOAN = cr.Loan({"A": 1.0}, 1000.0, 0.8, name="loan")


def plan(n_paths: int = 2000, days: float = 2.0) -> cr.PathPlan:
    model = market(flat("A", volatility=1.0), clock=HOURLY)
    return cr.PathPlan(model, n_paths=n_paths, horizon_days=days, seed=3)


def test_it_runs_on_every_kind_of_source() -> None:
    made = plan(1500)
    inside = cr.simulate(made)
    index = pd.date_range("2022-01-01", periods=400, freq="h", tz="UTC")
    history = pd.DataFrame({"A": inside.prices[:, :, 0].ravel()[:400]}, index=index)
    windows = cr.HistoricalWindows(history, horizon_days=1, clock=HOURLY)
    shock = cr.ScenarioPaths.of(cr.Scenario("crash", "Crash", shocks={"A": -0.3}), {"A": 50.0}, clock=HOURLY, n_steps=6)
    values = {}
    for source in (made, inside, windows, shock):
        out = run_auctions(source, LOAN, TERMS, tick_s=300)
        values[type(source).__name__] = out.probability("auctioned").value
        codes = {finding.code for finding in out.findings}
        assert ("no-bridge" in codes) == (source in (windows, shock))
        assert ("overlapping-windows" in codes) == (source is windows)
        assert np.isfinite(out.ratio("clearing_days").value)
    assert values["PathPlan"] == values["PricePaths"] > 0
    assert values["ScenarioPaths"] == 1.0


def test_estimates_are_those_of_the_columns() -> None:
    out = run_auctions(plan(), LOAN, TERMS, keepers=Keepers(margin=0.03), tick_s=300, keep="paths")
    frame = out[0].to_frame()
    assert out.probability("auctioned").value == pytest.approx((frame.auctions > 0).mean())
    for name, (top, bottom) in {
        "recovery": ("debt_repaid", "debt_auctioned"),
        "penalty_share": ("borrower_cost", "debt_repaid"),
        "failed_share": ("failed_auctions", "auctions"),
    }.items():
        estimate = out.ratio(name)
        assert estimate.value == pytest.approx(frame[top].sum() / frame[bottom].sum())
        residual = frame[top] - estimate.value * frame[bottom]
        expected = residual.std(ddof=1) / np.sqrt(len(frame)) / frame[bottom].mean()
        assert estimate.standard_error == pytest.approx(expected, rel=1e-6, abs=1e-12)
    cleared = frame.clearing_days[frame.triggered_day.notna()]
    assert out.ratio("clearing_days").value == pytest.approx(cleared.mean())
    assert 0.1 * 0.03 < out.ratio("penalty_share").value - 0.13 < 0.2
    assert out.expected_shortfall("clearing_days", 0.95).value >= out.value_at_risk("clearing_days", 0.95).value
    assert set(out.summary().columns) == {"value", "low", "high", "standard_error", "method"}
    assert "quantity" in out._repr_html_()
    again = pickle.loads(pickle.dumps(out))
    assert again.mean("raised").value == out.mean("raised").value


def test_a_delayed_feed_starts_too_high_and_costs_time() -> None:
    falling = one_path(*np.linspace(100, 60, 25), asset="A", clock=HOURLY)
    account = cr.Account({"A": 1.0}, {"USD": 70.0})
    seen = [
        run_auctions(falling, account, AuctionTerms(MAKER, 0.85, feed_delay_s=delay), tick_s=300, keep="paths")
        for delay in (0.0, 3600.0)
    ]
    fresh, stale = (out.auctions() for out in seen)
    assert stale.first_s[0] == fresh.first_s[0] + 3600
    assert stale.feed[0] == pytest.approx(fresh.feed[0])
    assert stale.raised[0] < fresh.raised[0] <= 70 * 1.13


def test_stress_thins_the_market_and_makes_gas_dear() -> None:
    crash = one_path(100.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, asset="A", clock=HOURLY)
    account = cr.Account({"A": 1.0}, {"USD": 50.0})
    terms = AuctionTerms(MAKER, 0.8)

    def cost(keepers, depth):
        out = run_auctions(crash, account, terms, keepers=keepers, depth=depth, tick_s=60)
        return out.mean("collateral_sold").value

    calm = cost(Keepers(gas=0.05), Depth.linear(1e-3))
    assert cost(Keepers(gas=0.05), Depth.linear(1e-3, stress=4.0)) > calm
    tipped = AuctionTerms(DutchTerms(MAKER.curve, 1.2, tip=1.0, penalty=0.13), 0.8)
    cheap, dear = (
        run_auctions(crash, account, tipped, keepers=Keepers(gas=0.05, gas_stress=g), tick_s=60) for g in (0.0, 9.0)
    )
    assert cheap.probability("auctioned").value == 1.0
    assert dear.probability("auctioned").value == 0.0  # exp(9 * 0.4) * 0.05 is more than the tip and the chip pay


def test_a_batch_clears_at_the_lowest_price_that_is_needed() -> None:
    flat_price = one_path(*[100.0] * 3, asset="A", clock=HOURLY)
    account = cr.Account({"A": 10.0}, {"USD": 900.0})
    terms = AuctionTerms(BatchTerms(1800.0, reserve=0.5), 0.85)
    # Each can pay for about 3.4 units at most: the third bid is needed for 900, and all three pay its price.
    keepers = Keepers(4, 0.01, 0.04, capital=330.0, turnaround_s=math.inf)
    out = run_auctions(flat_price, account, terms, keepers=keepers, tick_s=600, keep="paths")
    (row,) = out.auctions().to_dict("records")
    assert row["raised"] == pytest.approx(900.0)
    assert row["raised"] / row["sold"] == pytest.approx(97.0)
    assert (row["purchases"], row["end_s"], row["resets"]) == (3, 1800.0, 0)
    reserve = AuctionTerms(BatchTerms(1800.0, reserve=0.985), 0.85)
    held = run_auctions(flat_price, account, reserve, keepers=keepers, tick_s=600, keep="paths").auctions()
    assert held.raised[0] == pytest.approx(330.0)  # one bid is good enough, round after round he has no more money
    assert held.resets[0] == 4


def test_assets_in_turn_or_pro_rata() -> None:
    source = FakePaths(("A", "B"), np.full((1, 4, 2), 10.0), clock=HOURLY)
    account = cr.Account({"A": 6.0, "B": 6.0}, {"USD": 100.0})
    share, turn = (
        run_auctions(source, account, AuctionTerms(MAKER, 0.8, asset_order=order), tick_s=300, keep="paths").auctions()
        for order in ("pro_rata", ("B",))
    )
    assert dict(zip(share.asset, share.debt, strict=True)) == {"A": 50.0, "B": 50.0}
    assert dict(zip(turn.asset, turn.debt, strict=True)) == pytest.approx({"B": 48.0, "A": 52.0})


GOOD = {"curve": LinearDecrease(3600), "buffer": 1.2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": "dutch"}, "must be DutchTerms, EnglishTerms or BatchTerms"),
        ({"rule": {}}, "must name at least one asset"),
        ({"rule": {"A": DutchTerms(**GOOD, capacity=5), "B": DutchTerms(**GOOD)}}, "must be the same in all rules"),
        ({"liquidation_threshold": 1.2}, r"liquidation_threshold = 1.2: must be a number in \(0, 1\]"),
        ({"max_lot": 0, "borrow_rate": 11, "started_by": "me"}, "3 problems"),
        ({"rule": DutchTerms(**GOOD, dust=100), "max_lot": 50}, "is below dust = 100"),
        ({"asset_order": "random"}, "asset_order"),
        ({"feed_delay_s": -1}, "feed_delay_s = -1"),
        ({"most_running": 0}, "most_running = 0"),
    ],
)
def test_terms_that_are_refused(change, said) -> None:
    with pytest.raises(InputError, match=said):
        AuctionTerms(**{"rule": MAKER, **change})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Keepers(number=-1, margin=1.0, capital=0, gas=-1), "4 problems"),
        (lambda: Keepers(margin=0.05, highest_margin=0.01), "must be at least margin = 0.05"),
        (lambda: Keepers(number=63), "number = 63"),
        (lambda: Depth("cubic", -1.0, half_life_s=-1, stress=-1), "4 problems"),
        (lambda: Depth.constant_product({"A": 0.0}), r"reserve\['A'\] = 0.0"),
        (lambda: Depth.square_root(-1.0, 0.1), "adv"),
        (lambda: EnglishTerms(1.0, 0, -1, penalty=-1), "4 problems"),
        (lambda: BatchTerms(0, reserve=2), "2 problems"),
    ],
)
def test_bidders_and_markets_that_are_refused(make, said) -> None:
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"terms": AuctionTerms({"B": MAKER})}, "rule = 'A': has no rule of sale"),
        ({"depth": Depth.linear({"B": 1e-6})}, "depth = 'A': has no market to be resold in"),
        ({"terms": AuctionTerms(MAKER, {"B": 0.5})}, "has no threshold for this asset"),
        ({"terms": AuctionTerms(MAKER, feed_delay_s=7200)}, "must be a whole number of ticks of 60 s, at most a step"),
        ({"terms": AuctionTerms(MAKER, asset_order=("Z",))}, "asset_order = 'Z': is not known here"),
        ({"accounts": cr.Account({"A": 1.0}, {"A": 0.5})}, "debts in other assets cannot be repaid"),
        ({"accounts": []}, "must hold at least one"),
        ({"tick_s": 7.0, "horizon_days": 99, "keep": "all", "lowest_level": 2}, "4 problems"),
        ({"keepers": 5, "depth": 1e-6}, "2 problems"),
        ({"source": None}, "must be a source of paths"),
    ],
)
def test_runs_that_are_refused(options, said) -> None:
    given = {"source": one_path(1.0, 1.0, asset="A", clock=HOURLY), "accounts": LOAN, "terms": TERMS, **options}
    with pytest.raises(InputError, match=said):
        run_auctions(given.pop("source"), given.pop("accounts"), given.pop("terms"), **given)


@pytest.mark.parametrize(
    ("rule", "keepers", "code", "severity"),
    [
        (MAKER, Keepers(0), "no-bidder", "warning"),
        (DutchTerms(LinearDecrease(3600), 1.2, cusp=0.9), Keepers(), "auction-cannot-clear", "warning"),
        (DutchTerms(LinearDecrease(3600), 1.2, cusp=0.82), Keepers(margin=0.05), "auction-cannot-clear", "error"),
        (DutchTerms(LinearDecrease(3600), 1.2), Keepers(gas=5), "start-not-paid", "error"),
        (EnglishTerms(1.05, 3600, 7200), Keepers(gas=1), "start-not-paid", "error"),
        (DutchTerms(LinearDecrease(3600), 1.2, breaker=3), Keepers(), "breaker-tripped", "warning"),
    ],
)
def test_what_is_allowed_but_loud(rule, keepers, code, severity) -> None:
    source = one_path(1.0, 1.0, asset="A", clock=HOURLY)
    found = run_auctions(source, LOAN, AuctionTerms(rule), keepers=keepers, tick_s=600).findings
    assert (code, severity) in [(finding.code, finding.severity) for finding in found]


def test_questions_that_have_no_answer() -> None:
    out = run_auctions(one_path(1.0, 1.0, asset="A", clock=HOURLY), [LOAN, LOAN], TERMS, tick_s=600)
    for ask in (
        lambda: out.mean("raised"),
        lambda: out["nobody"],
        lambda: out[7],
        lambda: out.book.mean("nothing"),
        lambda: out.book.ratio("nothing"),
        lambda: out.book.probability("auctioned", 99),
        lambda: out.book.value_at_risk("raised"),
        lambda: out.book.values("raised"),
        lambda: out.auctions(),
    ):
        with pytest.raises(InputError):
            ask()
    assert math.isnan(out.book.ratio("recovery").value)
    assert [account.name for account in out] == ["loan #1", "loan #2"]


def test_straight_lines_are_what_a_source_without_variances_gives() -> None:
    inside = cr.simulate(plan(300))
    bare = cr.PricePaths(inside.assets, inside.clock, inside.block, seed=inside.seed)
    lines = run_auctions(inside, LOAN, TERMS, tick_s=300, within="lines")
    none = run_auctions(bare, LOAN, TERMS, tick_s=300)
    assert lines.data.moments == none.data.moments
    assert "no-bridge" not in {finding.code for finding in lines.findings}
    bridged = run_auctions(inside, LOAN, TERMS, tick_s=300)
    assert bridged.probability("triggered").value > lines.probability("triggered").value
