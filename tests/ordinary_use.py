"""What people do with the package, as a script: it prints the kernels that were compiled on the way, as JSON.

The arguments are not those of `collatrisk.warming.parts`: other sources of paths, read-only arrays, whole numbers, more
assets.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numba.core import event

import collatrisk as cr
from collatrisk.cli.running import demo
from collatrisk.liquidation.perpetual_exchange import ExchangeTerms


def use_everything() -> None:
    """Studies, and one call of each kind."""
    with TemporaryDirectory() as folder:
        demo(Path(folder), 2)
    rng = np.random.default_rng(7)
    days = pd.date_range("2020-01-01", periods=420)
    steps = 0.02 * rng.standard_t(6, size=(420, 3))
    prices = pd.DataFrame(np.exp(np.cumsum(steps, axis=0)), index=days, columns=["A", "B", "C"])
    model = cr.fit_market(prices, volatility={"A": cr.Egarch(), "*": cr.Garch(dist="normal")}, dependence=cr.Dcc())
    plain = cr.MarketModel.constant({"A": 0.5, "B": 0.7, "C": 0.4}, correlation=0.5)
    jumpy = cr.stress_model(model, jumps=[cr.Jump("crash", 1.0, {"A": -0.2})])
    for one in (plain, jumpy):
        _ask(cr.PathPlan(one, n_paths=600, horizon_days=5, seed=3))
    _ask(cr.PathPlan(plain, n_paths=600, horizon_days=5, seed=3, precision="single"))
    _ask(cr.simulate(cr.PathPlan(plain, n_paths=600, horizon_days=5, seed=3)))
    _ask(cr.HistoricalWindows(prices, horizon_days=5))
    _price(prices)
    cr.rolling_fit(prices["A"].pct_change().dropna(), window=400, refit_every=10)
    cr.fit_peg(1.0 + 0.01 * (prices["A"] / prices["A"].mean() - 1.0), cr.Peg())


def _ask(source: cr.PathSource) -> None:
    """Every engine on the paths of a source."""
    terms = cr.Terms(liquidation_threshold=0.8, margin_call=1.1, restore_to=1.2, cure_probability=0.5)
    loan = cr.Loan(cr.Mix({"A": 0.5, "B": 0.5}), collateral_value=1_000, ltv=0.7)
    account = cr.Account({"A": 100, "USD": 10}, {"C": 50, "USD": 1})
    cr.run_margin(source, loan, terms)
    cr.run_margin(source, [loan, account], [terms, cr.venues.load("aave-v3").margin_terms(liquidation_threshold=0.8)])
    cr.run_margin(source, [loan, account], terms, keep="paths")
    cr.haircut(source, loan.mix, level=0.95, mpor_days=2)
    cr.max_ltv(source, loan.mix, terms, max_call_probability=0.1)
    cr.liquidation_threshold(source, loan, cr.Terms(), max_shortfall_probability=0.1)
    cr.compare_mixes(source, [loan.mix, cr.Mix({"C": 1.0})], ltv=[0.5, 0.7], horizons=[1, 5], terms=terms)
    cr.compare_orders(source, [loan, loan], cr.Terms())
    cr.run_bands(source, cr.BandPosition(100, 10), cr.BandTerms(100, 0.006, 0.09, 0.06), asset="A")
    cr.run_perpetuals(source, cr.PerpetualPositions(20, {"A": 100, "B": -50}), ExchangeTerms(((1.0, 0.01),)))
    cr.run_auctions(source, loan, cr.AuctionTerms(cr.DutchTerms(cr.LinearDecrease(3600), buffer=1.2)))
    book = cr.Book(("x", "y"), ("A", "C"), np.array([[1.0, 1.0, 0.0]] * 2), np.array([[0.0, 0.0, 1.5]] * 2))
    cr.book_margin_calls(source, book, terms)
    if isinstance(source, cr.PathPlan):
        for method in ("splitting", "importance"):
            cr.rare_probability(source, loan, terms, event="liquidated", method=method, effort=64, runs=4)


def _price(prices: pd.DataFrame) -> None:
    """Options on numbers, arrays and columns of a frame."""
    forwards = prices["A"]
    cr.black_price(forwards, 1, 0.5, [[0.5], [1.0]], kind="put")
    cr.black_greeks(forwards.to_numpy(), forwards, 0.5, 1.0)
    cr.implied_volatility(cr.black_price(forwards, 1.0, 0.5, 1.0), forwards, 1.0, 1.0)
    cr.value_at_risk(np.tile(forwards, 50), 0.99)
    cr.estimate_expected_shortfall(np.tile(forwards, 50), 0.99)


class _Compiled(event.Listener):
    """Notes what is compiled."""

    def __init__(self) -> None:
        self.kernels: list[str] = []

    def on_start(self, event: event.Event) -> None:
        function, arguments = event.data["dispatcher"].py_func, event.data["args"]
        self.kernels.append(f"{function.__module__}.{function.__qualname__}{arguments}")

    def on_end(self, event: event.Event) -> None:
        """Nothing to note."""


if __name__ == "__main__":
    noted = _Compiled()
    event.register("numba:compile", noted)
    use_everything()
    sys.stdout.write(json.dumps(noted.kernels))
