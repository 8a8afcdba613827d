"""What the season of the week is worth on intraday prices, out of sample; and the size of the test for one.

``python benchmarks/intraday_season.py hours.csv.gz BTC ETH`` prints a Markdown table; give ``--steps 1440 --price mid``
and no asset for a file of minutes with one price column. The season and the volatility are fitted on the first two
thirds and run over the last third with fixed parameters. ``--size 500`` prints how often the test that all bins are
alike refuses on that many simulated hourly histories without a season, and with a weak one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import collatrisk as cr
from collatrisk.volatility import diebold_mariano, qlike, quantile_score
from collatrisk.volatility.distributions import ppf
from collatrisk.volatility.one_step import run_on

LEVEL = 0.99


def main(arguments: list[str]) -> None:
    """Fit, run on, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prices", type=Path, nargs="?")
    parser.add_argument("assets", nargs="*")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--price", default="mid")
    parser.add_argument("--size", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.size:
        sys.stdout.write(refusals(given.size))
        return
    frame = pd.read_csv(given.prices, index_col=0, parse_dates=True)
    columns = given.assets or [given.price]
    head = ("series", "what", "without", "with the season", "p-value of the difference")
    sys.stdout.write("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n")
    for column in columns:
        returns = cr.log_returns(frame[[column]].dropna())[column]
        sys.stdout.write(compared(column, returns, given.steps))


def refusals(count: int) -> str:
    """The table of the test's size and power on GARCH(1,1)-t hours."""
    head = "| persistence; nu | weeks | refused at 1 % | 5 % | 10 % | with a daily swing of 20 %: 5 % |"
    lines = [head, "|---|---|---|---|---|---|"]
    rng = np.random.default_rng(7)
    for alpha, beta, nu in ((0.05, 0.92, 5.0), (0.05, 0.94, 4.0), (0.03, 0.965, 4.0)):
        for weeks in (4, 12, 52):
            paths = simulated_hours(weeks, count, alpha, beta, nu, rng)
            index = pd.date_range("2022-03-02 06:00", periods=168 * weeks, freq="h", tz="UTC")
            swing = 1.0 + 0.20 * np.sin(2.0 * np.pi * np.asarray(index.hour) / 24.0)
            plain, swung = (
                np.array([fit_p(pd.Series(column, index), 24) for column in (factor * paths.T)])
                for factor in (np.ones_like(swing), swing)
            )
            shares = " | ".join(f"{np.mean(plain < level):.3f}" for level in (0.01, 0.05, 0.10))
            lines.append(f"| {alpha + beta:.3f}; {nu:g} | {weeks} | {shares} | {np.mean(swung < 0.05):.3f} |")
    return "\n".join(lines) + "\n"


def simulated_hours(
    weeks: int, count: int, alpha: float, beta: float, nu: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns (hours, count) of a GARCH(1,1)-t of unit variance."""
    shocks = rng.standard_t(nu, (168 * weeks + 500, count)) * np.sqrt((nu - 2.0) / nu)
    variance, found = np.ones(count), np.empty_like(shocks)
    for t, shock in enumerate(shocks):
        found[t] = np.sqrt(variance) * shock
        variance = 1.0 - alpha - beta + alpha * found[t] ** 2 + beta * variance
    return found[500:]


def compared(name: str, returns: pd.Series, steps: int) -> str:
    """The rows of one series."""
    cut = 2 * returns.size // 3
    known, ahead = returns.iloc[:cut], returns.iloc[cut:]
    season = cr.fit_season(known, steps_per_day=steps)
    index = ahead.index if ahead.index.tz is None else ahead.index.tz_convert("UTC")
    minutes = index.day_of_week * 1440 + index.hour * 60 + index.minute - 720.0 / steps
    factor = season.season.at(np.asarray(minutes, dtype=np.float64))
    left = ahead / factor
    spec = cr.Garch(o=0, mean="zero")
    plain, own = cr.fit_volatility(known, spec), cr.fit_volatility(season.returns, spec)
    h = {"without": run_on(plain, ahead.to_numpy()), "with": factor**2 * run_on(own, left.to_numpy())}
    fits = {"without": plain, "with": own}
    var = {key: -np.sqrt(h[key]) * float(ppf("t", 1.0 - LEVEL, fits[key].nu)) for key in h}
    scores = {
        "QLIKE on r^2": {key: qlike(values, ahead.to_numpy() ** 2) for key, values in h.items()},
        "tick of the 99 % quantile x 10^5": {
            key: 1e5 * quantile_score(ahead.to_numpy(), values, LEVEL) for key, values in var.items()
        },
    }
    gain = own.loglikelihood - season.log_scale - plain.loglikelihood
    quarter = ahead.index.hour // 6
    alike = [f"{fit_p(values, steps):.1e}" for values in (ahead, left)]
    lags = [f"{_acf(ahead, values, steps):.3f} ({_acf(ahead, values, 7 * steps):.3f})" for values in h.values()]
    lines = [
        f"| {name} | log-likelihood, {known.size} fitted steps | {plain.loglikelihood:.0f} | +{gain:.0f} | |",
        f"| {name} | persistence | {plain.persistence:.4f} | {own.persistence:.4f} | |",
        f"| {name} | nu | {plain.nu:.2f} | {own.nu:.2f} | |",
        f"| {name} | p-value that all bins are alike, last third | {' | '.join(alike)} | |",
        f"| {name} | autocorrelation of abs(z), lag a day (a week), last third | {' | '.join(lags)} | |",
    ]
    for what, found in scores.items():
        p = diebold_mariano(found["with"], found["without"])[1]
        lines.append(f"| {name} | {what} | {found['without'].mean():.4f} | {found['with'].mean():.4f} | {p:.1e} |")
    hits = {key: -ahead.to_numpy() > values for key, values in var.items()}
    shares = {key: [f"{100 * np.mean(hit[quarter == q]):.2f}" for q in range(4)] for key, hit in hits.items()}
    total = {key: f"{100 * np.mean(hit):.2f} ({', '.join(shares[key])})" for key, hit in hits.items()}
    lines.append(f"| {name} | % beyond the 99 % VaR (by quarter of the day) | {total['without']} | {total['with']} | |")
    return "\n".join(lines) + "\n"


def fit_p(returns: pd.Series, steps: int) -> float:
    """The p-value that all bins of the week are alike."""
    return cr.fit_season(returns, steps_per_day=steps).before


def _acf(returns: pd.Series, h: np.ndarray, lag: int) -> float:
    sizes = np.abs(returns.to_numpy()) / np.sqrt(h)
    sizes = np.minimum(sizes, np.quantile(sizes, 0.995))  # a few crashes would be all of it
    return float(np.corrcoef(sizes[lag:], sizes[:-lag])[0, 1])


if __name__ == "__main__":
    main(sys.argv[1:])
