"""Parameters are estimates: models drawn within their estimation error, and answers that carry it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from collatrisk.base.errors import CollatriskError, FitError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.keys import Purpose
from collatrisk.base.validation import Problems
from collatrisk.dependence.result import DependenceFit
from collatrisk.risk.estimate import Estimate
from collatrisk.risk.intervals import ExactValue, Interval, MappedInterval
from collatrisk.simulation.drawn import MarginalDraws, PegDraws, draw_marginals
from collatrisk.simulation.drawn_dependence import draw_dependence
from collatrisk.simulation.mixture import MixtureInterval
from collatrisk.simulation.model import MarketModel

Question: TypeAlias = Callable[[MarketModel], Estimate | float]

_MOST_FAILED = 0.05


def draw_models(model: MarketModel, n: int, seed: int = 0) -> Iterator[MarketModel]:
    """Models whose parameters are drawn within their estimation error.

    - *Volatility*: from the robust covariance that the fit left in the model, in coordinates in which every draw is
      stationary. The last variances move with the parameters, to first order. Errors of different assets are correlated
      as their scores were in the fit (the joint robust covariance); where the model has no such loadings (files of
      before, more than 20 assets) they have the correlation rho^2 of the squared innovations (rho for the means), rho
      that of the copula: an approximation, a little too high where it was measured.
    - Without a covariance (a file saved without it, a parameter on or near its bound) histories of the fitted length
      are simulated from the model and refitted, each asset by itself; for specs that `fit_panel` does not know, a file
      without covariance is drawn by its robust standard errors as if they were not correlated. A finding says so.
    - *Dependence*: correlations as those of a normal sample of n_obs (with a t copula n_obs / (1.15 + 2 / nu), measured
      for the estimator by Kendall's tau), nu by its standard error; apart from the volatilities (two-step estimation).
    - *Tails* of `GpdTails`: xi and scale from their asymptotic covariance. *Rows* of `FilteredHistorical`: as many rows
      drawn from them by the same bootstrap. Seasons stay.
    - *Pegs*: from the robust covariance of their coordinates, each by itself; where the basis stands is kept.
    - *Jumps* that were estimated: intensities, directions and sizes from their posteriors (`Jump.drawn`).
    - Parameters that were given and not fitted (n_obs = 0), a peg's defaults, and the jumps of stresses, stay.

    Parameters
    ----------
    model : a fitted model.
    n : models, >= 1. The models of a smaller n are the first ones of a larger (but for counts in their findings).
    seed : int in [0, 2**64).

    Yields
    ------
    MarketModel: with the findings of `model` and one on the draw.

    Raises
    ------
    InputError : an argument breaks a rule.
    FitError : histories had to be simulated and most could not be fitted.
    """
    n, seed = _checked(model, n, seed)
    marginals = draw_marginals(model, n, np.random.default_rng((seed, int(Purpose.BOOTSTRAP), 1)))
    joint = draw_dependence(model.dependence, np.random.default_rng((seed, int(Purpose.BOOTSTRAP), 2)))
    arrivals = np.random.default_rng((seed, int(Purpose.BOOTSTRAP), 3))
    return _models(model, marginals, joint, arrivals, n, seed)


def _models(
    model: MarketModel,
    marginals: tuple[MarginalDraws | PegDraws, ...],
    joint: Iterator[DependenceFit],
    arrivals: np.random.Generator,
    n: int,
    seed: int,
) -> Iterator[MarketModel]:
    notes = tuple(finding for drawn in marginals for finding in drawn.findings)
    for draw in range(n):
        text = f"parameters are draw {draw} within their estimation error (seed {seed}), not the estimates"
        drawn = Finding("parameters-drawn", "info", "model", text)
        yield replace(
            model,
            marginals=tuple(one.marginal(draw) for one in marginals),
            dependence=next(joint),
            jumps=tuple(jump.drawn(arrivals) for jump in model.jumps),
            provenance={**model.provenance, "draw": f"{draw}, seed {seed}"},
            findings=(*model.findings, *notes, drawn),
        )


def parameter_uncertainty(
    model: MarketModel,
    question: Question,
    *,
    n_draws: int = 200,
    seed: int = 0,
    executor: Executor | None = None,
) -> Estimate:
    """Ask a question of models drawn within their estimation error: the answer with both of its errors.

    The value is the answer of `model` itself. The parameter part is the sd of the answers over the drawn models, the
    Monte Carlo part the standard error that the question states; the interval is that of the drawn answers, each
    blurred by the Monte Carlo error (a mixture of normals), and never shorter than the one that the question gave.

    The question must use the same random numbers each time (a fixed seed in its `PathPlan`): what is left between two
    answers is then the models' difference. Where it does not, the parameter part holds Monte Carlo error as well.

    Parameters
    ----------
    model : a fitted model.
    question : takes a `MarketModel`, gives an `Estimate` or a float, such as
        ``lambda m: haircut(PathPlan(m, n_paths=20_000, horizon_days=10, seed=1), "ETH", level=0.99, mpor_days=10)``.
    n_draws : models, >= 20; at least 40 for a finite 95 % interval, 200 are usual.
    seed : of the draws, int in [0, 2**64).
    executor : asks the models in parallel; the result does not depend on it. Processes need a picklable question.

    Returns
    -------
    Estimate of the question's kind with `monte_carlo` (None if the question gave a float) and `parameter`. Its method
    says how the parameters were drawn.

    Raises
    ------
    InputError : an argument breaks a rule.
    FitError : more than 5 % of the drawn models had no finite answer.
    """
    problems = Problems("parameter_uncertainty")
    problems.check(callable(question), "question", question, "must be callable", "give a function of a MarketModel")
    problems.integer("n_draws", n_draws, low=20, high=1_000_000, remedy="200 are usual")
    problems.raise_if_any()
    drawn = list(draw_models(model, n_draws, seed))
    base = question(model)
    ask = executor.map if executor is not None else map
    answers = list(ask(_answer, [question] * len(drawn), drawn))
    values = np.array([answer for answer in answers if isinstance(answer, float)])
    reasons = [answer for answer in answers if isinstance(answer, str)]
    if len(reasons) > _MOST_FAILED * len(answers):
        rule = f"must be answered by 95 % of the drawn models; the first reason: {reasons[0]}"
        remedy = "make the question hold for any stationary model, or use a simpler model"
        raise FitError(
            "parameter_uncertainty",
            [Problem("question", f"{len(reasons)} of {len(answers)} without answer", rule, remedy)],
        )
    return _combined(base, values, reasons, _how(drawn[0].findings))


_HOW = {
    "parameters-bootstrapped": "by refits of simulated histories (bootstrap)",
    "parameters-uncorrelated": "by standard errors as if not correlated",
    "parameters-given": "given and taken as known",
}


def _how(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """How the parameters of which assets were drawn, where it was not from their covariance."""
    found = []
    for code, text in _HOW.items():
        assets = dict.fromkeys(finding.subject for finding in findings if finding.code == code)
        if assets:
            found.append(f"parameters of {', '.join(assets)} {text}")
    return tuple(found)


def _combined(
    base: Estimate | float,
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    reasons: list[str],
    how: tuple[str, ...],
) -> Estimate:
    parameter = float(np.std(values, ddof=1))
    method = f"parameter error from {values.size} models drawn within their estimation error"
    method += f"; {len(reasons)} more had no finite answer ({reasons[0]})" if reasons else ""
    method += "".join(f"; {text}" for text in how)
    answers = tuple(np.sort(values).tolist())
    if not isinstance(base, Estimate):
        value = float(base)
        interval: Interval = MixtureInterval(answers, 0.0, ExactValue(value))
        size = values.size
        return Estimate(value, parameter, "mean", method, size, float(size), interval, None, parameter)
    own = base.standard_error if base.monte_carlo is None else base.monte_carlo
    low, high = _limits(base)
    return replace(
        base,
        standard_error=math.hypot(base.standard_error, parameter),
        method=f"{base.method}; {method}",
        interval=MixtureInterval(answers, base.standard_error, base.interval, low, high),
        monte_carlo=own,
        parameter=parameter,
    )


def _limits(base: Estimate) -> tuple[float, float]:
    """What the quantity cannot leave."""
    if base.kind == "probability":
        return 0.0, 1.0
    if isinstance(base.interval, MappedInterval):
        return base.interval.floor, base.interval.cap
    return -math.inf, math.inf


def _answer(question: Question, model: MarketModel) -> float | str:
    """The answer, or the reason why there is none."""
    try:
        value = float(question(model))
    except CollatriskError as error:
        return str(error)
    return value if math.isfinite(value) else f"the answer is {value}"


def _checked(model: object, n: object, seed: object) -> tuple[int, int]:
    problems = Problems("draw_models")
    known = isinstance(model, MarketModel)
    problems.check(known, "model", type(model).__name__, "must be a MarketModel", "fit_market(prices) gives one")
    count = problems.integer("n", n, low=1, high=1_000_000, remedy="200 draws are usual")
    start = problems.integer("seed", seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")
    problems.raise_if_any()
    return count, start
