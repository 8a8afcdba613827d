"""Coverage of the profile intervals of generalised Pareto tails on simulated residuals.

``python benchmarks/tail_coverage.py --replications 400`` prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy import stats

from collatrisk.volatility.pareto import fit_pareto

LAWS = {
    "normal": (stats.norm.ppf, lambda rng, n: rng.standard_normal(n), 0.0),
    "t(4)": (lambda p: stats.t.ppf(p, 4), lambda rng, n: rng.standard_t(4, n), 0.25),
    "t(3)": (lambda p: stats.t.ppf(p, 3), lambda rng, n: rng.standard_t(3, n), 1.0 / 3.0),
}


def main(arguments: list[str]) -> None:
    """Simulate, fit, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=400)
    count = parser.parse_args(arguments).replications
    head = ("law", "n", "exceedances", "bias of the 99 %", "covered", "bias of the 99.9 %", "covered")
    sys.stdout.write("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n")
    for name, (quantile, draw, _) in LAWS.items():
        for n in (1000, 2000):
            rng = np.random.default_rng(7)
            hits, errors = np.zeros(2), np.zeros(2)
            for _ in range(count):
                sample = np.sort(draw(rng, n))
                fit = fit_pareto(sample, float(sample[-n // 10 - 1]))
                for k, level in enumerate((0.99, 0.999)):
                    truth = float(quantile(level))
                    low, high = fit.quantile_interval(level)
                    hits[k] += low <= truth <= high
                    errors[k] += fit.quantile(level) / truth - 1.0
            cells = [f"{100 * e / count:+.1f} % | {h / count:.3f}" for e, h in zip(errors, hits, strict=True)]
            sys.stdout.write(f"| {name} | {n} | {n // 10} | {cells[0]} | {cells[1]} |\n")


if __name__ == "__main__":
    main(sys.argv[1:])
