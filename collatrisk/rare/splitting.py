"""Multilevel splitting: paths that come nearer to the event are copied, and their copies count for less.

Source: P. Glasserman, P. Heidelberger, P. Shahabuddin and T. Zajic, "Multilevel splitting for estimating rare event
probabilities", Operations Research 47 (1999); with a fixed effort at each level as in M.-J. Garvels, "The splitting
method in rare event simulation" (2000). Levels are fixed before the runs that count, which keeps these unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.rare.question import FloatArray, Question
from collatrisk.simulation.lineage import Numbers, n_pairs, new_numbers

_PASS = 0.2  # share of the paths that a level lets through: near the best, and flat around it
_OFTEN = 0.15  # once so many paths meet the event there is nothing left to split for
_MOST_LEVELS = 60


@dataclass(frozen=True, slots=True)
class Splitting:
    """Levels of the health factor, falling: a path that reaches one is copied there.

    One run sends `effort` paths from each level to the next. Each path that does not reach the next level is judged and
    counts with the weight of its level; those of the last level are all judged. The mean over runs is unbiased.
    """

    levels: tuple[float, ...]

    def run(self, question: Question, effort: int, serial: int) -> tuple[float, int]:
        """One estimate, and how many paths it took. Runs with different serials are independent."""
        rng = question.draws(serial)
        stages = len(self.levels) + 1
        first = serial * stages * effort
        numbers = np.tile(new_numbers(first, effort), (n_pairs(question.plan), 1))
        weight, total = 1.0 / effort, 0.0
        for stage, level in enumerate((*self.levels, -np.inf)):
            happened = question.happened(numbers, serial * stages + stage)
            reached = pair_reaching(question.health(numbers), level)
            ended = reached < 0
            total += weight * int(happened[ended].sum())
            inside = np.flatnonzero(~ended)
            if inside.size == 0:
                return total, (stage + 1) * effort
            weight *= inside.size / effort
            numbers = copies(numbers, inside, reached, new_numbers(first + (stage + 1) * effort, effort), rng)
        raise AssertionError("no health factor reaches the last level")

    def describe(self) -> str:
        """In words."""
        if not self.levels:
            return "plain sampling (the event is not rare)"
        return f"splitting at {len(self.levels)} health factors from {self.levels[0]:.4g} to {self.levels[-1]:.4g}"


def pair_reaching(health: FloatArray, level: float) -> NDArray[np.int64]:
    """The pair of steps in which each path first has a health factor of at most `level`; -1 if it never has."""
    below = health <= level
    return np.where(below.any(axis=0), below.argmax(axis=0) // 2, -1)


def copies(
    numbers: Numbers, inside: NDArray[np.int64], reached: NDArray[np.int64], fresh: Numbers, rng: np.random.Generator
) -> Numbers:
    """As many paths as there are fresh numbers, spread evenly over the paths `inside`.

    Each follows its parent through the pair of steps that reached the level, and has a number of its own afterwards.
    """
    turns = (np.arange(fresh.size) + rng.random()) * (inside.size / fresh.size)
    parents = rng.permutation(inside)[np.minimum(turns.astype(np.int64), inside.size - 1)]
    later = np.arange(numbers.shape[0])[:, None] > reached[parents]
    return np.where(later, fresh, numbers[:, parents])


def find_levels(question: Question, effort: int, serial: int) -> Splitting:
    """Levels that a fifth of the paths reach from the one before, until the event is no longer rare.

    Notes
    -----
    They end early where paths no longer come nearer step by step: then one large step does it all, and splitting cannot
    help. The estimates stay right; only their error is large.
    """
    rng = question.draws(serial)
    numbers = np.tile(new_numbers(serial * _MOST_LEVELS * effort, effort), (n_pairs(question.plan), 1))
    levels: list[float] = []
    while len(levels) < _MOST_LEVELS:
        stage = len(levels)
        if question.happened(numbers, serial * _MOST_LEVELS + stage).mean() >= _OFTEN:
            break
        health = question.health(numbers)
        level = float(np.quantile(health.min(axis=0), _PASS))
        if not np.isfinite(level) or level <= 0.0 or (levels and level > levels[-1] * (1.0 - 1e-6)):
            break
        reached = pair_reaching(health, level)
        fresh = new_numbers(serial * _MOST_LEVELS * effort + (stage + 1) * effort, effort)
        numbers = copies(numbers, np.flatnonzero(reached >= 0), reached, fresh, rng)
        levels.append(level)
    return Splitting(tuple(levels))
