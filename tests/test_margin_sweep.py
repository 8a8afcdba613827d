"""The sweep of many terms against the margin engine: the same counts, whatever may happen on a path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from margin_cases import random_paths
from path_models import gjr, market

from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.margining import run_margin, shortfall_probabilities
from collatrisk.simulation import PathPlan

PLAN = PathPlan(market(gjr("A", nu=4.0), gjr("B"), rho=0.5, nu=5.0), n_paths=6_000, horizon_days=20, seed=5)
LOAN = Loan(Mix({"A": 0.6, "B": 0.4}), collateral_value=1_000.0, ltv=0.8)
TERMS = Terms(liquidation_threshold=0.85, liquidation_bonus=0.05)
KINDS = {
    "bridge": {},
    "close": {"mark": "close"},
    "barrier": {"sale_price": "barrier"},
    "end": {"sale_price": "end"},
    "impact": {"price_impact": 2e-5},
    "delay and interest": {"liquidation_delay_days": 2, "borrow_rate": 0.2},
    "cures": {"margin_call": 1.1, "restore_to": 1.2, "cure_probability": 0.4, "uncured": "liquidate"},
    "all at once": {"close_factor": 1.0, "liquidation_fee": 0.02},
}


def compare(source, account, terms):
    """Counts of both, and that there is something to count."""
    swept = [estimate.value for estimate in shortfall_probabilities(source, account, terms)]
    engine = run_margin(source, account, terms)
    assert swept == [engine.probability("shortfall", row).value for row in range(len(terms))]
    return swept


@pytest.mark.parametrize("kind", KINDS)
def test_the_counts_are_those_of_the_engine(kind):
    thresholds = np.linspace(0.81, 1.0, 12)
    swept = compare(PLAN, LOAN, [replace(TERMS, liquidation_threshold=t, **KINDS[kind]) for t in thresholds])
    assert max(swept) > 0


def test_terms_that_differ_in_more_than_a_scale():
    by_asset = [replace(TERMS, liquidation_threshold={"A": a, "B": 0.96}) for a in (0.8, 0.9, 0.96, 0.98, 1.0)]
    others = [replace(TERMS, liquidation_threshold=0.97, borrow_rate=0.5), replace(TERMS, liquidation_bonus=0.2)]
    assert max(compare(PLAN, LOAN, [*by_asset, *others])) > 0


@pytest.mark.parametrize("seed", range(6))
def test_wild_paths_debts_in_assets_and_cash(seed):
    rng = np.random.default_rng(seed)
    source = random_paths(rng, 300, 8, 3, 0.25)
    spot = dict(zip(source.assets, source.spot, strict=True))
    holdings = {"A": 4.0 / spot["A"], "B": 6.0 / spot["B"], "USD": 1.0}
    account = Account(holdings, {"C": 5.0 / spot["C"], "USD": 3.0})
    thresholds = np.linspace(0.75, 1.0, 9)
    terms = [Terms(liquidation_threshold={"*": t, "USD": 1.0}, cure_probability=0.5 * (seed % 2)) for t in thresholds]
    assert max(compare(source, account, terms)) > 0
