"""Liquidations sized by health: what goes in comes out, targets are met, limits hold, refusals name their rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, strategies as st
from liquidation_vectors import refused

from collatrisk.base.errors import InputError
from collatrisk.liquidation import aave_v3, aave_v4, compound, euler, morpho
from collatrisk.liquidation.seizure import Seizure

V3 = aave_v3.AaveV3Terms(0.05, 0.1, 0.5, 0.95, 2000.0, 1000.0)
V4 = aave_v4.AaveV4Terms(0.1, 1.05, 0.8, bonus_factor=0.4, health_for_max_bonus=0.9, fee_rate=0.1, dust_value=1000.0)
E1 = euler.EulerV1Terms(0.02, 0.025, 0.2, 1.25, 0.02)

units, money = st.floats(1e-3, 1e5), st.floats(1.0, 1e6)
prices, shares = st.floats(0.01, 1e4), st.floats(0.2, 0.95)
healths = st.floats(0.05, 0.9999)


def adds_up(done: Seizure, debt: float, collateral: float) -> None:
    """Collateral in = sold + kept; debt in = repaid + outstanding + written off; nothing negative."""
    assert done.seized + done.collateral_left == pytest.approx(collateral, rel=1e-12)
    assert done.repaid + done.debt_left + done.written_off == pytest.approx(debt, rel=1e-12)
    parts = (done.repaid, done.seized, done.fee, done.to_liquidator, done.collateral_left, done.debt_left)
    assert min(*parts, done.written_off, done.surcharge) >= 0


@given(units, money, prices, healths, st.floats(0, 2), st.booleans())
def test_aave_v3_adds_up_and_pays_the_bonus(collateral, debt, debt_price, health, offer, alone) -> None:
    price = health * debt * debt_price / (0.8 * collateral)
    other = 0.0 if alone else 5000.0
    arguments = {"health_factor": health, "debt_price": debt_price, "collateral_price": price, "terms": V3}
    arguments |= {"debt_to_cover": offer * debt + 1e-9, "other_collateral_value": other}
    assume(not refused(lambda: aave_v3.liquidate(debt, collateral, **arguments)))
    done = aave_v3.liquidate(debt, collateral, **arguments)
    adds_up(done, debt, collateral)
    paid = done.repaid * debt_price
    assert done.seized * price == pytest.approx(1.05 * paid, rel=1e-9)
    assert done.fee == pytest.approx(0.1 * done.seized * 0.05 / 1.05, rel=1e-6)
    assert done.written_off == 0 or (alone and done.collateral_left == 0)
    assert aave_v3.leftovers_allowed(done.debt_left * debt_price, done.collateral_left * price, V3)
    if health > 0.95 and min(debt * debt_price, collateral * price) >= 2000:
        assert done.repaid <= 0.5 * debt * (1 + 1e-12)


@given(st.integers(1, 10**24), st.integers(1, 10**24), st.floats(0.001, 1000), st.floats(0, 1))
def test_aave_v3_in_smallest_units_is_exact_and_near_the_real_numbers(debt, collateral, price, part) -> None:
    repay = int(debt * part)
    assume(repay <= debt)
    done = aave_v3.seize(debt, collateral, repay=repay, collateral_price=price, terms=V3, integer=True)
    assert done.seized + done.collateral_left == collateral
    assert done.repaid + done.debt_left == debt
    assert min(done.repaid, done.debt_left, done.fee, done.to_liquidator, done.collateral_left) >= 0
    real = aave_v3.seize(float(debt), float(collateral), repay=float(repay), collateral_price=price, terms=V3)
    assert done.seized == pytest.approx(real.seized, rel=1e-12, abs=2.1)
    assert done.fee == pytest.approx(real.fee, rel=1e-9, abs=2.1)
    assert done.repaid == pytest.approx(real.repaid, rel=1e-12, abs=1.0 + 2.1 * price)


@given(units, money, prices, healths, st.floats(0.01, 2))
def test_aave_v4_meets_the_target_or_ends_the_position(collateral, debt, debt_price, health, offer) -> None:
    price = health * debt * debt_price / (V4.collateral_factor * collateral)
    arguments = {"health_factor": health, "debt_price": debt_price, "collateral_price": price, "terms": V4}
    arguments["debt_to_cover"] = offer * debt
    assume(not refused(lambda: aave_v4.liquidate(debt, collateral, **arguments)))
    done = aave_v4.liquidate(debt, collateral, **arguments)
    adds_up(done, debt, collateral)
    assert done.repaid <= offer * debt
    bonus = aave_v4.bonus(health, V4)
    assert 0.04 <= bonus <= 0.1
    assert done.seized * price <= done.repaid * debt_price * (1 + bonus) * (1 + 1e-9)
    assert done.fee == pytest.approx(0.1 * done.seized * bonus / (1 + bonus), rel=1e-12)
    if done.debt_left > 0:
        assert done.debt_left * debt_price >= 1000
        assert done.collateral_left * price >= 1000
        after = done.collateral_left * price * V4.collateral_factor / (done.debt_left * debt_price)
        assert after <= 1.05 * (1 + 1e-9)
        if done.repaid < offer * debt:
            assert after == pytest.approx(1.05, rel=1e-9)


def test_aave_v4_bonus_runs_straight_from_one_to_its_largest() -> None:
    assert aave_v4.bonus(1.0, V4) == pytest.approx(0.04)
    assert aave_v4.bonus(0.95, V4) == pytest.approx(0.07)
    assert aave_v4.bonus(0.9, V4) == aave_v4.bonus(0.2, V4) == 0.1


def test_the_rest_of_an_account_counts_in_the_size() -> None:
    terms = replace(V4, dust_value=0.0)
    alone = aave_v4.liquidate(10_000, 20_000, health_factor=0.95, terms=terms)
    beside = aave_v4.liquidate(10_000, 20_000, health_factor=0.95, other_debt_value=5000, terms=terms)
    assert beside.repaid == pytest.approx(1.5 * alone.repaid)
    half = {"health_factor": 0.96, "terms": V3}
    assert aave_v3.liquidate(10_000, 20_000, **half).repaid == 5000
    assert aave_v3.liquidate(10_000, 20_000, other_debt_value=6000, **half).repaid == 8000
    assert aave_v3.liquidate(10_000, 20_000, other_debt_value=60_000, **half).repaid == 10_000
    v1 = {"collateral_price": 1.0, "collateral_factor": 0.5, "terms": E1}
    less = euler.v1_liquidate(100, 190, other_assets=1.0, **v1)
    more = euler.v1_liquidate(100, 190, other_liabilities=1.0, **v1)
    assert less.repaid < euler.v1_liquidate(100, 190, **v1).repaid < more.repaid
    v2 = {"collateral_price": 1.0, "ltv": 0.5, "terms": euler.EulerV2Terms(0.2)}
    assert euler.v2_liquidate(100, 190, other_adjusted=3, **v2).seized == pytest.approx(100 / 0.98)


def test_aave_v4_leaves_no_dust() -> None:
    terms = replace(V4, dust_value=2000.0)
    near = {"health_factor": 0.98, "terms": terms}
    whole = aave_v4.liquidate(3000, 3675, **near)  # to the target: 1150 would be repaid and 1850 stay, so all of it
    assert (whole.repaid, whole.debt_left) == (3000, 0)
    dearer = aave_v4.liquidate(1500, 3675, debt_price=2.0, **near)  # the same values: dust is a value, not an amount
    assert (dearer.repaid, dearer.debt_left) == (1500, 0)
    cheaper = aave_v4.liquidate(30_000, 3675, debt_price=0.1, **near)
    assert (cheaper.repaid, cheaper.debt_left) == (30_000, 0)
    with pytest.raises(InputError, match="must cover 3000: a smaller call would leave dust"):
        aave_v4.liquidate(3000, 3675, debt_to_cover=1500, **near)
    deep = aave_v4.liquidate(10_000, 3000, health_factor=0.24, terms=terms)
    assert (deep.collateral_left, deep.debt_left) == (0, 0)
    assert deep.written_off == pytest.approx(10_000 - 3000 / 1.1)
    kept = aave_v4.liquidate(10_000, 3000, health_factor=0.24, other_collateral_value=1, terms=terms)
    assert (kept.written_off, kept.debt_left) == (0, deep.written_off)


@given(units, money, st.floats(0.1, 10), st.floats(0, 1), st.floats(1.0, 1.2), st.floats(0.1, 1))
def test_compound_v2_adds_up(tokens, debt, price, part, incentive, close) -> None:
    terms = compound.CompoundV2Terms(incentive, close)
    repay = part * close * debt
    assume(repay * incentive / price <= tokens)
    adds_up(done := compound.v2_liquidate(debt, tokens, repay=repay, price_collateral=price, terms=terms), debt, tokens)
    assert done.repaid <= close * debt


@given(money, st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), max_size=5))
def test_compound_v3_absorbs_everything(debt, rows) -> None:
    values, factors = [value for value, _ in rows], [factor for _, factor in rows]
    done = compound.v3_absorb(debt, values, factors)
    assert done.repaid + done.written_off == pytest.approx(debt, rel=1e-12)
    assert done.repaid + done.balance == pytest.approx(done.credited, rel=1e-12)
    assert done.balance == 0 or done.written_off == 0
    assert min(done.repaid, done.written_off, done.balance) >= 0
    assert done.reserves_used == pytest.approx(max(debt, done.credited), rel=1e-12)
    assert not compound.v3_liquidatable(0.0, values, factors)


def test_compound_v3_sells_below_the_target_and_no_more_than_it_has() -> None:
    sale = {"available": 2.0, "reserves": -50.0, "target_reserves": 100.0, "price_asset": 200.0, "discount": 0.2}
    assert compound.v3_buy(200, **sale) == pytest.approx(1.25)
    assert compound.v3_buy(100, price_base=2.0, **sale) == pytest.approx(1.25)
    for change, said in [
        ({"reserves": 100.0}, "reserves = 100.0: are not below their target of 100"),
        ({"min_amount": 1.3}, "min_amount = 1.3: is above the quote of 1.25"),
        ({"available": 1.0}, "would buy 1.25 of 1 for sale"),
        ({"discount": 1.0}, "discount = 1.0"),
    ]:
        with pytest.raises(InputError, match=said):
            compound.v3_buy(200, **{**sale, **change})


@given(units, money, st.floats(0.3, 0.98), st.floats(1.0001, 3), st.floats(0, 1))
def test_morpho_adds_up_and_a_call_at_the_threshold_helps(collateral, debt, lltv, breach, part) -> None:
    terms = morpho.MorphoTerms(lltv, 0.3, 1.15)
    price = debt / (breach * lltv * collateral)
    factor = terms.incentive_factor
    assert lltv * factor < 1
    seize = part * min(collateral, debt * factor / price)
    assume(seize * price / factor <= debt)
    done = morpho.liquidate(debt, collateral, price=price, seize=seize, terms=terms)
    adds_up(done, debt, collateral)
    assert done.written_off == 0 or done.collateral_left == 0
    market = morpho.Market(2 * debt, debt).after(done)
    assert 2 * debt - market.total_supply == pytest.approx(done.written_off, abs=1e-9 * debt)
    assert debt - market.total_borrow == pytest.approx(done.repaid + done.written_off, abs=1e-9 * debt)
    if done.debt_left > 1e-6 * debt and debt / (collateral * price) < 1 / factor:
        before, after = debt / (collateral * price), done.debt_left / (done.collateral_left * price)
        assert after <= before * (1 + 1e-9)


@given(units, money, prices, healths, shares, shares, st.floats(1, 2))
def test_euler_v1_adds_up_and_never_passes_its_target(collateral, debt, debt_price, health, cf, bf, booster) -> None:
    price = health * debt * debt_price / bf / (collateral * cf)
    factors = {"collateral_factor": cf, "borrow_factor": bf, "booster": booster}
    done = euler.v1_liquidate(debt, collateral, debt_price=debt_price, collateral_price=price, **factors, terms=E1)
    adds_up(done, debt, collateral)
    assert done.surcharge == pytest.approx(0.02 * done.repaid)
    discount = 1 - done.repaid * debt_price / (done.seized * price)
    assert discount == pytest.approx(euler.v1_discount(health, E1, booster), rel=1e-6)
    assert 0.02 <= discount <= 0.2 * (1 + 1e-9)
    if done.debt_left > 1e-9 * debt and done.collateral_left > 1e-9 * collateral:
        after = done.collateral_left * price * cf / (done.debt_left * debt_price / bf)
        assert after == pytest.approx(1.25, rel=1e-6)


@given(units, money, prices, st.floats(0.0, 1.0), shares, st.booleans())
def test_euler_v2_adds_up_and_discounts_by_health(collateral, debt, debt_price, health, ltv, socialise) -> None:
    price = health * debt * debt_price / (collateral * ltv)
    terms = euler.EulerV2Terms(0.15, socialise)
    arguments = {"debt_price": debt_price, "collateral_price": price, "ltv": ltv, "terms": terms}
    assume(not refused(lambda: euler.v2_liquidate(debt, collateral, **arguments)))
    done = euler.v2_liquidate(debt, collateral, **arguments)
    adds_up(done, debt, collateral)
    paid = done.repaid * debt_price
    assert paid == pytest.approx(done.seized * price * max(health, 0.85), rel=1e-6, abs=1e-9)
    assert done.written_off == 0 or (socialise and done.collateral_left == 0)


def test_euler_v2_waits_with_bad_debt_where_it_must() -> None:
    deep = {"collateral_price": 0.5, "ltv": 0.9}
    full = euler.v2_liquidate(50, 10, **deep, terms=euler.EulerV2Terms(0.2))
    small = euler.v2_liquidate(50, 10, **deep, terms=euler.EulerV2Terms(0.2, min_socialised=51))
    other = euler.v2_liquidate(50, 10, **deep, other_collateral=True, terms=euler.EulerV2Terms(0.2))
    assert full.written_off == small.debt_left == other.debt_left == 46
    assert small.written_off == other.written_off == full.debt_left == 0
    assert euler.v1_booster(50, 100) == 1.5
    assert euler.v1_booster(500, 100) == 2


HEALTHY = "the account is healthy"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: aave_v3.liquidate(10, 10, health_factor=1.0, terms=V3), HEALTHY),
        (lambda: aave_v4.liquidate(10, 10, health_factor=1.0, terms=V4), HEALTHY),
        (lambda: morpho.liquidate(7, 10, price=1, repay=1, terms=morpho.MorphoTerms(0.7, 0.3, 1.15)), "limit of 7: "),
        (lambda: euler.v1_liquidate(5, 10, collateral_price=1, collateral_factor=0.5, terms=E1), HEALTHY),
        (lambda: euler.v2_liquidate(5, 10, collateral_price=1, ltv=0.6, terms=euler.EulerV2Terms(0.2)), HEALTHY),
        (
            lambda: aave_v3.liquidate(9000, 12_000, health_factor=0.96, debt_to_cover=-1, terms=V3),
            "debt_to_cover = -1",
        ),
        (
            lambda: aave_v3.liquidate(9000, 10_000, health_factor=0.94, debt_to_cover=8500, terms=V3),
            "both must be 0 or >= min_leftover",
        ),
        (lambda: aave_v3.liquidate(9, 0, health_factor=0.9, debt_price=0, terms=V3), "2 problems"),
        (lambda: compound.v3_absorb(9, [1, 2], [1]), r"values, liquidation_factors = \(2, 1\): must be equally long"),
        (lambda: aave_v3.seize(10, 10, repay=11, terms=V3), "is above the debt of 10"),
        (lambda: aave_v3.seize(10, 10.5, repay=1, terms=V3, integer=True), "collateral = 10.5: must be a whole number"),
        (
            lambda: aave_v4.debt_to_target(100, health_factor=0.9, target_health=1.0, bonus=0.3, collateral_factor=0.8),
            "no repayment reaches it",
        ),
        (
            lambda: compound.v2_liquidate(100, 100, repay=51, terms=compound.CompoundV2Terms(1.08, 0.5)),
            "is above close_factor",
        ),
        (
            lambda: compound.v2_liquidate(100, 10, repay=50, terms=compound.CompoundV2Terms(1.08, 0.5)),
            "would take 54 tokens of 10",
        ),
        (
            lambda: morpho.liquidate(9, 10, price=1, repay=1, seize=1, terms=morpho.MorphoTerms(0.7, 0.3, 1.15)),
            "exactly one of the two",
        ),
        (
            lambda: morpho.liquidate(9, 10, price=1, seize=11, terms=morpho.MorphoTerms(0.7, 0.3, 1.15)),
            "is above the collateral of 10",
        ),
        (lambda: morpho.MorphoTerms(1.0, 0.3, 1.15), "lltv = 1.0"),
        (lambda: replace(V4, max_bonus=0.3), "must be below 1, or a liquidation lowers the health"),
        (lambda: replace(V4, max_bonus=-1, target_health=0.5, collateral_factor=2), "3 problems"),
        (lambda: aave_v3.AaveV3Terms(0.05, 0.1, 0.0, 0.95, 2000, 1000), "close_factor = 0.0"),
        (lambda: euler.EulerV2Terms(1.0), "max_discount = 1.0"),
        (lambda: euler.v2_liquidate(5, math.inf, collateral_price=1, ltv=0.6, terms=euler.EulerV2Terms(0.2)), "inf"),
    ],
)
def test_what_is_refused(action, said) -> None:
    with pytest.raises(InputError, match=said):
        action()
