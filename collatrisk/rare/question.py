"""What is asked of each path, whatever made the path: did the event happen, and how near did it come?"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Account, Terms
from collatrisk.liquidation import rule_arrays
from collatrisk.margining import run_margin
from collatrisk.margining.names import EVENTS
from collatrisk.pricing.positions import Positions, positions
from collatrisk.simulation.lineage import LineagePaths, Numbers
from collatrisk.simulation.plan import PathPlan

FloatArray = NDArray[np.float64]
_AT_ONCE = 4096
_TINY = 1e-300


@dataclass(frozen=True)
class Question:
    """An event of one account under its terms.

    Parameters
    ----------
    plan : whose paths are drawn. account, terms : as for `run_margin`. event : one of its events.
    executor : as for `run_margin`.
    """

    plan: PathPlan
    account: Account
    terms: Terms
    event: str
    executor: Executor | None = None

    def happened(self, numbers: Numbers, serial: int) -> NDArray[np.bool_]:
        """Whether the margin engine reports the event, by path.

        The uniforms of the bridge and of cures are drawn afresh for every `serial`: given the prices they are
        independent of everything that chose these paths, so that averages stay unbiased.
        """
        source = self._source(numbers, serial)
        out = run_margin(source, self.account, self.terms, keep="paths", executor=self.executor)
        assert out.data.events is not None
        return np.asarray(out.data.events[0, :, EVENTS.index(self.event)] >= 0)

    def health(self, numbers: Numbers) -> FloatArray:
        """Health factor at the ends of the steps if nothing happened to the account: float64 (n_steps, n_paths).

        inf where nothing is owed; after a liquidation it is no longer the account's, which costs efficiency only.
        """
        source = self._source(numbers, 0)
        book, counted = self._book()
        growth = np.exp(self.terms.borrow_rate * self.plan.clock.step_years * np.arange(1, self.plan.n_steps + 1))
        out = np.empty((self.plan.n_steps, source.n_paths))
        for block in source.blocks(_AT_ONCE):
            prices = block.prices[1:, book.columns]
            worth = np.einsum("tan,a->tn", prices, counted[:-1]) + counted[-1]
            owed = (np.einsum("tan,a->tn", prices, book.owed[0, :-1]) + book.owed[0, -1]) * growth[:, None]
            with np.errstate(divide="ignore"):
                out[:, block.first_path : block.first_path + block.n_paths] = worth / owed
        return out

    def exposure(self) -> FloatArray:
        """What a log return of each asset of the plan adds to the log of the health factor: float64 (n_assets,)."""
        book, counted = self._book()
        spot = np.append(self.plan.spot[book.columns], 1.0)
        worth, owed = counted * spot, book.owed[0] * spot
        out = np.zeros(len(self.plan.assets))
        out[book.columns] = worth[:-1] / max(worth.sum(), _TINY) - owed[:-1] / max(owed.sum(), _TINY)
        return out

    def _book(self) -> tuple[Positions, FloatArray]:
        """The account as arrays, and the units that count for its health: float64 (n_slots,), cash last."""
        book = positions([self.account], self.plan.assets)
        rules = rule_arrays([self.account], [self.terms], book.assets, self.plan.clock)
        return book, (book.held * rules.thresholds)[0]

    def _source(self, numbers: Numbers, serial: int) -> LineagePaths:
        return LineagePaths(self.plan, numbers, int(stream_key(self.plan.seed ^ (serial << 32), Purpose.RARE)))

    def draws(self, serial: int) -> np.random.Generator:
        """Random choices of an estimator: which paths are copied, which steps are tilted."""
        key = int(stream_key(self.plan.seed ^ (serial << 32), Purpose.RARE))
        return np.random.Generator(np.random.Philox(key=key))
