"""What every question of a study shares: the paths, the books at today's prices, the store and the meter."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from collatrisk.collateral import Account, Mix, as_account
from collatrisk.risk import Estimate
from collatrisk.study.cells import CellStore
from collatrisk.study.progress import Meter
from collatrisk.study.spec import Book
from collatrisk.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation import PathPlan


@dataclass(frozen=True)
class Context:
    """The state that a study's questions are put to."""

    study: Study
    plan: PathPlan
    prices: pd.DataFrame | None
    store: CellStore
    meter: Meter
    executor: Executor | None
    base: Mapping[str, Any]

    @property
    def spot(self) -> dict[str, float]:
        """Asset -> price at the start."""
        return dict(zip(self.plan.assets, self.plan.spot.tolist(), strict=True))

    def key(self, question: str, **inputs: Any) -> dict[str, Any]:
        """What the numbers of a cell depend on."""
        return {"question": question, **self.base, **inputs}

    def account(self, book: Book) -> Account:
        """The book in units, at the start's prices, under its own name."""
        return replace(as_account(book.position, self.spot), name=book.name)

    def mix(self, book: Book) -> Mix:
        """The collateral of a book by value; of an account, its holdings at the start's prices."""
        if book.mix is not None:
            return replace(book.mix, name=book.name)
        account = self.account(book)
        prices = account.prices(self.spot)
        values = {asset: units * prices[asset] for asset, units in account.holdings.items() if units > 0}
        total = sum(values.values())
        return Mix({asset: value / total for asset, value in values.items()}, name=book.name)

    def sizable(self, book: Book) -> bool:
        """Whether loan-to-value is a question for this book: its debt is plain money."""
        if book.mix is not None:
            return True
        position = book.position
        assert isinstance(position, Account)
        return all(asset == position.currency for asset, units in position.debts.items() if units > 0)


def estimate_columns(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as the four columns of a table."""
    low, high = estimate.ci()
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high, f"{name}_se": estimate.standard_error}
