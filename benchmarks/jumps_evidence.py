"""Jumps of crypto assets: how often and how large, and one-day VaR with and without them against what happened.

    python benchmarks/jumps_evidence.py closes.csv

`closes.csv`: daily closes in dollars, dates in the first column, with columns BTC, ETH, SOL and LINK. Everything that
is scored is out of sample: parameters from a window of 750 days, fitted again every 90, the volatility filtered every
day. In the variants with jumps the window is cleaned of them first; days after its end are filtered as they come, with
what is beyond the threshold replaced by one conditional sd. Figures derived with it are in docs/pegs_and_jumps.md.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import brentq

import collatrisk as cr
from collatrisk.volatility.distributions import cdf

ASSETS = ("BTC", "ETH", "SOL", "LINK")
FIRST, WINDOW, EVERY, LEVEL = "2018-01-01", 750, 90, 0.99
SPECS = {"t": cr.Garch(o=0, dist="t"), "normal": cr.Garch(o=0, dist="normal")}


def write(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def sizes(returns: pd.DataFrame) -> None:
    fit = cr.fit_jumps(returns, cr.Jumps())
    write(fit.intensities().round(3).to_string())
    write(fit.summary().round(4).to_string())
    write(f"together {fit.jumps[0].together:.2f}")
    for finding in fit.findings:
        write(f"{finding.code} {finding.subject}: {finding.message}")
    plain = cr.fit_market(100.0 * np.exp(returns.dropna().cumsum()), volatility=SPECS["t"], clock="24/7")
    for asset in ASSETS:
        one = fit.fits[asset]
        part = sum(
            j.intensity_per_year / 365 * j.log_sizes[asset].mean_square for j in fit.jumps if asset in j.log_sizes
        )
        own = returns[asset].dropna()
        total = fit.returns[asset].var() + part
        nu = cr.fit_volatility(own, cr.Garch()).params["nu"]
        write(
            f"{asset}: share of variance in jumps {part / total:.3f}, "
            f"noise + jumps over sample {total / own.var():.3f}, nu {nu:.2f} -> {one.params['nu']:.2f}"
        )
    write(str(plain.dependence.describe()))


def tail(x: float, sd: float, mu: float, dist: str, nu: float, jumps: list[tuple[float, cr.JumpSize]]) -> float:
    """P(r <= x) with at most one jump a day, its size by quadrature."""
    none = float(cdf(dist, (x - mu) / sd, nu, 0.0))
    nodes, weights = special.roots_laguerre(40)
    total, stays = 0.0, 1.0
    for rate, size in jumps:
        share = -math.expm1(-rate) * size.hit
        up = cdf(dist, (x - mu - size.minimum_up - size.mean_up * nodes) / sd, nu, 0.0) @ weights
        down = cdf(dist, (x - mu + size.minimum_down + size.mean_down * nodes) / sd, nu, 0.0) @ weights
        total += share * (size.p_up * up + (1.0 - size.p_up) * down)
        stays -= share
    return float(stays * none + total)


def value_at_risk(*law: object) -> float:
    return -float(brentq(lambda x: tail(x, *law) - (1.0 - LEVEL), -3.0, 0.5))  # type: ignore[arg-type]


def backtest(returns: pd.Series, spec: cr.Garch, threshold: float | None) -> tuple[int, int, float]:
    """Exceedances, days, and the mean quantile score of the VaR."""
    values = returns.to_numpy()
    hits, score, days = 0, 0.0, 0
    for start in range(WINDOW, values.size, EVERY):
        window = returns.iloc[start - WINDOW : start]
        jumps: list[tuple[float, cr.JumpSize]] = []
        if threshold is None:
            fit = cr.fit_volatility(window, spec)
        else:
            found = cr.fit_jumps(window, cr.Jumps(threshold=threshold), volatility=spec)
            fit = next(iter(found.fits.values()))
            jumps = [(j.intensity_per_year / 365, next(iter(j.log_sizes.values()))) for j in found.jumps]
        p, h = fit.params, fit.next_variance
        mu, nu = p["mu"], p.get("nu", math.inf)
        for t in range(start, min(start + EVERY, values.size)):
            sd = math.sqrt(h)
            var = value_at_risk(sd, mu, spec.dist, nu, jumps)
            hits += values[t] < -var
            score += (1.0 - LEVEL - (values[t] < -var)) * (values[t] + var)
            days += 1
            e = values[t] - mu
            if threshold is not None and abs(e) > threshold * sd:
                e = sd
            h = p["omega"] + p["alpha[1]"] * e * e + p["beta[1]"] * h
    return hits, days, score / days


def main(path: str) -> None:
    closes = pd.read_csv(path, index_col=0, parse_dates=True)
    closes.index = closes.index.tz_localize("UTC")
    returns = np.log(closes.loc[FIRST:, list(ASSETS)]).diff().iloc[1:]
    sizes(returns)
    write("| asset | days | expected | " + " | ".join(f"{d}, {k}" for d in SPECS for k in ("plain", "jumps")) + " |")
    for asset in ASSETS:
        own = returns[asset].dropna()
        cells = []
        for spec in SPECS.values():
            for threshold in (None, 4.0):
                hits, days, score = backtest(own, spec, threshold)
                chance = binomial_test(hits, days)
                cells.append(f"{hits} (p {chance:.2g}; {1e4 * score:.2f})")
        write(f"| {asset} | {days} | {(1 - LEVEL) * days:.1f} | " + " | ".join(cells) + " |")


def binomial_test(hits: int, days: int) -> float:
    """Two-sided exact p-value of the exceedances (Kupiec's null)."""
    from scipy.stats import binomtest

    return float(binomtest(hits, days, 1.0 - LEVEL).pvalue)


if __name__ == "__main__":
    main(sys.argv[1])
