"""VaR and ES of fresh losses, beside np.partition and the time to read the losses once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from common import RUNS, Row, race
from numba import njit

from collatrisk.risk import var_and_es

FOUR = (0.95, 0.975, 0.99, 0.995)
# As many arrays as do not fit the caches together: neither they nor the branch predictor can remember.
FRESH = {100_000: 200, 1_000_000: 20, 10_000_000: 2}


@njit(cache=True, nogil=True, fastmath=True)  # the floor is a floor: any order of the sum will do
def _read(values: Any) -> float:
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


def run() -> list[Row]:
    """10^5, 10^6 and 10^7 losses at one level and at four."""
    rows = []
    for n, copies in FRESH.items():
        rng = np.random.default_rng(5)
        arrays = [rng.standard_t(4, n) for _ in range(copies)]
        rows += [_row(n, arrays, levels) for levels in ((0.99,), FOUR)]
    return rows


def _row(n: int, arrays: list[Any], levels: tuple[float, ...]) -> Row:
    repeats = max(1, 2_000_000 // n)

    def over(function: Callable[[Any], Any]) -> Callable[[], None]:
        fresh = cycle(arrays)

        def several() -> None:
            for _ in range(repeats):
                function(next(fresh))

        return several

    def ours(losses: Any) -> Any:
        return var_and_es(losses, levels)

    contestants = {
        "ours": over(ours),
        "np.partition": over(lambda losses: _partition(losses, levels)),
        "read": over(_read),
    }
    factor = 1e6 / repeats
    times = {name: found.scaled(factor) for name, found in race(contestants, 3 * RUNS).items()}
    named = "99 %" if len(levels) == 1 else "four levels"
    return Row(
        f"VaR and ES, {named}, {n:.0e} fresh losses".replace("e+0", "e"),
        "us",
        times["ours"],
        {"np.partition": times["np.partition"]},
        ("one read pass", times["read"]),
        target="<= 1.5x the read pass" if len(levels) == 1 else "<= 2.5x the read pass",
    )


def _partition(losses: Any, levels: tuple[float, ...]) -> list[tuple[float, float]]:
    """Both by numpy in one partition at every rank needed."""
    n = losses.size
    ranks = [int(np.ceil(n * level)) - 1 for level in levels]
    ordered = np.partition(losses, ranks)
    return [(ordered[rank], ordered[rank:].mean()) for rank in ranks]
