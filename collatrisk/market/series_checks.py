"""Checks of one asset's own prices: positive, enough, not stale, no jump beyond belief."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from collatrisk.base.findings import Finding
from collatrisk.market.frames import FloatArray, IntArray, RowNames, counted, note
from collatrisk.market.pegs import check_peg

FEWEST, ENOUGH = 30, 250
"""Fewer than 30 prices cannot be used; fewer than 250 are too few for a GARCH fit to be trusted."""
STALE_RUN = 5
JUMP_DEVIATIONS = 12.0
_MAD_TO_SD = 1.4826  # 1 / Phi^-1(3/4): the median absolute deviation of a normal as a standard deviation
_MEAN_TO_SD = 1.2533  # sqrt(pi / 2): the mean absolute deviation of a normal as a standard deviation


def check_series(
    prices: pd.DataFrame, rows: RowNames, pegs: Mapping[str, float], refused: Collection[str] = ()
) -> list[Finding]:
    """All findings about the values of each asset, for prices in order of date, one row a date.

    Columns that were `refused` already (they hold text) are not said to be empty too.
    """
    values = prices.to_numpy()
    findings: list[Finding] = []
    for k, name in enumerate(map(str, prices.columns)):
        there = np.flatnonzero(~np.isnan(values[:, k]))
        if name in refused and not there.size:
            continue
        column = _Column(name, there, values[there, k], rows, k)
        findings += column.length()
        if not there.size:
            continue
        findings += column.not_prices()
        if name in pegs:
            findings += check_peg(name, pegs[name], rows, there, column.prices)
        elif (column.prices == column.prices[0]).all() and there.size > 1:
            rule = f"all {there.size} prices are {column.prices[0]:g}"
            findings.append(
                note("constant", "warning", name, rule, "leave it out or give it a peg: it has no volatility")
            )
        else:
            findings += column.stale() + column.jumps()
    return findings


def robust_deviation(returns: FloatArray) -> tuple[float, float]:
    """The median and the robust standard deviation (1.4826 x MAD) of returns.

    Where more than half of the returns are equal the MAD is 0; then 1.2533 x the mean absolute deviation is used.
    """
    middle = float(np.median(returns))
    distance = np.abs(returns - middle)
    scale = _MAD_TO_SD * float(np.median(distance))
    return middle, scale if scale > 0 else _MEAN_TO_SD * float(distance.mean())


class _Column:
    """The prices that one asset has, and the rows they stand in."""

    def __init__(self, name: str, places: IntArray, prices: FloatArray, rows: RowNames, column: int) -> None:
        self.name, self.places, self.prices, self.rows, self.column = name, places, prices, rows, column

    def row(self, i: int) -> str:
        return self.rows.name(int(self.places[i]), self.column)

    def length(self) -> list[Finding]:
        count = self.prices.size
        if not count:
            return [note("no-prices", "error", self.name, "the column has no price at all", "leave the asset out")]
        if count < FEWEST:
            rule = f"{counted(count, 'price')}, too few: at least {FEWEST} are needed"
            return [note("too-short", "error", self.name, rule, "load more history or leave the asset out")]
        if count < ENOUGH:
            rule = f"{counted(count, 'price')}, few: a volatility model wants at least {ENOUGH}"
            return [note("short-history", "warning", self.name, rule, "load more history or expect wide errors")]
        return []

    def not_prices(self) -> list[Finding]:
        findings = []
        for code, wrong, what in (
            ("non-positive", self.prices <= 0, "zero or negative"),
            ("infinite", np.isinf(self.prices), "infinite"),
        ):
            bad = np.flatnonzero(wrong)
            if bad.size:
                shown = [f"{self.row(int(i))}: {self.prices[i]:g}" for i in bad[:10]]
                rule = f"{counted(int(bad.size), 'price')} {what}, and log returns need positive prices"
                remedy = "correct or empty these cells, or leave the asset out"
                findings.append(note(code, "error", self.name, rule, remedy, shown, int(bad.size)))
        return findings

    def stale(self) -> list[Finding]:
        """Runs of at least five equal prices in a row."""
        starts = np.flatnonzero(np.append(True, np.diff(self.prices) != 0))
        lengths = np.diff(np.append(starts, self.prices.size))
        runs = np.flatnonzero(lengths >= STALE_RUN)
        if not runs.size:
            return []
        shown = [f"{self.row(int(starts[i]))}: {lengths[i]} x {self.prices[starts[i]]:g}" for i in runs[:10]]
        found, longest = counted(int(runs.size), "run"), lengths[runs].max()
        rule = f"{found} of {STALE_RUN} or more equal prices, the longest of {longest} rows"
        remedy = "check that the source did not repeat old prices: they hide volatility"
        return [note("stale", "warning", self.name, rule, remedy, shown, int(runs.size))]

    def jumps(self) -> list[Finding]:
        """Log returns more than 12 robust standard deviations from their median."""
        usable = np.flatnonzero((self.prices > 0) & np.isfinite(self.prices))
        if usable.size < 3:
            return []
        returns = np.diff(np.log(self.prices[usable]))
        middle, scale = robust_deviation(returns)
        far = np.flatnonzero(np.abs(returns - middle) > JUMP_DEVIATIONS * scale) if scale > 0 else np.empty(0, np.int64)
        if not far.size:
            return []
        shown = [f"{self.row(int(usable[i + 1]))}: {np.expm1(returns[i]):+.1%}" for i in far[:10]]
        back = [i for i in far[:-1] if i + 1 in far and abs(returns[i] + returns[i + 1]) <= JUMP_DEVIATIONS * scale]
        hint = f", {len(back)} of them undone by the next row (a bad tick?)" if back else ""
        found = counted(int(far.size), "move")
        rule = f"{found} beyond {JUMP_DEVIATIONS:g} robust standard deviations of {scale:.2%}{hint}"
        remedy = "check them against another source: a real crash stays, a bad tick goes"
        return [note("jump", "warning", self.name, rule, remedy, shown, int(far.size))]
