"""`warmup`: compile every kernel ahead of time, by asking each kind of question once on a toy market."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

Step = Callable[[], object]


def warmup(on_step: Callable[[str, int, int], object] | None = None) -> Mapping[str, float]:
    """Compile the kernels for this processor and keep them, so that later processes start within seconds.

    Safe to run again (it then takes about a second), and beside other processes.

    Parameters
    ----------
    on_step : called before each part as ``on_step(what, done, total)``, for a progress bar.

    Returns
    -------
    Seconds by part. Where the compiled code is kept: `collatrisk.kernels.cache.cache_folder`.
    """
    steps = _steps()
    seconds = {}
    for done, (what, step) in enumerate(steps.items()):
        if on_step is not None:
            on_step(what, done, len(steps))
        start = time.perf_counter()
        step()
        seconds[what] = time.perf_counter() - start
    return MappingProxyType(seconds)


def _steps() -> dict[str, Step]:
    import pandas as pd

    from collatrisk.collateral import Book, Loan, Mix, Terms
    from collatrisk.dependence import Dcc, StudentTCopula, fit_dependence
    from collatrisk.liquidation import AuctionTerms, DutchTerms, LinearDecrease, run_auctions
    from collatrisk.liquidation.bands import BandPosition, BandTerms
    from collatrisk.liquidation.bands_run import run_bands
    from collatrisk.liquidation.perpetual_accounts import PerpetualPositions
    from collatrisk.liquidation.perpetual_exchange import ExchangeTerms
    from collatrisk.liquidation.perpetual_run import run_perpetuals
    from collatrisk.margining import book_margin_calls, run_margin
    from collatrisk.pricing import black_greeks, black_price, implied_volatility
    from collatrisk.risk import var_and_es
    from collatrisk.simulation import Jump, MarketModel, PathPlan
    from collatrisk.sizing import compare_mixes, haircut, liquidation_threshold, max_ltv
    from collatrisk.volatility import Garch, Peg, fit_panel, fit_peg, fit_volatility

    model = MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, correlation=0.8)
    plan = PathPlan(model, n_paths=2048, horizon_days=3, seed=1)
    jumpy = replace(model, jumps=(Jump("crash", 1.0, {"ETH": -0.2}),))
    single = PathPlan(model, n_paths=2048, horizon_days=3, seed=1, precision="single")
    mix, terms = Mix({"ETH": 0.5, "BTC": 0.5}), Terms()
    loan = Loan(mix, collateral_value=1.0, ltv=0.7)
    closes = Terms(mark="close")
    book = Book(("a",), ("ETH",), np.array([[1.0, 0.0]]), np.array([[0.0, 0.6]]))
    noise = np.random.default_rng(1).normal(size=600)
    uniforms = np.random.default_rng(2).random((300, 2))
    return {  # in the order in which they build on each other
        "paths": lambda: plan.read(0, 1),
        "paths of models beyond plain GARCH": lambda: replace(plan, model=jumpy).read(0, 1),
        "margin calls and liquidations": lambda: run_margin(plan, loan, terms),
        "single precision": lambda: (single.read(0, 1), run_margin(single, loan, terms)),
        "haircuts": lambda: haircut(plan, mix, level=0.9, mpor_days=1),
        "loan-to-value limits": lambda: max_ltv(plan, mix, terms, max_call_probability=0.1),
        "thresholds": lambda: liquidation_threshold(plan, loan, terms, max_shortfall_probability=0.1),
        "mixes": lambda: compare_mixes(plan, [mix], ltv=[0.6], horizons=[1], terms=terms),
        "mixes at the ends of steps": lambda: compare_mixes(plan, [mix], ltv=[0.6], horizons=[1], terms=closes),
        "books": lambda: book_margin_calls(plan, book, closes),
        "tails": lambda: var_and_es(np.resize(noise, 6_000), level=0.9),
        "options": lambda: (
            black_price(1.0, 1.0, 0.5, 1.0),
            black_greeks(1.0, 1.0, 0.5, 1.0),
            implied_volatility(0.2, 1.0, 1.0, 1.0),
        ),
        "bands": lambda: run_bands(plan, BandPosition(1.0, 0.5), BandTerms(100, 0.006, 0.09, 0.06), asset="ETH"),
        "perpetuals": lambda: run_perpetuals(
            plan, PerpetualPositions(1.0, {"ETH": 1.0}), ExchangeTerms(((1.0, 0.01),))
        ),
        "auctions": lambda: run_auctions(plan, loan, AuctionTerms(DutchTerms(LinearDecrease(3600), buffer=1.2))),
        "fits": lambda: (fit_panel([0.01 * noise], Garch()), fit_volatility(noise, Garch())),
        "copulas": lambda: fit_dependence(uniforms, StudentTCopula(), assets=("ETH", "BTC")),
        "dynamic correlation": lambda: fit_dependence(
            uniforms, Dcc("corrected"), assets=("ETH", "BTC"), std_errors=False
        ),
        "pegs": lambda: fit_peg(pd.Series(np.exp(0.001 * noise[:120]), name="peg"), Peg(dist="normal")),
    }
