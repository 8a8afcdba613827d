"""Portfolio margin: the published figures of SPAN, Derive, Deribit and OKX, and what must hold for any portfolio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from liquidation_vectors import cases, compare

from collatrisk.base.errors import InputError
from collatrisk.pricing.margins import (
    SPAN_SCENARIOS,
    DeribitPortfolioTerms,
    DeriveCollateral,
    DeriveOption,
    DerivePortfolio,
    DeriveTerms,
    InversePositions,
    black76,
    depeg_charge,
    deribit_portfolio_margin,
    derive_margin,
    future_array,
    linear_margin,
    option_margin,
    portfolio_charge,
    price_scan_range,
    scan_requirement,
)


def span_call(given: dict[str, Any]) -> dict[str, Any]:
    assert tuple(given["scenarios"]) == SPAN_SCENARIOS
    return scan_requirement({"call": given["pnl_per_contract"]}, {"call": given["position"]})._asdict()


def span_write(given: dict[str, Any]) -> dict[str, Any]:
    found = scan_requirement({"future": given["future"], "call": given["call"]}, given["positions"])
    return {**found._asdict(), "pnl": found.pnl.tolist()}


def span_range(given: dict[str, Any]) -> dict[str, Any]:
    return {"price_scan_range": price_scan_range(given["points"], given["contract_value_factor"])}


def span_future(given: dict[str, Any]) -> dict[str, Any]:
    array = future_array(given["price_scan_range"], given["extreme_move_pnl"], rounding=given["rounding"])
    return {"pnl": array.tolist()}


def derive(given: dict[str, Any]) -> dict[str, Any]:
    if "moves" in given:
        terms = DeriveTerms(last_move=given["base_range"], tail_share=given["share"])
        return {"damping": [terms.tail_damping(move) for move in given["moves"]]}
    options = tuple(
        DeriveOption(**{k: v for k, v in row.items() if k != "kind"}, call=row["kind"] == "call")
        for row in given.get("options", [])
    )
    held = tuple(
        DeriveCollateral(**{k: v for k, v in row.items() if k != "asset"}) for row in given.get("collateral", [])
    )
    perps = given.get("perps", {})
    unrealised = perps.get("unrealised_pnl", 0.0) + perps.get("unrealised_funding", 0.0)
    state = given["spot"], given["stable"], given["cash"]
    margin = derive_margin(
        DerivePortfolio(*state, options, held, perps.get("quantity", 0.0), perps.get("price", 0.0), unrealised)
    )
    return margin._asdict()


def deribit_linear(given: dict[str, Any]) -> dict[str, Any]:
    at = given["size"], given["price"]
    found = {"initial_margin": linear_margin(*at, given["im_base"], given["im_per_coin"])}
    if "mm_base" in given:
        found["maintenance_margin"] = linear_margin(*at, given["mm_base"], given["mm_per_coin"])
    return found


def deribit_options(given: dict[str, Any], call: bool) -> dict[str, Any]:
    found = option_margin(given["mark_option"], given["otm_over_underlying"], call=call)
    return {"initial_margin": found.initial.tolist(), "maintenance_margin": found.maintenance.tolist()}


def deribit_portfolio(given: dict[str, Any]) -> dict[str, Any]:
    terms = DeribitPortfolioTerms(
        given["price_range"],
        given["buckets_each_side"],
        annualised_move_risk=given["annualised_move_risk"],
        least_move=given["min_annualised_move"],
        gain_offset=given["pnl_offset"],
        mm_factor=given["mm_factor"],
    )
    perp, future = (given["positions_coin"][name] for name in ("PERPETUAL", "FUTURE_28JUN24"))
    held = InversePositions(given["index"], {"perpetual": (perp, 0.0), "future": (future, 0.03)})
    charges = ("open_orders_margin", "mmp_margin", "delta_shock", "correlation_contingency")
    margin = deribit_portfolio_margin(held, terms, **{name: given[name] for name in charges})
    assert margin.worst_move == -0.16
    move = -given["price_range"]
    parts = {"pnl_perp_down": perp * move / (1 + move), "pnl_future_down": future * move / (1 + move)}
    return {**parts, **margin._asdict()}


def deribit_volatility(given: dict[str, Any]) -> dict[str, Any]:
    names = {"volatility_up": "vol_range_up", "volatility_down": "vol_range_down", "power_short": "power_short"}
    rest = {"least_volatility_up": "min_vol_shock_up", "power_long": "power_long"}
    terms = DeribitPortfolioTerms(**{field: given[column] for field, column in (names | rest).items()})
    up, down = (terms.shocked_volatility(given["iv"], given["dte"], up=state) for state in (True, False))
    return {"iv_up": up.tolist(), "iv_down": down.tolist()}


ADAPTERS = {
    "span.long_call": span_call,
    "span.covered": span_write,
    "span.price_scan": span_range,
    "span.future": span_future,
    "derive.pmrm": derive,
    "deribit.linear": deribit_linear,
    "deribit.options.short_call": lambda given: deribit_options(given, True),
    "deribit.options.short_put": lambda given: deribit_options(given, False),
    "deribit.pm.btc": deribit_portfolio,
    "deribit.pm.vol": deribit_volatility,
    "okx.mr9": lambda given: {"charge": depeg_charge(given["tier_amounts"], given["tier_rates"])},
    "okx.mr_comb": lambda given: {"mr": portfolio_charge(**given)},
}
BINANCE = ("bracket_amounts_first_seven", "maintenance_at_boundaries", "liquidation_price", "unimmr")
ELSEWHERE = {f"binance.{name}": "test_perpetual_vectors" for name in BINANCE}
CASES = cases("portfolio_margin", "deribit", "binance_okx", left_out=ELSEWHERE)


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 12 + 6 + 2


def test_black76_keeps_parity_and_its_limits() -> None:
    forward = np.array([50.0, 100.0, 200.0])
    call, put = (black76(forward, 100.0, 0.5, 0.4, kind) for kind in (True, False))
    np.testing.assert_allclose(call - put, forward - 100.0, rtol=1e-12)
    # Hull's example of Black's model: a put on a futures price, 20 and 20, 25 %, four months, undiscounted 1.1486.
    assert black76(20.0, 20.0, 0.25, 4 / 12, False) * math.exp(-0.09 * 4 / 12) == pytest.approx(1.12, abs=5e-3)
    np.testing.assert_allclose(black76(forward, 100.0, 0.0, 0.4, True), [0.0, 0.0, 100.0])
    np.testing.assert_allclose(black76(forward, 100.0, 0.5, 0.0, False), [50.0, 0.0, 0.0])


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 1))
def test_span_is_a_worst_case_and_so_subadditive(a: float, b: float, share: float) -> None:
    rng = np.random.default_rng(1)
    arrays = {"x": rng.normal(0, 100, 16), "y": rng.normal(0, 100, 16)}
    both = scan_requirement(arrays, {"x": a, "y": b}).requirement
    apart = scan_requirement(arrays, {"x": a}).requirement + scan_requirement(arrays, {"y": b}).requirement
    assert both <= apart + 1e-9
    smaller = scan_requirement(arrays, {"x": share * a, "y": share * b}).requirement
    assert smaller == pytest.approx(share * both, abs=1e-9)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_deribit_grid_never_asks_more_for_a_hedge(coins: float, contracts: float) -> None:
    option = {"call": (contracts, 70_000.0, 65_000.0, 0.6, 20.0, True)}
    grid = DeribitPortfolioTerms(extended_moves=())  # the dampener of extended moves is not linear
    both = deribit_portfolio_margin(InversePositions(65_000.0, {"perp": (coins, 0.0)}, option), grid)
    future = deribit_portfolio_margin(InversePositions(65_000.0, {"perp": (coins, 0.0)}), grid)
    alone = deribit_portfolio_margin(InversePositions(65_000.0, {}, option), grid)
    assert both.worst_case <= future.worst_case + alone.worst_case + 1e-12
    assert both.maintenance_margin <= both.initial_margin
    bought = deribit_portfolio_margin(
        InversePositions(65_000.0, {}, {"c": (abs(contracts), 7e4, 6.5e4, 0.6, 20.0, True)})
    )
    premium = float(black76(6.5e4, 7e4, 0.6, 20 / 365, True)) / 6.5e4
    assert bought.worst_case <= abs(contracts) * premium + 1e-12  # a bought option loses its premium at most


def test_a_fully_haircut_hedge_asks_for_margin() -> None:
    """The trap of the venue's own case: collateral that counts for nothing but as a hedge lowers the margin."""
    held = DeriveCollateral(1.0, 2765.7, 1.0, 0.0, True)
    assert derive_margin(DerivePortfolio(2681.6, 1.0, 0.0, (), (held,))).initial_margin < 0
    plain = DeriveCollateral(1.0, 2765.7, 1.0, 0.0, False)
    assert derive_margin(DerivePortfolio(2681.6, 1.0, 0.0, (), (plain,))).initial_margin == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: scan_requirement({"a": [1.0]}, {"b": 1.0}), r"2 problems(?s:.*)position = 'b'(?s:.*)16 finite"),
        (lambda: future_array(-1.0, 1.0), "scan_range = -1"),
        (lambda: portfolio_charge(-1, 0, 0, 0, 0, math.nan), "2 problems"),
        (lambda: depeg_charge([1.0], [0.1, 0.2]), "one a tier"),
        (lambda: linear_margin(math.nan, 0.0, 2.0, -1.0), "4 problems"),
        (lambda: option_margin(-1.0, math.nan, call=True), "2 problems"),
        (lambda: InversePositions(0.0, {"f": (1.0, -1.0)}, {"o": (1.0, 0.0, 1.0, 1.0, 1.0, True)}), "3 problems"),
        (lambda: deribit_portfolio_margin(InversePositions(1.0), mmp_margin=-1.0), "mmp_margin = -1"),
        (lambda: DeriveOption(1.0, 0.0, 1.0, -1.0, 1.0, 0.1, 1.0, True), "2 problems"),
        (lambda: DeriveCollateral(-1.0, 0.0, 2.0, 0.0, True), "3 problems"),
        (lambda: DerivePortfolio(0.0, 1.0, math.nan), "2 problems"),
    ],
)
def test_bad_input_is_refused_with_all_its_problems(action, message) -> None:
    with pytest.raises(InputError, match=message):
        action()
