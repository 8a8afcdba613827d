"""The liquidation threshold: how late a liquidation may start without too many shortfalls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Terms, as_account
from collatrisk.execution.blocks import Progress
from collatrisk.margining import shortfall_probabilities
from collatrisk.risk import BinomialInterval, Estimate
from collatrisk.simulation.source import PathSource, check_source
from collatrisk.sizing.inputs import check_fraction, check_horizon, collected

_WIDTH_IN_ERRORS = 2 * 1.959963984540054


@dataclass(frozen=True, slots=True)
class ThresholdInterval:
    """Bounds of a threshold from the exact bounds of the shortfall probability at each candidate.

    Attributes
    ----------
    thresholds : ascending candidates; the first is where the account is liquidatable at once, and has no count.
    hits : paths with a shortfall at each candidate but the first (divided by the overlap). n : paths (likewise).
    tolerated : the shortfall probability that is allowed.
    """

    thresholds: tuple[float, ...]
    hits: tuple[float, ...]
    n: float
    tolerated: float

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The last candidate up to which even the upper bounds are allowed; the first whose lower bound is not.

        Where no lower bound forbids a candidate the upper end is infinite: the paths do not bound the threshold.
        """
        bounds = [BinomialInterval(hits, self.n).ci(confidence) for hits in self.hits]
        safe = _leading(high <= self.tolerated for _, high in bounds)
        possible = _leading(low <= self.tolerated for low, _ in bounds)
        return self.thresholds[safe], math.inf if possible == len(self.hits) else self.thresholds[possible + 1]


def liquidation_threshold(
    source: PathSource,
    account: Account | Loan,
    terms: Terms,
    *,
    max_shortfall_probability: float,
    horizon_days: float | None = None,
    asset: str | None = None,
    candidates: int = 60,
    executor: Executor | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """The highest liquidation threshold at which a shortfall remains by the horizon with at most a given probability.

    All candidates are tried in one pass over the paths, with the results of `run_margin` for each. They lie evenly
    between the threshold at which the account is liquidatable at once (health factor 1) and 1; the value is the last up
    to which every candidate is allowed, so the answer is as fine as the grid.

    Parameters
    ----------
    source : the paths.
    account : an account or a loan, with a debt.
    terms : all but the thresholds that are sought. With thresholds by asset, one common scale of them is sought.
    max_shortfall_probability : in (0, 1).
    horizon_days : days of the source's clock, whole steps; None for the source's horizon.
    asset : seek the threshold of this asset alone; the others keep theirs. None: a common scale of all.
    candidates : int in [2, 10 000], how many thresholds are tried.
    executor, block_size, progress : as for `run_margin`; they do not change the result.

    Returns
    -------
    Estimate of the threshold in (0, 1]: of `asset`, or the mean of the scaled thresholds weighted by the value held at
    the start (the threshold itself where all assets have the same). ``at_least`` where every candidate is allowed.
    `method` names the threshold of every asset, the grid, and a threshold x (1 + bonus + fee) that is not below 1:
    there a liquidation lowers the health factor.

    Raises
    ------
    InputError : with all broken rules at once; also where even the lowest candidate has too many shortfalls.
    """
    problems = Problems("liquidation_threshold")
    check_source(problems, source)
    problems.raise_if_any()
    tolerated = check_fraction(problems, "max_shortfall_probability", max_shortfall_probability, "0.001 for 0.1 %")
    check_horizon(problems, source, horizon_days)
    candidates = problems.integer("candidates", candidates, low=2, high=10_000, remedy="give 60, say")
    sweep = _sweep(problems, source, account, terms, asset)
    problems.raise_if_any()
    assert sweep is not None

    scales = sweep.scales(candidates)
    found = shortfall_probabilities(
        source,
        sweep.account,
        [sweep.terms_at(scale) for scale in scales[1:]],
        executor=executor,
        horizon_days=horizon_days,
        block_size=block_size,
        progress=progress,
    )
    best = _leading(estimate.value <= tolerated for estimate in found)
    if best == 0:
        rule = f"must be at least the {found[0]} of the lowest candidate, {sweep.value_at(scales[1]):.4g}"
        problems.add("max_shortfall_probability", tolerated, rule, "lend less against it or tolerate more")
        problems.raise_if_any()
    one = found[0]
    counts = tuple(estimate.value * one.n_effective for estimate in found)
    interval = ThresholdInterval(tuple(map(sweep.value_at, scales)), counts, one.n_effective, tolerated)
    low, high = interval.ci()
    error = (high - low) / _WIDTH_IN_ERRORS
    method = sweep.method(scales, best, found[best - 1], low)
    monte_carlo = error if one.monte_carlo is not None else None
    value = sweep.value_at(scales[best])
    return Estimate(
        value,
        error,
        "threshold",
        method,
        one.n,
        one.n_effective,
        interval,
        monte_carlo,
        at_least=best == len(found),
    )


@dataclass(frozen=True, slots=True)
class _Sweep:
    """The thresholds that move together and those that stay.

    Attributes
    ----------
    account, terms : what is run. moving, fixed : asset -> threshold. weights : value held of the moving ones.
    lowest, highest : the scales at which the health factor is 1 at the start, and the largest threshold is 1.
    """

    account: Account
    terms: Terms
    moving: dict[str, float]
    fixed: dict[str, float]
    weights: dict[str, float]
    lowest: float
    highest: float

    def scales(self, candidates: int) -> list[float]:
        """`candidates` + 1 scales; the first is the lowest, which is not a candidate."""
        step = (self.highest - self.lowest) / candidates
        return [self.lowest + step * i for i in range(candidates)] + [self.highest]

    def thresholds_at(self, scale: float) -> dict[str, float]:
        """Threshold of every moving asset."""
        return {asset: min(1.0, scale * threshold) for asset, threshold in self.moving.items()}

    def terms_at(self, scale: float) -> Terms:
        """The terms of a candidate."""
        return replace(self.terms, liquidation_threshold={**self.fixed, **self.thresholds_at(scale)})

    def value_at(self, scale: float) -> float:
        """The mean of the moving thresholds, weighted by the value held."""
        moved = self.thresholds_at(scale)
        if len(set(moved.values())) == 1:
            return next(iter(moved.values()))
        return math.fsum(self.weights[a] * moved[a] for a in moved) / math.fsum(self.weights.values())

    def method(self, scales: list[float], best: int, at_best: Estimate, low: float) -> str:
        """What was done and what to know about it."""
        moved = self.thresholds_at(scales[best])
        named = ", ".join(f"{asset} {threshold:.4g}" for asset, threshold in moved.items())
        step = self.value_at(scales[1]) - self.value_at(scales[0])
        text = (
            f"highest of {len(scales) - 1} candidates ({step:.2g} apart) with a shortfall probability allowed: "
            f"{named}, shortfall probability {at_best}; bounds from Clopper-Pearson bounds at the candidates"
        )
        if best == len(scales) - 1:
            text += "; every candidate is allowed: the paths do not bound it from above"
        if low <= self.value_at(scales[0]):
            text += "; too few paths to confirm any candidate at 95 %: the lower bound is a health factor of 1"
        digs = [asset for asset, threshold in moved.items() if threshold * (1 + self.terms.penalty) >= 1]
        if digs:
            names = ", ".join(digs)
            text += f"; threshold x (1 + bonus + fee) >= 1 for {names}: a liquidation there lowers the health factor"
        return text


def _sweep(problems: Problems, source: PathSource, account: object, terms: object, asset: str | None) -> _Sweep | None:
    """What is to be swept; broken rules go to `problems`."""
    usable = problems.check(
        isinstance(account, Account | Loan), "account", account, "must be an Account or a Loan", "give one of them"
    )
    usable &= problems.check(isinstance(terms, Terms), "terms", terms, "must be Terms", "give Terms(...)")
    if not usable:
        return None
    assert isinstance(account, Account | Loan)
    assert isinstance(terms, Terms)
    spot = dict(zip(source.assets, source.spot.tolist(), strict=True))
    held = collected(problems, as_account, account, spot)
    prices = collected(problems, held.prices, spot) if held is not None else None
    if held is None or prices is None:
        return None
    values = {name: units * prices[name] for name, units in held.holdings.items() if units > 0}
    if asset is not None and not problems.check(
        isinstance(asset, str) and asset in values,
        "asset",
        asset,
        f"must be held (held: {', '.join(values) or 'nothing'})",
        "name one of them",
    ):
        return None
    thresholds = {name: collected(problems, terms.threshold_of, name, held.currency) for name in values}
    known = {name: threshold for name, threshold in thresholds.items() if threshold is not None}
    if len(known) < len(thresholds):
        return None
    moves = [asset] if asset is not None else [name for name in values if name != held.currency]
    return _scaled(problems, held, terms, known, values, moves, prices)


def _scaled(
    problems: Problems,
    held: Account,
    terms: Terms,
    thresholds: dict[str, float],
    values: dict[str, float],
    moves: Sequence[str],
    prices: Mapping[str, float],
) -> _Sweep | None:
    debt = math.fsum(units * prices[name] for name, units in held.debts.items() if units > 0)
    moving = {name: thresholds[name] for name in moves}
    fixed = {name: threshold for name, threshold in thresholds.items() if name not in moving}
    if not problems.check(debt > 0, "account", held.label, "must owe something", "give it a debt"):
        return None
    if not problems.check(bool(moving), "account", held.label, "must hold an asset other than cash", "give it one"):
        return None
    constant = math.fsum(values[name] * threshold for name, threshold in fixed.items())
    lowest = max(0.0, (debt - constant) / math.fsum(values[name] * moving[name] for name in moving))
    highest = 1.0 / max(moving.values())
    rule = "must have a health factor above 1 at the start with a threshold of 1"
    if not problems.check(lowest < highest, "account", held.label, rule, "lend less against it"):
        return None
    return _Sweep(held, terms, moving, fixed, {name: values[name] for name in moving}, lowest, highest)


def _leading(flags: Iterable[bool]) -> int:
    """How many flags hold before the first that does not."""
    count = 0
    for flag in flags:
        if not flag:
            break
        count += 1
    return count
