"""`rare_probability`: the probability of an event that plain sampling would hardly ever show."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Terms, as_account
from collatrisk.margining.names import EVENTS
from collatrisk.rare.importance import Importance, find_tails
from collatrisk.rare.question import FloatArray, Question
from collatrisk.rare.splitting import Splitting, find_levels
from collatrisk.risk import Estimate
from collatrisk.risk.intervals import FixedInterval, NormalInterval
from collatrisk.simulation.plan import PathPlan

Method: TypeAlias = Literal["auto", "splitting", "importance"]
METHODS: tuple[Method, ...] = ("auto", "splitting", "importance")
_FIRST_SERIAL = 64  # of the runs that count; pilots have lower ones
_PILOT_RUNS, _PILOT_SHARE = 6, 4


@dataclass(frozen=True, slots=True)
class _Runs:
    """Independent estimates of one scheme, and how many paths they took."""

    scheme: Splitting | Importance
    values: FloatArray
    n_paths: int

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def error(self) -> float:
        return float(self.values.std(ddof=1) / math.sqrt(self.values.size))

    @property
    def cost(self) -> float:
        """Relative variance times paths: lower is better; infinite where nothing was seen."""
        return (self.error / self.mean) ** 2 * self.n_paths if self.mean > 0.0 else math.inf


def rare_probability(
    plan: PathPlan,
    account: Account | Loan,
    terms: Terms,
    *,
    event: str = "shortfall",
    method: Method = "auto",
    effort: int = 2048,
    runs: int = 16,
    executor: Executor | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Estimate:
    """The probability of an event of one account within the plan's horizon, down to 1e-8 and below.

    Parameters
    ----------
    plan : the market, horizon, grid and seed; its number of paths does not matter, and its precision is double here.
    account, terms : as for `run_margin`. Every rule of the margin engine holds, calls, cures and sales included.
    event : ``"margin_called"``, ``"cured"``, ``"liquidated"``, ``"exhausted"`` or ``"shortfall"``, as for
        `Outcomes.probability`.
    method : ``"splitting"`` copies paths as their health factor falls: for events that come in many steps.
        ``"importance"`` draws one pair of steps from the tail of what moves all assets (the mixing variable of a t
        copula, a common fall, the arrival of a jump): for events that one step brings. ``"auto"`` tries both on a
        quarter of the paths and goes on with the one of less variance a path. The method of the answer says which.
    effort : paths a level (splitting) or a run (importance), >= 64.
    runs : independent runs, >= 4; the error comes from how they differ.
    executor : as for `run_margin`. progress : called as ``progress(runs_done, runs)``.

    Returns
    -------
    Estimate : unbiased, with Student's t interval of the runs (its lower end is not below 0). `n` counts the simulated
        paths; `n_effective` is how many plain paths would have the same error.

    Raises
    ------
    InputError : with all broken rules at once; ``"importance"`` on a model whose steps are rows of history alone.
    """
    question = _question(plan, account, terms, event, method, effort, runs, executor)
    scheme = _scheme(question, method, max(effort // _PILOT_SHARE, 64))
    found = _repeat(question, scheme, effort, runs, _FIRST_SERIAL, progress)
    words = f"{found.scheme.describe()}; {runs} independent runs, {found.n_paths:,} paths in all"
    if found.mean == 0.0:
        # Runs of both schemes begin with paths that count as plain ones do: a quarter of them at least.
        high = -math.expm1(math.log(0.025) / (runs * effort / 4))
        text = f"{words}; the event was never seen: the upper bound is that of plain paths"
        return Estimate(0.0, math.inf, "probability", text, found.n_paths, 0.0, FixedInterval(0.0, high))
    relative = found.error / found.mean
    text = f"{words}; relative error {relative:.1%}"
    effective = (1.0 - found.mean) / (found.mean * relative**2) if relative > 0.0 else math.inf
    interval = NormalInterval(found.mean, found.error, 0.0, runs - 1)
    return Estimate(
        found.mean, found.error, "probability", text, found.n_paths, effective, interval, monte_carlo=found.error
    )


def _question(
    plan: PathPlan,
    account: Account | Loan,
    terms: Terms,
    event: str,
    method: str,
    effort: int,
    runs: int,
    executor: Executor | None,
) -> Question:
    problems = Problems("rare_probability")
    remedy = "only a PathPlan can be asked for more paths that begin where others are"
    problems.check(isinstance(plan, PathPlan), "plan", type(plan).__name__, "must be a PathPlan", remedy)
    usable = isinstance(account, (Account, Loan))
    problems.check(
        usable, "account", account, "must be an Account or a Loan", "give one; ask again for each of several"
    )
    problems.check(isinstance(terms, Terms), "terms", terms, "must be Terms", "give Terms(liquidation_threshold=0.85)")
    problems.choice("event", event, EVENTS)
    problems.choice("method", method, METHODS)
    problems.integer("effort", effort, low=64, high=2**20, remedy="2048 paths a level are a fair start")
    problems.integer("runs", runs, low=4, high=1024, remedy="16: their spread is the error")
    problems.raise_if_any()
    plan = replace(plan, precision="double")
    spot = dict(zip(plan.assets, plan.spot.tolist(), strict=True))
    return Question(plan, as_account(account, spot), terms, event, executor)


def _scheme(question: Question, method: Method, effort: int) -> Splitting | Importance:
    """The scheme asked for, or the better one of a pilot."""
    problems = Problems("rare_probability")
    tails = None if method == "splitting" else find_tails(question)
    if method == "importance":
        rule = "needs scores or jumps to draw from tails, and this model draws rows of history"
        problems.check(tails is not None, "method", method, rule, "use 'splitting'")
        problems.raise_if_any()
        assert tails is not None
        return tails
    splitting = find_levels(question, effort, 0)
    if tails is None or not splitting.levels:
        return splitting
    schemes: tuple[Splitting | Importance, ...] = (splitting, tails)
    pilots = [_repeat(question, one, effort, _PILOT_RUNS, 1 + 8 * k) for k, one in enumerate(schemes)]
    return min(pilots, key=lambda pilot: pilot.cost).scheme


def _repeat(
    question: Question,
    scheme: Splitting | Importance,
    effort: int,
    runs: int,
    first_serial: int,
    progress: Callable[[int, int], object] | None = None,
) -> _Runs:
    values, n_paths = np.empty(runs), 0
    for i in range(runs):
        values[i], used = scheme.run(question, effort, first_serial + i)
        n_paths += used
        if progress is not None:
            progress(i + 1, runs)
    return _Runs(scheme, values, n_paths)
