"""What an auction is to achieve, and how far a rule is from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from collatrisk.base.validation import Problems
from collatrisk.liquidation.auctions.view import AccountAuctions
from collatrisk.liquidation.checks import AMOUNT, POSITIVE, record
from collatrisk.risk import Estimate

MEASURES = ("mean_loss", "es_loss", "clearing_days", "penalty", "failed")
"""What targets limit; see `AuctionTargets`."""


@dataclass(frozen=True, slots=True)
class AuctionTargets:
    """Limits that an auction's rules have to meet on a book; None: no limit.

    Parameters
    ----------
    mean_loss : mean shortfall over mean debt auctioned, >= 0.
    es_loss : expected shortfall of the book's shortfall at `level`, over the book's debt at the start, >= 0.
    clearing_days : mean days from the first trigger to the end of the last auction, on paths with a trigger, > 0.
    penalty : what the sales cost the borrowers, over the debt that they repaid: penalty, keepers' profit, slippage.
    failed : share of auctions that end without their debt, or do not end, >= 0.
    level : of the expected shortfall, in (0, 1).

    Raises
    ------
    InputError : with all broken rules at once, and where nothing is limited.
    """

    mean_loss: float | None = None
    es_loss: float | None = None
    clearing_days: float | None = None
    penalty: float | None = None
    failed: float | None = None
    level: float = 0.99

    def __post_init__(self) -> None:
        problems = Problems("AuctionTargets")
        for name in MEASURES:
            if getattr(self, name) is not None:
                record(problems, name, getattr(self, name), POSITIVE if name == "clearing_days" else AMOUNT)
        problems.number("level", self.level, low=0, high=1, open_low=True, open_high=True, remedy="0.99 for 99 %")
        rule, remedy = "must limit something", "give es_loss=0.01, clearing_days=0.05, say"
        problems.check(bool(self.limits), "targets", "nothing", rule, remedy)
        problems.raise_if_any()

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that were given, by measure."""
        found = {name: getattr(self, name) for name in MEASURES}
        return {name: float(limit) for name, limit in found.items() if limit is not None}

    def excess(self, measures: Mapping[str, float]) -> dict[str, float]:
        """By how much each limit is exceeded, as a share of it (of 1e-6 for a limit below that); 0 where it is met.

        A measure that is not a number (nothing is ever due) meets every limit.
        """
        found = {}
        for name, limit in self.limits.items():
            value = measures[name]
            found[name] = max((value - limit) / max(limit, 1e-6), 0.0) if not math.isnan(value) else 0.0
        return found


def measured(book: AccountAuctions, debt: float, level: float) -> dict[str, Estimate]:
    """Each of `MEASURES` for a book that owed `debt` at the start.

    Accounts that should go to auction where no auction ever starts are failures, and what they lose is a loss.
    """
    found = {
        "mean_loss": book.ratio("loss_rate"),
        "es_loss": book.expected_shortfall("shortfall", level).mapped(1.0 / debt, floor=0.0),
        "clearing_days": book.ratio("clearing_days"),
        "penalty": book.ratio("penalty_share"),
        "failed": book.ratio("failed_share"),
    }
    if book.probability("auctioned").value == 0.0 < book.probability("triggered").value:
        found["mean_loss"] = book.mean("shortfall").mapped(1.0 / debt, floor=0.0)
        found["failed"] = Estimate.exact(1.0, "accounts are due and no auction ever starts", book.n_paths)
    return found
