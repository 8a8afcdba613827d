"""Figures of perpetual venues through the public call, `run_perpetuals`, on one-path prices.

What is no part of a liquidation (initial margins, their scaling with open interest, the order of two accounts of which
neither is liquidatable) is checked in test_liquidation_perpetual against the functions that hold it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from liquidation_vectors import cases, compare

import collatrisk as cr
from collatrisk.liquidation import perpetual_dydx as dydx
from collatrisk.liquidation.perpetual_exchange import Brackets, ExchangeTerms, account_ratio, bankruptcy_price
from collatrisk.liquidation.perpetual_gmx import GmxTerms
from collatrisk.liquidation.perpetual_synthetix import KeeperTerms, SynthetixMarket

P = cr.PerpetualPositions


def flat(prices: dict[str, float]) -> cr.PricePaths:
    """One path on which nothing moves."""
    rows = np.array([[list(prices.values())] * 2], dtype=float)
    return cr.PricePaths.from_array(rows, list(prices), "24/7")


def look(prices: dict[str, float], accounts: Any, terms: object, **changes: Any) -> cr.PerpetualOutcomes:
    return cr.run_perpetuals(flat(prices), accounts, terms, keep="states", **changes)


def dydx_state(given: dict[str, Any]) -> cr.PerpetualOutcomes:
    settings = given.get("bankruptcy_adjustment", 1.0), given.get("spread_to_mm_ratio", 0.1)
    fractions = dict.fromkeys(given["positions"], given["mm_fraction"])
    prices = {name: float(value) for name, value in given["oracle"].items()}
    account = P(given["quote_balance"], given["positions"])
    return look(prices, account, dydx.DydxTerms(*settings, 0.005), maintenance=fractions)


def bankruptcy(given: dict[str, Any]) -> dict[str, Any]:
    out = dydx_state(given)
    market = out.markets.index(given["close_market"])
    return {"bankruptcy_quote": -given["size_delta"] * out.states.bankruptcy_price[0, 0, 0, market]}


def fillable(given: dict[str, Any]) -> dict[str, Any]:
    out = dydx_state(given)
    return {"fillable_price": out.states.limit_price[0, 0, 0, out.markets.index(given["market"])]}


def dydx_liquidatable(given: dict[str, Any]) -> dict[str, Any]:
    """A size that asks for the margin, and a balance that leaves the net collateral."""
    accounts = [P(nc - 10.0 * mmr, {"A": 10.0 * mmr}) for nc, mmr in zip(given["nc"], given["mmr"], strict=True)]
    out = look({"A": 1.0}, accounts, dydx.DydxTerms(1.0, 0.1, 0.005), maintenance={"A": 0.1})
    return {"liquidatable": out.states.liquidatable[0, 0].tolist()}


def tier_maintenance(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for pair in zip(given["initial_margin_ppm"], given["maintenance_fraction_ppm"], strict=True):
        rate = dydx.maintenance_ppm(*pair) / 1e6
        out = look({"A": 1.0}, P(0.0, {"A": 1e6}), dydx.DydxTerms(1.0, 0.1, 0.005), maintenance={"A": rate})
        found.append(round(out.states.requirement[0, 0, 0, 0], 6))
    return {"maintenance_margin_ppm": found}


def synthetix_markets(given: dict[str, Any]) -> dict[str, SynthetixMarket]:
    columns = given["skew_scale"], given["initial_margin_fraction"], given["minimum_initial_margin_ratio"]
    rest = given["maintenance_scalar"], given.get("liquidation_reward_ratio", 0.0)
    names = given.get("markets", [f"M{i}" for i in range(len(given["size"]))])
    return {name: SynthetixMarket(*row, *rest) for name, row in zip(names, zip(*columns, strict=True), strict=True)}


def synthetix_margin(given: dict[str, Any]) -> dict[str, Any]:
    markets, sizes = synthetix_markets(given), dict(zip(given["markets"], given["size"], strict=True))
    opened = dict(zip(given["markets"], given["open_price"], strict=True))
    entries = {name: market.fill_price(opened[name], sizes[name]) for name, market in markets.items()}
    prices = dict(zip(given["markets"], map(float, given["price"]), strict=True))
    out = look(prices, P(given["collateral_usd"], sizes, entries), markets)
    alone = [P(0.0, {name: size}, {name: entries[name]}) for name, size in sizes.items()]
    profits = look(prices, alone, markets).states.equity[0, 0].tolist()
    verdict = bool(out.states.liquidatable[0, 0, 0])
    return {"pnl": profits, "available_margin": out.states.equity[0, 0, 0], "liquidatable": verdict}


def synthetix_required(given: dict[str, Any]) -> dict[str, Any]:
    markets = synthetix_markets(given)
    sizes = dict(zip(markets, map(float, given["size"]), strict=True))
    prices = dict(zip(markets, map(float, given["price"]), strict=True))
    required = look(prices, P(1e6, sizes), markets).states.requirement[0, 0, 0]
    notional = np.abs([sizes[name] * prices[name] for name in markets])
    initial = [market.initial_margin(sizes[name], prices[name]) for name, market in markets.items()]
    return {
        "maintenance_margin": required.tolist(),
        "maintenance_margin_ratio": (required / notional).tolist(),
        "initial_margin": initial,
        "initial_margin_ratio": [market.initial_ratio(sizes[name]) for name, market in markets.items()],
    }


def paid_keeper(keeper: KeeperTerms, reward: float, available: float, positions: int) -> float:
    """The reward of one liquidation: so many equal positions, each with its share of the reward."""
    names = [f"M{i}" for i in range(positions)]
    market = SynthetixMarket(1e12, 0.0, 1.0, 1.0, reward / 1e4)
    account = P(available, dict.fromkeys(names, 1e4 / positions), dict.fromkeys(names, 1.0))
    out = cr.run_perpetuals(flat(dict.fromkeys(names, 1.0)), account, dict.fromkeys(names, market), keeper=keeper)
    return float(out.values("rewards")[0])


def keeper_margin_only(given: dict[str, Any]) -> dict[str, Any]:
    bounds = given["min_keeper_reward"], given["max_keeper_reward"], given["min_profit_ratio"]
    keeper = KeeperTerms(*bounds, 1.0, given["flag_cost_per_feed"], given["liquidate_cost"])
    return {"keeper_reward": paid_keeper(keeper, given["flag_reward"], 0.0, given["updated_feeds"])}


def keeper_bounds(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for cost, reward, least, ratio, most, available, scaling in given["rows"]:
        keeper = KeeperTerms(least, most, ratio, scaling, liquidate_cost=cost)
        found.append(paid_keeper(keeper, reward, available, 1))
    return {"keeper_reward": found}


def synthetix_haircut(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for amount, *rule in given["rows"]:
        market = SynthetixMarket(1e6, 0.0, 0.01, 1.0, 0.0)
        account = P(0.0, {"A": 1e-9}, {"A": 1.0}, {"B": amount})
        out = look({"A": 1.0, "B": 1.0}, account, {"A": market}, haircuts={"B": tuple(rule)})
        found.append(1.0 - out.states.equity[0, 0, 0] / amount)
    return {"haircut": found}


def synthetix_fill(given: dict[str, Any]) -> dict[str, Any]:
    """The order closes a position of the opposite size in a market with the given skew."""
    found = []
    for size, skew in zip(given["size"], given["skew"], strict=True):
        terms = cr.PerpetualTerms.of(SynthetixMarket(given["skew_scale"], 2, 0.01, 0.5, 0.05))
        rule = {**{name: getattr(terms.markets["*"], name) for name in cr.PerpetualMarket.__slots__}}
        market = cr.PerpetualMarket(**{**rule, "outside_skew": float(skew + size)})
        out = look(
            {"A": float(given["price"])}, P(0.0, {"A": -size}, {"A": given["price"]}), terms, markets={"A": market}
        )
        found.append(out.events()["price"][0])
    return {"fill_price": found}


def gmx_test(given: dict[str, Any]) -> dict[str, Any]:
    terms = GmxTerms(given["min_collateral_factor"], 1.0)
    sign = 1 if given["is_long"] else -1
    account = P(0.0, {"I": sign * given["size_tokens"]}, {"I": given["entry_price"]}, {"C": given["collateral_amount"]})
    out = look({"I": float(given["index_price"]), "C": float(given["collateral_price"])}, account, terms)
    return {
        "remaining_collateral": out.states.equity[0, 0, 0],
        "min_collateral": out.states.requirement[0, 0, 0, 0],
        "liquidatable": bool(out.states.liquidatable[0, 0, 0]),
    }


def gmx_impact(given: dict[str, Any]) -> dict[str, Any]:
    """Closing all of the open interest removes the imbalance: its cost is given back to the trader."""
    found = []
    for imbalance, exponent, factor in given["rows"]:
        market = cr.PerpetualMarket(Brackets.flat(1.0), impact_exponent=exponent, positive_factor=factor)
        out = look({"A": 1.0}, P(-imbalance, {"A": imbalance}), cr.PerpetualTerms({"A": market}, most_fee=0.0))
        found.append(-out.values("slippage")[0])
    return {"impact_usd": found}


def bracket_amounts(given: dict[str, Any]) -> dict[str, Any]:
    rows = tuple(zip(given["notional_cap"], given["mm_rate"], strict=True))
    return {"maintenance_amount": list(Brackets(rows).amounts)}


def bracket_margin(given: dict[str, Any]) -> dict[str, Any]:
    terms = ExchangeTerms(tuple((cap, rate) for cap, rate, _ in given["brackets"]))
    accounts = [P(1e9, {"A": notional}, {"A": 1.0}) for notional in given["notional"]]
    required = look({"A": 1.0}, accounts, terms).states.requirement[0, 0, :, 0]
    return {"maintenance_margin": required.tolist()}


def exchange_liquidation(given: dict[str, Any]) -> dict[str, Any]:
    """The closed form, and the engine: healthy a hair before that price, liquidated a hair after."""
    found = []
    for row in given["rows"]:
        case = dict(zip(given["columns"], row, strict=True))
        caps = ((case["maintenance_amount"] / 0.001, case["mm_rate"] - 0.001),) if case["maintenance_amount"] else ()
        terms = ExchangeTerms((*caps, (math.inf, case["mm_rate"])))
        price = Brackets(terms.brackets).liquidation_price(case["wallet"], case["quantity"], case["entry"])
        account = P(case["wallet"], {"A": case["quantity"]}, {"A": case["entry"]})
        for factor, expected in ((1 + 1e-9 * case["side"], False), (1 - 1e-9 * case["side"], True)):
            state = look({"A": price * factor}, account, terms).states
            assert bool(state.liquidatable[0, 0, 0]) is expected
        broke = bankruptcy_price(case["wallet"], case["quantity"], case["entry"])
        assert state.bankruptcy_price[0, 0, 0, 0] == pytest.approx(broke, rel=1e-12)
        found.append(price)
    return {"liquidation_price": found}


def uni_mmr(given: dict[str, Any]) -> dict[str, Any]:
    rows = given["equity"], given["price"], given["collateral_rate"]
    return {"uni_mmr": account_ratio(*rows, given["maintenance_margin"])}


ADAPTERS = {
    "dydx.bankruptcy.": bankruptcy,
    "dydx.fillable.": fillable,
    "dydx.is_liquidatable": dydx_liquidatable,
    "dydx.tier.maintenance": tier_maintenance,
    "synthetix.margin_": synthetix_margin,
    "synthetix.required": synthetix_required,
    "synthetix.keeper_reward_margin_only": keeper_margin_only,
    "synthetix.keeper_reward_bounds": keeper_bounds,
    "synthetix.size_haircut": synthetix_haircut,
    "synthetix.fill_price": synthetix_fill,
    "gmx.liq.": gmx_test,
    "gmx.impact.": gmx_impact,
    "binance.bracket": bracket_amounts,
    "binance.maintenance": bracket_margin,
    "binance.liquidation": exchange_liquidation,
    "binance.unimmr": uni_mmr,
}
ELSEWHERE = {
    "dydx.tier.open_interest_scaled_imf_ppm": "initial margin: opening positions, not liquidating them",
    "dydx.tier.initial_margin_quote": "initial margin: opening positions, not liquidating them",
    "dydx.risk_order": "pairs of accounts of which neither is liquidatable; the engine's order is tested against it",
    "okx.mr9_stablecoin_depeg": "portfolio margin: test_portfolio_margin",
    "okx.mr_combination": "portfolio margin: test_portfolio_margin",
}
CASES = cases("dydx", "synthetix", "gmx", "binance_okx", left_out=ELSEWHERE)


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 19 + 9 + 6 + 4
