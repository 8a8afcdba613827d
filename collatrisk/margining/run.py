"""Run accounts under terms over the paths of any source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.keys import Purpose, stream_key
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Terms, as_account, health_factor
from collatrisk.execution import iter_blocks
from collatrisk.liquidation import rule_arrays
from collatrisk.margining.gather import Gathered, gather
from collatrisk.margining.outcomes import Outcomes
from collatrisk.margining.task import MarginTask
from collatrisk.pricing import Positions, positions
from collatrisk.risk import tail_size
from collatrisk.simulation.source import PathSource, check_source

Accounts = Account | Loan | Sequence[Account | Loan]
_LEAST, _LARGEST = 1e-60, 1e60  # of values: beyond, squares of amounts and of health factors could overflow


def run_margin(
    source: PathSource,
    accounts: Accounts,
    terms: Terms | Sequence[Terms],
    *,
    executor: Executor | None = None,
    keep: Literal["summary", "paths"] = "summary",
    horizon_days: float | None = None,
    lowest_level: float = 0.95,
    block_size: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Outcomes:
    """Margin calls, cures, liquidations and shortfalls of accounts on every path of a source.

    Parameters
    ----------
    source : any `PathSource`: a Monte Carlo plan, paths in memory, windows of history, scenarios.
    accounts : an account or a loan, or several. A loan becomes an account at the source's spot.
    terms : one for all accounts, or one for each. One account with several terms is run under each of them.
    executor : any `concurrent.futures.Executor`; None runs in this thread. Results do not depend on it.
    keep : ``"summary"`` streams: only the tails grow with the paths, by 8 bytes for each path above `lowest_level` and
        quantity. ``"paths"`` also keeps a column of every quantity. Sources whose paths overlap (windows of history)
        always keep them: their intervals need them.
    horizon_days : days of the source's clock to run; None runs to the end of the paths.
    lowest_level : the lowest level of VaR and ES that a streamed run can answer, in (0, 1).
    block_size : paths a block of work, a multiple of 1024; None chooses by their number. Results do not depend on it.
    progress : called as ``progress(paths_done, n_paths)``.

    Returns
    -------
    Outcomes

    Raises
    ------
    InputError : with all broken rules at once: unknown assets, missing thresholds, times that are not whole steps of
        the source's clock, several currencies, a horizon beyond the paths, collateral worth more than 1e60 or a debt
        worth less than 1e-60 or more than 1e60.

    Notes
    -----
    The health factor decides: called below `margin_call`, liquidated strictly below 1. With ``mark="bridge"`` and a
    source that knows its step variances, its lowest value within each step is sampled from a Brownian bridge of its
    logarithm. One uniform a path and step serves all accounts, so they dip together, which is cautious for a book.
    What the collateral as put in has lost by the end is a quantity too: VaR and ES of ``"collateral_loss"`` come from
    the same reading of the paths as the probabilities (over the relative fall, `haircut` has them at any horizon).
    A sale answers the mark of its step: a sale that is due does not trigger another in the same step. A top-up cancels
    a sale that is still due. A forced sale, of an uncured call above a health factor of 1, has the end price.
    """
    problems = Problems("run_margin")
    check_source(problems, source)
    problems.raise_if_any()
    spot = dict(zip(source.assets, source.spot.tolist(), strict=True))
    held, rules, names = account_pairs(accounts, terms, spot)
    n_steps = steps_to_run(source, horizon_days, keep, lowest_level)
    matrices = positions(held, source.assets)
    arrays = rule_arrays(held, rules, matrices.assets, source.clock)
    task = MarginTask(
        source=source,
        positions=matrices,
        rules=arrays,
        correlation=slot_correlation(source, matrices),
        settles=arrays.settles,
        n_steps=n_steps,
        bridge_key=stream_key(source.seed, Purpose.BRIDGE),
        cure_key=stream_key(source.seed, Purpose.CURE),
        keep_paths=keep == "paths" or source.overlap > 1,
    )
    largest = task.largest_block
    blocks = iter_blocks(task, source.n_paths, size=block_size, largest=largest, executor=executor, on_done=progress)
    gathered = gather(blocks, tail_size(source.n_paths, lowest_level), task.settles, task.floors)
    return Outcomes(
        accounts=names,
        terms=tuple(rules),
        clock=source.clock,
        currency=held[0].currency,
        times=np.array(source.times[: n_steps + 1]),
        n_paths=source.n_paths,
        overlap=source.overlap,
        seed=source.seed,
        data=gathered,
        findings=_findings(source, held, rules, names, spot, gathered),
    )


def account_pairs(
    accounts: Accounts, terms: Terms | Sequence[Terms], spot: dict[str, float]
) -> tuple[list[Account], list[Terms], tuple[str, ...]]:
    """Accounts and terms side by side, and a name for each that occurs once."""
    problems = Problems("run_margin")
    given = list(problems.listed("accounts", accounts, (Account, Loan), "give a Loan, an Account or a list of them"))
    rules = list(problems.listed("terms", terms, (Terms,), "give Terms(...), or one for each account"))
    problems.raise_if_any()
    currencies = dict.fromkeys(item.currency for item in given)
    problems.check(
        len(currencies) <= 1,
        "accounts",
        list(currencies),
        "must share one currency, that of the prices",
        "run each currency on its own prices",
    )
    if len(given) == 1:
        given = given * len(rules)
    if len(rules) == 1:
        rules = rules * len(given)
    fits = len(given) == len(rules)
    text = f"must be one for all or one for each of {len(given)} accounts"
    problems.check(fits, "terms", f"{len(rules)} terms", text, "repeat or leave out")
    problems.raise_if_any()
    held = [as_account(item, spot) for item in given]
    for account in held:
        _check_sizes(problems, account, spot)
    problems.raise_if_any()
    return held, rules, _unique([account.label for account in held])


def _check_sizes(problems: Problems, account: Account, spot: dict[str, float]) -> None:
    """Values that no market knows would overflow on the way to a variance. Unknown assets are for others to name."""
    for name, units, least in (("holdings", account.holdings, 0.0), ("debts", account.debts, _LEAST)):
        value = sum(amount * spot.get(asset, 1.0) for asset, amount in units.items())
        lowest = f"0 or at least {least:g}" if least else "0"
        rule = f"must be worth {lowest} and at most {_LARGEST:g} {account.currency}"
        fits = value == 0.0 or least <= value <= _LARGEST
        problems.check(
            fits, f"{name} of {account.label}", value, rule, "count in other units, or leave out what is dust"
        )


def _unique(labels: list[str]) -> tuple[str, ...]:
    """Labels that occur more than once are numbered: ``"loan #1"``, ``"loan #2"``."""
    total, seen, names = Counter(labels), Counter[str](), []
    for label in labels:
        seen[label] += 1
        names.append(f"{label} #{seen[label]}" if total[label] > 1 else label)
    return tuple(names)


def steps_to_run(
    source: PathSource, horizon_days: float | None, keep: str = "summary", lowest_level: float = 0.95
) -> int:
    """The checked number of steps to run."""
    problems = Problems("run_margin")
    problems.choice("keep", keep, ("summary", "paths"))
    problems.number(
        "lowest_level", lowest_level, low=0, high=1, open_low=True, open_high=True, remedy="give 0.95 for 95 %"
    )
    steps = source.n_steps if horizon_days is None else source.clock.steps(horizon_days, "horizon_days")
    longest = source.clock.days(source.n_steps)
    rule = f"must be above 0 and at most the {longest:g} days of the paths"
    problems.check(0 < steps <= source.n_steps, "horizon_days", horizon_days, rule, "simulate longer paths")
    problems.raise_if_any()
    return steps


def slot_correlation(source: PathSource, matrices: Positions) -> NDArray[np.float64] | None:
    """The correlation of the slots but cash; None where several assets are used and the source has none."""
    if source.correlation is None:
        return np.eye(matrices.columns.size) if matrices.columns.size <= 1 else None
    return np.ascontiguousarray(source.correlation[np.ix_(matrices.columns, matrices.columns)], dtype=np.float64)


def _findings(
    source: PathSource,
    accounts: list[Account],
    terms: list[Terms],
    names: tuple[str, ...],
    spot: dict[str, float],
    gathered: Gathered,
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if not gathered.bridged and any(rule.mark == "bridge" for rule in terms):
        text = "the source has no step variances, so the health factor is monitored at the steps' ends only"
        remedy = "crossings within steps are missed: read the probabilities as lower bounds"
        found.append(Finding("no-bridge", "warning", "source", f"{text}; {remedy}"))
    if source.overlap > 1:
        text = f"paths are windows that share up to {source.overlap - 1} steps"
        found.append(Finding("overlapping-windows", "info", "source", f"{text}; intervals allow for it"))
    found.extend(finding for rule in dict.fromkeys(terms) for finding in rule.findings)
    for account, rule, name in zip(accounts, terms, names, strict=True):
        health = health_factor(account, spot, rule)
        if health < 1:
            text = f"health factor {health:.4f} is below 1 at the start: it is liquidated on every path"
            found.append(Finding("liquidatable-at-start", "warning", name, text))
        elif health < rule.margin_call:
            text = f"health factor {health:.4f} is below margin_call = {rule.margin_call:g} at the start"
            found.append(Finding("called-at-start", "warning", name, text))
    return tuple(dict.fromkeys(found))
