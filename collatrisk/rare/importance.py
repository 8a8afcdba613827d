"""Drawing where losses come from: some pair of steps has a large mixing variable, a common fall, or a jump.

Where one Student-t step or one jump does it all, copying paths on the way cannot help. Here a share of the paths has
one pair of steps, any of them, drawn from the tail of what moves all assets, and each path counts with the ratio of its
densities. The mixture keeps plain paths too, so that no weight exceeds one over their share (A. Owen and Y. Zhou, "Safe
and effective importance sampling", JASA 95 (2000): deterministic mixture weights).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from collatrisk.rare.question import FloatArray, Question
from collatrisk.simulation.lineage import n_pairs, new_numbers
from collatrisk.simulation.path_inputs import path_inputs

if TYPE_CHECKING:
    from collatrisk.kernels.jumps import JumpInputs
    from collatrisk.kernels.paths import PathInputs

_CHANCES = (1e-2, 1e-3, 1e-4)  # of a step to be in the tail; deeper ones take longer to find than they save
_RAREST = (
    1e-6  # chance of a jump in a step below which looking for one takes too long: plain and split paths serve then
)
_PLAIN = 0.25  # share of plain paths: weights are at most 4
_SAMPLE = 512  # paths from which the assets' deviations in a step are read
_TRIES = 100.0  # the chance to find none in so many mean waiting times is exp(-100)


@dataclass(frozen=True, slots=True)
class Tail:
    """A set of draws of a pair of steps: its extremity (`collatrisk.kernels.search`) is below a threshold.

    Attributes
    ----------
    kind, key, direction, mixing, scale, jump : as in `extremity`.
    thresholds : falling. probability : of a pair of steps, by threshold. words : what it is.
    """

    kind: int
    key: np.uint64
    direction: FloatArray
    mixing: FloatArray
    scale: float
    jump: int
    thresholds: FloatArray
    probability: FloatArray
    words: str


@dataclass(frozen=True, slots=True)
class Importance:
    """Which tails the paths are drawn from."""

    tails: tuple[Tail, ...]

    def run(self, question: Question, effort: int, serial: int) -> tuple[float, int]:
        """One estimate, and how many paths it took. Runs with different serials are independent."""
        from collatrisk.kernels.rows import CHUNK
        from collatrisk.kernels.search import count_extremes, find_extreme

        rng = question.draws(serial)
        pairs = n_pairs(question.plan)
        whole = -(-effort // CHUNK) * CHUNK
        own = new_numbers(serial * whole, whole)
        numbers = np.tile(own, (pairs, 1))
        choices = [(tail, m) for tail in self.tails for m in range(tail.thresholds.size)]
        bounds = np.linspace(math.ceil(_PLAIN * effort), effort, len(choices) + 1).astype(np.int64)
        where = rng.integers(pairs, size=whole)
        for (tail, m), low, high in zip(choices, bounds, bounds[1:], strict=False):
            found = np.empty(high - low, dtype=np.uint64)
            most = int(_TRIES / tail.probability[m]) + CHUNK
            missed = find_extreme(
                tail.kind,
                tail.key,
                own[low:high] + np.uint64(1),
                where[low:high],
                tail.direction,
                tail.mixing,
                tail.scale,
                tail.jump,
                tail.thresholds[m],
                most,
                found,
            )
            assert missed == 0, "the stated probability of the tail is wrong"
            numbers[where[low:high], np.arange(low, high)] = found
        density = np.full(effort, bounds[0] / effort)
        place = 0
        for tail in self.tails:
            counts = np.empty((tail.thresholds.size, effort), dtype=np.int64)
            count_extremes(
                tail.kind,
                tail.key,
                numbers,
                tail.direction,
                tail.mixing,
                tail.scale,
                tail.jump,
                tail.thresholds,
                counts,
            )
            for m in range(tail.thresholds.size):
                share = (bounds[place + 1] - bounds[place]) / effort
                density += share * counts[m] / (pairs * tail.probability[m])
                place += 1
        happened = question.happened(numbers[:, :effort], serial)
        return float(np.mean(happened / density)), effort

    def describe(self) -> str:
        """In words."""
        return f"importance sampling of {' and '.join(tail.words for tail in self.tails)}"


def find_tails(question: Question) -> Importance | None:
    """The tails that this model and account can fall into; None where its draws are rows of history alone."""
    plan = question.plan
    inputs = path_inputs(plan.model, plan.clock, plan.seed, plan.drift, plan.n_steps)
    assert inputs.jumps is not None
    tails = () if plan.model.dependence.rows is not None else _score_tails(question, inputs)
    arrivals = [(jump, one.label) for jump, one in enumerate(plan.model.jumps) if inputs.jumps.tails[jump, 0] > _RAREST]
    tails += tuple(_jump_tail(inputs.jumps, jump, label) for jump, label in arrivals)
    return Importance(tails) if tails else None


def _score_tails(question: Question, inputs: PathInputs) -> tuple[Tail, ...]:
    """A fall of the account along its scores; for a grouped t copula, of its normals and by the mixing variable."""
    from collatrisk.kernels.search import DIRECTION, MIXING, SCORE

    chances = np.array(_CHANCES)
    probability = _of_a_pair(chances)
    scores = inputs.scores
    tails: list[Tail] = []

    def add(kind: int, direction: FloatArray, thresholds: FloatArray, words: str) -> None:
        scale = float(scores.mixing_scale[0])
        tails.append(Tail(kind, scores.key, direction, scores.mixing, scale, 0, thresholds, probability, words))

    direction = _direction(question, scores.lower, inputs.columns)
    nus = set(question.plan.model.dependence.nus)
    nu = nus.pop() if len(nus) == 1 else None
    if scores.mixed and nu is None:
        add(MIXING, np.zeros(0), special.ndtri(chances), "the variable that scales all assets in a step")
    if direction is not None:
        together = "a fall of the account's assets together in a step"
        if scores.mixed and nu is not None:
            add(SCORE, direction, np.asarray(special.stdtrit(nu, chances), dtype=np.float64), together)
        else:
            add(DIRECTION, direction, special.ndtri(chances), together)
    return tuple(tails)


def _jump_tail(inputs: JumpInputs, jump: int, label: str) -> Tail:
    """An arrival."""
    from collatrisk.kernels.search import JUMP

    at = inputs.tails[jump, :1].copy()
    none = np.zeros(0)
    words = f"arrivals of the jump {label!r}"
    return Tail(JUMP, inputs.key, none, np.zeros((2, 4)), 1.0, jump, at, _of_a_pair(at), words)


def _of_a_pair(p: FloatArray) -> FloatArray:
    """The probability that at least one of two independent steps is in a tail of probability p."""
    return np.asarray(-np.expm1(2.0 * np.log1p(-p)))


def _direction(question: Question, lower: FloatArray, columns: NDArray[np.int64]) -> FloatArray | None:
    """The direction, among a step's independent normals, along which the account's health factor moves most."""
    plan = question.plan
    block = plan.read(0, min(plan.n_paths, _SAMPLE))
    if block.n_paths < 2:
        return None
    deviation = np.std(np.log(block.prices[1] / block.prices[0]), axis=1)
    direction = np.ascontiguousarray(lower.T @ (question.exposure() * deviation)[columns])
    length = float(np.linalg.norm(direction))
    return direction / length if length > 0.0 else None
