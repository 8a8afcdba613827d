"""From prices to the answer: fit five GJR-t, 10^6 paths, VaR and ES at four levels, the margin-call probability."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from common import Row, even_loan, market, race, terms
from peers import STEPS, numpy_margin, simulated_returns

import collatrisk as cr
from collatrisk.execution import map_blocks
from collatrisk.risk import tail_size
from collatrisk.sizing.haircut import Falls, FallTails

ASSETS, PATHS, FOUR = 5, 1_000_000, (0.95, 0.975, 0.99, 0.995)


def run() -> list[Row]:
    """The whole, and its parts."""
    returns = simulated_returns(2500, ASSETS)
    days = pd.date_range("2019-01-01", periods=2501, tz="UTC")
    names = market(ASSETS).assets
    prices = pd.DataFrame(100.0 * np.exp(np.vstack([np.zeros(ASSETS), returns.cumsum(axis=0)])), days, names)

    def fit() -> Any:
        return cr.fit_market(prices, volatility=cr.Garch(p=1, o=1, q=1, dist="t"), dependence=cr.StudentTCopula())

    def rest(model: Any) -> Any:
        plan = cr.PathPlan(model, n_paths=PATHS, horizon_days=STEPS, seed=7)
        loan = even_loan(model)
        with ThreadPoolExecutor(2) as executor:
            called = cr.run_margin(plan, loan, terms("close"), executor=executor).probability("margin_called")
            return called, _tails(plan, loan, executor)

    fitted = fit()
    found = race(
        {"ours": lambda: rest(fit()), "fit": fit, "rest": lambda: rest(fitted), "peer": lambda: _peer(returns)}
    )
    parts = f"fit {found['fit'].median:.2f}, the rest {found['rest'].median:.2f}"
    work = f"fit {ASSETS} GJR-t, 10^6 paths x {STEPS} steps x {ASSETS} assets, VaR and ES at four levels, margin calls"
    peers = {"arch fits, numpy in chunks, np.percentile": found["peer"]}
    return [Row(work, "s", found["ours"], peers, note=f"two workers; {parts}", target="<= 0.5 s, >= 10x the peer")]


def _tails(plan: Any, loan: Any, executor: Any) -> Any:
    """VaR and ES of the collateral's loss at all levels, from the paths read once more."""
    keep = tail_size(PATHS, min(FOUR))
    task = FallTails(Falls.of(plan, [loan.mix], STEPS, "USD"), keep)
    blocks = [block for (block,) in map_blocks(task, PATHS, executor=executor)]
    sketch = blocks[0].merge(*blocks[1:])
    return [(sketch.estimate_value_at_risk(level), sketch.estimate_expected_shortfall(level)) for level in FOUR]


def _peer(returns: Any) -> Any:
    from arch import arch_model

    for column in returns.T:
        arch_model(column * 100.0, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False).fit(disp="off")
    losses, called = numpy_margin(PATHS, ASSETS)
    quantiles = np.percentile(losses, [100 * level for level in FOUR])
    return called, quantiles, [losses[losses >= quantile].mean() for quantile in quantiles]
