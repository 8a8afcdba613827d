"""Lending protocols against published and derived figures: all of tests/vectors aave, compound, morpho and euler."""

from __future__ import annotations

from typing import Any

import pytest
from liquidation_vectors import cases, compare

from collatrisk.liquidation import aave_v3, aave_v4, compound, euler, morpho

AAVE = {
    "close_factor": 0.5,
    "full_close_health": 0.95,
    "small_position": 2000.0,
    "min_leftover": 1000.0,
}
EULER_V1 = euler.EulerV1Terms(0.02, 0.025, 0.2, 1.25, 0.02)


def aave_terms(bonus: float = 0.05, fee: float = 0.1) -> aave_v3.AaveV3Terms:
    return aave_v3.AaveV3Terms(bonus=bonus, protocol_fee=fee, **AAVE)


def to_target(given: dict[str, Any]) -> dict[str, Any]:
    units = aave_v4.debt_to_target(
        given["total_debt_value"],
        health_factor=given["health_factor"],
        target_health=given["target_health_factor"],
        bonus=given["liquidation_bonus"] - 1,
        collateral_factor=given["collateral_factor"],
        debt_price=given["debt_price"],
    )
    return {"debt_to_target": units}


def close_factor(given: dict[str, Any]) -> dict[str, Any]:
    values = given["reserve_debt_value"], given["reserve_collateral_value"]
    share = aave_v3.close_factor(given["health_factor"], *values, aave_terms())
    done = aave_v3.liquidate(values[0], values[1], health_factor=given["health_factor"], terms=aave_terms(0, 0))
    assert done.repaid == pytest.approx(share * values[0], rel=1e-15)
    return {"close_factor": share}


def leftovers(given: dict[str, Any]) -> dict[str, Any]:
    lefts = [(case["debt_left"], case["collateral_left"]) for case in given["cases"]]
    return {"allowed": [aave_v3.leftovers_allowed(*left, aave_terms()) for left in lefts]}


def aave_rounding(given: dict[str, Any]) -> dict[str, Any]:
    terms = aave_terms(round(given["liquidation_bonus_bps"] / 1e4 - 1, 4), given["protocol_fee_bps"] / 1e4)
    debt, collateral = given["debt"], given["collateral"]
    prices = {"debt_price": given["price_ratio"], "collateral_price": 1}
    done = aave_v3.seize(debt, collateral, repay=debt, **prices, terms=terms, integer=True)
    amounts = done.seized, done.fee, done.to_liquidator, done.collateral_left
    assert all(isinstance(amount, int) for amount in amounts)
    return dict(zip(("collateral_seized", "protocol_fee", "to_liquidator", "collateral_left"), amounts, strict=True))


def aave_seize(given: dict[str, Any]) -> dict[str, Any]:
    debt = given.get("debt", given.get("debt_to_cover"))
    collateral = given.get("collateral", given.get("collateral_balance"))
    price, debt_price = given["collateral_price"], given["debt_price"]
    threshold = given.get("liquidation_threshold", 0.9)
    health = min(collateral * price * threshold / (debt * debt_price), 0.9999)
    bonus = given["liquidation_bonus"] - 1
    terms = aave_terms(bonus, given["protocol_fee"])
    done = aave_v3.liquidate(
        debt, collateral, health_factor=health, debt_price=debt_price, collateral_price=price, terms=terms
    )
    return {
        "health_factor": health,
        "debt_repaid": done.repaid,
        "collateral_seized": done.seized,
        "protocol_fee": done.fee,
        "to_liquidator": done.to_liquidator,
        "deficit_if_only_collateral": done.written_off,
    }


def aave_boundary(given: dict[str, Any]) -> dict[str, Any]:
    return {"liquidatable": [aave_v3.liquidatable(health) for health in given["health_factor"]]}


def v2_seize(given: dict[str, Any]) -> dict[str, Any]:
    names = {"incentive": "liquidation_incentive", "price_borrow": "price_borrow"}
    names |= {"price_collateral": "price_collateral", "exchange_rate": "exchange_rate"}
    arguments = {ours: given[theirs] for ours, theirs in names.items()}
    return {"seize_tokens": compound.v2_seize_tokens(given["repay"], **arguments)}


def v3_quote(given: dict[str, Any]) -> dict[str, Any]:
    terms = compound.CompoundV3Terms(given["liquidation_factor"], given["store_front_price_factor"], 1.0)
    prices = {"price_asset": given["price_asset"], "price_base": given["price_base"]}
    return {"collateral": compound.v3_quote(given["base_amount"], **prices, discount=terms.discount)}


def v3_liquidatable(given: dict[str, Any]) -> dict[str, Any]:
    found = [compound.v3_liquidatable(owe, [units * price], [factor]) for owe, units, price, factor in given["rows"]]
    return {"liquidatable": found}


def v3_surplus(given: dict[str, Any]) -> dict[str, Any]:
    values = [units * price for units, price in given["collateral"]]
    assert compound.v3_liquidatable(given["debt"], values, [given["liquidate_collateral_factor"]] * len(values))
    done = compound.v3_absorb(given["debt"], values, [given["liquidation_factor"]] * len(values))
    return {"balance_after": done.balance, "reserves_after": given["reserves_before"] - done.reserves_used}


def v3_deficit(given: dict[str, Any]) -> dict[str, Any]:
    done = compound.v3_absorb(given["debt"], [given["collateral_value"]], [given["liquidation_factor"]])
    return {"balance_after": done.balance, "loss_of_reserves": done.written_off}


def morpho_terms(given: dict[str, Any]) -> morpho.MorphoTerms:
    return morpho.MorphoTerms(given["lltv"], given.get("cursor", 0.3), given.get("max_lif", 1.15))


def morpho_incentive(given: dict[str, Any]) -> dict[str, Any]:
    factor = morpho_terms(given).incentive_factor
    return {"liquidation_incentive_factor": factor, "lltv_times_lif": given["lltv"] * factor}


def morpho_boundary(given: dict[str, Any]) -> dict[str, Any]:
    position, terms = (given["collateral"], given["price"]), morpho_terms(given)
    return {"liquidatable": [morpho.liquidatable(debt, *position, terms) for debt in given["debt"]]}


def morpho_seize(given: dict[str, Any]) -> dict[str, Any]:
    done = morpho.liquidate(1e4, 5.0, price=given["price"], repay=given["repaid"], terms=morpho_terms(given))
    back = morpho.liquidate(1e4, 5.0, price=given["price"], seize=done.seized, terms=morpho_terms(given))
    assert back.repaid == pytest.approx(given["repaid"], rel=1e-15)
    return {"seized": done.seized}


def morpho_bad_debt(given: dict[str, Any]) -> dict[str, Any]:
    assert given["seize_all"]
    debt, collateral = given["debt"], given["collateral"]
    done = morpho.liquidate(debt, collateral, price=given["price"], seize=collateral, terms=morpho_terms(given))
    after = morpho.Market(given["total_supply"], given["total_borrow"]).after(done)
    totals = {"total_supply_after": after.total_supply, "total_borrow_after": after.total_borrow}
    return {"repaid": done.repaid, "bad_debt": done.written_off, **totals}


def euler_v2(given: dict[str, Any]) -> dict[str, Any]:
    terms = euler.EulerV2Terms(given["max_discount"])
    prices = {"debt_price": given["debt_price"], "collateral_price": given["collateral_price"], "ltv": given["ltv"]}
    done = euler.v2_liquidate(given["debt"], given["collateral"], **prices, terms=terms)
    health = given["collateral"] * given["collateral_price"] * given["ltv"] / (given["debt"] * given["debt_price"])
    amounts = {"repay": done.repaid, "yield_collateral": done.seized, "debt_socialised": done.written_off}
    return {"discount_factor": euler.v2_discount_factor(health, terms), **amounts}


def euler_v2_boundary(given: dict[str, Any]) -> dict[str, Any]:
    found = [euler.v2_liquidatable(adjusted, given["liability"]) for adjusted in given["adjusted_collateral"]]
    return {"liquidatable": found}


def euler_v2_discount(given: dict[str, Any]) -> dict[str, Any]:
    terms = euler.EulerV2Terms(given["max_discount"])
    return {"discount_factor": [euler.v2_discount_factor(health, terms) for health in given["health"]]}


def euler_v1(given: dict[str, Any]) -> dict[str, Any]:
    names = ("debt_price", "collateral_price", "collateral_factor", "borrow_factor", "booster")
    arguments = {name: given[name] for name in names}
    done = euler.v1_liquidate(given["debt"], given["collateral"], **arguments, terms=EULER_V1)
    assets = given["collateral"] * given["collateral_price"] * given["collateral_factor"]
    health = assets / (given["debt"] * given["debt_price"] / given["borrow_factor"])
    return {
        "health_score": health,
        "base_discount": EULER_V1.base_discount + 1 - health,
        "discount": euler.v1_discount(health, EULER_V1, given["booster"]),
        "repay": done.repaid + done.surcharge,  # the published amount includes the fee for the reserves
        "yield_collateral": done.seized,
    }


ADAPTERS = {
    "aave.v4.": to_target,
    "aave.v3.close_factor": close_factor,
    "aave.v3.leftover": leftovers,
    "aave.v3.integer": aave_rounding,
    "aave.v3.health_factor_boundary": aave_boundary,
    "aave.v3.": aave_seize,
    "compound.v2.": v2_seize,
    "compound.v3.quote": v3_quote,
    "compound.v3.is_liquidatable": v3_liquidatable,
    "compound.v3.absorb_surplus": v3_surplus,
    "compound.v3.absorb_deficit": v3_deficit,
    "morpho.lif": morpho_incentive,
    "morpho.health": morpho_boundary,
    "morpho.seize": morpho_seize,
    "morpho.bad_debt": morpho_bad_debt,
    "euler.v2.boundary": euler_v2_boundary,
    "euler.v2.discount_factor": euler_v2_discount,
    "euler.v2.": euler_v2,
    "euler.v1.": euler_v1,
}
CASES = cases("aave", "compound", "morpho", "euler")


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 16 + 9 + 7 + 5
