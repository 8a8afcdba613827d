"""Soft liquidation in bands: the venue's figures, the slow twin, limits, and what must hold on any path."""

from __future__ import annotations

import itertools
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import naive_bands
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from liquidation_vectors import cases, compare

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation import bands
from collatrisk.liquidation.bands import BandPosition, BandTerms
from collatrisk.liquidation.bands_run import UNITS

TERMS = BandTerms(100, 0.006, 0.09, 0.06)


def one_path(*prices: float, clock: str = "24/7") -> cr.PricePaths:
    return cr.PricePaths.from_array(np.array(prices, dtype=float)[None, :, None], ["ETH"], clock)


def band_prices(given: dict[str, Any]) -> dict[str, Any]:
    terms = BandTerms(given["a"], 0.0, 0.09, 0.06)
    rows = [terms.prices(n, given["base_price"], given["oracle_price"]) for n in given["bands"]]
    fields = bands.BandPrices._fields
    return {f"p_{field}": [getattr(row, field) for row in rows] for field in fields}


def partial_repay(given: dict[str, Any]) -> dict[str, Any]:
    names = ("collateral", "debt", "health", "liquidation_discount", "fraction")
    return bands.repay_partly(**{name: given[name] for name in names})._asdict()


def f_remove(given: dict[str, Any]) -> dict[str, Any]:
    pairs = zip(given["fraction"], given["health_limit"], strict=True)
    return {"f_remove": [bands.removed_share(*pair) for pair in pairs]}


def first_band(given: dict[str, Any]) -> dict[str, Any]:
    """Through the engine: the band in which each loan starts."""
    terms = BandTerms(given["a"], 0.0, given["loan_discount"], 0.06)
    loans = [BandPosition(given["collateral"], given["debt"], n) for n in given["bands"]]
    out = cr.run_bands(one_path(given["base_price"], given["base_price"]), loans, terms)
    worth = [terms.effective_collateral(given["collateral"], n) for n in given["bands"]]
    return {"y_effective": worth, "n1": list(out.first_bands.values())}


ADAPTERS = {
    "band_prices": band_prices,
    "partial_repay_row": partial_repay,
    "f_remove": f_remove,
    "first_band": first_band,
}


@pytest.mark.parametrize("case", cases("llamma"))
def test_vector(case: dict[str, Any]) -> None:
    compare(ADAPTERS[case["name"].removeprefix("llamma.")](case["inputs"]), case["expected"], case["tolerance"])


def test_the_health_of_a_new_loan_is_the_value_ratio_of_its_bands() -> None:
    """Before any conversion, health is the discounted value of the bands on the way down, and what lies above them."""
    loan = BandPosition(10, 20_000, 10)
    out = cr.run_bands(one_path(3000, 3000), loan, TERMS, keep_states=True)
    top = out.first_bands["position 0"]
    ratio = TERMS.a / (TERMS.a - 1)
    worth = sum(10 / 10 * 3000 * ratio ** -(top + k) / math.sqrt(ratio) for k in range(10))
    above = 10 * (3000 - 3000 * ratio**-top)
    expected = (worth * 0.94 + above) / 20_000 - 1
    assert out.states["position 0"].health[0] == pytest.approx([expected, expected], rel=1e-12)
    # The first band is the highest that covers the debt with the loan discount: health lies within a band of it.
    assert 0.94 / 0.91 <= worth * 0.94 / 20_000 <= 0.94 / 0.91 * ratio


@st.composite
def runs(draw) -> tuple[list[float], BandPosition, BandTerms]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.integers(1, 6))
    path = [3000.0, *(3000.0 * np.exp(np.cumsum(rng.normal(-0.02, draw(st.sampled_from([0.01, 0.05])), steps))))]
    a, n = draw(st.sampled_from([20.0, 100.0])), draw(st.integers(4, 12))
    terms = BandTerms(
        a,
        draw(st.sampled_from([0.0, 0.006])),
        0.09,
        1e-6,  # health stays above 0: conversions alone are compared here
        borrow_rate=draw(st.sampled_from([0.0, 0.3])),
        oracle_days=draw(st.sampled_from([0.0, 1.5])),
    )
    debt = terms.largest_debt(10.0, n, 3000.0) * draw(st.floats(0.8, 0.95))
    return [float(price) for price in path], BandPosition(10.0, debt, n), terms


@settings(max_examples=40)
@given(runs())
def test_conversions_against_the_twin(case) -> None:
    path, loan, terms = case
    out = cr.run_bands(one_path(*path), loan, terms, keep_states=True)
    rule = terms.rule_array(3000.0, 1 / 365, 1.0)
    where = (out.first_bands["position 0"], loan.bands)
    slow, held, oracle = naive_bands.run(path, loan.collateral, loan.debt, *where, *rule)
    found = out[0].to_frame().iloc[0]
    if not found["liquidated"]:
        for metric, value in slow.items():
            assert found[metric] == pytest.approx(value, rel=1e-7, abs=1e-6), metric
        back = sum(band.slowly(oracle, True) for band in held)
        assert found["loss_share"] == pytest.approx(1 - back / 10.0, abs=1e-9)
        down = sum(band.slowly(oracle, False) for band in held)
        above = max(oracle - held[0].up, 0.0) * slow["collateral"] if slow["stablecoins"] == 0.0 else 0.0
        health = (down * (1 - 1e-6) + above) / slow["debt"] - 1
        assert out.states["position 0"].health[0, -1] == pytest.approx(health, abs=1e-9)


@settings(max_examples=60)
@given(runs())
def test_gains_and_losses_add_up(case) -> None:
    """Value at the end is the start, what the holdings gained step by step, less what conversions cost."""
    path, loan, terms = case
    out = cr.run_bands(one_path(*path), loan, terms, keep_states=True)
    if out[0].values("liquidated")[0]:
        return
    held = out.states["position 0"].collateral[0]
    carried = math.fsum(held[i] * (path[i + 1] - path[i]) for i in range(len(path) - 1))
    end = out[0].values("stablecoins")[0] + out[0].values("collateral")[0] * path[-1]
    assert end == pytest.approx(10.0 * 3000.0 + carried - out[0].values("soft_loss")[0], rel=1e-12)
    if terms.oracle_days == 0.0 and terms.fee == 0.0:
        assert out[0].values("soft_loss")[0] >= -1e-6  # arbitrage without a fee never pays the bands
    assert (held >= -1e-12).all()
    assert out[0].values("stablecoins")[0] >= 0


def test_a_slow_fall_sells_at_geometric_means_and_a_slow_rise_buys_back() -> None:
    """The limit of ever smaller steps without fee: each band sells at sqrt(p_up p_down), and nothing is lost."""
    loan = BandPosition(10, 24_000, 5)
    free = BandTerms(100, 0.0, 0.09, 0.06)
    errors = []
    for steps in (100, 1000, 10_000):
        down = np.geomspace(3000, 2400, steps)
        out = cr.run_bands(one_path(*down), loan, free)
        top, ratio = out.first_bands["position 0"], 100 / 99
        worth = sum(2 * 3000 * ratio ** -(top + k) / math.sqrt(ratio) for k in range(5))
        round_trip = cr.run_bands(one_path(*down, *down[::-1]), loan, free)
        lost = round_trip[0].values("loss_share")[0]
        errors.append((worth - out[0].values("stablecoins")[0], lost))
        assert round_trip[0].values("stablecoins")[0] == 0.0
        assert out[0].values("collateral")[0] == 0.0
    assert errors[0] > errors[1] > errors[2] > (0.0, 0.0)
    assert errors[2][0] < 0.01 * errors[0][0] * 1.5
    assert errors[2][1] < 1e-4


def test_substeps_are_finer_steps_on_a_line() -> None:
    coarse = [3000.0, 2700.0, 2500.0, 2650.0, 2400.0]
    fine = [coarse[0]]
    for start, end in itertools.pairwise(coarse):
        fine += [start * (end / start) ** (k / 6) for k in range(1, 7)]
    slow = BandTerms(100, 0.006, 0.09, 1e-6, oracle_days=0.1)
    loan = BandPosition(10, 22_000, 8)
    hours = cr.PricePaths.from_array(np.array(fine)[None, :, None], ["ETH"], cr.Clock("24/7", 6))
    one = cr.run_bands(one_path(*coarse), loan, slow, substeps=6)[0].to_frame().iloc[0]
    two = cr.run_bands(hours, loan, slow)[0].to_frame().iloc[0]
    assert two["liquidated"] == 0.0  # health is looked at once a step only
    for metric in set(UNITS) - {"min_health"}:
        assert one[metric] == pytest.approx(two[metric], rel=1e-9), metric
    whole = cr.run_bands(one_path(*coarse), loan, slow)[0].to_frame().iloc[0]
    assert one["soft_loss"] < whole["soft_loss"]


def test_coarse_steps_lose_more_and_fees_give_back() -> None:
    rng = np.random.default_rng(2)
    fine = 3000 * np.exp(np.cumsum(rng.normal(0, 0.01, (400, 96)), axis=1))
    fine[:, 0] = 3000
    loan = BandPosition(10, 24_000, 10)
    walks = [cr.PricePaths.from_array(fine[:, ::k, None], ["ETH"], "24/7") for k in (1, 8)]
    free, charged = BandTerms(100, 0.0, 0.09, 1e-6), BandTerms(100, 0.006, 0.09, 1e-6)
    loss = [cr.run_bands(walk, loan, free)[0].mean("soft_loss").value for walk in walks]
    assert loss[0] > 0
    kept = cr.run_bands(walks[0], loan, charged)[0]
    assert kept.mean("soft_loss").value < loss[0]
    assert kept.mean("fees").value > 0


def test_hard_liquidation_shortfall_and_nobody_coming() -> None:
    loan = BandPosition(10, 24_000, 4, name="loan")
    begun = cr.run_bands(one_path(3000, 2700, 2690), loan, TERMS)["loan"].to_frame().iloc[0]
    assert (begun["liquidated"], begun["debt"]) == (0.0, 24_000)
    assert 3000 < begun["stablecoins"] < 4000
    assert 0.03 < begun["min_health"] < 0.05
    dear = BandTerms(100, 0.006, 0.09, 0.06, borrow_rate=0.1)
    slow = one_path(*np.linspace(3000, 2550, 200), *([2550] * 400))
    row = cr.run_bands(slow, loan, dear)["loan"].to_frame().iloc[0]
    assert row["liquidated"] == 1.0
    assert row["liquidator_gain"] >= 0
    assert (row["debt"], row["collateral"], row["shortfall"]) == (0.0, 0.0, 0.0)
    assert 0 < row["days"] < 600
    gap = cr.run_bands(one_path(3000, 1500), loan, TERMS)["loan"]
    # With the oracle already at 1500, all bands sell far below it: the loss of a gap is more than the gap.
    assert gap.values("stablecoins")[0] < 10 * 1500
    assert gap.values("liquidated")[0] == 0.0
    assert gap.values("shortfall")[0] == pytest.approx(24_000 - gap.values("stablecoins")[0])
    assert [finding.code for finding in gap.findings] == ["no-liquidator"]


def test_an_oracle_that_never_moves_or_hardly_moves_is_said_loudly() -> None:
    loan = BandPosition(10, 20_000)
    still = cr.run_bands(one_path(3000, 3000, 3000), loan, TERMS)[0]
    assert [finding.code for finding in still.findings] == ["stale-price"]
    slow = BandTerms(100, 0.006, 0.09, 0.06, oracle_days=30.0)
    assert [finding.code for finding in cr.run_bands(one_path(3000, 2900), loan, slow)[0].findings] == ["slow-oracle"]


def test_results_depend_on_neither_workers_nor_blocks_and_travel() -> None:
    rng = np.random.default_rng(2)
    walk = 3000 * np.exp(np.cumsum(rng.normal(0, 0.03, (2500, 20)), axis=1))
    walk[:, 0] = 3000
    source = cr.PricePaths.from_array(walk[:, :, None], ["ETH"], "24/7")
    loans = [BandPosition(10, 22_000, n, name="loan") for n in (5, 20)]
    one = cr.run_bands(source, loans, TERMS)
    with ThreadPoolExecutor(2) as pool:
        two = cr.run_bands(source, loans, TERMS, executor=pool, block_size=1024)
    for a, b in zip(one, two, strict=True):
        for metric in UNITS:
            np.testing.assert_array_equal(a.values(metric), b.values(metric))
    assert list(one.positions) == ["loan #0", "loan #1"]
    assert len(pickle.loads(pickle.dumps(one))) == 2
    low, high = one[0].probability("liquidated").ci()
    assert 0 < low < high < one[1].probability("liquidated").value  # more bands are longer in the way of daily jumps
    assert "loan #0" in one[0]._repr_html_()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: BandTerms(1.0, 1.0, 0.0, 1.0, 99.0, -1.0), "6 problems"),
        (lambda: BandTerms(100, 0.0, 0.05, 0.06), "at least liquidation_discount"),
        (lambda: BandPosition(0.0, -1.0, 3), "3 problems"),
        (lambda: cr.run_bands(one_path(3000, 3000), BandPosition(10, 28_000), TERMS), "borrow .* at most"),
        (lambda: cr.run_bands(one_path(3000, 3000), [], "crvusd", base_price=0.0, substeps=0), "4 problems"),
        (lambda: cr.run_bands(one_path(3000, 3000), BandPosition(10, 20_000), TERMS, asset="BTC"), "asset = 'BTC'"),
        (lambda: cr.run_bands(one_path(3000, 3000), BandPosition(10, 20_000), TERMS)["a"], "position = 'a'"),
    ],
)
def test_bad_input_is_refused_with_all_its_problems(action, message) -> None:
    with pytest.raises(InputError, match=message):
        action()


def test_a_band_that_is_bought_back_has_no_crumb_of_stablecoins_left() -> None:
    """Where the price comes back above all bands, health counts the room above the highest one, as at the start."""
    terms = BandTerms(20.0, 0.0, 0.09, 1e-6)
    loan = BandPosition(10.0, 23136.35884428714, 4)
    out = cr.run_bands(one_path(3000.0, 2846.3080431483, 2765.6809137785363, 2946.072908363916), loan, terms)
    assert out[0].to_frame()["stablecoins"].iloc[0] == 0.0
