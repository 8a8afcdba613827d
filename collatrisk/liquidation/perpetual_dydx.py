"""dYdX v4: who is liquidated, in which order, at which price, and what the insurance fund pays or gets.

Source: dydxprotocol/v4-chain, x/clob/keeper/liquidations.go, lib/margin/risk.go, x/perpetuals (rules and figures only).
Positions are signed sizes; money is the quote currency. On chain all amounts are whole quanta.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key

from collatrisk.base.frozen import FrozenMap
from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import (
    AMOUNT,
    ANY,
    BELOW_ONE,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Range,
    check,
    check_fields,
    check_lengths,
    refuse,
)

_TITLE = "dydx"
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class DydxTerms:
    """`bankruptcy_adjustment` : how fast the fillable price falls with the deficit, >= 1. `spread_to_maintenance` : its
    largest distance from the oracle over the maintenance requirement, (0, 1]. `max_fee` : to the insurance fund,
    share of the traded money, [0, 1).
    """

    bankruptcy_adjustment: float
    spread_to_maintenance: float
    max_fee: float

    def __post_init__(self) -> None:
        spread = {"spread_to_maintenance": POSITIVE_SHARE, "max_fee": BELOW_ONE}
        check_fields(self, {"bankruptcy_adjustment": Range(1.0), **spread})


@dataclass(frozen=True, slots=True)
class PerpetualAccount:
    """`quote` : cash, signed. `sizes`, `prices`, `maintenance` : by market: signed size, oracle price > 0, fraction
    [0, 1].
    """

    quote: float
    sizes: Mapping[str, float]
    prices: Mapping[str, float]
    maintenance: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems("PerpetualAccount")
        for name in ("prices", "maintenance"):
            given = getattr(self, name)
            missing = [market for market in self.sizes if market not in given]
            problems.check(not missing, name, missing, "must name every market with a position", "add them")
        problems.raise_if_any()
        numbers = {f"sizes.{m}": (size, ANY) for m, size in self.sizes.items()}
        prices = {f"prices.{m}": (self.prices[m], POSITIVE) for m in self.sizes}
        shares = {f"maintenance.{m}": (self.maintenance[m], SHARE) for m in self.sizes}
        check("PerpetualAccount", {"quote": (self.quote, ANY), **numbers, **prices, **shares})
        for name in ("sizes", "prices", "maintenance"):
            object.__setattr__(self, name, FrozenMap(getattr(self, name)))

    def notional(self, market: str) -> float:
        """Signed size times the oracle price."""
        return self.sizes[market] * self.prices[market]

    def requirement(self, market: str) -> float:
        """Maintenance requirement of one position."""
        return abs(self.notional(market)) * self.maintenance[market]

    @property
    def net_collateral(self) -> float:
        """Cash and the signed notional of all positions (TNC)."""
        return math.fsum([self.quote, *map(self.notional, self.sizes)])

    @property
    def total_requirement(self) -> float:
        """Maintenance requirement of all positions (TMMR)."""
        return math.fsum(map(self.requirement, self.sizes))

    @property
    def liquidatable(self) -> bool:
        """See `liquidatable`."""
        return liquidatable(self.net_collateral, self.total_requirement)


def liquidatable(net_collateral: float, requirement: float) -> bool:
    """``requirement > 0 and requirement > net_collateral``: at equality healthy; without positions never."""
    return requirement > 0 and requirement > net_collateral


def bankruptcy_quote(account: PerpetualAccount, market: str, size_delta: float, *, quantum: float = 0.0) -> float:
    """Money received (paid, if negative) for closing ``size_delta`` that uses up its share of the account's worth.

    Formula: ``-(change of notional) - TNC * |change of requirement| / TMMR``, rounded up to a multiple of `quantum`
    (0: no rounding). `size_delta` reduces the position: its sign is the opposite of the size's, and it is no larger.

    Raises
    ------
    InputError : `size_delta` does not reduce the position, or no maintenance is required at all.
    """
    size = account.sizes[market]
    if size * size_delta >= 0 or abs(size_delta) > abs(size):
        refuse(_TITLE, "size_delta", size_delta, f"must reduce the position of {size:g}", "give the opposite sign")
    required = account.total_requirement
    check(_TITLE, {"total_requirement": (required, POSITIVE), "quantum": (quantum, AMOUNT)})
    price = account.prices[market]
    released = abs(size_delta) * price * account.maintenance[market]
    quote = -size_delta * price - account.net_collateral * released / required
    return math.ceil(quote / quantum) * quantum if quantum else quote


def fillable_price(account: PerpetualAccount, market: str, terms: DydxTerms) -> float:
    """The limit price of a liquidation order: ``(notional - ABR * spread * requirement) / size``.

    ``ABR = clamp(bankruptcy_adjustment * (1 - TNC / TMMR), 0, 1)``: the oracle price at the margin call, and further
    away as the account nears bankruptcy.
    """
    size, required = account.sizes[market], account.total_requirement
    if size == 0:
        refuse(_TITLE, "market", market, "has no position", "name a market with one")
    check(_TITLE, {"total_requirement": (required, POSITIVE)})
    depth = min(max(terms.bankruptcy_adjustment * (1.0 - account.net_collateral / required), 0.0), 1.0)
    away = depth * terms.spread_to_maintenance * account.requirement(market)
    return (account.notional(market) - away) / size


def insurance_delta(quote: float, quote_at_bankruptcy: float, terms: DydxTerms) -> float:
    """What the insurance fund gets (pays, if negative): the money beyond bankruptcy, as a fee at most `max_fee`."""
    beyond = quote - quote_at_bankruptcy
    return beyond if beyond <= 0 else min(terms.max_fee * abs(quote), beyond)


def compare_severity(net_a: float, requirement_a: float, net_b: float, requirement_b: float) -> int:
    """-1 if account a is less risky than b, 1 if riskier, 0 if equal.

    Lower ``net collateral / requirement`` is riskier, compared without division; then the larger requirement is;
    without any requirement, the smaller net collateral is.
    """
    a, b = net_a * requirement_b, net_b * requirement_a
    if a != b:
        return -1 if a > b else 1
    if requirement_a != requirement_b:
        return -1 if requirement_a < requirement_b else 1
    if requirement_a == 0 and net_a != net_b:
        return -1 if net_a > net_b else 1
    return 0


def severity_order(net_collateral: Sequence[float], requirements: Sequence[float]) -> list[int]:
    """Indices of accounts from the riskiest to the safest; equal ones keep their order."""
    check_lengths(_TITLE, net_collateral=net_collateral, requirements=requirements)
    pairs = list(zip(net_collateral, requirements, strict=True))

    def riskier_first(a: int, b: int) -> int:
        return -compare_severity(*pairs[a], *pairs[b])

    return sorted(range(len(pairs)), key=cmp_to_key(riskier_first))


def maintenance_ppm(initial_ppm: int, fraction_ppm: int) -> int:
    """Maintenance fraction in parts per million: ``initial * fraction``, rounded down."""
    return initial_ppm * fraction_ppm // _PPM


def scaled_initial_ppm(base_ppm: int, open_interest: int, lower: int, upper: int) -> int:
    """Initial fraction that rises from `base_ppm` at `lower` open interest to 1 at `upper`; `upper` 0: no scaling."""
    if upper == 0 or open_interest <= lower:
        return base_ppm
    if open_interest >= upper:
        return _PPM
    return base_ppm + (_PPM - base_ppm) * (open_interest - lower) // (upper - lower)


def initial_margin(notional: int, initial_ppm: int) -> int:
    """Initial margin in whole quanta, rounded up."""
    return -(-abs(notional) * initial_ppm // _PPM)
