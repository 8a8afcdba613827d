"""Dutch auctions by time (archetype A): one frozen state, and the steps from one state to the next.

Source: makerdao/dss, src/clip.sol (rules only). Every step that a rule forbids is refused with an `InputError` that
names the rule; nothing is ever changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from collatrisk.kernels.auction_rules import purchase_size
from collatrisk.liquidation.checks import AMOUNT, LIMIT, POSITIVE, Range, check, refuse
from collatrisk.liquidation.dutch_terms import DutchTerms

_TITLE = "DutchAuction"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: `sold` units at `price` for `paid` money; `released` capacity (also what is given up); the new
    state.
    """

    sold: float
    paid: float
    price: float
    released: float
    auction: DutchAuction


@dataclass(frozen=True, slots=True)
class Reset:
    """A new start of an auction that fell due, and what the keeper who did it gets."""

    reward: float
    auction: DutchAuction


@dataclass(frozen=True, slots=True)
class DutchAuction:
    """A running or finished auction.

    Attributes
    ----------
    terms : the rules. asset : what is sold. started_s : the last start or reset. top : the price at it.
    lot, tab : units still for sale; money still to be raised.
    collateral, debt, target : at the first start: units, debt without and with the penalty.
    sold, raised : so far. returned : units given back to the owner. given_up : money of `target` that nothing is left
        for.
    rewards : paid to keepers so far (by the protocol, not out of the proceeds). resets : their number.

    Notes
    -----
    At every moment ``collateral = sold + returned + lot`` and ``target = raised + tab + given_up``.
    """

    terms: DutchTerms
    asset: str
    started_s: float
    top: float
    lot: float
    tab: float
    collateral: float
    debt: float
    target: float
    sold: float = 0.0
    raised: float = 0.0
    returned: float = 0.0
    given_up: float = 0.0
    rewards: float = 0.0
    resets: int = 0

    @classmethod
    def start(
        cls, terms: DutchTerms, *, collateral: float, debt: float, feed: float, time_s: float = 0.0, asset: str = ""
    ) -> DutchAuction:
        """Start an auction of `collateral` units for ``debt * (1 + penalty)``, at ``feed * buffer``.

        Raises
        ------
        InputError : no collateral, debt or feed price; or the breaker is at 1 or above.
        """
        numbers = {"collateral": (collateral, POSITIVE), "debt": (debt, POSITIVE), "feed": (feed, POSITIVE)}
        check(_TITLE, {**numbers, "time_s": (time_s, AMOUNT)})
        _breaker(terms, 1, "start")
        tab = debt * (1.0 + terms.penalty)
        top = feed * terms.buffer
        first = terms.reward(tab)
        return cls(terms, asset, time_s, top, collateral, tab, collateral, debt, tab, rewards=first)

    @property
    def closed(self) -> bool:
        """Nothing is left to sell, or nothing to raise."""
        return self.lot == 0.0 or self.tab == 0.0

    @property
    def bad_debt(self) -> float:
        """Debt, without the penalty, that a finished auction did not raise; 0 while it runs."""
        return max(self.debt - self.raised, 0.0) if self.closed else 0.0

    @property
    def penalty_raised(self) -> float:
        """What was raised beyond the debt so far."""
        return max(self.raised - self.debt, 0.0)

    def price_at(self, time_s: float) -> float:
        """The asking price at a time, not before the last start."""
        return self.terms.curve.price(self.top, time_s - self.started_s)

    def needs_reset(self, time_s: float) -> bool:
        """Whether a reset is due, after which alone anybody may buy: strictly past the tail, or strictly below the
        cusp.
        """
        return not self.closed and self.terms.needs_reset(time_s - self.started_s)

    def time_until_taken(self, margin: float, feed: float) -> float:
        """Seconds from the last start until the price is at most ``feed * (1 - margin)``; inf if a reset is due
        before.
        """
        return self.terms.time_until_taken(margin, feed_ratio=feed * self.terms.buffer / self.top)

    def take(self, amount: float, max_price: float, *, time_s: float) -> Purchase:
        """Buy up to `amount` units (inf: all) at the price of the moment, if that is not above `max_price`.

        Raises
        ------
        InputError : the auction is over, stopped or due for a reset; the price is above `max_price`; or only a
            purchase of everything is allowed (the rest would be dust).
        """
        check(_TITLE, {"amount": (amount, LIMIT), "max_price": (max_price, Range(infinite=True))})
        self._must_run()
        _breaker(self.terms, 3, "purchase")
        if self.needs_reset(time_s):
            refuse(_TITLE, "time_s", time_s, "is past the tail or below the cusp: a reset is due", "call redo first")
        price = self.price_at(time_s)
        if price > max_price:
            refuse(_TITLE, "max_price", max_price, f"is too low: the price is {price:g}", "wait, or bid more")
        rest = self.terms.smallest_rest
        sold, paid, tab = purchase_size(self.lot, self.tab, price, rest, amount)
        if sold < 0:
            rule = f"allows no partial purchase: {self.tab:g} are to be raised and no less than {rest:g} may stay"
            refuse(_TITLE, "amount", amount, rule, f"take {min(self.lot, self.tab / price if price else self.lot):g}")
        return self._after(sold, paid, price, tab)

    def _after(self, sold: float, paid: float, price: float, tab: float) -> Purchase:
        lot = self.lot - sold
        given_up, returned, released = 0.0, 0.0, paid
        if lot == 0.0:  # nothing left to sell: what is missing is given up, however small
            given_up, released, tab = tab, self.tab, 0.0
        elif tab == 0.0:  # all raised: the rest goes back to the owner
            returned, lot = lot, 0.0
        after = replace(
            self,
            lot=lot,
            tab=tab,
            sold=self.sold + sold,
            raised=self.raised + paid,
            returned=self.returned + returned,
            given_up=self.given_up + given_up,
        )
        return Purchase(sold, paid, price, released, after)

    def redo(self, feed: float, *, time_s: float) -> Reset:
        """Start again at ``feed * buffer``; the keeper is paid only if neither the rest nor its collateral is dust.

        Raises
        ------
        InputError : the auction is over or not due for a reset, resets are stopped, or there is no feed price.
        """
        check(_TITLE, {"feed": (feed, POSITIVE)})
        self._must_run()
        _breaker(self.terms, 2, "reset")
        if not self.needs_reset(time_s):
            refuse(_TITLE, "time_s", time_s, "no reset is due: tail and cusp are not passed", "buy, or wait")
        rest = self.terms.smallest_rest
        reward = self.terms.reward(self.tab) if self.tab >= rest and self.lot * feed >= rest else 0.0
        top = feed * self.terms.buffer
        after = replace(self, started_s=time_s, top=top, rewards=self.rewards + reward, resets=self.resets + 1)
        return Reset(reward, after)

    def _must_run(self) -> None:
        if self.closed:
            refuse(_TITLE, "auction", f"{self.lot:g} for {self.tab:g}", "is over", "start another one")


def _breaker(terms: DutchTerms, level: int, what: str) -> None:
    if terms.breaker >= level:
        refuse(_TITLE, "breaker", terms.breaker, f"the circuit breaker allows no {what}", f"it must be below {level}")
