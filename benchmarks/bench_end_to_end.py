"""From prices to the answer: fit five GJR-t, 10^6 paths, VaR and ES at four levels, the margin-call probability."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from common import Row, even_loan, market, race, terms
from peers import STEPS, numpy_margin, simulated_returns

import collatrisk as cr

ASSETS, PATHS, FOUR = 5, 1_000_000, (0.95, 0.975, 0.99, 0.995)


def run() -> list[Row]:
    """The whole, and its parts; the peer's beside them."""
    returns = simulated_returns(2500, ASSETS)
    days = pd.date_range("2019-01-01", periods=2501, tz="UTC")
    names = market(ASSETS).assets
    prices = pd.DataFrame(100.0 * np.exp(np.vstack([np.zeros(ASSETS), returns.cumsum(axis=0)])), days, names)

    def fit() -> Any:
        return cr.fit_market(prices, volatility=cr.Garch(p=1, o=1, q=1, dist="t"), dependence=cr.StudentTCopula())

    fitted = fit()
    found = race(
        {
            "ours": lambda: _answer(fit()),
            "fit": fit,
            "rest": lambda: _answer(fitted),
            "single": lambda: _answer(fit(), "single"),
            "peer's fit": lambda: _peer_fit(returns),
            "peer's rest": _peer_answer,
        }
    )
    peer = found["peer's fit"].plus(found["peer's rest"])
    parts = ", ".join(
        f"{name} {found[fit_].median:.2f} + {found[rest].median:.2f}"
        for name, fit_, rest in (("ours", "fit", "rest"), ("the peer", "peer's fit", "peer's rest"))
    )
    work = f"fit {ASSETS} GJR-t, 10^6 paths x {STEPS} steps x {ASSETS} assets, VaR and ES at four levels, margin calls"
    peers = {"arch fits, numpy in chunks, np.percentile": peer}
    note = f"two workers; fit + simulate and reduce: {parts}"
    return [
        Row(work, "s", found["ours"], peers, note=note, target="<= 0.5 s, >= 10x the peer"),
        Row('the same with precision="single"', "s", found["single"], peers, note="two workers"),
    ]


def _answer(model: Any, precision: Any = "double") -> Any:
    """All numbers from one reading of the paths."""
    plan = cr.PathPlan(model, n_paths=PATHS, horizon_days=STEPS, seed=7, precision=precision)
    with ThreadPoolExecutor(2) as executor:
        out = cr.run_margin(plan, even_loan(model), terms("close"), executor=executor)
    tails = [
        (out.value_at_risk("collateral_loss", level), out.expected_shortfall("collateral_loss", level))
        for level in FOUR
    ]
    return out.probability("margin_called"), tails


def _peer_fit(returns: Any) -> Any:
    from arch import arch_model

    for column in returns.T:
        arch_model(column * 100.0, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False).fit(disp="off")


def _peer_answer() -> Any:
    losses, called = numpy_margin(PATHS, ASSETS)
    quantiles = np.percentile(losses, [100 * level for level in FOUR])
    return called, quantiles, [losses[losses >= quantile].mean() for quantile in quantiles]
