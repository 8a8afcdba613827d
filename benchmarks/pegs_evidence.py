"""The peg model on real closes: parameters, the pooled stress behind the defaults, and how known depegs look under it.

    python benchmarks/pegs_evidence.py closes.csv

`closes.csv`: daily closes in dollars, dates in the first column, with columns USDC, USDT, DAI, STETH, WSTETH, WBTC, ETH
and BTC. Figures derived with it are in docs/pegs_and_jumps.md.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import collatrisk as cr
from collatrisk.volatility.peg_estimate import PegData, centred, from_coordinate, to_coordinate
from collatrisk.volatility.peg_prints import lone_prints

CASES = {
    "USDC": ("2021-01-01", cr.Peg()),
    "USDT": ("2021-01-01", cr.Peg()),
    "DAI": ("2022-01-01", cr.Peg()),
    "STETH": ("2021-07-01", cr.Peg(underlying="ETH", depeg=0.01)),
    "WSTETH": ("2021-10-07", cr.Peg(underlying="ETH", accrual=None, depeg=0.01)),
    "WBTC": ("2021-01-01", cr.Peg(underlying="BTC", depeg=0.01)),
}
POOLED = ("exit", "drop", "phi_stressed", "sigma_stressed")
LONG = {"USDC": "2018-10-08", "USDT": "2017-11-09", "DAI": "2022-01-01"}
EVENTS = (  # asset, day, basis, last day of the fit, the day whose state is the start (None: at the centre, pegged)
    ("USDC", "2023-03-11", -0.0289, None, None),
    ("USDC", "2023-03-11", math.log(0.9128), None, None),
    ("USDC", "2023-03-11", -0.0289, "2023-03-09", None),
    ("STETH", "2022-06-15", -0.0688, None, None),
    ("STETH", "2022-06-15", -0.0688, None, "2022-05-16"),
    ("STETH", "2022-06-15", -0.0688, "2022-05-06", None),
)


def fit(closes: pd.DataFrame, asset: str, first: str, spec: cr.Peg, last: str | None = None) -> cr.PegFit:
    columns = [asset, *([spec.underlying] if spec.underlying else [])]
    own = closes.loc[first:last, columns].dropna()
    return cr.fit_peg(own[asset], spec, underlying=own[spec.underlying] if spec.underlying else None)


def table(closes: pd.DataFrame) -> dict[str, cr.PegFit]:
    fits = {}
    for asset, (first, spec) in CASES.items():
        fits[asset] = one = fit(closes, asset, first, spec)
        errors = one.std_errors["robust"]
        cells = [
            f"{one.params[name]:.4g} ({errors[name]:.2g})" if np.isfinite(errors[name]) else f"{one.params[name]:.4g}"
            for name in one.params
        ]
        write(f"| {asset} | {first} | {one.entries:.1f} / {one.stressed_steps:.0f} | " + " | ".join(cells) + " |")
        for finding in one.findings:
            if finding.code != "peg-default-used":
                write(f"    {finding.code}: {finding.message} {finding.rows[:6]}")
    return fits


def pooled(closes: pd.DataFrame, depeg: float) -> dict[str, float]:
    """One stress for all dollar coins: each keeps its own pegged regime and entry."""
    data, params = [], []
    for asset, first in LONG.items():
        one = fit(closes, asset, first, cr.Peg(depeg=depeg))
        usable, _ = lone_prints(asset, pd.RangeIndex(one.basis.size), one.basis, depeg)
        both = PegData(one.basis.copy(), one.basis.copy(), np.zeros(one.basis.size), usable, depeg)
        data.append(centred(both, one.params))
        params.append(dict(one.params))

    def cost(x: np.ndarray) -> float:
        shared = {name: from_coordinate(name, c) for name, c in zip(POOLED, x[:4], strict=True)}
        entries = [from_coordinate("entry", c) for c in x[4:]]
        return -sum(
            d.filter(p | shared | {"entry": e}).loglikelihood for d, p, e in zip(data, params, entries, strict=True)
        )

    start = [to_coordinate(name, value) for name, value in zip(POOLED, (0.05, 0.01, 0.8, 0.008), strict=True)]
    start += [to_coordinate("entry", p["entry"]) for p in params]
    best = minimize(cost, start, method="Nelder-Mead", options={"maxfev": 6000, "adaptive": True, "xatol": 1e-4})
    shared = {name: from_coordinate(name, float(c)) for name, c in zip(POOLED, best.x[:4], strict=True)}
    filtered = [d.filter(p | shared) for d, p in zip(data, params, strict=True)]
    entries = sum(float(one.arrivals.sum()) for one in filtered)
    steps = sum(float(one.smoothed.sum()) for one in filtered)
    write(f"depeg {depeg}: {shared}, entries {entries:.1f}, stressed steps {steps:.0f}")
    return shared


def events(closes: pd.DataFrame) -> None:
    for asset, day, depth, last, start in EVENTS:
        first, spec = CASES[asset]
        one = fit(closes, asset, first, spec, last)
        marginal = replace(cr.PegMarginal.of(asset, one), spec=replace(spec, underlying=None, market=None))
        centre = one.params["center"]
        place = 0 if start is None else closes.loc[first:start, [asset, spec.underlying]].dropna().shape[0] - 1
        distance = 0.0 if start is None else float(one.distance[place])
        stressed = 0.0 if start is None else float(one.stressed_probability[place])
        marginal = replace(marginal, last_distance=distance, last_stressed=stressed)
        model = cr.MarketModel(
            (asset,), np.ones(1), cr.Clock(), (marginal,), cr.DependenceFit(cr.Independent(), (asset,), np.eye(1))
        )
        plan = cr.PathPlan(model, n_paths=400_000, horizon_days=30, seed=1)
        offset = centre + distance
        hits = [np.log(block.prices[1:, 0]).min(axis=0) + offset <= depth for block in plan.blocks(20_000)]
        estimate = cr.probability(np.concatenate(hits))
        low, high = estimate.ci()
        told = f"fit to {last or 'the end'}, start {start or 'at the peg'}"
        write(f"| {asset} {day} | {math.expm1(depth):+.2%} | {told} | {estimate.value:.5f} ({low:.5f} to {high:.5f}) |")


def write(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(path: str) -> None:
    closes = pd.read_csv(path, index_col=0, parse_dates=True)
    closes.index = closes.index.tz_localize("UTC")
    write("## pooled")
    for depeg in (0.005, 0.01):
        pooled(closes, depeg)
    write("## table")
    table(closes)
    write("## events")
    events(closes)


if __name__ == "__main__":
    main(sys.argv[1])
