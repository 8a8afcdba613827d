"""Volatility fits of the fast path against arch, on the same series in the same run.

GJR(1,1,1) with Student t innovations, a constant mean and arch's back-cast start, T = 2500. arch runs as it comes
(`arch_model(percent, ...).fit(disp="off")`). Every repetition takes other series. The panel's arch time is that of the
repetition's series, a series. `run()` returns the rows, the script prints them as a Markdown table.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from arch import arch_model

from collatrisk.kernels import bfgs, quasi_fit
from collatrisk.volatility import Garch, fit_panel, rolling_fit

LENGTH, PANEL, SERIES, REPETITIONS, WINDOW = 2500, 200, 12, 9, 1000
SPEC = Garch(p=1, o=1, q=1, dist="t")


def simulate(count: int, seed: int) -> list[np.ndarray]:
    """GJR-t series of daily returns in decimals, alpha 0.04, gamma 0.08, beta 0.88, nu 6."""
    rng = np.random.default_rng(seed)
    z = rng.standard_t(6.0, (LENGTH + 500, count)) * math.sqrt(4.0 / 6.0)
    h, paths = np.ones(count), np.empty((LENGTH + 500, count))
    for t, draw in enumerate(z):
        e = np.sqrt(h) * draw
        paths[t] = 0.02 + e
        h = 0.04 + (0.04 + 0.08 * (e < 0.0)) * e * e + 0.88 * h
    return [np.ascontiguousarray(0.015 * paths[500:, k]) for k in range(count)]


def fit_arch(returns: np.ndarray) -> None:
    """arch's default fit, on percents as it recommends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arch_model(100.0 * returns, p=1, o=1, q=1, dist="t", rescale=False).fit(disp="off")


def fit_compiled(starts: int) -> Callable[[np.ndarray], None]:
    """One compiled call a series, without pandas around it."""
    best, hessian = np.empty(bfgs.SIZE), np.empty((bfgs.SIZE, bfgs.SIZE))
    result = np.empty(quasi_fit.RESULTS)

    def fit(returns: np.ndarray) -> None:
        quasi_fit.fit_one(returns, 1, True, True, True, starts, 50, -1, best, hessian, result)

    return fit


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def row(name: str, ours: Sequence[float], arch: Sequence[float]) -> dict[str, Any]:
    """Times a fit in milliseconds, and the ratio repetition by repetition."""
    ratios = [theirs / mine for mine, theirs in zip(ours, arch, strict=True)]
    return {
        "benchmark": "fits",
        "case": name,
        "repetitions": len(ours),
        "ms_min": 1e3 * min(ours),
        "ms_median": 1e3 * statistics.median(ours),
        "ms_max": 1e3 * max(ours),
        "arch_ms_min": 1e3 * min(arch),
        "arch_ms_median": 1e3 * statistics.median(arch),
        "arch_ms_max": 1e3 * max(arch),
        "ratio_min": min(ratios),
        "ratio_median": statistics.median(ratios),
        "ratio_max": max(ratios),
    }


def run(repetitions: int = REPETITIONS) -> list[dict[str, Any]]:
    """Time every case `repetitions` times; one dictionary a case."""
    names = (
        "one start, compiled call",
        "five starts, compiled call",
        "five starts, fit_panel of one series",
        f"five starts, fit_panel of {PANEL} series, 1 thread",
        f"five starts, fit_panel of {PANEL} series, 2 threads",
        f"rolling_fit, window {WINDOW}, a refit a day (arch: one fit of the window)",
    )
    ours: dict[str, list[float]] = {name: [] for name in names}
    whole, window = [], []
    one, five = fit_compiled(1), fit_compiled(5)
    with ThreadPoolExecutor(2) as executor:
        for repetition in range(-1, repetitions):  # the first compiles and is not counted
            series = simulate(SERIES, 100 + repetition)
            panel = pd.DataFrame(dict(enumerate(simulate(PANEL, 1000 + repetition))))
            whole.append(seconds(lambda s=series: [fit_arch(y) for y in s]) / SERIES)
            window.append(seconds(lambda s=series: [fit_arch(y[:WINDOW]) for y in s]) / SERIES)
            refits = LENGTH - WINDOW + 1
            times = (
                seconds(lambda s=series: [one(y) for y in s]) / SERIES,
                seconds(lambda s=series: [five(y) for y in s]) / SERIES,
                seconds(lambda s=series: [fit_panel([y], SPEC, presample="backcast").params for y in s]) / SERIES,
                seconds(lambda p=panel: fit_panel(p, SPEC, presample="backcast").params) / PANEL,
                seconds(lambda p=panel: fit_panel(p, SPEC, presample="backcast", executor=executor).params) / PANEL,
                seconds(lambda s=series: rolling_fit(s[0], SPEC, window=WINDOW, presample="backcast")) / refits,
            )
            for name, taken in zip(names, times, strict=True):
                ours[name].append(taken)
    return [row(name, ours[name][1:], (window if "rolling" in name else whole)[1:]) for name in names]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| case | ms a fit: min / median / max | arch default: min / median / max | ratio: min / median / max |",
        "|---|---|---|---|",
    ]
    for found in rows:
        cells = [
            " / ".join(f"{found[f'{kind}_{part}']:{shape}}" for part in ("min", "median", "max"))
            for kind, shape in (("ms", ".3f"), ("arch_ms", ".1f"), ("ratio", ".0f"))
        ]
        lines.append(f"| {found['case']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(run()) + "\n")
