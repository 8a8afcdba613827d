"""The interval of an answer that is blurred twice: by estimated parameters and by a finite number of paths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from collatrisk.risk.intervals import Interval

_HALVINGS = 80


@dataclass(frozen=True, slots=True)
class MixtureInterval:
    """Bounds of an answer that varies with drawn models and has a Monte Carlo error on top.

    The p-point x of the mixture of normals ``mean_j Phi((x - values_j) / spread) = p``; for a spread of 0 the order
    statistics of rank (B + 1) p of the values. Never inside the interval of the Monte Carlo error alone.

    Attributes
    ----------
    values : the answers of the drawn models, ascending.
    spread : the Monte Carlo standard error, >= 0.
    inner : the interval for the Monte Carlo error alone.
    floor, cap : what the quantity cannot leave.
    """

    values: tuple[float, ...]
    spread: float
    inner: Interval
    floor: float = -math.inf
    cap: float = math.inf

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The bounds; infinite (or at the floor and the cap) where the draws are too few for the confidence."""
        tail = 0.5 * (1.0 - confidence)
        inner_low, inner_high = self.inner.ci(confidence)
        if math.floor((len(self.values) + 1) * tail) < 1 or not math.isfinite(self.spread):
            return self.floor, self.cap
        low, high = self._point(tail), self._point(1.0 - tail)
        return max(min(low, inner_low), self.floor), min(max(high, inner_high), self.cap)

    def _point(self, probability: float) -> float:
        if self.spread == 0.0:
            rank = math.floor((len(self.values) + 1) * min(probability, 1.0 - probability))
            return self.values[rank - 1] if probability < 0.5 else self.values[-rank]
        values = np.asarray(self.values)
        low, high = values[0] - 40.0 * self.spread, values[-1] + 40.0 * self.spread
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = float(np.mean(special.ndtr((middle - values) / self.spread)))
            low, high = (middle, high) if below < probability else (low, middle)
        return float(0.5 * (low + high))
