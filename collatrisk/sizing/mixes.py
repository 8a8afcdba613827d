"""Margin calls as a surface over mixes, loan-to-value ratios and horizons, and its inverse: the largest LTV."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.collateral import Terms
from collatrisk.execution import iter_blocks
from collatrisk.execution.blocks import Progress
from collatrisk.risk import Estimate, clopper_pearson
from collatrisk.simulation.source import PathSource, check_source
from collatrisk.sizing.inputs import (
    MixLike,
    as_list,
    check_days,
    check_fraction,
    check_fractions,
    check_horizon,
    check_mixes,
    check_thresholds,
    shared_steps,
)
from collatrisk.sizing.minima import CallCounts, LowestPaths, LowestTails, Minima
from collatrisk.sizing.tails import estimate_rows

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("mix", "ltv", "horizon_days", "probability", "low", "high", "n")


def compare_mixes(
    source: PathSource,
    mixes: MixLike | Sequence[MixLike],
    *,
    ltv: float | Sequence[float],
    horizons: float | Sequence[float],
    terms: Terms,
    currency: str = "USD",
    confidence: float = 0.95,
    executor: Executor | None = None,
    block_size: int = 4096,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Probability of a margin call by each horizon, for each mix and loan-to-value ratio, from one pass over the paths.

    Margin is called when the health factor falls below ``terms.margin_call`` at any step (or, with
    ``terms.mark == "bridge"`` and a source that knows its step variance, inside any step) up to the horizon, step 0
    included. The running minimum of sum(weight x liquidation_threshold x S(t) / S(0)) x exp(-borrow_rate t) serves
    every loan-to-value ratio; all rows share the same paths, so differences between rows have less error than the rows.
    The probabilities are those of `run_margin` on the same source.

    Parameters
    ----------
    source : the paths.
    mixes : one or several mixes (weights or the name of one asset will do), with different names.
    ltv : debt / collateral at the start, one or several in (0, 1).
    horizons : days of the source's clock, one or several, whole steps, up to the source's horizon.
    terms : thresholds, margin call level, borrow rate and mark are used.
    currency : the name of cash at price 1 in the mixes.
    confidence : of the bounds, in (0, 1).
    executor, block_size, progress : as for `map_blocks`; they do not change the result.

    Returns
    -------
    DataFrame with a row for each mix, ltv and horizon: mix (label), ltv, horizon_days, probability, low, high
    (Clopper-Pearson bounds; overlapping windows count as fewer), n (paths).

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("compare_mixes")
    check_source(problems, source)
    problems.raise_if_any()
    found = check_mixes(problems, source, mixes, currency)
    check_thresholds(problems, found, terms, currency)
    ratios = check_fractions(problems, "ltv", ltv, "give 0.7 for a debt of 70 %")
    days = as_list(horizons)
    problems.check(len(days) > 0, "horizons", horizons, "must not be empty", "give days such as [1, 7, 30]")
    steps = {check_days(problems, source, day, "horizons"): day for day in days}
    confidence = check_fraction(problems, "confidence", confidence, "give 0.95 for 95 %")
    problems.raise_if_any()

    ordered = sorted(steps)
    minima = Minima.of(source, found, terms, ordered, currency)
    barriers = terms.margin_call * np.array(ratios)
    descending = np.argsort(-barriers)
    count = CallCounts.of(minima, barriers[descending])
    hits = np.zeros((len(found), len(ordered), len(ratios)), dtype=np.int64)
    for block in iter_blocks(count, source.n_paths, size=block_size, executor=executor, on_done=progress):
        hits[:, :, descending] += block
    days_of = [float(steps[step]) for step in ordered]
    overlaps = np.array([shared_steps(source, step) for step in ordered])
    return _surface([mix.label for mix in found], ratios, days_of, hits, source.n_paths, overlaps, confidence)


def _surface(
    labels: Sequence[str],
    ratios: Sequence[float],
    days: Sequence[float],
    hits: NDArray[np.int64],
    n_paths: int,
    overlaps: NDArray[np.int64],
    confidence: float,
) -> pd.DataFrame:
    """The table of `compare_mixes` from hits, int64 (n_mixes, n_horizons, n_ratios)."""
    import pandas as pd

    low, high = clopper_pearson(hits, n_paths, overlaps[:, None], confidence)
    columns = (hits / n_paths, low, high)
    shape = (len(labels), len(ratios), len(days))
    mix, ratio, day = (index.ravel() for index in np.indices(shape))
    values: dict[str, object] = {
        "mix": [labels[m] for m in mix.tolist()],
        "ltv": np.array(ratios)[ratio],
        "horizon_days": np.array(days)[day],
    }
    for name, column in zip(("probability", "low", "high"), columns, strict=True):
        values[name] = column.swapaxes(1, 2).ravel()
    return pd.DataFrame(values | {"n": n_paths}, columns=list(COLUMNS))


def max_ltv(
    source: PathSource,
    mix: MixLike,
    terms: Terms,
    *,
    max_call_probability: float,
    horizon_days: float | None = None,
    currency: str = "USD",
    executor: Executor | None = None,
    block_size: int = 4096,
    progress: Progress | None = None,
) -> Estimate:
    """The largest loan-to-value ratio at which margin is called by the horizon with at most a given probability.

    ``ltv = q / margin_call``, q the quantile at `max_call_probability` of the running minimum of
    sum(weight x liquidation_threshold x S(t) / S(0)) x exp(-borrow_rate t): an order statistic, so the bounds hold for
    any distribution. At the value itself, at most max_call_probability x n of the paths are called.

    Parameters
    ----------
    source, terms, currency, executor, block_size, progress : as for `compare_mixes`.
    mix : the collateral.
    max_call_probability : in (0, 1).
    horizon_days : days of the source's clock, whole steps; None for the source's horizon.

    Returns
    -------
    Estimate of a share in (0, 1].

    Raises
    ------
    InputError : with all broken rules at once.
    """
    return max_ltvs(
        source,
        [mix],
        terms,
        max_call_probability=max_call_probability,
        horizon_days=horizon_days,
        currency=currency,
        executor=executor,
        block_size=block_size,
        progress=progress,
    )[0]


def max_ltvs(
    source: PathSource,
    mixes: MixLike | Sequence[MixLike],
    terms: Terms,
    *,
    max_call_probability: float,
    horizon_days: float | None = None,
    currency: str = "USD",
    executor: Executor | None = None,
    block_size: int = 4096,
    progress: Progress | None = None,
) -> list[Estimate]:
    """`max_ltv` of several mixes from one pass over the paths, in the order of the mixes."""
    problems = Problems("max_ltv")
    check_source(problems, source)
    problems.raise_if_any()
    found = check_mixes(problems, source, mixes, currency)
    check_thresholds(problems, found, terms, currency)
    tolerated = check_fraction(problems, "max_call_probability", max_call_probability, "give 0.05 for 5 %")
    step = check_horizon(problems, source, horizon_days)
    problems.raise_if_any()

    minima = Minima.of(source, found, terms, [step], currency)
    rows = estimate_rows(
        source,
        LowestPaths(minima),
        partial(LowestTails, minima),
        1.0 - tolerated,
        ("var",),
        shared_steps(source, step),
        executor=executor,
        block_size=block_size,
        progress=progress,
    )
    words = (
        f"lower {tolerated:g} quantile of the lowest collateral ratio within {source.clock.days(step):g} days"
        f" / margin call level {terms.margin_call:g}; "
    )
    scale = -1.0 / terms.margin_call
    return [row["var"].mapped(scale, floor=0.0, cap=1.0, method=words + row["var"].method) for row in rows]
