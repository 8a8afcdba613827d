"""Black's formula and its inverse on fresh options, beside numpy and QuantLib."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import Row, race
from scipy.special import ndtr

import collatrisk as cr

OPTIONS = 1_000_000
_LOOPED = 20_000  # QuantLib prices one option a call
_IMPLIED = 100_000


def run() -> list[Row]:
    """Values, values with derivatives, implied volatilities: one thread."""
    rng = np.random.default_rng(3)
    forward = rng.uniform(50, 150, OPTIONS)
    strike = forward * np.exp(0.3 * rng.standard_normal(OPTIONS))
    volatility, years = rng.uniform(0.1, 1.2, OPTIONS), rng.uniform(0.02, 2, OPTIONS)
    options = (forward, strike, volatility, years)
    return [_values(*options), _greeks(*options), _implied(*options)]


def _values(forward: Any, strike: Any, volatility: Any, years: Any) -> Row:
    from QuantLib import Option, blackFormula

    few = [column[:_LOOPED].tolist() for column in (strike, forward, volatility * np.sqrt(years))]

    def by_numpy() -> Any:
        spread = volatility * np.sqrt(years)
        d1 = np.log(forward / strike) / spread + 0.5 * spread
        return forward * ndtr(d1) - strike * ndtr(d1 - spread)

    out = np.empty(OPTIONS)
    found = race(
        {
            "ours": lambda: cr.black_price(forward, strike, volatility, years, out=out),
            "fresh": lambda: cr.black_price(forward, strike, volatility, years),
            "numpy": by_numpy,
            "QuantLib": lambda: [blackFormula(Option.Call, *option) for option in zip(*few, strict=True)],
        },
        21,
    )
    scale = 1e9 / OPTIONS
    return Row(
        "Black's formula, 10^6 calls, no two alike",
        "ns an option",
        found["ours"].scaled(scale),
        {
            "numpy and ndtr": found["numpy"].scaled(scale),
            "QuantLib, a Python loop": found["QuantLib"].scaled(1e9 / _LOOPED),
        },
        note=f"one thread; into a new array {found['fresh'].scaled(scale).median:.1f}",
        target="<= 6 ns",
    )


def _greeks(forward: Any, strike: Any, volatility: Any, years: Any) -> Row:
    found = race({"ours": lambda: cr.black_greeks(forward, strike, volatility, years, rate=0.03)})
    return Row("the same with delta, gamma, vega and theta", "ns an option", found["ours"].scaled(1e9 / OPTIONS))


def _implied(forward: Any, strike: Any, volatility: Any, years: Any) -> Row:
    from QuantLib import Option, blackFormulaImpliedStdDev

    forward, strike, volatility, years = (column[:_IMPLIED] for column in (forward, strike, volatility, years))
    price = cr.black_price(forward, strike, volatility, years)
    some = np.flatnonzero(price - np.maximum(forward - strike, 0.0) > 1e-6)[:_LOOPED]
    few = [column[some].tolist() for column in (strike, forward, price)]
    found = race(
        {
            "ours": lambda: cr.implied_volatility(price, forward, strike, years),
            "QuantLib": lambda: [blackFormulaImpliedStdDev(Option.Call, *option) for option in zip(*few, strict=True)],
        }
    )
    return Row(
        "implied volatility, 10^5 calls",
        "ns an option",
        found["ours"].scaled(1e9 / _IMPLIED),
        {"QuantLib, a Python loop": found["QuantLib"].scaled(1e9 / len(some))},
        note="one thread; QuantLib to its default accuracy of 1e-6, ours to the last bits",
    )
