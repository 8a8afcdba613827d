"""`auctions`: rules of sale replayed on real windows, against what they promised on the paths they were chosen on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.backtest.auction_result import AuctionBacktest
from collatrisk.backtest.auction_tests import Comparison, count_test, disjoint, ratio_test
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, as_account
from collatrisk.liquidation.auctions import AuctionOutcomes, AuctionTerms, Depth, Keepers, run_auctions
from collatrisk.liquidation.auctions.calibrate import CalibratedAuction
from collatrisk.liquidation.auctions.run import Accounts
from collatrisk.market.clock import Clock
from collatrisk.simulation.source import PathSource, check_source
from collatrisk.simulation.windows import HistoricalWindows

if TYPE_CHECKING:
    import pandas as pd

Rules = AuctionTerms | CalibratedAuction | Mapping[str, AuctionTerms | CalibratedAuction]


def auctions(
    prices: pd.DataFrame,
    accounts: Accounts,
    rules: Rules,
    *,
    promise: PathSource,
    horizon_days: float,
    keepers: Keepers | None = None,
    depth: Depth | None = None,
    clock: Clock | str | None = None,
    tick_s: float | None = None,
    worst: int = 10,
    executor: Executor | None = None,
) -> AuctionBacktest:
    """Replay auctions on every window of real prices and compare them with what the same rules promised.

    Every account is opened anew at the start of each window (loans at their loan-to-value there), so each window asks:
    had the book stood like this then, what would its auctions have come to?

    Parameters
    ----------
    prices : history that the rules were not chosen on, hourly or finer, one column an asset.
    accounts : best as loans, which have the same value in every window and on the paths of the promise.
    rules : the rules of sale, one set or several by name; a `CalibratedAuction` stands for its terms.
    promise : the paths on which the promise is made: those that the rules were calibrated on, or any other model of the
        time before the history.
    horizon_days : length of a window, and of the promise, in days of the clock.
    keepers, depth : the same for promise and replay. Default: those of the first calibrated rule, else as for
        `run_auctions`.
    clock, tick_s, executor : of the windows, as for `HistoricalWindows` and `run_auctions`.
    worst : how many of the worst windows are listed, >= 1: those with the largest fall of the book's collateral,
        disjoint.

    Returns
    -------
    AuctionBacktest

    Raises
    ------
    InputError, DataError : with all broken rules at once, or for prices that cannot be used.

    Notes
    -----
    Tests, all one-sided against "worse than promised": the share of windows with a failed auction and with a shortfall
    by the exact binomial law on disjoint windows; mean time to clear, recovery, loss rate and penalty share by a z
    test whose error is a moving-block bootstrap over all windows. History has no prices between its closes, so promise
    and replay both draw straight lines (of logarithms) between steps: with a bridge on one side only they would differ
    where nothing is wrong.
    """
    sets = _named(rules)
    problems = Problems("backtest.auctions")
    check_source(problems, promise)
    problems.check(bool(sets), "rules", rules, "must be AuctionTerms, or name -> AuctionTerms", "see AuctionTerms")
    problems.integer("worst", worst, low=1, remedy="10, say")
    problems.raise_if_any()
    first = next((each for each in sets.values() if isinstance(each, CalibratedAuction)), None)
    keepers = first.keepers if keepers is None and first is not None else keepers
    depth = first.depth if depth is None and first is not None else depth
    terms = {name: each.terms if isinstance(each, CalibratedAuction) else each for name, each in sets.items()}
    windows = HistoricalWindows(prices, horizon_days, clock=clock, seed=promise.seed)
    promised, realised = (
        {
            name: run_auctions(
                source,
                accounts,
                rule,
                keepers=keepers,
                depth=depth,
                tick_s=tick_s,
                within="lines",
                horizon_days=horizon_days,
                keep="paths" if source is windows else "summary",
                executor=executor,
            )
            for name, rule in terms.items()
        }
        for source in (promise, windows)
    )
    found = {name: _compare(promised[name], realised[name], windows.n_steps) for name in terms}
    return AuctionBacktest(
        promised=promised,
        realised=realised,
        comparisons=found,
        first_date=windows.first_date,
        last_date=windows.last_date,
        n_windows=windows.n_paths,
        n_disjoint=-(-windows.n_paths // windows.n_steps),
        worst_windows=_worst(prices, windows, accounts, realised, worst),
        findings=_findings(realised, windows),
    )


def _named(rules: object) -> dict[str, AuctionTerms | CalibratedAuction]:
    if isinstance(rules, AuctionTerms | CalibratedAuction):
        return {"rule": rules}
    if not isinstance(rules, Mapping):
        return {}
    good = all(isinstance(rule, AuctionTerms | CalibratedAuction) for rule in rules.values())
    return {str(name): rule for name, rule in rules.items()} if good else {}


def _compare(promised: AuctionOutcomes, realised: AuctionOutcomes, n_steps: int) -> tuple[Comparison, ...]:
    before, after = promised.book, realised.book
    counts = tuple(
        count_test(f"P({event})", before.probability(event), *disjoint(after.steps(event) >= 0, n_steps))
        for event in ("triggered", "failed", "shortfall")
    )
    ratios = tuple(
        ratio_test(name, before.ratio(name), after.ratio(name), bad_if_larger=name != "recovery")
        for name in ("clearing_days", "recovery", "loss_rate", "penalty_share")
    )
    return counts + ratios


def _worst(
    prices: pd.DataFrame,
    windows: HistoricalWindows,
    accounts: Accounts,
    realised: Mapping[str, AuctionOutcomes],
    count: int,
) -> pd.DataFrame:
    """The windows in which the book's collateral fell most, from its start to its lowest close; none share a step."""
    import pandas as pd

    spot = dict(zip(windows.assets, windows.spot.tolist(), strict=True))
    given = [accounts] if isinstance(accounts, Account | Loan) else list(accounts)
    held = [as_account(each, spot) for each in given]
    value = np.array([sum(account.holdings.get(asset, 0.0) for account in held) for asset in windows.assets])
    falls = np.empty(windows.n_paths)
    for block in windows.blocks():
        worth = np.einsum("a,tan->tn", value, block.prices)
        falls[block.first_path : block.first_path + block.n_paths] = 1.0 - worth.min(axis=0) / worth[0]
    chosen: list[int] = []
    for window in np.argsort(-falls, kind="stable").tolist():
        if all(abs(window - other) >= windows.n_steps for other in chosen):
            chosen.append(window)
        if len(chosen) == count:
            break
    rows = [
        {
            "window": prices.index[window],
            "rule": name,
            "fall": falls[window],
            "hours_to_clear": 24.0 * out.book.values("clearing_days")[window],
            "recovery": _share(out.book.values("debt_repaid")[window], out.book.values("debt_auctioned")[window]),
            "shortfall": out.book.values("shortfall")[window],
        }
        for window in chosen
        for name, out in realised.items()
    ]
    return pd.DataFrame(rows).set_index(["window", "rule"])


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else np.nan


def _findings(realised: Mapping[str, AuctionOutcomes], windows: HistoricalWindows) -> tuple[Finding, ...]:
    found = [finding for out in realised.values() for finding in out.findings]
    name, out = next(iter(realised.items()))
    disjoint_hits, n = disjoint(out.book.steps("auctioned") >= 0, windows.n_steps)
    if disjoint_hits < 10:
        text = f"only {disjoint_hits} of {n} disjoint windows have an auction ({name}): the tests can tell little"
        found.append(Finding("few-auctions", "warning", "history", f"{text}; give loans closer to their threshold"))
    return tuple(dict.fromkeys(found))
