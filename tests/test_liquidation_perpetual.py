"""Perpetual venues: all figures of tests/vectors dydx, synthetix and gmx, and what must hold for any account."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from liquidation_vectors import cases, compare

from collatrisk.base.errors import InputError
from collatrisk.liquidation import perpetual_dydx as dydx, perpetual_gmx as gmx, perpetual_synthetix as synthetix

DYDX = dydx.DydxTerms(1.0, 0.1, 0.005)


def dydx_account(given: dict[str, Any]) -> dydx.PerpetualAccount:
    fractions = dict.fromkeys(given["positions"], given["mm_fraction"])
    return dydx.PerpetualAccount(given["quote_balance"], given["positions"], given["oracle"], fractions)


def bankruptcy(given: dict[str, Any]) -> dict[str, Any]:
    quote = dydx.bankruptcy_quote(dydx_account(given), given["close_market"], given["size_delta"])
    return {"bankruptcy_quote": quote}


def fillable(given: dict[str, Any]) -> dict[str, Any]:
    terms = dydx.DydxTerms(given["bankruptcy_adjustment"], given["spread_to_mm_ratio"], 0.005)
    return {"fillable_price": dydx.fillable_price(dydx_account(given), given["market"], terms)}


def tier_maintenance(given: dict[str, Any]) -> dict[str, Any]:
    pairs = zip(given["initial_margin_ppm"], given["maintenance_fraction_ppm"], strict=True)
    return {"maintenance_margin_ppm": [dydx.maintenance_ppm(*pair) for pair in pairs]}


def tier_scaling(given: dict[str, Any]) -> dict[str, Any]:
    base, lower, upper = given["base_imf_ppm"], given["lower_cap"], given["upper_cap"]
    return {"imf_ppm": [dydx.scaled_initial_ppm(base, units, lower, upper) for units in given["open_interest"]]}


def tier_margin(given: dict[str, Any]) -> dict[str, Any]:
    base = given["base_imf_ppm"]
    rows = [(row[0], dydx.scaled_initial_ppm(base, *row[1:])) for row in given["rows"]]
    return {"initial_margin": [dydx.initial_margin(notional, ppm) for notional, ppm in rows]}


def risk_order(given: dict[str, Any]) -> dict[str, Any]:
    return {"cmp": [dydx.compare_severity(*row) for row in given["rows"]]}


def dydx_liquidatable(given: dict[str, Any]) -> dict[str, Any]:
    return {"liquidatable": [dydx.liquidatable(*pair) for pair in zip(given["nc"], given["mmr"], strict=True)]}


def synthetix_markets(given: dict[str, Any]) -> list[synthetix.SynthetixMarket]:
    columns = given["skew_scale"], given["initial_margin_fraction"], given["minimum_initial_margin_ratio"]
    reward, least = given.get("liquidation_reward_ratio", 0.0), given.get("minimum_position_margin", 0.0)
    return [
        synthetix.SynthetixMarket(*row, given["maintenance_scalar"], reward, least)
        for row in zip(*columns, strict=True)
    ]


def synthetix_margin(given: dict[str, Any]) -> dict[str, Any]:
    markets, sizes, prices = synthetix_markets(given), given["size"], given["price"]
    rows = list(zip(markets, sizes, given["open_price"], prices, strict=True))
    profits = [synthetix.profit(size, market.fill_price(opened, size), now) for market, size, opened, now in rows]
    available = synthetix.available_margin(given["collateral_usd"], profits, given["fees"])
    maintenance = sum(market.maintenance_margin(size, now) for market, size, _, now in rows)
    reward = sum(market.liquidation_reward(size, now) for market, size, _, now in rows)
    verdict = synthetix.liquidatable(available, maintenance, reward)
    return {"pnl": profits, "available_margin": available, "liquidatable": verdict}


def synthetix_required(given: dict[str, Any]) -> dict[str, Any]:
    rows = list(zip(synthetix_markets(given), given["size"], given["price"], strict=True))
    return {
        "initial_margin_ratio": [market.initial_ratio(size) for market, size, _ in rows],
        "maintenance_margin_ratio": [market.maintenance_ratio(size) for market, size, _ in rows],
        "initial_margin": [market.initial_margin(size, price) for market, size, price in rows],
        "maintenance_margin": [market.maintenance_margin(size, price) for market, size, price in rows],
    }


def keeper_margin_only(given: dict[str, Any]) -> dict[str, Any]:
    bounds = given["min_keeper_reward"], given["max_keeper_reward"], given["min_profit_ratio"]
    terms = synthetix.KeeperTerms(*bounds, 1.0, given["flag_cost_per_feed"], given["liquidate_cost"])
    return {"keeper_reward": terms.reward(terms.cost(given["updated_feeds"]), given["flag_reward"])}


def keeper_bounds(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for cost, reward, least, ratio, most, available, scaling in given["rows"]:
        terms = synthetix.KeeperTerms(least, most, ratio, scaling)
        found.append(terms.reward(cost, reward, available=available if available > 0 else None))  # 0: flagged
    return {"keeper_reward": found}


def synthetix_haircut(given: dict[str, Any]) -> dict[str, Any]:
    rows = [dict(zip(given["columns"], row, strict=True)) for row in given["rows"]]
    return {"haircut": [synthetix.size_haircut(row.pop("amount"), **row) for row in rows]}


def synthetix_fill(given: dict[str, Any]) -> dict[str, Any]:
    market = synthetix.SynthetixMarket(given["skew_scale"], 2, 0.01, 0.5, 0.05)
    pairs = zip(given["size"], given["skew"], strict=True)
    return {"fill_price": [market.fill_price(given["price"], *pair) for pair in pairs]}


def gmx_test(given: dict[str, Any]) -> dict[str, Any]:
    position = gmx.GmxPosition(given["size_usd"], given["size_tokens"], given["collateral_amount"], given["is_long"])
    terms = gmx.GmxTerms(given["min_collateral_factor"], 1.0)
    names = ("index_price", "collateral_price", "price_impact", "fees")
    left = gmx.remaining_collateral(position, **{name: given[name] for name in names}, terms=terms)
    least = terms.min_collateral_factor * position.size_usd
    verdict = gmx.liquidatable(left, position.size_usd, terms)
    return {"remaining_collateral": left, "min_collateral": least, "liquidatable": verdict}


def gmx_impact(given: dict[str, Any]) -> dict[str, Any]:
    costs = [gmx.imbalance_cost(usd, factor=factor, exponent=power) for usd, power, factor in given["rows"]]
    return {"impact_usd": costs}


ADAPTERS = {
    "dydx.bankruptcy.": bankruptcy,
    "dydx.fillable.": fillable,
    "dydx.tier.maintenance": tier_maintenance,
    "dydx.tier.open_interest": tier_scaling,
    "dydx.tier.initial": tier_margin,
    "dydx.risk_order": risk_order,
    "dydx.is_liquidatable": dydx_liquidatable,
    "synthetix.margin_": synthetix_margin,
    "synthetix.required": synthetix_required,
    "synthetix.keeper_reward_margin_only": keeper_margin_only,
    "synthetix.keeper_reward_bounds": keeper_bounds,
    "synthetix.size_haircut": synthetix_haircut,
    "synthetix.fill_price": synthetix_fill,
    "gmx.liq.": gmx_test,
    "gmx.impact.": gmx_impact,
}
CASES = cases("dydx", "synthetix", "gmx")


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 22 + 9 + 6


sizes = st.floats(0.001, 1e3).flatmap(lambda size: st.sampled_from([size, -size]))


@given(sizes, sizes, st.floats(1, 1e5), st.floats(1, 1e5), st.floats(-1.5, 1.5), st.floats(0.01, 1))
def test_closing_at_bankruptcy_uses_up_the_parts_share(btc, eth, p, q, share, part) -> None:
    """After a part is closed at its bankruptcy quote, worth over requirement is what it was."""
    prices, fractions = {"BTC": p, "ETH": q}, {"BTC": 0.05, "ETH": 0.1}
    bare = dydx.PerpetualAccount(0, {"BTC": btc, "ETH": eth}, prices, fractions)
    quote = share * bare.total_requirement - bare.net_collateral
    account = dydx.PerpetualAccount(quote, bare.sizes, prices, fractions)
    received = dydx.bankruptcy_quote(account, "BTC", -part * btc)
    after = dydx.PerpetualAccount(quote + received, {"BTC": btc * (1 - part), "ETH": eth}, prices, fractions)
    size = 1e-9 * (abs(btc) * p + abs(eth) * q)
    assert after.net_collateral == pytest.approx(share * after.total_requirement, rel=1e-9, abs=size)
    assert account.liquidatable == (account.total_requirement > account.net_collateral)
    price, oracle = dydx.fillable_price(account, "BTC", DYDX), prices["BTC"]
    assert (price - oracle) * btc <= 1e-9 * oracle * abs(btc)  # never better for the account than the oracle
    assert abs(price - oracle) <= DYDX.spread_to_maintenance * 0.05 * oracle * (1 + 1e-9)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_insurance_fund_never_takes_more_than_its_fee_nor_less_than_the_loss(quote, bankrupt) -> None:
    delta = dydx.insurance_delta(quote, bankrupt, DYDX)
    assert delta <= max(quote - bankrupt, 0) if quote > bankrupt else delta == quote - bankrupt
    assert delta <= 0.005 * abs(quote) or delta <= 0


pairs = st.tuples(st.integers(-50, 50), st.integers(0, 50))


@given(st.lists(pairs, min_size=1, max_size=12))
def test_severity_is_an_order(rows) -> None:
    order = dydx.severity_order([row[0] for row in rows], [row[1] for row in rows])
    assert sorted(order) == list(range(len(rows)))
    ranked = [rows[i] for i in order]
    for i, a in enumerate(ranked):
        for b in ranked[i:]:
            assert dydx.compare_severity(*a, *b) >= 0
            assert dydx.compare_severity(*b, *a) == -dydx.compare_severity(*a, *b)


def test_bankruptcy_quotes_are_rounded_up_and_only_for_reductions() -> None:
    account = dydx.PerpetualAccount(-4501, {"BTC": 0.3}, {"BTC": 50_000.0}, {"BTC": 0.1})
    exact = dydx.bankruptcy_quote(account, "BTC", -0.1)
    assert dydx.bankruptcy_quote(account, "BTC", -0.1, quantum=1.0) == pytest.approx(int(exact) + 1)
    rounded = dydx.bankruptcy_quote(account, "BTC", -0.1, quantum=0.25)
    assert rounded % 0.25 == 0
    assert exact <= rounded < exact + 0.25
    with pytest.raises(InputError, match=r"size_delta = 0.1: must reduce the position of 0.3"):
        dydx.bankruptcy_quote(account, "BTC", 0.1)
    with pytest.raises(InputError, match=r"prices = \['ETH'\].*\n.*maintenance"):
        dydx.PerpetualAccount(1, {"ETH": 1.0}, {"BTC": 1.0})


def test_gmx_counts_no_gain_and_caps_the_loss_by_impact() -> None:
    position = gmx.GmxPosition(10_000, 10, 1000)
    terms = gmx.GmxTerms(0.01, 1.0, max_impact_factor=0.005)
    at = {"index_price": 1000.0, "collateral_price": 1.0, "terms": terms}
    assert gmx.remaining_collateral(position, **at, price_impact=77) == 1000
    assert gmx.remaining_collateral(position, **at, price_impact=-20) == 980
    assert gmx.remaining_collateral(position, **at, price_impact=-5000) == 950
    short = gmx.GmxPosition(10_000, 10, 1000, is_long=False)
    assert short.profit(1100.0) == -position.profit(1100.0) == -1000
    assert gmx.liquidatable(0.5, 10, terms)
    assert not gmx.liquidatable(0.5, 10, gmx.GmxTerms(0.01))


def test_gmx_impact_uses_each_sides_factor() -> None:
    rule = {"positive_factor": 1e-7, "negative_factor": 2e-7, "exponent": 2.0}
    assert gmx.price_impact(1000, 3000, **rule) == pytest.approx(2e-7 * (1e6 - 9e6))
    assert gmx.price_impact(3000, 1000, **rule) == pytest.approx(1e-7 * (9e6 - 1e6))
    assert gmx.price_impact(-1000, 3000, **rule) == pytest.approx(1e-7 * 1e6 - 2e-7 * 9e6)
    assert gmx.price_impact(0, 3000, **rule) == pytest.approx(-2e-7 * 9e6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1, 3))
def test_gmx_round_trips_never_pay(before, after, exponent) -> None:
    rule = {"positive_factor": 1e-9, "negative_factor": 2e-9, "exponent": exponent}
    there, back = gmx.price_impact(before, after, **rule), gmx.price_impact(after, before, **rule)
    assert there + back <= 1e-9 * (abs(there) + abs(back))


def test_synthetix_adds_the_minimum_margin_and_takes_off_the_debt() -> None:
    market = synthetix.SynthetixMarket(100, 2, 0.01, 0.5, 0.05, minimum_margin=7)
    assert market.initial_margin(-1, 30_000) == pytest.approx(907)
    assert market.maintenance_margin(-1, 30_000) == pytest.approx(457)
    assert synthetix.available_margin(100, [5, -20], debt=30) == 55
    assert not synthetix.liquidatable(457 + 1500, 457, 1500)


def test_the_window_and_the_bounds_of_keepers() -> None:
    assert synthetix.window_size(0.001, 1e5, 2.0, 30) == pytest.approx(6000)
    with pytest.raises(InputError, match="max_reward = 5: must be at least min_reward = 10"):
        synthetix.KeeperTerms(10, 5)
    with pytest.raises(InputError, match=r"lower = 0.08: is above upper = 0.03"):
        synthetix.size_haircut(1, scalar=2, skew_scale=100, lower=0.08, upper=0.03)
    assert synthetix.KeeperTerms(10, 1000, 0, 0.5).reward(55, available=-3.0) == 0
