"""Models that see a realised measure beside those that see closes, out of sample.

``python benchmarks/realized_measures.py --ohlc bars.csv.gz --hourly hours.csv.gz BTC ETH`` prints a Markdown table.
The bars are long: columns date, asset, open, high, low, close; their measure is Garman-Klass's. The hours are wide:
dates in the first column, one column of closes an asset; the measure of a day is the sum of its squared hourly returns.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import collatrisk as cr
from collatrisk.volatility import diebold_mariano, qlike

CANDIDATES = {
    "GJR t": cr.Garch(),
    "HAR t": cr.Har(),
    "Realized GARCH t": cr.RealizedGarch(),
}


def main(arguments: list[str]) -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", nargs="+")
    parser.add_argument("--ohlc", type=Path)
    parser.add_argument("--hourly", type=Path, nargs="*", default=[])
    parser.add_argument("--window", type=int, default=750)
    parser.add_argument("--every", type=int, default=20)
    given = parser.parse_args(arguments)
    head = ("series", "model", "exceedances", "QLIKE on the measure", "QLIKE on r^2", "tick x 10^5", "FZ0")
    sys.stdout.write("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n")
    for asset in given.assets:
        if given.ohlc is not None:
            bars = pd.read_csv(given.ohlc, parse_dates=["date"])
            own = bars[bars["asset"] == asset].set_index("date")
            returns = np.log(own["close"]).diff().dropna().rename(asset)
            measure = cr.range_variance(own).variance.reindex(returns.index)
            sys.stdout.write(compared(f"{asset}, ranges", returns, measure, given.window, given.every))
        if given.hourly:
            returns, measure = days_of_hours(given.hourly, asset)
            sys.stdout.write(compared(f"{asset}, hours", returns, measure, given.window, given.every))


def days_of_hours(paths: list[Path], asset: str) -> tuple[pd.Series, pd.Series]:
    """Daily returns and the sums of squared hourly returns, of the days with 20 hours and more."""
    frames = [pd.read_csv(path, index_col=0, parse_dates=True) for path in paths]
    closes = pd.concat([frame[asset] for frame in frames if asset in frame]).dropna().sort_index()
    closes = closes[~closes.index.duplicated()]
    hourly = np.log(closes).diff().dropna()
    days = hourly.groupby(hourly.index.normalize())
    kept = days.size() >= 20
    returns, measure = days.sum()[kept].rename(asset), (hourly**2).groupby(hourly.index.normalize()).sum()[kept]
    return returns, measure


def compared(label: str, returns: pd.Series, measure: pd.Series, window: int, every: int) -> str:
    """The rows of one series: mean scores, in brackets the p-values of Diebold-Mariano and of the confidence set."""
    options = {"window": window, "refit_every": every, "level": 0.99, "measure": measure}
    found = cr.select_volatility(returns, CANDIDATES, proxy=measure, **options)
    realised = (returns.iloc[window:] ** 2).to_numpy()
    squared = {model: qlike(found.variance[model], realised) for model in CANDIDATES}
    best = min(squared, key=lambda model: squared[model].mean())
    lines = []
    for model, row in found.table.iterrows():
        p = 1.0 if model == best else diebold_mariano(squared[model], squared[best])[1]
        cells = (
            f"{row['exceedances']:.0f} of {row['expected']:.1f}",
            f"{row['qlike']:.3f} ({row['dm_qlike']:.3f}, {row['mcs_qlike']:.2f})",
            f"{squared[model].mean():.3f} ({p:.3f})",
            f"{1e5 * row['tick']:.1f} ({row['dm_tick']:.3f}, {row['mcs_tick']:.2f})",
            f"{row['fz0']:.3f} ({row['dm_fz0']:.3f}, {row['mcs_fz0']:.2f})",
        )
        lines.append(f"| {label} | {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
