"""Calibration: the best candidate that meets the targets, the frontier, what binds, and refusals with the nearest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from auction_cases import HOURLY
from path_models import crash, flat, market

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation import AuctionTargets, AuctionTerms, CalibratedAuction, Depth, DutchTerms, Keepers
from collatrisk.liquidation.auctions.settings import settings_of_rules, with_settings
from collatrisk.liquidation.auctions.targets import MEASURES

RULE = DutchTerms(cr.StairstepExponentialDecrease(0.99, 90.0), 1.2, tail_s=8400, cusp=0.4, chip=0.001, penalty=0.05)
TERMS = AuctionTerms(RULE, liquidation_threshold=0.9, recourse=False)
GRID = {"buffer": [1.02, 1.2, 1.4], "step_s": [60.0, 240.0]}
LOAN = cr.Loan({"A": 1.0}, 1000.0, 0.86)
WORLD = {"keepers": Keepers(3, 0.02, 0.03, latency_s=300), "depth": Depth.linear(2e-5), "tick_s": 300}


@pytest.fixture(scope="module")
def plan() -> cr.PathPlan:
    model = market(flat("A", volatility=1.6), clock=HOURLY, jumps=(crash("A", intensity=60.0, fall=0.12),))
    return cr.PathPlan(model, n_paths=1500, horizon_days=1, seed=11)


@pytest.fixture(scope="module")
def loose(plan) -> CalibratedAuction:
    targets = AuctionTargets(es_loss=0.9, clearing_days=1.0, penalty=0.5, failed=0.95)
    return cr.liquidation.calibrate_auction(plan, LOAN, TERMS, GRID, targets, **WORLD)


def test_the_best_of_all_is_chosen_and_its_figures_are_those_of_a_run(plan, loose) -> None:
    table = loose.frontier
    assert len(table) == 6
    assert table.meets.all()
    best = table.sort_values(["es_loss", "mean_loss", "failed", "penalty", "clearing_days"]).iloc[0]
    assert loose.settings == {"buffer": best.buffer, "step_s": best.step_s}
    assert loose.binding == ()
    out = cr.run_auctions(plan, LOAN, loose.terms, **WORLD)
    assert out.ratio("clearing_days").value == loose.measures["clearing_days"].value
    assert out.expected_shortfall("shortfall", 0.99).value / 860 == pytest.approx(loose.measures["es_loss"].value)
    assert loose.terms == with_settings(TERMS, loose.settings)
    assert loose.terms.rule.curve.step_s == best.step_s
    assert "at most 0.9" in loose._repr_html_()


def test_the_frontier_trades_speed_against_loss(plan, loose) -> None:
    table = loose.frontier
    for i, row in table.iterrows():
        better = table[(table.clearing_days <= row.clearing_days) & (table.es_loss <= row.es_loss)]
        strictly = better[(better.clearing_days < row.clearing_days) | (better.es_loss < row.es_loss)]
        assert row.efficient == strictly.drop(index=i, errors="ignore").empty
    fast = cr.liquidation.calibrate_auction(plan, LOAN, TERMS, GRID, loose.targets, prefer="speed", **WORLD)
    assert fast.measures["clearing_days"].value == table.clearing_days.min()
    kind = cr.liquidation.calibrate_auction(plan, LOAN, TERMS, GRID, loose.targets, prefer="borrower", **WORLD)
    assert kind.measures["penalty"].value == table.penalty.min()


def test_a_target_binds_if_it_keeps_a_better_candidate_out(plan, loose) -> None:
    cost = loose.frontier.penalty
    limit = 0.5 * (cost.min() + loose.measures["penalty"].value)
    if limit >= loose.measures["penalty"].value:
        limit = cost.min() * (1 + 1e-9)
    targets = AuctionTargets(es_loss=0.9, clearing_days=1.0, penalty=limit)
    found = cr.liquidation.calibrate_auction(plan, LOAN, TERMS, GRID, targets, **WORLD)
    changed = found.settings != loose.settings
    assert found.binding == (("penalty",) if changed else ())
    assert found.measures["penalty"].value <= limit


def test_fewer_keepers_do_worse(loose) -> None:
    table = loose.sensitivity
    assert list(table.keepers) == [3, 2, 1, 0, 0]
    assert table.loc[1.0, "clearing_days"] == pytest.approx(loose.measures["clearing_days"].value)
    assert (np.diff(table.clearing_days) >= -1e-12).all()
    assert not table.loc[0.0, "meets"]
    assert table.loc[0.0, "clearing_days"] > table.loc[1.0, "clearing_days"]


def test_no_candidate_is_good_enough(plan) -> None:
    targets = AuctionTargets(es_loss=0.0, clearing_days=1e-4, level=0.95)
    with pytest.raises(
        InputError, match=r"clearing_days = 0.0001: no candidate meets all targets: the nearest \(buffer"
    ):
        cr.liquidation.calibrate_auction(plan, LOAN, TERMS, GRID, targets, **WORLD)


def test_the_upper_bound_is_harder_to_meet(plan, loose) -> None:
    value, high = loose.measures["clearing_days"].value, loose.measures["clearing_days"].ci()[1]
    targets = AuctionTargets(clearing_days=0.5 * (value + high))
    only = {name: [chosen] for name, chosen in loose.settings.items()}
    assert cr.liquidation.calibrate_auction(plan, LOAN, TERMS, only, targets, **WORLD).settings == loose.settings
    with pytest.raises(InputError, match="no candidate"):
        cr.liquidation.calibrate_auction(plan, LOAN, TERMS, only, targets, judge="upper", **WORLD)


def test_a_combination_that_is_no_auction_is_a_row_with_a_reason(plan) -> None:
    targets = AuctionTargets(clearing_days=1.0)
    found = cr.liquidation.calibrate_auction(plan, LOAN, TERMS, {"cusp": [0.4, 1.0]}, targets, **WORLD)
    assert "cusp = 1.0" in found.frontier.refused[1]
    assert math.isnan(found.frontier.clearing_days[1])
    with pytest.raises(InputError, match="none makes an auction"):
        cr.liquidation.calibrate_auction(plan, LOAN, TERMS, {"cusp": [1.0]}, targets, **WORLD)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"terms": RULE, "targets": 1, "prefer": "fun", "judge": "lower"}, "4 problems"),
        ({"candidates": {}}, "must map settings to values"),
        ({"candidates": {"bufer": [1.0]}}, "did you mean 'buffer'"),
        ({"candidates": {"buffer": 1.2}}, "must be a list of values"),
        ({"candidates": {"buffer": [1.0] * 50, "cut": [0.9] * 50}}, "2500 combinations"),
        ({"accounts": cr.Account({"A": 1.0}, {})}, "must owe something"),
    ],
)
def test_what_is_refused(plan, change, said) -> None:
    good = {"accounts": LOAN, "terms": TERMS, "candidates": GRID, "targets": AuctionTargets(clearing_days=1.0)}
    with pytest.raises(InputError, match=said):
        cr.liquidation.calibrate_auction(plan, **{**good, **change})


def test_targets_that_are_refused() -> None:
    with pytest.raises(InputError, match="must limit something"):
        AuctionTargets()
    with pytest.raises(InputError, match="3 problems"):
        AuctionTargets(es_loss=-1, clearing_days=0, level=1)
    assert set(AuctionTargets(failed=0).limits) == {"failed"} <= set(MEASURES)


def test_settings_reach_every_rule() -> None:
    both = AuctionTerms({"A": RULE, "B": cr.BatchTerms(600.0)})
    changed = with_settings(both, {"penalty": 0.2, "cut": 0.98, "length_s": 900.0, "max_lot": 5.0})
    assert changed.rule["A"].penalty == changed.rule["B"].penalty == 0.2
    assert changed.rule["A"].curve.cut == 0.98
    assert (changed.rule["B"].length_s, changed.max_lot) == (900.0, 5.0)
    assert {"cut", "step_s", "reserve", "max_lot", "buffer"} <= set(settings_of_rules(both))
