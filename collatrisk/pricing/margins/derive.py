"""Derive's portfolio margin (PMRM): scenarios of spot, volatility and skew, tails, contingencies, and the peg.

Source: derivexyz/v2-core (BUSL-1.1: re-implemented from the formulas; figures of its own test cases). Money is US
dollars. Requirements are signed: a negative margin is what is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.pricing.margins.black import black76

FloatArray = NDArray[np.float64]
_YEAR_SECONDS = 365 * 86_400
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class DeriveTerms:
    """The figures of the BTC and ETH markets as in the venue's test cases; each can be changed."""

    moves: tuple[float, ...] = (0.045, 0.09, 0.135)
    last_move: float = 0.18
    tails: tuple[float, ...] = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0)
    tail_share: float = 0.2
    volatility_up: float = 0.5
    volatility_down: float = 0.275
    least_volatility_up: float = 0.45
    power_short: float = 0.30
    power_long: float = 0.13
    skew_cap: float = 0.15
    skew_cap_decay: float = 0.05
    gain_factor: float = 0.95
    loss_factor: float = 1.04
    rate_spread: float = 0.08
    loss_rate_share: float = 0.5
    basis_base: float = 0.5
    basis_slope: float = 2.0
    perpetual_mm: float = 0.015
    perpetual_im: float = 0.005
    short_option_mm: float = 0.003
    short_option_im: float = 0.002
    mm_share: float = 0.8
    peg: float = 0.98
    peg_factor: float = 2.0

    def tail_damping(self, move: float) -> float:
        """``tail_share * last_move / |move|``: a linear position loses the same in every tail."""
        return self.tail_share * self.last_move / abs(move)


@dataclass(frozen=True, slots=True)
class DeriveOption:
    """Options of one strike and expiry: signed quantity, forward, implied volatility, seconds left, rate, discount."""

    quantity: float
    strike: float
    forward: float
    iv: float
    seconds_to_expiry: float
    rate: float
    discount: float
    call: bool

    def __post_init__(self) -> None:
        problems = Problems("DeriveOption")
        for name in ("strike", "forward", "discount"):
            problems.number(name, getattr(self, name), low=0, open_low=True, remedy="give a number above 0")
        for name in ("iv", "seconds_to_expiry"):
            problems.number(name, getattr(self, name), low=0, remedy="give a number of at least 0")
        for name in ("quantity", "rate"):
            problems.number(name, getattr(self, name), remedy="give a number")
        problems.raise_if_any()

    @property
    def years(self) -> float:
        """To expiry, of 365 days."""
        return self.seconds_to_expiry / _YEAR_SECONDS


@dataclass(frozen=True, slots=True)
class DeriveCollateral:
    """Another asset: units, price, haircuts, and whether it counts as a hedge of the portfolio's spot risk."""

    amount: float
    price: float
    mm_haircut: float
    im_haircut: float
    risk_cancelling: bool

    def __post_init__(self) -> None:
        problems = Problems("DeriveCollateral")
        problems.number("amount", self.amount, low=0, remedy="give units")
        problems.number("price", self.price, low=0, open_low=True, remedy="give dollars a unit")
        for name in ("mm_haircut", "im_haircut"):
            problems.number(name, getattr(self, name), low=0, high=1, remedy="give 0.02 for 2 %")
        problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class DerivePortfolio:
    """What is held on one underlying: cash, options, perpetuals (quantity, price, unrealised profit and funding)."""

    spot: float
    stable: float
    cash: float = 0.0
    options: tuple[DeriveOption, ...] = ()
    collateral: tuple[DeriveCollateral, ...] = ()
    perpetual_quantity: float = 0.0
    perpetual_price: float = 0.0
    unrealised: float = 0.0
    expiries: tuple[tuple[DeriveOption, ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        problems = Problems("DerivePortfolio")
        for name in ("spot", "stable"):
            problems.number(name, getattr(self, name), low=0, open_low=True, remedy="give a price above 0")
        for name in ("cash", "perpetual_quantity", "unrealised"):
            problems.number(name, getattr(self, name), remedy="give a number")
        problems.number("perpetual_price", self.perpetual_price, low=0, remedy="give its mark price")
        problems.raise_if_any()
        times = sorted({option.seconds_to_expiry for option in self.options})
        groups = tuple(tuple(option for option in self.options if option.seconds_to_expiry == t) for t in times)
        object.__setattr__(self, "expiries", groups)


class DeriveMargin(NamedTuple):
    """`worst` : the worst scenario or basis loss, <= 0, before the peg. `basis` : the basis contingency."""

    initial_margin: float
    maintenance_margin: float
    worst: float
    basis: float


def derive_margin(portfolio: DerivePortfolio, terms: DeriveTerms = DeriveTerms()) -> DeriveMargin:
    """Initial and maintenance margin, by steps 1 to 9 of the venue's rule.

    ``IM = worst * peg - contingencies + mark to market + cash``; ``MM = mm_share * worst - mm contingency + ...``.

    Raises
    ------
    InputError : by the parts of the portfolio.
    """
    basis = sum(_basis(portfolio, expiry, terms) for expiry in portfolio.expiries)
    worst = min(0.0, basis, *_scenarios(portfolio, terms))
    held = [item.amount * item.price / portfolio.stable for item in portfolio.collateral]
    value = sum(_value(expiry, 0.0, "same", terms) for expiry in portfolio.expiries) + sum(held) + portfolio.unrealised
    perpetual = abs(portfolio.perpetual_quantity) * portfolio.spot
    short = sum(max(-option.quantity, 0.0) for option in portfolio.options) * portfolio.spot
    cut_mm = sum(worth * item.mm_haircut for worth, item in zip(held, portfolio.collateral, strict=True))
    cut_im = sum(worth * item.im_haircut for worth, item in zip(held, portfolio.collateral, strict=True))
    mm = terms.perpetual_mm * perpetual + terms.short_option_mm * short + cut_mm
    im = terms.perpetual_im * perpetual + terms.short_option_im * short + cut_im
    peg = 1.0 + terms.peg_factor * max(0.0, terms.peg - portfolio.stable)
    rest = value + portfolio.cash - mm
    return DeriveMargin(worst * peg - im + rest, terms.mm_share * worst + rest, worst, basis)


def _scenarios(portfolio: DerivePortfolio, terms: DeriveTerms) -> list[float]:
    grid = [(0.0, state) for state in ("up", "same", "down")]
    grid += [(sign * move, state) for move in terms.moves for sign in (1, -1) for state in ("up", "same", "down")]
    grid += [(terms.last_move, "up"), (-terms.last_move, "up")]
    found = [_pnl(portfolio, move, state, terms) for move, state in grid]
    found += [terms.tail_damping(move) * _pnl(portfolio, move, "up", terms) for move in terms.tails]
    return found + [_pnl(portfolio, 0.0, state, terms) for state in ("skew", "absolute skew")]


def _pnl(portfolio: DerivePortfolio, move: float, state: str, terms: DeriveTerms) -> float:
    total = portfolio.perpetual_quantity * portfolio.perpetual_price * move
    total += sum(c.amount * c.price / portfolio.stable * move for c in portfolio.collateral if c.risk_cancelling)
    for expiry in portfolio.expiries:
        shocked = _value(expiry, move, state, terms)
        years, rate = expiry[0].years, expiry[0].rate
        if shocked > 0.0:
            shocked *= terms.gain_factor * math.exp(-years * (rate + terms.rate_spread))
        else:
            growth = terms.loss_factor * math.exp(years * (terms.loss_rate_share * rate + terms.rate_spread))
            shocked *= min(1.0 / expiry[0].discount, growth)
        total += shocked - _value(expiry, 0.0, "same", terms)
    return total


def _basis(portfolio: DerivePortfolio, expiry: tuple[DeriveOption, ...], terms: DeriveTerms) -> float:
    """The worse change of value at the first move up or down, weighed by time."""
    now = _value(expiry, 0.0, "same", terms)
    changes = [_value(expiry, sign * terms.moves[0], "same", terms) - now for sign in (1, -1)]
    return min(0.0, *changes) * (terms.basis_base + terms.basis_slope * expiry[0].years)


def _value(expiry: tuple[DeriveOption, ...], move: float, state: str, terms: DeriveTerms) -> float:
    """Value of an expiry's options with the forward moved and the volatilities of a state."""
    total = 0.0
    for option in expiry:
        sigma = option.iv * _shock(option, state, terms)
        if state == "up":
            sigma = max(terms.least_volatility_up, sigma)
        forward = option.forward * (1.0 + move)
        unit = float(black76(forward, option.strike, sigma, option.years, option.call))
        total += option.quantity * unit * option.discount
    return total


def _shock(option: DeriveOption, state: str, terms: DeriveTerms) -> float:
    """What a state multiplies the implied volatility with."""
    days = max(option.seconds_to_expiry / _DAY_SECONDS, 1.0)
    scale: float = (30.0 / days) ** (terms.power_short if days <= 30.0 else terms.power_long)
    if state == "up":
        return 1.0 + terms.volatility_up * scale
    if state == "down":
        return 1.0 - terms.volatility_down * scale
    if state == "same":
        return 1.0
    root = math.sqrt(option.years)
    money = math.log(option.strike / option.forward)
    money = abs(money) if state == "absolute skew" else money
    cap = terms.skew_cap - terms.skew_cap_decay * root
    width = max(0.01, 4.0 * root * (0.6 - 0.1 * root))
    return 1.0 + min(max(money * cap / width, -cap), cap)
