"""How much of an unhealthy vault goes to auction, under the limits on what may be auctioned at one time.

Source: makerdao/dss, src/dog.sol (rules only). Accrued interest is part of `debt` here (on chain ``art * rate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collatrisk.base.frozen import FrozenMap
from collatrisk.kernels.auction_rules import bark_size
from collatrisk.liquidation.checks import AMOUNT, POSITIVE, POSITIVE_SHARE, check, refuse
from collatrisk.liquidation.dutch import DutchAuction
from collatrisk.liquidation.dutch_terms import DutchTerms

_TITLE = "bark"


@dataclass(frozen=True, slots=True)
class AuctionBook:
    """Money that running auctions still try to raise, by collateral (Maker ``Dirt`` and ``dirt``)."""

    raising: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check("AuctionBook", {f"raising.{asset}": (money, AMOUNT) for asset, money in self.raising.items()})
        object.__setattr__(self, "raising", FrozenMap(self.raising))

    @property
    def total(self) -> float:
        """Over all collaterals."""
        return sum(self.raising.values())

    def room(self, terms: DutchTerms, asset: str) -> float:
        """What may be added: the smaller of the room left overall and for `asset`, never below 0; inf without
        limits.
        """
        mine = terms.collateral_capacity - self.raising.get(asset, 0.0)
        return max(min(terms.capacity - self.total, mine), 0.0)

    def add(self, asset: str, money: float) -> AuctionBook:
        """The book with an auction of `money` more."""
        return AuctionBook({**self.raising, asset: self.raising.get(asset, 0.0) + money})

    def release(self, asset: str, money: float) -> AuctionBook:
        """The book with `money` less to raise (a `Purchase.released`)."""
        return AuctionBook({**self.raising, asset: max(self.raising.get(asset, 0.0) - money, 0.0)})


@dataclass(frozen=True, slots=True)
class Bark:
    """A started liquidation: its auction, what stays in the vault, the keeper's reward, and the new book."""

    auction: DutchAuction
    collateral_left: float
    debt_left: float
    reward: float
    book: AuctionBook


def bark(
    terms: DutchTerms,
    *,
    collateral: float,
    debt: float,
    feed: float,
    liquidation_threshold: float = 1.0,
    asset: str = "",
    book: AuctionBook | None = None,
    time_s: float = 0.0,
) -> Bark:
    """Send a vault, or the part that fits, to auction.

    Parameters
    ----------
    collateral : units, > 0. debt : money, > 0. feed : price of a unit, > 0.
    liquidation_threshold : the vault is unhealthy if ``collateral * feed * liquidation_threshold < debt``, in (0, 1]
        (at equality it is healthy).
    book : what is being raised already. Default: nothing.

    Raises
    ------
    InputError : the vault is healthy, a limit has no room, the part that fits would be dust, or the breaker stops it.
    """
    amounts = {"collateral": (collateral, POSITIVE), "debt": (debt, POSITIVE), "feed": (feed, POSITIVE)}
    check(_TITLE, {**amounts, "liquidation_threshold": (liquidation_threshold, POSITIVE_SHARE)})
    limit = collateral * feed * liquidation_threshold
    if not limit < debt:
        refuse(_TITLE, "debt", debt, f"is covered: the vault is healthy up to and at {limit:g}", "leave it alone")
    book = AuctionBook() if book is None else book
    room = book.room(terms, asset)
    if room == 0.0:
        refuse(
            _TITLE, "room", room, "no room is left under capacity or collateral_capacity", "wait for auctions to end"
        )
    part = bark_size(debt, room, terms.penalty, terms.dust)
    if part < 0:
        rule = f"has room for less debt than the dust limit of {terms.dust:g}"
        refuse(_TITLE, "room", room, rule, "wait for auctions to end")
    lot = collateral if part == debt else collateral * (part / debt)
    auction = DutchAuction.start(terms, collateral=lot, debt=part, feed=feed, time_s=time_s, asset=asset)
    if part < debt:  # exactly the room: 1 + penalty is divided out and multiplied in again
        tab = min(auction.tab, room)
        auction = replace(auction, tab=tab, target=tab)
    return Bark(auction, collateral - lot, debt - part, auction.rewards, book.add(asset, auction.tab))
