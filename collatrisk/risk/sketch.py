"""The largest losses of any number of losses: all that VaR and ES at high levels need, merged exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.risk import tailmath
from collatrisk.risk.estimate import Estimate
from collatrisk.risk.levels import check_level, check_sharing
from collatrisk.risk.losses import as_losses, largest

if TYPE_CHECKING:
    from collatrisk.risk.losses import Losses


def _nothing() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class TailSketch:
    """Exactly the `keep` largest of all losses that were added, and how many there were.

    A value: `add` and `merge` return a new sketch. The result does not depend on the order, nor on how the losses were
    cut into blocks. Memory is 8 bytes for each loss kept. Choose `keep` with `tail_size(n, lowest_level)`.

    Parameters
    ----------
    keep : int >= 1, how many of the largest losses to hold.
    count : how many losses were added.
    tail : the largest losses, float64, ascending; all of them while `count` <= `keep`.

    Raises
    ------
    InputError : if `keep` is not a whole number of at least 1.
    """

    keep: int
    count: int = 0
    tail: NDArray[np.float64] = field(default_factory=_nothing, repr=False)

    def __post_init__(self) -> None:
        problems = Problems("TailSketch")
        problems.integer("keep", self.keep, low=1, remedy="give tail_size(n, lowest_level)")
        problems.raise_if_any()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TailSketch):
            return NotImplemented
        return (self.keep, self.count) == (other.keep, other.count) and np.array_equal(self.tail, other.tail)

    __hash__ = None  # type: ignore[assignment]

    def add(self, losses: Losses) -> TailSketch:
        """This sketch and more losses (one-dimensional, finite; an empty array adds nothing).

        Raises
        ------
        InputError : if losses are not numbers, NaN or infinite.
        """
        if np.size(losses) == 0:
            return self
        problems = Problems("TailSketch.add")
        values = as_losses(losses, problems)
        tail = largest(values, min(self.keep, max(values.size, 1)), problems)
        problems.raise_if_any()
        return self._with(tail, values.size)

    def merge(self, *others: TailSketch) -> TailSketch:
        """This sketch and others, as if all their losses had been added to one; the smallest `keep` rules.

        Raises
        ------
        InputError : for what is no sketch.
        """
        problems = Problems("TailSketch.merge")
        for other in others:
            problems.check(
                isinstance(other, TailSketch), "others", other, "must be a TailSketch", "add losses with add"
            )
        problems.raise_if_any()
        keep = min([self.keep, *(other.keep for other in others)])
        merged = np.sort(np.concatenate([self.tail, *(other.tail for other in others)]))
        count = self.count + sum(other.count for other in others)
        return TailSketch(keep, count, merged[max(0, merged.size - keep) :].copy())

    def _with(self, tail: NDArray[np.float64], count: int) -> TailSketch:
        if self.tail.size == self.keep:
            tail = tail[np.searchsorted(tail, self.tail[0], side="right") :]
        merged = np.sort(np.concatenate([self.tail, tail]))
        return TailSketch(self.keep, self.count + count, merged[max(0, merged.size - self.keep) :].copy())

    def value_at_risk(self, level: float) -> float:
        """The order statistic of rank ceil(count x level) of all losses added; see `collatrisk.risk.value_at_risk`."""
        return tailmath.tail_var(self.tail, self.count, self._checked(level))

    def expected_shortfall(self, level: float) -> float:
        """The Acerbi-Tasche tail mean of all losses added; see `collatrisk.risk.expected_shortfall`."""
        return tailmath.tail_es(self.tail, self.count, self._checked(level))

    def estimate_value_at_risk(self, level: float, *, overlap: float = 1) -> Estimate:
        """`value_at_risk` with its order-statistic interval.

        Parameters
        ----------
        level : in (0, 1).
        overlap : steps that neighbouring windows share; n / overlap losses then set the ranks of the bounds.
        """
        return tailmath.estimate_var(self.tail, self.count, self._checked(level, overlap), overlap)

    def estimate_expected_shortfall(self, level: float, *, overlap: float = 1, floor: float = -math.inf) -> Estimate:
        """`expected_shortfall` with its Student t interval; `floor`: what losses cannot fall below, such as 0."""
        return tailmath.estimate_es(self.tail, self.count, self._checked(level, overlap), overlap, floor)

    def _checked(self, level: float, overlap: float = 1) -> float:
        problems = Problems("TailSketch")
        checked = check_level(level, problems)
        check_sharing(overlap, problems)
        if problems.check(self.count > 0, "count", 0, "must hold at least one loss", "add losses first"):
            wanted = 0 if problems.found else tailmath.needed(self.count, checked)
            rule = f"must be at least {wanted} for level {checked:g} of {self.count} losses"
            problems.check(wanted <= self.tail.size, "keep", self.keep, rule, "give tail_size(n, lowest_level)")
        problems.raise_if_any()
        return checked
