"""Run the auctions of accounts over the paths of any source."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.keys import Purpose, stream_key
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, as_account
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.liquidation.auctions.depth import Depth
from collatrisk.liquidation.auctions.gather import Gathered, gather
from collatrisk.liquidation.auctions.keepers import Keepers
from collatrisk.liquidation.auctions.outcomes import AuctionOutcomes
from collatrisk.liquidation.auctions.rows import AuctionRows, auction_rows, step_seconds
from collatrisk.liquidation.auctions.task import AuctionTask
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.pricing import Positions, positions
from collatrisk.risk import tail_size
from collatrisk.simulation.source import PathSource, check_source

Accounts = Account | Loan | Sequence[Account | Loan]
Within = Literal["bridge", "lines"]
_TICK_S = 60.0
_MOST_TICKS = 1 << 16


def run_auctions(
    source: PathSource,
    accounts: Accounts,
    terms: AuctionTerms,
    *,
    keepers: Keepers | None = None,
    depth: Depth | None = None,
    tick_s: float | None = None,
    within: Within = "bridge",
    executor: Executor | None = None,
    keep: Literal["summary", "paths"] = "summary",
    horizon_days: float | None = None,
    lowest_level: float = 0.95,
    block_size: int = 4 * MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
) -> AuctionOutcomes:
    """Auction the collateral of accounts that fall below a health factor of 1, on every path of a source.

    Parameters
    ----------
    source : any `PathSource`: a Monte Carlo plan, paths in memory, windows of history, scenarios. Hourly steps or finer
        are best; longer steps are filled in.
    accounts : an account or a loan, or several, with debts in their currency alone.
    terms : the rules of sale.
    keepers : the bidders. Default: `Keepers()`, five who ask for 2 %, without limits.
    depth : where they resell. Default: `Depth.unlimited()`.
    tick_s : seconds between the moments at which something can happen, a whole part of a step. Default: 60, or the next
        whole part below.
    within : prices inside a step: a Brownian ``"bridge"`` where the source knows its step variances (default), or
        straight ``"lines"`` of their logarithms, as between the closes of a history.
    executor, keep, horizon_days, lowest_level, block_size, progress : as for `run_margin`. ``keep="paths"`` also keeps
        a record of every auction.

    Returns
    -------
    AuctionOutcomes

    Raises
    ------
    InputError : with all broken rules at once: unknown assets, no rule, no threshold or no market for an asset, debts
        that are not in cash, ticks or delays that do not fit the steps, a horizon beyond the paths.

    Notes
    -----
    Within a step, prices follow a Brownian bridge in time where the source knows its step variances (and the
    correlation, for several assets), drawn tick by tick from a stream of its own; without, log prices are interpolated.
    No rule, keeper or sale moves the prices at the steps' ends. The law of one auction is in docs/auctions.md.
    """
    run = prepared(source, accounts, keepers, depth, tick_s, horizon_days, lowest_level, keep, within)
    (gathered,) = run.gathered((terms,), executor, block_size, progress)
    return run.outcomes(terms, gathered)


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """Accounts, bidders and the grid of a run, checked; any number of sets of rules can be run on its paths."""

    source: PathSource
    held: tuple[Account, ...]
    names: tuple[str, ...]
    positions: Positions
    keepers: Keepers
    depth: Depth
    n_steps: int
    n_ticks: int
    lowest_level: float
    keep: str
    within: str

    def gathered(
        self,
        terms: Sequence[AuctionTerms],
        executor: Executor | None = None,
        block_size: int = 4 * MICRO_BLOCK,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[Gathered]:
        """The results of each set of rules, on the same paths."""
        task = AuctionTask(
            source=self.source,
            positions=self.positions,
            rows=self.rows(terms),
            factor=_factor(self.source, self.positions) if self.within == "bridge" else None,
            n_steps=self.n_steps,
            n_ticks=self.n_ticks,
            within_key=stream_key(self.source.seed, Purpose.WITHIN_STEP),
            keeper_key=stream_key(self.source.seed, Purpose.AUCTIONS),
            keep_paths=self.keep == "paths" or self.source.overlap > 1,
            keep_records=self.keep == "paths",
        )
        blocks = iter_blocks(task, self.source.n_paths, size=block_size, executor=executor, on_done=progress)
        return gather(blocks, tail_size(self.source.n_paths, self.lowest_level), len(terms))

    def rows(self, terms: Sequence[AuctionTerms]) -> tuple[AuctionRows, ...]:
        """The arrays of each set of rules.

        Raises
        ------
        InputError : with all that is missing or does not fit.
        """
        problems = Problems("run_auctions")
        assets, clock = self.positions.assets, self.source.clock
        found = tuple(
            auction_rows(
                problems, each, self.keepers, self.depth, self.held, assets, self.source.assets, clock, self.n_ticks
            )
            for each in terms
        )
        problems.found[:] = list(dict.fromkeys(problems.found))
        problems.raise_if_any()
        return found

    def outcomes(self, terms: AuctionTerms, gathered: Gathered) -> AuctionOutcomes:
        """The results of one set of rules as the public object."""
        return AuctionOutcomes(
            accounts=self.names,
            assets=self.positions.assets,
            terms=terms,
            clock=self.source.clock,
            currency=self.held[0].currency,
            times=np.array(self.source.times[: self.n_steps + 1]),
            tick_s=step_seconds(self.source.clock) / self.n_ticks,
            n_paths=self.source.n_paths,
            overlap=self.source.overlap,
            seed=self.source.seed,
            data=gathered,
            findings=_findings(self, terms, gathered),
        )


def prepared(
    source: PathSource,
    accounts: Accounts,
    keepers: Keepers | None,
    depth: Depth | None,
    tick_s: float | None,
    horizon_days: float | None,
    lowest_level: float,
    keep: str,
    within: str = "bridge",
) -> PreparedRun:
    """Check everything but the rules of sale; parameters as for `run_auctions`."""
    problems = Problems("run_auctions")
    check_source(problems, source)
    problems.raise_if_any()
    keepers, depth = Keepers() if keepers is None else keepers, Depth.unlimited() if depth is None else depth
    problems.check(isinstance(keepers, Keepers), "keepers", keepers, "must be Keepers", "give Keepers(number=5)")
    problems.check(isinstance(depth, Depth), "depth", depth, "must be a Depth", "give Depth.linear(1e-8)")
    held = _accounts(problems, source, accounts)
    problems.choice("keep", keep, ("summary", "paths"))
    problems.choice("within", within, ("bridge", "lines"))
    problems.number(
        "lowest_level", lowest_level, low=0, high=1, open_low=True, open_high=True, remedy="give 0.95 for 95 %"
    )
    steps = source.n_steps if horizon_days is None else source.clock.steps(horizon_days, "horizon_days")
    rule = f"must be above 0 and at most the {source.clock.days(source.n_steps):g} days of the paths"
    problems.check(0 < steps <= source.n_steps, "horizon_days", horizon_days, rule, "simulate longer paths")
    n_ticks = _ticks(problems, step_seconds(source.clock), tick_s)
    problems.raise_if_any()
    matrices = positions(held, source.assets)
    names = _unique([account.label for account in held])
    return PreparedRun(source, held, names, matrices, keepers, depth, steps, n_ticks, lowest_level, keep, within)


def _accounts(problems: Problems, source: PathSource, accounts: Accounts) -> tuple[Account, ...]:
    given = problems.listed("accounts", accounts, (Account, Loan), "give a Loan, an Account or a list of them")
    problems.raise_if_any()
    spot = dict(zip(source.assets, source.spot.tolist(), strict=True))
    held = tuple(as_account(item, spot) for item in given)
    currencies = list(dict.fromkeys(account.currency for account in held))
    rule, remedy = "must share one currency, that of the prices", "run each currency on its own prices"
    problems.check(len(currencies) == 1, "accounts", currencies, rule, remedy)
    for account in held:
        others = [asset for asset, units in account.debts.items() if units > 0 and asset != account.currency]
        rule = f"auctions raise {account.currency}: debts in other assets cannot be repaid from them"
        problems.check(not others, f"account {account.label}", others, rule, "convert them, or use run_margin")
    return held


def _ticks(problems: Problems, step_s: float, tick_s: float | None) -> int:
    if tick_s is None:
        return math.ceil(step_s / _TICK_S)
    tick = problems.number("tick_s", tick_s, low=0, open_low=True, remedy="60 for a minute")
    if not tick > 0:
        return 1
    ticks = max(round(step_s / tick), 1)
    whole = math.isclose(ticks * tick, step_s, rel_tol=1e-9) and ticks < _MOST_TICKS
    rule = f"must be a whole part of a step of {step_s:g} s, and more than {step_s / _MOST_TICKS:.3g}"
    problems.check(whole, "tick_s", tick_s, rule, f"give {step_s / ticks:g}, say")
    return ticks


def _factor(source: PathSource, matrices: Positions) -> NDArray[np.float64] | None:
    """The lower triangle of the correlation of the assets in use; None: no bridge."""
    n_assets = matrices.columns.size
    if source.correlation is None:
        return np.eye(n_assets) if n_assets <= 1 else None
    chosen = np.asarray(source.correlation, dtype=np.float64)[np.ix_(matrices.columns, matrices.columns)]
    return lower_triangle(chosen)


def lower_triangle(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """L with L @ L.T = matrix, also where the matrix is only semi-definite: a pivot of no size leaves zeros."""
    n = len(matrix)
    factor = np.zeros((n, n))
    for j in range(n):
        pivot = matrix[j, j] - factor[j, :j] @ factor[j, :j]
        if pivot > 1e-12:
            factor[j, j] = math.sqrt(pivot)
            factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[j, j]
    return factor


def _unique(labels: list[str]) -> tuple[str, ...]:
    """Labels that occur more than once are numbered: ``"loan #1"``, ``"loan #2"``."""
    total, seen, names = Counter(labels), Counter[str](), []
    for label in labels:
        seen[label] += 1
        names.append(f"{label} #{seen[label]}" if total[label] > 1 else label)
    return tuple(names)


def _findings(run: PreparedRun, terms: AuctionTerms, gathered: Gathered) -> tuple[Finding, ...]:
    found = [*run.keepers.findings, *terms.findings]
    if not gathered.bridged and run.n_ticks > 1 and run.within == "bridge":
        text = "the source has no step variances, so prices are interpolated within steps"
        remedy = "triggers and moves inside a step are missed: give hourly steps or finer"
        found.append(Finding("no-bridge", "warning", "source", f"{text}; {remedy}"))
    if run.source.overlap > 1:
        text = f"paths are windows that share up to {run.source.overlap - 1} steps; intervals allow for it"
        found.append(Finding("overlapping-windows", "info", "source", text))
    for rule in terms.rules:
        tip, chip = (rule.tip, rule.chip) if isinstance(rule, DutchTerms) else (0.0, 0.0)
        if terms.started_by == "keeper" and run.keepers.gas > tip and chip == 0:
            text = (
                f"tip = {tip:g} and chip = 0 do not pay for gas = {run.keepers.gas:g}: nobody starts an auction;"
                ' raise the tip or give started_by="lender"'
            )
            found.append(Finding("start-not-paid", "error", "AuctionTerms", text))
        if not isinstance(rule, DutchTerms):
            continue
        margin = max(run.keepers.margin, 1e-9)
        if run.keepers.number and not rule.findings and math.isinf(rule.time_until_taken(margin)):
            text = (
                f"buffer = {rule.buffer:g}: the reset falls due (tail_s = {rule.tail_s:g}, cusp = {rule.cusp:g}) before"
                f" an unchanged feed leaves keepers their margin of {margin:g}: the auction may never end"
            )
            found.append(Finding("auction-cannot-clear", "error", "AuctionTerms", text))
    return tuple(dict.fromkeys(found))
