"""One-step VaR and ES out of sample, by the law of the innovations alone: the volatility model is the same.

``python benchmarks/innovations_backtest.py closes.csv BTC ETH --window 1000`` prints a Markdown table. The file has
dates in its first column and one column of prices an asset.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

import collatrisk as cr
from collatrisk.volatility import diebold_mariano, fissler_ziegel, quantile_score
from collatrisk.volatility.distributions import ppf, tail_mean
from collatrisk.volatility.one_step import run_on

LAWS = ("normal", "t", "Pareto tails", "rows of history")


def main(arguments: list[str]) -> None:
    """Roll, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("closes", type=Path)
    parser.add_argument("assets", nargs="+")
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--levels", type=float, nargs="+", default=[0.99, 0.995])
    given = parser.parse_args(arguments)
    prices = pd.read_csv(given.closes, index_col=0, parse_dates=True)
    head = "| asset | level | law | exceedances | expected | p-value | tick x 10^5 | DM to best | FZ0 | DM to best |"
    sys.stdout.write(head + "\n" + "|---" * 10 + "|\n")
    for asset in given.assets:
        returns = cr.log_returns(prices[[asset]].dropna())[asset]
        realised, forecasts = rolled(returns, given.window, given.every, given.levels)
        for level in given.levels:
            sys.stdout.write(table(asset, level, realised, forecasts[level]))


def rolled(
    returns: pd.Series, window: int, every: int, levels: list[float]
) -> tuple[np.ndarray, dict[float, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """The realised returns, and VaR and ES by level and law."""
    values = returns.to_numpy(dtype=np.float64)
    parts: dict[tuple[float, str], list[np.ndarray]] = {(level, law): [] for level in levels for law in LAWS}
    for start in range(0, values.size - window, every):
        ahead = values[start + window : start + window + every]
        known = values[start : start + window]
        plain = cr.fit_volatility(known, cr.Garch(dist="normal"))
        student = cr.fit_volatility(known, cr.Garch(dist="t"))
        tails = cr.fit_tails(plain.std_resid).law
        rows = (plain.std_resid - plain.std_resid.mean()) / plain.std_resid.std()
        for level in levels:
            p = 1.0 - level
            worst = np.sort(rows)[: math.ceil(p * rows.size)]
            ends = {
                "normal": (plain, float(ppf("normal", p)), tail_mean("normal", p)),
                "t": (student, float(ppf("t", p, student.nu)), tail_mean("t", p, student.nu)),
                "Pareto tails": (plain, float(tails.ppf(p)), tails.tail_mean(p)),
                "rows of history": (plain, float(worst[-1]), float(worst.mean())),
            }
            for law, (fit, quantile, beyond) in ends.items():
                sd, mu = np.sqrt(run_on(fit, ahead)), fit.params["mu"]
                parts[level, law].append(np.array([-(mu + sd * quantile), -(mu + sd * beyond)]))
    found = {level: {law: tuple(np.hstack(parts[level, law])) for law in LAWS} for level in levels}
    return values[window:], found  # type: ignore[return-value]


def table(asset: str, level: float, realised: np.ndarray, forecasts: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The rows of one asset and level."""
    tick = {law: quantile_score(realised, var, level) for law, (var, _) in forecasts.items()}
    joint = {law: fissler_ziegel(realised, var, es, level) for law, (var, es) in forecasts.items()}
    best = [min(scores, key=lambda law: scores[law].mean()) for scores in (tick, joint)]
    lines = []
    for law, (var, _) in forecasts.items():
        hits = int(np.sum(-realised > var))
        tests = [
            "best" if law == first else f"{diebold_mariano(scores[law], scores[first])[1]:.3f}"
            for scores, first in ((tick, best[0]), (joint, best[1]))
        ]
        lines.append(
            f"| {asset} | {level:g} | {law} | {hits} | {(1 - level) * realised.size:.1f} | "
            f"{coverage(hits, realised.size, 1 - level):.3f} | {1e5 * tick[law].mean():.2f} | {tests[0]} | "
            f"{joint[law].mean():.4f} | {tests[1]} |"
        )
    return "\n".join(lines) + "\n"


def coverage(hits: int, n: int, p: float) -> float:
    """The p-value of the likelihood ratio of Kupiec (1995)."""
    share = hits / n
    kept = special.xlogy(hits, p) + special.xlogy(n - hits, 1.0 - p)
    free = special.xlogy(hits, share) + special.xlogy(n - hits, 1.0 - share)
    return float(special.chdtrc(1, 2.0 * (free - kept)))


if __name__ == "__main__":
    main(sys.argv[1:])
