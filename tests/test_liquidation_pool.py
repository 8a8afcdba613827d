"""Stability pool, redistribution and modes of Liquity v1: the 8 figures of tests/vectors/liquity.json, and sums."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st
from liquidation_vectors import cases, compare

from collatrisk.base.errors import InputError
from collatrisk.liquidation import liquity
from collatrisk.liquidation.pool import SCALE, StabilityPool
from collatrisk.liquidation.redistribution import TroveBook

TERMS = liquity.LiquityTerms(1.1, 1.5, 0.005, 200.0, 1800.0)
CASES = cases("liquity")


def stability_pool(given: dict[str, Any]) -> dict[str, Any]:
    pool, kept = StabilityPool(), 1 - given["gas_compensation_fraction"]
    for event in given["events"]:
        if "deposit" in event:
            pool = pool.deposit(event["deposit"], event["amount"])
        else:
            pool = pool.offset(event["liquidate_debt"], event["collateral"] * kept)
    return {name: {"deposit": pool.value(name), "eth_gain": pool.gain(name)} for name in pool.deposits}


def redistribution(given: dict[str, Any]) -> dict[str, Any]:
    assert given["order"] == ["open A,B,C", "liquidate C", "open D,E,F", "liquidate F"]
    assert given["stability_pool"] == 0
    book, kept = TroveBook(), 1 - given["gas_compensation_fraction"]
    for names in ("ABC", "DEF"):
        for name in names:
            book = book.open(name, given["collateral"][name])
        gone = names[-1]
        book = book.close(gone).redistribute(book.collateral(gone) * kept, book.debt(gone))
    return {name: book.collateral(name) for name in book.troves}


def mode_table(given: dict[str, Any]) -> dict[str, Any]:
    terms = liquity.LiquityTerms(given["mcr"], given["ccr"], 0.005, 200.0, 1800.0)
    words = {"capped offset": "offset capped at 1.1 debt, surplus claimable"}
    actions = [liquity.action(*row, terms) for row in given["rows"]]
    return {"action": [words.get(action, action) for action in actions]}


ADAPTERS = {"liquity.sp.": stability_pool, "liquity.redistribution.": redistribution, "liquity.mode_table": mode_table}


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 8


amounts = st.floats(1.0, 1e6)
events = st.one_of(
    st.tuples(st.just("deposit"), st.sampled_from("ABC"), amounts),
    st.tuples(st.just("withdraw"), st.sampled_from("ABC"), amounts),
    st.tuples(st.just("offset"), st.sampled_from([0.1, 0.5, 1 - 1e-6, 1.0]), amounts),
)


@given(st.lists(events, max_size=25))
def test_nothing_is_lost_or_made_in_the_pool(steps: list[tuple[str, Any, float]]) -> None:
    """Against a slow book that shares every liquidation out at once."""
    pool, held, gains = StabilityPool(), dict.fromkeys("ABC", 0.0), dict.fromkeys("ABC", 0.0)
    for kind, who, amount in steps:
        if kind == "deposit":
            pool, held[who] = pool.deposit(who, amount), held[who] + amount
        elif kind == "withdraw" and who in pool.deposits:
            pool, held[who] = pool.withdraw(who, amount), max(held[who] - amount, 0.0)
        elif kind == "offset" and pool.total > 0:
            total, before = math.fsum(held.values()), dict(held)
            pool = pool.offset(pool.total * who, amount)
            held = {name: value * (1 - who) for name, value in before.items()}
            gains = {name: gain + amount * before[name] / total for name, gain in gains.items()}
    size = 1e-9 * (1 + math.fsum(amount for _, _, amount in steps))
    for name in "ABC":
        assert pool.value(name) == pytest.approx(held[name], rel=1e-9, abs=size)
        assert pool.gain(name) + pool.paid.get(name, 0.0) == pytest.approx(gains[name], rel=1e-6, abs=size)
    assert pool.total == pytest.approx(math.fsum(held.values()), rel=1e-9, abs=size)


def test_the_scale_rises_and_the_gain_is_still_whole() -> None:
    pool = StabilityPool().deposit("A", 1000.0)
    pool = pool.offset(1000.0 * (1 - 1e-6), 10.0).deposit("B", 1000.0)
    pool = pool.offset(pool.total * (1 - 1e-6), 20.0)
    assert pool.scale == 1
    assert 1 / SCALE <= pool.product <= 1
    assert pool.gain("A") + pool.gain("B") == pytest.approx(30.0, rel=1e-9)
    assert pool.value("A") == pytest.approx(1e-9, rel=1e-4)
    late = pool.deposit("L", 7.0)
    assert late.value("L") == 7.0
    late = late.offset(late.total / 2, 4.0)
    assert late.value("L") == pytest.approx(3.5, rel=1e-12)
    assert late.gain("L") == pytest.approx(4.0 * 7 / (7 + pool.total), rel=1e-12)
    emptied = pool.offset(pool.total, 1.0)
    assert (emptied.epoch, emptied.total, emptied.value("B")) == (1, 0.0, 0.0)
    assert emptied.gain("A") + emptied.gain("B") == pytest.approx(31.0, rel=1e-9)
    assert emptied.deposit("C", 5.0).gain("C") == 0.0


def test_a_small_gain_after_a_large_one_is_not_rounded_away() -> None:
    pool = StabilityPool().deposit("A", 1.0).offset(0.999999, 32_768.0).deposit("B", 1014.0)
    pool = pool.offset(pool.total * 0.1, 1.0)
    assert pool.gain("B") == pytest.approx(1014.0 / (1014.0 + 1e-6), rel=1e-12)


def test_what_a_pool_refuses() -> None:
    pool = StabilityPool().deposit("Anna", 10.0)
    with pytest.raises(InputError, match=r"debt = 11: is above the pool's 10"):
        pool.offset(11, 1)
    with pytest.raises(InputError, match="did you mean 'Anna'"):
        pool.withdraw("Ana")
    with pytest.raises(InputError, match="comes without debt"):
        pool.offset(0, 1)
    with pytest.raises(InputError, match="amount = -1"):
        pool.deposit("Anna", -1)


openings = st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(0, 1e6)), min_size=2, max_size=6)


@given(openings, openings, st.integers(0, 5))
def test_redistribution_hands_on_all_collateral_and_debt(first, second, pick) -> None:
    book, collateral, debt = TroveBook(), 0.0, 0.0
    for label, group in enumerate((first, second)):
        for i, (units, owed) in enumerate(group):
            book = book.open(f"{label}.{i}", units, owed)
            collateral, debt = collateral + units, debt + owed
        gone = f"{label}.{pick % len(group)}"
        book = book.close(gone).redistribute(book.collateral(gone), book.debt(gone))
    assert math.fsum(map(book.collateral, book.troves)) == pytest.approx(collateral, rel=1e-9)
    assert math.fsum(map(book.debt, book.troves)) == pytest.approx(debt, rel=1e-9, abs=1e-9)
    assert all(book.collateral(name) >= book.troves[name].collateral for name in book.troves)


def test_the_last_position_cannot_be_redistributed() -> None:
    book = TroveBook().open("A", 1.0, 100.0)
    with pytest.raises(InputError, match="nobody is left to carry it"):
        book.close("A").redistribute(1.0, 100.0)
    with pytest.raises(InputError, match="name = 'A': is open already"):
        book.open("A", 1.0)
    assert liquity.action(0.5, 0.5, 100, 1000, TERMS, last=True) == "none"


@given(st.floats(0.01, 1e4), st.floats(1, 1e6), st.floats(0.5, 3), st.floats(0, 2e6), st.floats(0.4, 2))
def test_a_settlement_adds_up(collateral, debt, system_ratio, pool, ratio) -> None:
    price = ratio * debt / collateral
    done = liquity.settle(collateral, debt, price=price, system_ratio=system_ratio, pool=pool, terms=TERMS)
    units = [
        done.offset_collateral,
        done.redistributed_collateral,
        done.to_caller,
        done.claimable,
        done.kept_collateral,
    ]
    money = [done.offset_debt, done.redistributed_debt, done.kept_debt]
    assert min(*units, *money) >= 0
    assert math.fsum(units) == pytest.approx(collateral, rel=1e-12)
    assert math.fsum(money) == pytest.approx(debt, rel=1e-12)
    assert done.offset_debt <= pool
    assert done.to_caller == pytest.approx(0.005 * (collateral - done.claimable - done.kept_collateral), abs=1e-12)
    if done.action == "capped offset":
        assert (collateral - done.claimable) * price == pytest.approx(1.1 * debt, rel=1e-9)
    else:
        assert done.claimable == 0


def test_a_capped_offset_leaves_the_surplus_to_the_owner() -> None:
    done = liquity.settle(12.0, 1000.0, price=100.0, system_ratio=1.4, pool=5000.0, terms=TERMS)
    assert done.action == "capped offset"
    assert (done.offset_debt, done.redistributed_debt, done.claimable) == (1000, 0, pytest.approx(1.0))
    assert done.to_caller == pytest.approx(0.055)
    assert done.offset_collateral == pytest.approx(11 - 0.055)


def test_a_pool_that_covers_a_part_leaves_the_rest_to_the_others() -> None:
    done = liquity.settle(10.5, 1000.0, price=100.0, system_ratio=2.0, pool=400.0, terms=TERMS)
    assert (done.offset_debt, done.redistributed_debt) == (400, 600)
    assert done.offset_collateral == pytest.approx(0.4 * 10.5 * 0.995)
    assert done.redistributed_collateral == pytest.approx(0.6 * 10.5 * 0.995)


def test_terms_that_contradict_each_other() -> None:
    with pytest.raises(InputError, match=r"critical_ratio = 1.05: must be at least minimum_ratio = 1.1"):
        liquity.LiquityTerms(1.1, 1.05, 0.005, 200.0, 1800.0)
