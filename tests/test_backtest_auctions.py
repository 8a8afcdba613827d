"""Auctions replayed on history: an honest promise passes, a broken one does not, and tests are what they say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from auction_cases import HOURLY
from path_models import flat, market
from scipy import stats

import collatrisk as cr
from collatrisk.backtest.auction_tests import count_test, disjoint, ratio_test
from collatrisk.base.errors import InputError
from collatrisk.liquidation import AuctionTerms, DutchTerms, EnglishTerms, Keepers
from collatrisk.risk import Estimate, NormalInterval, estimate_probability

RULE = DutchTerms(cr.StairstepExponentialDecrease(0.99, 90.0), 1.2, tail_s=8400, cusp=0.4, chip=0.001, penalty=0.05)
TERMS = AuctionTerms(RULE, liquidation_threshold=0.9)
LOAN = cr.Loan({"A": 1.0}, 1000.0, 0.88)
WORLD = {"horizon_days": 0.25, "keepers": Keepers(3, 0.03), "tick_s": 600}


def history(volatility: float, rows: int = 1600, seed: int = 5) -> pd.DataFrame:
    model = market(flat("A", volatility=volatility), clock=HOURLY)
    path = cr.PathPlan(model, n_paths=1, horizon_days=rows / 24, seed=seed).read(0, 1).prices[:, 0, 0]
    return pd.DataFrame({"A": path}, index=pd.date_range("2021-01-01", periods=rows + 1, freq="h", tz="UTC"))


@pytest.fixture(scope="module")
def promise() -> cr.PathPlan:
    return cr.PathPlan(market(flat("A", volatility=1.0), clock=HOURLY), n_paths=3000, horizon_days=0.25, seed=1)


@pytest.fixture(scope="module")
def honest(promise) -> cr.backtest.AuctionBacktest:
    rules = {"ours": TERMS, "english": AuctionTerms(EnglishTerms(1.05, 3600, 7200), 0.9)}
    return cr.backtest.auctions(history(1.0), LOAN, rules, promise=promise, worst=4, clock=HOURLY, **WORLD)


def test_an_honest_promise_passes(honest) -> None:
    table = honest.table()
    assert len(table) == 14
    assert honest.passes("ours")
    ours = table.loc["ours"]
    assert ours.loc["P(triggered)", "realised_low"] <= ours.loc["P(triggered)", "promised"]
    assert ours.loc["clearing_days", "promised"] == pytest.approx(RULE.time_until_taken(0.03) / 86_400, rel=0.3)
    assert honest.n_disjoint == math.ceil(honest.n_windows / 6)
    assert "ours passes" in repr(honest)
    assert "disjoint" in honest._repr_html_()


def test_a_wilder_world_breaks_it(promise) -> None:
    wild = cr.backtest.auctions(history(3.0), LOAN, TERMS, promise=promise, clock=HOURLY, **WORLD)
    assert not wild.passes("rule")
    assert not wild.table().loc[("rule", "P(triggered)"), "passes"]


def test_the_worst_windows_are_disjoint_and_the_worst(honest) -> None:
    worst = honest.worst_windows
    starts = worst.index.get_level_values("window").unique()
    assert len(starts) == 4
    gaps = np.diff(np.sort(starts.to_numpy()))
    assert (gaps >= np.timedelta64(6, "h")).all()
    assert (np.diff(worst.xs("ours", level="rule").fall) <= 0).all()
    frame = history(1.0).A
    first = starts[0]
    fell = 1 - frame[first : first + pd.Timedelta(hours=6)].min() / frame[first]
    assert worst.loc[(first, "ours"), "fall"] == pytest.approx(fell)


def test_a_rule_that_starts_no_auction_does_not_pass(promise) -> None:
    idle = AuctionTerms(EnglishTerms(1.05, 3600, 7200), 0.9)
    world = {**WORLD, "keepers": Keepers(2, gas=1.0)}
    found = cr.backtest.auctions(history(1.0, 300), LOAN, idle, promise=promise, clock=HOURLY, **world)
    assert not found.passes("rule")
    assert "start-not-paid" in {finding.code for finding in found.findings}
    assert math.isnan(found.table().loc[("rule", "recovery"), "p_value"])


def test_a_calibrated_rule_brings_its_keepers(promise) -> None:
    targets = cr.AuctionTargets(clearing_days=1.0)
    best = cr.liquidation.calibrate_auction(
        promise, LOAN, TERMS, {"buffer": [1.1, 1.3]}, targets, keepers=Keepers(2, 0.04), tick_s=600, within="lines"
    )
    found = cr.backtest.auctions(history(1.0, 200), LOAN, best, promise=promise, horizon_days=0.25, tick_s=600)
    measured = found.promised["rule"].ratio("clearing_days").value
    assert measured == best.measures["clearing_days"].value


def test_the_count_test_is_the_exact_binomial_law() -> None:
    promised = estimate_probability(50, 1000)
    found = count_test("P", promised, 9, 80)
    assert found.p_value == pytest.approx(stats.binom.sf(8, 80, promised.ci()[1]), rel=1e-9)
    assert count_test("P", promised, 0, 80).p_value == 1.0
    assert math.isnan(count_test("P", promised, 0, 0).p_value)
    assert count_test("P", promised, 0, 60).realised.ci()[1] == pytest.approx(1 - 0.025 ** (1 / 60))


def test_the_ratio_test_counts_both_errors() -> None:
    def estimate(value, error):
        return Estimate(value, error, "mean", "", 10, 10.0, NormalInterval(value, error))

    found = ratio_test("x", estimate(1.0, 0.3), estimate(2.0, 0.4))
    assert found.p_value == pytest.approx(stats.norm.sf(2.0))
    assert ratio_test("x", estimate(1.0, 0.3), estimate(2.0, 0.4), bad_if_larger=False).p_value > 0.97
    assert ratio_test("x", estimate(0.0, 0.0), estimate(0.0, 0.0)).p_value == 1.0
    assert ratio_test("x", estimate(0.0, 0.0), estimate(1.0, 0.0)).p_value == 0.0
    assert math.isnan(ratio_test("x", estimate(math.nan, 0.1), estimate(1.0, 0.1)).p_value)


def test_disjoint_windows() -> None:
    assert disjoint(np.array([True, True, False, True, False, False, True]), 3) == (3, 3)


def test_what_is_refused(promise) -> None:
    for change in ({"rules": "ours"}, {"rules": {"a": 1}}, {"worst": 0}, {"promise": None}):
        given = {"rules": TERMS, "promise": promise, **change}
        rules = given.pop("rules")
        with pytest.raises(InputError):
            cr.backtest.auctions(history(1.0, 100), LOAN, rules, **given, **WORLD)
    calm = cr.backtest.auctions(history(0.1, 100), LOAN, TERMS, promise=promise, **WORLD)
    assert [finding.code for finding in calm.findings].count("few-auctions") == 1
