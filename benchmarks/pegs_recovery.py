"""Pegs and jumps simulated from known parameters and fitted again: bias, and coverage of nominal 95 % intervals.

    python benchmarks/pegs_recovery.py [replications] [--only pegs|jumps] [--save FOLDER]

Histories are paths of the library itself. The figures are in docs/pegs_and_jumps.md. Every fit is written to FOLDER
(.recovery unless said otherwise) as soon as it is done; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def replications(file: Path, model: cr.MarketModel, count: int, rows: int, fit: Callable[..., Any]) -> list[Any]:
    """What `fit` makes of the first `count` histories, those that the file does not have yet done now."""
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if len(known) < count:
        file.parent.mkdir(parents=True, exist_ok=True)
        for prices in histories(model, count, rows)[len(known) :]:
            known.append(fit(prices))
            with file.open("a") as out:
                out.write(json.dumps(known[-1]) + "\n")
    return known[:count]


def report(name: str, truth: float, pairs: list[tuple[float, float]]) -> None:
    """A row from (estimate, standard error) of each history; intervals are on the logarithm for what is positive."""
    found = np.array([value for value, _ in pairs])
    known = [(value, error) for value, error in pairs if math.isfinite(error)]
    error = found.std(ddof=1) / math.sqrt(found.size)
    plain = float(np.mean([abs(value - truth) <= 1.96 * error for value, error in known]))
    logs = "" if truth <= 0 else f"{np.mean([abs(math.log(v / truth)) <= 1.96 * e / v for v, e in known]):.3f}"
    write(
        f"| {name} | {truth:g} | {found.mean() - truth:+.2g} ({error:.1g}) | {found.std(ddof=1):.2g} | "
        f"{np.mean([error for _, error in known]):.2g} | {plain:.3f} | {logs} | {len(known)} |"
    )


def fitted_peg(prices: pd.Series) -> dict[str, Any]:
    fit = cr.fit_peg(prices, cr.Peg())
    errors = fit.std_errors["robust"]
    return {name: (value, errors[name]) for name, value in fit.params.items()}


def pegs(count: int, folder: Path) -> None:
    model = market(cr.PegMarginal("X", cr.Peg(), PEG))
    fits = replications(folder / "pegs.jsonl", model, count, ROWS, fitted_peg)
    for name in fits[0]:
        if any(math.isfinite(fit[name][1]) for fit in fits):
            report(name, PEG[name], [tuple(fit[name]) for fit in fits])


def fitted_jumps(prices: pd.Series) -> dict[str, Any]:
    returns = cr.log_returns(prices.to_frame())["X"]
    fit = cr.fit_jumps(returns, volatility=cr.Garch(o=0, dist="normal"))
    sizes = fit.sizes["X"]
    part = sum(j.intensity_per_year / 365 * j.log_sizes["X"].mean_square for j in fit.jumps)
    variance = float(fit.returns["X"].var())
    return {
        "mean_up": (sizes["up"].mean, sizes["up"].std_error),
        "mean_down": (sizes["down"].mean, sizes["down"].std_error),
        "ratio": (variance + part) / float(returns.var()),
        "left": math.sqrt(variance),
    }


def jumps(count: int, folder: Path) -> None:
    marginal = cr.Marginal("X", cr.Garch(o=0, dist="normal"), GARCH, {}, (0.0,), (4e-4,))
    model = market(marginal, (cr.Jump("jumps", 20.0, {"X": SIZE}, compensated=True),))
    fits = replications(folder / "jumps.jsonl", model, count, ROWS + 1, fitted_jumps)
    for name, truth in (("mean_up", SIZE.mean_up), ("mean_down", SIZE.mean_down)):
        report(name, truth, [tuple(fit[name]) for fit in fits])
    ratios, left = np.array([fit["ratio"] for fit in fits]), np.array([fit["left"] for fit in fits])
    write(f"variance of noise + jumps over the sample: mean {ratios.mean():.3f}, sd {ratios.std():.3f}")
    write(f"sd of what is left: {left.mean():.4f}; of the noise alone {math.sqrt(8e-6 / 0.02):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("replications", type=int, nargs="?", default=200)
    parser.add_argument("--only", choices=("pegs", "jumps"))
    parser.add_argument("--save", type=Path, default=Path(".recovery"))
    options = parser.parse_args()
    write("| parameter | truth | bias (its s.e.) | sd | mean s.e. | coverage | coverage of logs | intervals |")
    if options.only != "jumps":
        pegs(options.replications, options.save)
    if options.only != "pegs":
        jumps(options.replications, options.save)


if __name__ == "__main__":
    main()
