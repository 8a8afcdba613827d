"""One-day VaR of every volatility model on daily closes, out of sample.

    python benchmarks/var_backtest.py PRICES.csv [--until 2023-12-31] [--assets BTC,ETH] [--every 50] [--window 750]
                                      [--save FOLDER]

PRICES.csv: a date column and one column an asset. Each model is refitted on the last `window` returns every `every`
days; in between the recursion runs on with the parameters held. Three 99 % VaRs from each fit: by the law of the model,
by the empirical quantile of the window's standardised residuals (filtered historical) and by generalised Pareto tails
of them (McNeil and Frey 2000). Prints a table of the fits on all returns (convergence, residual tests, findings), and a
table of exceedances with the p-values of Kupiec (1995, their number) and Christoffersen (1998, their independence).
Each model of each asset is written to FOLDER (.var_backtest unless said otherwise) when it is done, and not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from collatrisk.base.errors import CollatriskError
from collatrisk.volatility import (
    Aparch,
    ConstantVolatility,
    Egarch,
    Ewma,
    Figarch,
    Garch,
    GpdTails,
    RiskMetrics2006,
    VolatilityFit,
    VolatilitySpec,
    fit_tails,
    fit_volatility,
)
from collatrisk.volatility.one_step import run_on

Array = NDArray[np.float64]

LEVEL = 0.99
SPECS: dict[str, VolatilitySpec] = {
    "GARCH t": Garch(o=0),
    "GJR t": Garch(),
    "GJR skewed t": Garch(dist="skewt"),
    "GJR GED": Garch(dist="ged"),
    "AR(1) GJR t": Garch(mean="ar1"),
    "TGARCH t": Garch(power=1.0),
    "EGARCH t": Egarch(),
    "EGARCH GED": Egarch(dist="ged"),
    "APARCH t": Aparch(),
    "FIGARCH t": Figarch(),
    "EWMA 0.94 t": Ewma(mean="constant", dist="t"),
    "RiskMetrics 2006 t": RiskMetrics2006(mean="constant", dist="t"),
    "constant t": ConstantVolatility("constant", "t"),
}


def kupiec(exceedances: int, n: int) -> float:
    """p-value: the share of exceedances is 1 - LEVEL."""
    p = 1.0 - LEVEL

    def log_likelihood(q: float) -> float:
        return special.xlogy(exceedances, q) + special.xlogy(n - exceedances, 1.0 - q)

    return float(special.chdtrc(1, 2.0 * (log_likelihood(exceedances / n) - log_likelihood(p))))


def christoffersen(hits: NDArray[np.bool_]) -> float:
    """p-value: an exceedance does not depend on whether there was one the day before."""
    before, now = hits[:-1], hits[1:]
    counts = [[int(np.sum((before == a) & (now == b))) for b in (False, True)] for a in (False, True)]
    pooled = (counts[0][1] + counts[1][1]) / now.size
    apart = total = 0.0
    for none, one in counts:
        share = one / max(none + one, 1)
        apart += special.xlogy(one, share) + special.xlogy(none, 1.0 - share)
        total += special.xlogy(one, pooled) + special.xlogy(none, 1.0 - pooled)
    return float(special.chdtrc(1, max(2.0 * (apart - total), 0.0)))


def quantiles(fit: VolatilityFit) -> tuple[float, float, float]:
    """The lower quantile of the standardised residual: by the law, by its own residuals, by Pareto tails of them."""
    tail = 1.0 - LEVEL
    law = float(fit.law.quantile(np.array([tail]))[0])
    own = np.sort(fit.std_resid)
    historical = float(own[math.ceil(tail * own.size) - 1])
    return law, historical, float(fit_tails(fit.std_resid, GpdTails()).law.ppf(tail))


def value_at_risk(returns: Array, spec: VolatilitySpec, window: int, every: int) -> tuple[Array, int]:
    """VaR (3, n - window) of each return after the first window, and how many refits failed (nan there)."""
    found = np.full((3, returns.size - window), np.nan)
    failed = 0
    for start in range(0, returns.size - window, every):
        last = min(start + window + every, returns.size)
        ahead = returns[start + window : last]
        try:
            fit = fit_volatility(returns[start : start + window], spec)
            points = quantiles(fit)
        except CollatriskError:
            failed += 1
            continue
        before = returns[start + window - 1 : last - 1]
        mean = fit.params.get("mu", 0.0) + fit.params.get("ar[1]", 0.0) * before
        sd = np.sqrt(run_on(fit, ahead))
        for row, point in enumerate(points):
            found[row, start : start + ahead.size] = -(mean + sd * point)
    return found, failed


def fitted_row(asset: str, title: str, fit: VolatilityFit, seconds: float) -> str:
    """One fit on all returns."""
    codes = ", ".join(dict.fromkeys(finding.code for finding in fit.findings)) or "none"
    bic = -2.0 * fit.loglikelihood + len(fit.params) * math.log(fit.n_obs)
    return (
        f"| {asset} | {title} | {fit.loglikelihood:.1f} | {bic:.1f} | {fit.persistence:.4f} | "
        f"{fit.checks['gradient']:.0e} | {fit.checks['ljung_box_pvalue']:.2f} | {fit.checks['arch_lm_pvalue']:.2f} | "
        f"{codes} | {seconds:.2f} |"
    )


def exceedance_row(asset: str, title: str, returns: Array, var: Array, failed: int) -> str:
    """The exceedances of the three VaRs of one model."""
    cells = []
    for row in var:
        known = np.isfinite(row)
        hits = -returns[known] > row[known]
        count = int(hits.sum())
        cells.append(f"{count} ({kupiec(count, hits.size):.2f}, {christoffersen(hits):.2f})")
    expected = (1.0 - LEVEL) * returns.size
    return f"| {asset} | {title} | {expected:.1f} | {' | '.join(cells)} | {failed} |"


def rows_of(asset: str, title: str, returns: Array, options: argparse.Namespace) -> tuple[str, str]:
    """Both rows of one model of one asset: from the folder if they are there, else worked out and put there."""
    settings = f"{options.until}_{options.window}_{options.every}"
    file = options.save / f"{asset}_{title.replace(' ', '_')}_{settings}.json"
    if not file.exists():
        clock = time.perf_counter()
        fit = fit_volatility(returns, SPECS[title])
        fitted = fitted_row(asset, title, fit, time.perf_counter() - clock)
        var, failed = value_at_risk(returns, SPECS[title], options.window, options.every)
        options.save.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([fitted, exceedance_row(asset, title, returns[options.window :], var, failed)]))
    fitted, exceeded = json.loads(file.read_text())
    return fitted, exceeded


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("prices")
    parser.add_argument("--until", default="2023-12-31")
    parser.add_argument("--assets", default="BTC,ETH,SOL,LINK")
    parser.add_argument("--window", type=int, default=750)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--save", type=Path, default=Path(".var_backtest"))
    options = parser.parse_args()
    frame = pd.read_csv(options.prices, index_col=0, parse_dates=True).loc[: options.until]
    fits, backtests = [], []
    for asset in options.assets.split(","):
        returns = np.log(frame[asset].dropna()).diff().dropna().to_numpy()
        for title in SPECS:
            fitted, exceeded = rows_of(asset, title, returns, options)
            fits.append(fitted)
            backtests.append(exceeded)
            sys.stdout.write(f"{fitted}\n{exceeded}\n")
            sys.stdout.flush()
    sys.stdout.write(
        "\n| asset | model | log-likelihood | BIC | persistence | gradient | Ljung-Box | ARCH-LM | findings | s |\n"
        f"|{'---|' * 10}\n" + "\n".join(fits) + "\n\n| asset | model | expected | law | filtered historical | "
        f"Pareto tails | failed |\n|{'---|' * 7}\n" + "\n".join(backtests) + "\n"
    )


if __name__ == "__main__":
    main()
