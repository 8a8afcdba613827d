"""Pegs and jumps simulated from known parameters and fitted again: bias, and coverage of nominal 95 % intervals.

    python benchmarks/pegs_recovery.py [replications]

Histories are paths of the library itself. The figures are in docs/pegs_and_jumps.md.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import pandas as pd

import collatrisk as cr

PEG = {
    "center": 0.0, "accrual": 0.0, "phi": 0.4, "sigma": 0.001, "nu": 4.0, "entry": 0.02, "exit": 0.05, "drop": 0.02,
    "phi_stressed": 0.9, "sigma_stressed": 0.006, "sensitivity": 0.0, "down": 0.8,
}  # fmt: skip
ROWS = 2000
SIZE = cr.JumpSize(0.35, 0.07, 0.08)
GARCH = {"mu": 0.0, "omega": 8e-6, "alpha[1]": 0.05, "beta[1]": 0.93}


def write(line: str) -> None:
    sys.stdout.write(line + "\n")


def market(marginal: object, jumps: tuple[cr.Jump, ...] = ()) -> cr.MarketModel:
    dependence = cr.DependenceFit(cr.Independent(), ("X",), np.eye(1))
    return cr.MarketModel(("X",), np.ones(1), cr.Clock(), (marginal,), dependence, jumps)


def histories(model: cr.MarketModel, count: int, rows: int) -> list[pd.Series]:
    prices = cr.simulate(cr.PathPlan(model, n_paths=count, horizon_days=rows - 1, seed=11, drift="fitted")).block
    dates = pd.date_range("2018-01-01", periods=rows, freq="D", tz="UTC")
    return [pd.Series(prices[:, 0, k], index=dates, name="X") for k in range(count)]


def report(name: str, truth: float, values: list[float], inside: list[bool]) -> None:
    found = np.array(values)
    error = found.std(ddof=1) / math.sqrt(found.size)
    write(
        f"| {name} | {truth:g} | {found.mean() - truth:+.2g} ({error:.1g}) | {found.std(ddof=1):.2g} | "
        f"{np.mean(inside):.3f} | {len(inside)} |"
    )


def pegs(count: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in PEG}
    inside: dict[str, list[bool]] = {name: [] for name in PEG}
    for prices in histories(market(cr.PegMarginal("X", cr.Peg(), PEG)), count, ROWS):
        fit = cr.fit_peg(prices, cr.Peg())
        for name, value in fit.params.items():
            found[name].append(value)
            error = fit.std_errors["robust"][name]
            if math.isfinite(error):
                inside[name].append(abs(value - PEG[name]) <= 1.96 * error)
    for name, values in found.items():
        if inside[name]:
            report(name, PEG[name], values, inside[name])


def jumps(count: int) -> None:
    spec = cr.Garch(o=0, dist="normal")
    marginal = cr.Marginal("X", spec, GARCH, {}, (0.0,), (4e-4,))
    model = market(marginal, (cr.Jump("jumps", 20.0, {"X": SIZE}, compensated=True),))
    names = {"mean_up": SIZE.mean_up, "mean_down": SIZE.mean_down}
    found: dict[str, list[float]] = {name: [] for name in names}
    inside: dict[str, list[bool]] = {name: [] for name in names}
    ratios, spread = [], []
    for prices in histories(model, count, ROWS + 1):
        returns = cr.log_returns(prices.to_frame())["X"]
        fit = cr.fit_jumps(returns, volatility=spec)
        for name, side in (("mean_up", "up"), ("mean_down", "down")):
            one = fit.sizes["X"][side]
            found[name].append(one.mean)
            inside[name].append(abs(one.mean - names[name]) <= 1.96 * one.std_error)
        part = sum(j.intensity_per_year / 365 * j.log_sizes["X"].mean_square for j in fit.jumps)
        ratios.append((fit.returns["X"].var() + part) / returns.var())
        spread.append(math.sqrt(fit.returns["X"].var()))
    for name, truth in names.items():
        report(name, truth, found[name], inside[name])
    write(f"variance of noise + jumps over the sample: mean {np.mean(ratios):.3f}, sd {np.std(ratios):.3f}")
    write(f"sd of what is left: {np.mean(spread):.4f}; of the noise alone {math.sqrt(8e-6 / 0.02):.4f}")


if __name__ == "__main__":
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    write("| parameter | truth | bias (its s.e.) | sd | coverage | intervals |")
    pegs(replications)
    jumps(replications)
