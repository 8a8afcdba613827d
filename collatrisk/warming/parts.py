"""What `warmup` compiles: each kind of question, asked once on a toy market."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Part:
    """Some kernels that are compiled one after the other.

    Attributes
    ----------
    run : asks questions that need them. after : the part whose kernels it calls too; empty if there is none.
    """

    run: Callable[[], object]
    after: str = ""


@functools.cache
def parts() -> dict[str, Part]:
    """All parts by name: those that take long come first."""
    return {**_path_parts(), **_statistics()}


def _path_parts() -> dict[str, Part]:
    """Paths, and what is asked of them."""
    from collatrisk.collateral import Book, Loan, Mix, Terms
    from collatrisk.liquidation import AuctionTerms, DutchTerms, LinearDecrease, liquidate_book, run_auctions
    from collatrisk.liquidation.bands import BandPosition, BandTerms
    from collatrisk.liquidation.bands_run import run_bands
    from collatrisk.liquidation.perpetual_accounts import PerpetualPositions
    from collatrisk.liquidation.perpetual_exchange import ExchangeTerms
    from collatrisk.liquidation.perpetual_run import run_perpetuals
    from collatrisk.margining import book_margin_calls, compare_orders, run_margin
    from collatrisk.rare import rare_probability
    from collatrisk.simulation import Jump, MarketModel, PathPlan
    from collatrisk.sizing import compare_mixes, haircut, liquidation_threshold, max_ltv

    model = MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, correlation=0.8)
    plan = PathPlan(model, n_paths=2048, horizon_days=3, seed=1)
    jumpy = replace(plan, model=replace(model, jumps=(Jump("crash", 1.0, {"ETH": -0.2}),)))
    single = replace(plan, precision="single")
    mix, terms = Mix({"ETH": 0.5, "BTC": 0.5}), Terms()
    loan = Loan(mix, collateral_value=1.0, ltv=0.7)
    closes = Terms(mark="close")
    book = Book(("a",), ("ETH",), np.array([[1.0, 0.0]]), np.array([[0.0, 0.6]]))
    dutch = AuctionTerms(DutchTerms(LinearDecrease(3600), buffer=1.2))
    margin = "margin calls and liquidations"
    return {
        "paths": Part(lambda: plan.read(0, 1)),
        "auctions": Part(lambda: run_auctions(plan, loan, dutch), "paths"),
        margin: Part(
            lambda: (
                run_margin(plan, loan, terms),
                run_margin(plan, [loan, loan], terms, keep="paths"),
                liquidation_threshold(plan, loan, terms, max_shortfall_probability=0.1),
            ),
            "paths",
        ),
        "paths of models beyond plain GARCH": Part(lambda: jumpy.read(0, 1), "paths"),
        "perpetuals": Part(
            lambda: run_perpetuals(plan, PerpetualPositions(1.0, {"ETH": 1.0}), ExchangeTerms(((1.0, 0.01),))), "paths"
        ),
        "single precision": Part(lambda: (single.read(0, 1), run_margin(single, loan, terms)), margin),
        "rare events": Part(
            lambda: (
                rare_probability(plan, loan, terms, method="splitting", effort=64, runs=4),
                rare_probability(jumpy, loan, terms, method="importance", effort=64, runs=4),
            ),
            "paths of models beyond plain GARCH",
        ),
        "books in one market": Part(
            lambda: (compare_orders(plan, [loan], terms), liquidate_book([loan], {"ETH": 1.0, "BTC": 1.0}, terms)),
            margin,
        ),
        "books": Part(lambda: book_margin_calls(plan, book, closes), "paths"),
        "loan-to-value limits": Part(
            lambda: (
                haircut(plan, mix, level=0.9, mpor_days=1),
                max_ltv(plan, mix, terms, max_call_probability=0.1),
                compare_mixes(plan, [mix], ltv=[0.6], horizons=[1], terms=terms),
                compare_mixes(plan, [mix], ltv=[0.6], horizons=[1], terms=closes),
            ),
            "paths",
        ),
        "bands": Part(
            lambda: run_bands(plan, BandPosition(1.0, 0.5), BandTerms(100, 0.006, 0.09, 0.06), asset="ETH"), "paths"
        ),
    }


def _statistics() -> dict[str, Part]:
    """Fits, tails and prices of options."""
    import pandas as pd

    from collatrisk.dependence import Dcc, StudentTCopula, fit_dependence
    from collatrisk.pricing import black_greeks, black_price, implied_volatility
    from collatrisk.risk import estimate_expected_shortfall, var_and_es
    from collatrisk.volatility import Egarch, Garch, Peg, fit_panel, fit_peg, fit_volatility, rolling_fit

    noise = np.random.default_rng(1).normal(size=600)
    uniforms = np.random.default_rng(2).random((300, 5))
    losses, index = np.random.default_rng(3).normal(size=20_000), pd.Series(np.exp(0.001 * noise[:120]), name="peg")
    names = ("A", "B", "C", "D", "E")
    whole = Dcc("corrected", likelihood="full")

    def fit_some(size: int) -> Callable[[], object]:
        """Of as many assets: kernels work in tiles, which have four sizes."""
        return lambda: fit_dependence(uniforms[:, :size], whole, assets=names[:size], std_errors=False)

    return {
        "fits": Part(
            lambda: (
                fit_panel([0.01 * noise], Garch()).std_resid([0.01 * noise]),
                fit_volatility(noise, Garch()),
                fit_volatility(noise, Garch(dist="normal")),
                fit_volatility(noise, Egarch()),
                rolling_fit(0.01 * noise, Garch(), window=590),
            )
        ),
        "dynamic correlation": Part(
            lambda: fit_dependence(uniforms, Dcc(likelihood="composite"), assets=names, std_errors=False)
        ),
        **{
            f"dynamic correlation of {size} assets": Part(fit_some(size), "dynamic correlation")
            for size in (2, 3, 4, 5)
        },
        "copulas": Part(lambda: fit_dependence(uniforms, StudentTCopula(), assets=names)),
        "tails": Part(lambda: (var_and_es(losses, level=0.9), estimate_expected_shortfall(losses, 0.9))),
        "options": Part(
            lambda: (
                black_price(1.0, 1.0, 0.5, 1.0),
                black_greeks(1.0, 1.0, 0.5, 1.0),
                implied_volatility(0.2, 1.0, 1.0, 1.0),
            )
        ),
        "pegs": Part(lambda: fit_peg(index, Peg(dist="normal"))),
    }
