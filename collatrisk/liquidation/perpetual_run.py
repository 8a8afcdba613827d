"""`run_perpetuals`: accounts with perpetual positions over the paths of any source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.liquidation.perpetual_accounts import PerpetualPositions, PositionArrays, position_arrays
from collatrisk.liquidation.perpetual_outcomes import UNITS, PerpetualOutcomes, PerpetualStates
from collatrisk.liquidation.perpetual_terms import PerpetualTerms
from collatrisk.liquidation.stale import stale_findings
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import PathSource, check_source

FloatArray = NDArray[np.float64]
Keep = Literal["summary", "events", "states"]
_FIRST_LOG = 1024
_EVENT_COLUMNS = 11


def run_perpetuals(
    source: PathSource,
    accounts: PerpetualPositions | Sequence[PerpetualPositions],
    terms: object,
    *,
    keep: Keep = "summary",
    executor: Executor | None = None,
    block_size: int = 4 * MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
    **changes: Any,
) -> PerpetualOutcomes:
    """Liquidations, insurance fund and auto-deleveraging of accounts with perpetual positions, on every path.

    Parameters
    ----------
    source : any `PathSource`. accounts : one or several; they share the fund and the market.
    terms : of the venue: `PerpetualTerms`, or what `PerpetualTerms.of` accepts: ``venues.load("exchange").terms()``.
    keep : ``"summary"`` keeps the metrics of each path; ``"events"`` also every close by force; ``"states"`` also every
        account at every step (for few paths).
    executor, block_size, progress : as for `run_margin`. Results do not depend on them.
    changes : fields of `PerpetualTerms` to change, and ``maintenance`` for dYdX.

    Returns
    -------
    PerpetualOutcomes

    Raises
    ------
    InputError : with all broken rules at once: assets without a price or a market.

    Notes
    -----
    At each step, in the order of severity (equity over requirement, ties by size), an account whose margin lacks has
    its positions closed, the largest requirement first, `close_share` of each at a time, until its margin suffices. The
    market fills at the mark less impact; the account gets the bankruptcy price, the fund the difference. Where the
    fund cannot pay, profitable opposite accounts are closed at the bankruptcy price instead; what nobody takes is
    closed in the market and its loss is uncovered. Prices are monitored at the steps.
    """
    problems = Problems("run_perpetuals")
    check_source(problems, source)
    problems.choice("keep", keep, ("summary", "events", "states"))
    remedy = "give PerpetualPositions(1_000.0, {'ETH': 2.0}, {'ETH': 1_900.0})"
    held = problems.listed("accounts", accounts, (PerpetualPositions,), remedy)
    problems.raise_if_any()
    rules = PerpetualTerms.of(terms, **changes)
    arrays = position_arrays(held, rules, source.assets)
    markets = rules.market_array(arrays.markets, source.clock.step_days)
    task = _PerpetualTask(source, arrays, markets, rules.tier_array(arrays.markets), rules.rule_array(), keep)
    parts = list(iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress))
    amounts = np.concatenate([part.amounts for part in parts])
    columns = {name: np.ascontiguousarray(amounts[:, i]) for i, name in enumerate(UNITS)}
    return PerpetualOutcomes(
        title="perpetual positions",
        columns=columns,
        units=UNITS,
        overlap=source.overlap,
        seed=source.seed,
        findings=(*stale_findings(source, arrays.markets), *_findings(columns)),
        accounts=arrays.names,
        markets=arrays.markets,
        event_rows=None if keep == "summary" else np.concatenate([part.log for part in parts]),
        states=_states(parts) if keep == "states" else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What came of a block of paths."""

    amounts: FloatArray
    log: FloatArray
    states: tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _PerpetualTask:
    """A picklable function of a range of paths."""

    source: PathSource
    arrays: PositionArrays
    markets: FloatArray
    tiers: FloatArray
    rules: FloatArray
    keep: Keep

    def __call__(self, first: int, last: int) -> _Part:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.perpetual import perpetual_block
        from collatrisk.kernels.perpetual_closing import N_AMOUNTS

        prices = read_scratch(self.source, first, last, self.source.n_steps, variance=False).prices
        a = self.arrays
        amounts = np.empty((last - first, N_AMOUNTS))
        states = self._empty_states(last - first)
        room = 0 if self.keep == "summary" else _FIRST_LOG
        while True:
            log = np.empty((room, _EVENT_COLUMNS))
            book = (a.margin, a.sizes, a.entries, a.collateral, self.markets, self.tiers, self.rules)
            columns = (a.columns, a.collateral_columns, self.source.n_steps)
            count = perpetual_block(prices, *columns, *book, amounts, log, *states)
            if self.keep == "summary" or count <= room:
                break
            room = count
        log = log[: min(count, room)].copy()
        log[:, 0] += first
        return _Part(amounts, log, states)

    def _empty_states(self, n_paths: int) -> tuple[NDArray[Any], ...]:
        n_accounts, n_markets = self.arrays.sizes.shape
        shape = (n_paths if self.keep == "states" else 0, self.source.n_steps + 1, n_accounts)
        by_market = [np.empty((*shape, n_markets)) for _ in range(3)]
        return np.empty(shape), *by_market, np.empty(shape, dtype=np.bool_)


def _states(parts: list[_Part]) -> PerpetualStates:
    equity, required, bankrupt, limit, flags = (
        np.concatenate(some) for some in zip(*(p.states for p in parts), strict=True)
    )
    return PerpetualStates(equity, flags, required, bankrupt, limit)


def _findings(columns: dict[str, FloatArray]) -> tuple[Finding, ...]:
    found = []
    for metric, code, text in (
        ("uncovered", "uncovered-losses", "losses that neither the fund nor counterparties pay"),
        ("owed", "negative-equity", "accounts that end with negative equity and are still open"),
    ):
        share = float(np.mean(columns[metric] > 0.0))
        if share > 0.0:
            worst = float(columns[metric].max())
            found.append(Finding(code, "warning", "venue", f"{share:.2%} of paths have {text}, {worst:.6g} at most"))
    return tuple(found)
