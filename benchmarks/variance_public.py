"""`estimate_controlled_mean` with a basket's closed form, as a user writes it, beside plain `run_margin`.

``python benchmarks/variance_public.py`` prints processor seconds of one thread, standard errors, and the gain.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from common import even_loan, terms
from variance_evidence import constant, first_passage, seconds

import collatrisk as cr

N, DAYS, LTV = 100_000, 30, 0.6


def controlled(model: Any, plan: Any) -> Any:
    """P(margin call) of an even mix, held against the crossing probability of its geometric basket."""
    called = cr.run_margin(plan, even_loan(model, LTV), terms("bridge"), keep="paths")[0].steps("margin_called") >= 0
    d = len(model.assets)
    weights = np.full(d, 1.0 / d)
    sd = 0.54 / math.sqrt(365.0)
    variance = sd * sd * float(weights @ model.dependence.correlation @ weights)
    drift, b = -0.5 * sd * sd, math.log(1.15 * LTV / 0.85)
    controls = []
    for block in plan.blocks():
        apart = np.log(block.prices / 100.0).mean(axis=1) - b
        inside = (apart[:-1] > 0.0) & (apart[1:] > 0.0)
        stays = np.where(inside, -np.expm1(np.minimum(-2.0 * apart[:-1] * apart[1:] / variance, 0.0)), 0.0)
        controls.append(1.0 - stays.prod(axis=0))
    truth = first_passage(b, drift * DAYS, math.sqrt(variance * DAYS))
    return cr.estimate_controlled_mean(called, np.concatenate(controls), truth, floor=0.0)


def main() -> None:
    """1 and 5 assets."""
    for d in (1, 5):
        model = constant(d)
        plan = cr.PathPlan(model, n_paths=N, horizon_days=DAYS, seed=3)

        def plain(model: Any = model, plan: Any = plan) -> Any:
            return cr.run_margin(plan, even_loan(model, LTV), terms("bridge")).probability("margin_called")

        def sharper(model: Any = model, plan: Any = plan) -> Any:
            return controlled(model, plan)

        times = seconds(plain), seconds(sharper)
        found = plain(), sharper()
        gain = (found[0].standard_error / found[1].standard_error) ** 2 * times[0] / times[1]
        sys.stdout.write(
            f"{d} assets: plain {found[0]} in {times[0]:.3f} s, controlled {found[1]} in {times[1]:.3f} s, "
        )
        sys.stdout.write(f"variance x time {gain:.2f}\n")


if __name__ == "__main__":
    main()
