"""Probabilities with exact binomial bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.risk.estimate import Estimate
from collatrisk.risk.intervals import BinomialInterval
from collatrisk.risk.levels import check_overlap
from collatrisk.risk.losses import as_losses
from collatrisk.risk.tailmath import OVERLAP_NOTE


def probability(flags: Sequence[bool] | NDArray[np.bool_], *, overlap: int = 1) -> Estimate:
    """The share of paths on which something happened, with its exact binomial interval.

    Parameters
    ----------
    flags : (n,) booleans, or numbers that are all 0 or 1.
    overlap : 1 for independent paths; k for windows that share up to k - 1 steps (see `estimate_probability`).

    Raises
    ------
    InputError : for empty, non-boolean or multi-dimensional flags.
    """
    problems = Problems("probability")
    array = as_losses(flags, problems, "flags")
    odd = array[(array != 0) & (array != 1)]
    shown = f"{odd.size} such as {odd[0]:g}" if odd.size else ""
    problems.check(odd.size == 0, "flags", shown, "must be True or False", "give losses > threshold, say")
    problems.raise_if_any()
    return estimate_probability(int(np.count_nonzero(array)), array.size, overlap=check_overlap(overlap, problems))


def estimate_probability(hits: int, n: int, *, overlap: int = 1) -> Estimate:
    """A probability from counts: hits / n with the Clopper-Pearson interval, which is not [0, 0] for zero hits.

    Parameters
    ----------
    hits : int in [0, n]. n : int >= 1.
    overlap : 1 for independent paths. For windows that share up to k - 1 steps, k: the interval is that of hits / k in
        n / k, as if only every k-th window were news, which is cautious.

    Raises
    ------
    InputError : for counts that are not so.
    """
    problems = Problems("estimate_probability")
    n = problems.integer("n", n, low=1, remedy="give the number of paths")
    hits = problems.integer("hits", hits, low=0, high=n, remedy="count the paths on which it happened")
    overlap = check_overlap(overlap, problems)
    problems.raise_if_any()
    value = hits / n
    n_effective = n / overlap
    error = math.sqrt(value * (1.0 - value) / n_effective)
    method = f"{hits:,} of {n:,}; Clopper-Pearson interval"
    if overlap > 1:
        method += OVERLAP_NOTE.format(overlap=overlap)
    interval = BinomialInterval(hits / overlap, n_effective)
    monte_carlo = error if overlap == 1 else None
    return Estimate(value, error, "probability", method, n, n_effective, interval, monte_carlo)
