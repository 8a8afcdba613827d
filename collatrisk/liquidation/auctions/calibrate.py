"""Choose the settings of an auction for targets, on common paths of prices, depth and keepers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK
from collatrisk.liquidation.auctions.depth import Depth
from collatrisk.liquidation.auctions.keepers import Keepers
from collatrisk.liquidation.auctions.run import Accounts, PreparedRun, Within, prepared
from collatrisk.liquidation.auctions.settings import settings_of_rules, with_settings
from collatrisk.liquidation.auctions.targets import MEASURES, AuctionTargets, measured
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.risk import Estimate
from collatrisk.simulation.source import PathSource

if TYPE_CHECKING:
    import pandas as pd

Preference = Literal["loss", "speed", "borrower"]
ORDERS = {
    "loss": ("es_loss", "mean_loss", "failed", "penalty", "clearing_days"),
    "speed": ("clearing_days", "es_loss", "mean_loss", "failed", "penalty"),
    "borrower": ("penalty", "es_loss", "mean_loss", "failed", "clearing_days"),
}
"""What is compared first, and what decides where that is equal."""
_MOST = 2000
_AT_ONCE = 64
_LEAVING = (1.0, 0.75, 0.5, 0.25, 0.0)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CalibratedAuction:
    """The chosen rule, what it promises, and what else could have been chosen.

    Attributes
    ----------
    terms : the chosen rules. settings : what was chosen among the candidates.
    measures : each of the measures of `AuctionTargets` under them, an `Estimate`.
    targets : what was asked for. binding : the targets without which a better candidate would have been chosen.
    frontier : one row a candidate: settings, measures, their upper 95 % bounds (``*_high``), ``meets`` all targets,
        ``excess`` over the worst missed target, ``efficient`` (no other candidate is both faster and safer) and
        ``refused`` (why a combination makes no auction).
    sensitivity : by share of keepers that stay, the measures of the chosen rule and whether it still meets the targets.
    keepers, depth : under which it was chosen. debt : of the book at the start.
    """

    terms: AuctionTerms
    settings: Mapping[str, float]
    measures: Mapping[str, Estimate]
    targets: AuctionTargets
    binding: tuple[str, ...]
    frontier: pd.DataFrame
    sensitivity: pd.DataFrame
    keepers: Keepers
    depth: Depth
    debt: float
    findings: tuple[Finding, ...] = field(default=())

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value:g}" for name, value in self.settings.items())
        return f"CalibratedAuction({chosen}; binding: {', '.join(self.binding) or 'nothing'})"

    def _repr_html_(self) -> str:
        rows = [(name, f"{value:g}", "") for name, value in self.settings.items()]
        limits = self.targets.limits
        for name, estimate in self.measures.items():
            limit = f"at most {limits[name]:g}" + (" (binds)" if name in self.binding else "") if name in limits else ""
            rows.append((name, estimate.format(), limit))
        return html_table(("", "chosen", "target"), rows, "Calibrated auction")


def calibrate_auction(
    source: PathSource,
    accounts: Accounts,
    terms: AuctionTerms,
    candidates: Mapping[str, Sequence[float]],
    targets: AuctionTargets,
    *,
    keepers: Keepers | None = None,
    depth: Depth | None = None,
    prefer: Preference = "loss",
    judge: Literal["value", "upper"] = "value",
    tick_s: float | None = None,
    within: Within = "bridge",
    horizon_days: float | None = None,
    executor: Executor | None = None,
    block_size: int = 4 * MICRO_BLOCK,
) -> CalibratedAuction:
    """Try every combination of candidate settings on the same paths and choose the best that meets all targets.

    Prices, depth, and the moments at which keepers look are the same for all candidates (common random numbers), so
    differences between them are those of the rules.

    Parameters
    ----------
    source, accounts, keepers, depth, tick_s, within, horizon_days, executor, block_size : as for `run_auctions`.
    terms : the rules; what is not among the candidates stays as it is there.
    candidates : setting -> values, all combinations of which are tried (at most 2000): any number of the rules
        (``"buffer"``, ``"tail_s"``, ``"cusp"``, ``"tip"``, ``"chip"``, ``"penalty"``, ``"capacity"``,
        ``"collateral_capacity"``, ...), of their curves (``"cut"``, ``"step_s"``, ``"tau_s"``), or ``"max_lot"``.
    targets : what has to be met.
    prefer : what decides among the candidates that meet all targets: the least ``"loss"`` (default; expected shortfall
        of the shortfall), the greatest ``"speed"``, or the least cost to the ``"borrower"``. Ties go to the other
        measures, see `ORDERS`.
    judge : whether the ``"value"`` of a measure has to meet its limit (default), or the ``"upper"`` 95 % bound.

    Returns
    -------
    CalibratedAuction

    Raises
    ------
    InputError : with all broken rules at once; and where no candidate meets the targets, with the nearest one and what
        it misses.
    """
    problems = Problems("calibrate_auction")
    _check(problems, terms, candidates, targets, prefer, judge)
    problems.raise_if_any()
    level = min(targets.level, 0.95)
    run = prepared(source, accounts, keepers, depth, tick_s, horizon_days, level, "summary", within)
    debt = sum(account.debts.get(account.currency, 0.0) for account in run.held)
    problems.check(debt > 0, "accounts", debt, "must owe something", "give accounts with debts")
    problems.raise_if_any()
    tried = [_Candidate.of(terms, settings) for settings in _combinations(candidates)]
    good = [candidate for candidate in tried if candidate.terms is not None]
    if not good:
        problems.add("candidates", tried[0].settings, f"none makes an auction: {tried[0].refused}", "change them")
        problems.raise_if_any()
    found = _measure(run, good, debt, targets.level, executor, block_size)
    judged = {i: _judged(measures, judge) for i, measures in enumerate(found)}
    order = ORDERS[prefer]
    ranked = sorted(judged, key=lambda i: tuple(_key(judged[i][name]) for name in order))
    meeting = [i for i in ranked if not any(targets.excess(judged[i]).values())]
    if not meeting:
        _refuse(problems, good, judged, targets)
    best = meeting[0]
    chosen = good[best]
    assert chosen.terms is not None
    public = run.outcomes(chosen.terms, run.gathered((chosen.terms,), executor, block_size)[0])
    return CalibratedAuction(
        terms=chosen.terms,
        settings=chosen.settings,
        measures=found[best],
        targets=targets,
        binding=_binding(ranked, best, judged, targets),
        frontier=_frontier(tried, found, judged, targets),
        sensitivity=_sensitivity(run, chosen.terms, debt, targets, judge, executor, block_size),
        keepers=run.keepers,
        depth=run.depth,
        debt=debt,
        findings=public.findings,
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    settings: Mapping[str, float]
    terms: AuctionTerms | None
    refused: str = ""

    @classmethod
    def of(cls, terms: AuctionTerms, settings: Mapping[str, float]) -> _Candidate:
        try:
            return cls(settings, with_settings(terms, settings))
        except InputError as error:
            return cls(settings, None, "; ".join(map(str, error.problems)))


def _check(
    problems: Problems, terms: object, candidates: object, targets: object, prefer: object, judge: object
) -> None:
    good = problems.check(isinstance(terms, AuctionTerms), "terms", terms, "must be AuctionTerms", "see AuctionTerms")
    problems.check(isinstance(targets, AuctionTargets), "targets", targets, "must be AuctionTargets", "see there")
    problems.choice("prefer", prefer, tuple(ORDERS))
    problems.choice("judge", judge, ("value", "upper"))
    remedy = "give {'buffer': [1.1, 1.2], 'step_s': [60, 90]}, say"
    if not isinstance(candidates, Mapping) or not candidates:
        problems.add("candidates", candidates, "must map settings to values", remedy)
        return
    if good and isinstance(terms, AuctionTerms):
        problems.known("candidates", candidates, settings_of_rules(terms))
    sizes = [len(values) if isinstance(values, Sequence) else 0 for values in candidates.values()]
    for name, size in zip(candidates, sizes, strict=True):
        problems.check(size > 0, f"candidates[{name!r}]", candidates[name], "must be a list of values", remedy)
    total = math.prod(sizes)
    problems.check(total <= _MOST, "candidates", f"{total} combinations", f"must be at most {_MOST}", "try fewer")


def _combinations(candidates: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    return [dict(zip(candidates, values, strict=True)) for values in itertools.product(*candidates.values())]


def _measure(
    run: PreparedRun,
    candidates: Sequence[_Candidate],
    debt: float,
    level: float,
    executor: Executor | None,
    block_size: int,
) -> list[dict[str, Estimate]]:
    """The measures of each candidate: some at a time on every pass over the paths, so that memory stays bounded."""
    found: list[dict[str, Estimate]] = []
    terms = [candidate.terms for candidate in candidates if candidate.terms is not None]
    for first in range(0, len(terms), _AT_ONCE):
        some = terms[first : first + _AT_ONCE]
        for rules, gathered in zip(some, run.gathered(some, executor, block_size), strict=True):
            found.append(measured(run.outcomes(rules, gathered).book, debt, level))
    return found


def _judged(measures: Mapping[str, Estimate], judge: str) -> dict[str, float]:
    return {name: estimate.value if judge == "value" else estimate.ci()[1] for name, estimate in measures.items()}


def _key(value: float) -> float:
    """Equal but for rounding counts as equal; no auction at all has no loss."""
    return 0.0 if math.isnan(value) else float(f"{value:.9g}")


def _refuse(
    problems: Problems,
    candidates: Sequence[_Candidate],
    judged: Mapping[int, Mapping[str, float]],
    targets: AuctionTargets,
) -> None:
    nearest = min(judged, key=lambda i: max(targets.excess(judged[i]).values()))
    text = ", ".join(f"{name}={value:g}" for name, value in candidates[nearest].settings.items())
    for name, excess in targets.excess(judged[nearest]).items():
        if excess > 0:
            rule = f"no candidate meets all targets: the nearest ({text}) has {judged[nearest][name]:.4g}"
            problems.add(name, targets.limits[name], rule, "relax it, or widen the candidates")
    problems.raise_if_any()


def _binding(
    ranked: Sequence[int], best: int, judged: Mapping[int, Mapping[str, float]], targets: AuctionTargets
) -> tuple[str, ...]:
    """The targets whose removal alone would let a candidate of higher rank in."""
    better = ranked[: ranked.index(best)]
    found = []
    for name in targets.limits:
        missed = [{key for key, excess in targets.excess(judged[i]).items() if excess > 0} for i in better]
        if {name} in missed:
            found.append(name)
    return tuple(found)


def _frontier(
    tried: Sequence[_Candidate],
    found: Sequence[Mapping[str, Estimate]],
    judged: Mapping[int, Mapping[str, float]],
    targets: AuctionTargets,
) -> pd.DataFrame:
    import pandas as pd

    rows, number = [], 0
    for candidate in tried:
        row: dict[str, object] = dict(candidate.settings)
        if candidate.terms is None:
            rows.append({**row, "meets": False, "efficient": False, "refused": candidate.refused})
            continue
        measures, excess = found[number], targets.excess(judged[number])
        row |= {name: measures[name].value for name in MEASURES}
        row |= {f"{name}_high": measures[name].ci()[1] for name in MEASURES}
        row |= {"meets": not any(excess.values()), "excess": max(excess.values())}
        rows.append({**row, "efficient": _efficient(number, judged), "refused": ""})
        number += 1
    return pd.DataFrame(rows)


def _efficient(i: int, judged: Mapping[int, Mapping[str, float]]) -> bool:
    """Whether no other candidate is at least as fast and as safe, and better in one of both."""
    mine = tuple(_key(judged[i][name]) for name in ("clearing_days", "es_loss"))
    for other in judged.values():
        theirs = tuple(_key(other[name]) for name in ("clearing_days", "es_loss"))
        if theirs != mine and theirs[0] <= mine[0] and theirs[1] <= mine[1]:
            return False
    return True


def _sensitivity(
    run: PreparedRun,
    terms: AuctionTerms,
    debt: float,
    targets: AuctionTargets,
    judge: str,
    executor: Executor | None,
    block_size: int,
) -> pd.DataFrame:
    """The chosen rule as keepers leave; what remains lies evenly between the same margins."""
    import pandas as pd

    rows = []
    for share in _LEAVING:
        number = math.floor(run.keepers.number * share)
        fewer = replace(run, keepers=replace(run.keepers, number=number))
        (gathered,) = fewer.gathered((terms,), executor, block_size)
        measures = measured(fewer.outcomes(terms, gathered).book, debt, targets.level)
        meets = not any(targets.excess(_judged(measures, judge)).values())
        rows.append({"stay": share, "keepers": number, **{m: measures[m].value for m in MEASURES}, "meets": meets})
    return pd.DataFrame(rows).set_index("stay")
