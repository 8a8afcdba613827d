"""Does variance reduction pay? Variance x time of each way against plain sampling, on the library's own questions.

``python benchmarks/variance_evidence.py`` writes four Markdown tables, a question each. A cell is ``variance x time``
of plain sampling over that of the way: above 1 it wins; in brackets the ratio of variances alone.

*Time* is processor time of one thread: that of the public call (`run_margin` with the bridge, `haircut`), less what its
normals take, plus what the normals of the other plan and its controls take, all measured here. *Variance* of
independent paths, of pairs and of what controls leave is that of single values (an expected shortfall by its influence
function); that of stratified and Sobol sampling is that of the means of independent replicates of 4 096 paths.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import even_loan, market, terms
from scipy.special import ndtr
from variance_draws import PLANS, FloatArray, bridge_minimum, crossing_probability, engine_normals, paths_from

import collatrisk as cr

N, REPLICATES = 4096, 100
CALL, RARE, LEVEL = 0.6, 0.55, 0.99
DELAYED = {"margin_call": 1.05, "restore_to": 1.1, "liquidation_delay_days": 5}
QUESTIONS = {
    "margin call in 30 days, LTV 0.6": 30,
    "margin call in 30 days, LTV 0.55": 30,
    "mean shortfall in 30 days, LTV 0.75, sold after five days": 30,
    "ES 99 % haircut, 10 days": 10,
}
CALLS = tuple(QUESTIONS)[:2]
SHORTFALL, HAIRCUT = tuple(QUESTIONS)[2:]
BARRIERS = dict(zip(tuple(QUESTIONS)[:3], (1.15 * CALL / 0.85, 1.15 * RARE / 0.85, 0.75 / 0.85), strict=True))


@dataclass(frozen=True)
class Case:
    """A model on a horizon, with its textbook twin: the same normals, constant volatility, a geometric basket."""

    model: Any
    steps: int
    twin_sd: float
    direction: FloatArray  # (steps, d), of norm 1: what the twin's log value is made of
    strike: float  # 1 - VaR of the haircut

    @property
    def plan(self) -> Any:
        """The public plan of the case."""
        return cr.PathPlan(self.model, n_paths=100_000, horizon_days=self.steps, seed=5)


def make_case(model: Any, steps: int) -> Case:
    """Twin and VaR from a pilot run."""
    d = len(model.assets)
    pilot = cr.PathPlan(model, n_paths=20_480, horizon_days=steps, seed=99).read(0, 20_480)
    sd = np.sqrt(pilot.step_variance.mean(axis=(0, 2)))
    loads = (sd / d) @ np.linalg.cholesky(model.dependence.correlation)
    size = float(np.linalg.norm(loads))
    losses = 1.0 - (pilot.prices[-1] / 100.0).mean(axis=0)
    var = cr.value_at_risk(losses, LEVEL)
    direction = np.tile(loads / size, (steps, 1)) / np.sqrt(steps)
    return Case(model, steps, size, direction, 1.0 - float(np.max(var)))


def answers(case: Case, normals: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """The value of each question on every path, and under ``smooth ...`` that with crossing probabilities."""
    steps, d, n = normals.shape[0], normals.shape[1] - 1, normals.shape[2]
    prices, variance = np.empty((steps + 1, d, n)), np.empty((steps, d, n))
    paths_from(case.plan._kernel_inputs(), np.ascontiguousarray(normals), prices, variance)
    value = prices.mean(axis=1) / 100.0
    if steps == QUESTIONS[HAIRCUT]:
        return {HAIRCUT: 1.0 - case.strike + np.maximum(case.strike - value[-1], 0.0) / (1.0 - LEVEL)}
    exposure = prices[:-1] / (100.0 * d * value[:-1, None]) * np.sqrt(variance)
    correlation = case.model.dependence.correlation
    spread = np.einsum("sin,sin->sn", exposure, np.einsum("ij,sjn->sin", correlation, exposure))
    low, x = np.empty(n), np.log(value)
    bridge_minimum(x, spread, np.log(rng.random((steps, n))), low)
    found = {name: (low < np.log(BARRIERS[name])).astype(float) for name in CALLS}
    for name in CALLS:
        found[f"smooth {name}"] = np.empty(n)
        crossing_probability(x, spread, np.log(BARRIERS[name]), found[f"smooth {name}"])
    seed = int(rng.integers(2**63))
    source = cr.PricePaths(case.model.assets, case.model.clock, prices, variance, correlation, seed)
    outcomes = cr.run_margin(source, even_loan(case.model, 0.75), terms("bridge", **DELAYED), keep="paths")
    return found | {SHORTFALL: outcomes[0].values("shortfall")}


def twin_controls(case: Case, normals: FloatArray) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The terminal score (n,), mean 0, and each question's value on the twin less its closed form."""
    steps, n = normals.shape[0], normals.shape[2]
    sd = case.twin_sd
    score = np.einsum("sd,sdn->sn", case.direction, normals[:, :-1]) * np.sqrt(steps)
    y = np.vstack([np.zeros(n), np.cumsum(sd * score - 0.5 * sd * sd, axis=0)])
    if steps == QUESTIONS[HAIRCUT]:
        put = np.maximum(case.strike - np.exp(y[-1]), 0.0) - put_mean(case.strike, sd * np.sqrt(steps))
        return score.sum(axis=0), {HAIRCUT: put}
    spread, controls = np.full((steps, n), sd * sd), {}
    for name, barrier in BARRIERS.items():
        controls[name] = np.empty(n)
        crossing_probability(y, spread, np.log(barrier), controls[name])
        controls[name] -= first_passage(np.log(barrier), -0.5 * sd * sd * steps, sd * np.sqrt(steps))
    return score.sum(axis=0), controls


def first_passage(b: float, drift: float, sd: float) -> float:
    """P(a Brownian motion with this drift and deviation at the horizon has been at b < 0)."""
    return float(ndtr((b - drift) / sd) + np.exp(2.0 * drift * b / sd**2) * ndtr((b + drift) / sd))


def put_mean(strike: float, sd: float) -> float:
    """E[max(strike - exp(Y), 0)] of Y normal with mean -sd^2 / 2."""
    d2 = (-np.log(strike) - 0.5 * sd * sd) / sd
    return float(strike * ndtr(-d2) - ndtr(-d2 - sd))


def variances(case: Case) -> dict[tuple[str, str], float]:
    """n x variance of the mean for (question, way)."""
    found: dict[tuple[str, str], float] = {}
    shape = (case.steps, len(case.model.assets) + 1, N)
    for number, (way, draw) in enumerate(PLANS.items()):
        blocks: list[dict[str, FloatArray]] = []
        scores: list[FloatArray] = []
        twins: list[dict[str, FloatArray]] = []
        for replicate in range(REPLICATES):
            rng = np.random.default_rng([number, replicate, case.steps])
            normals = draw(rng, shape, case.direction)
            blocks.append(answers(case, normals, rng))
            if way == "plain":
                score, twin = twin_controls(case, normals)
                scores.append(score)
                twins.append(twin)
        names = [name for name in blocks[0] if not name.startswith("smooth")]
        for name in names:
            values = np.array([block[name] for block in blocks])
            if way == "plain":
                found[name, way] = float(values.var())
                controls = np.array([np.concatenate(scores), np.concatenate([twin[name] for twin in twins])])
                sys.stderr.write(f"{name}: {values.mean():.5g}, twin off by {_off(controls[1]):.1f} se\n")
                _controlled(found, name, values, controls, "")
                if name in CALLS:
                    smooth = np.array([block[f"smooth {name}"] for block in blocks])
                    found[name, "crossing probability"] = float(smooth.var())
                    _controlled(found, name, smooth, controls, "crossing probability, ")
            elif way.startswith("antithetic"):
                pairs = 0.5 * (values[:, : N // 2] + values[:, N // 2 :])
                found[name, way] = 2.0 * float(pairs.var())
            else:
                found[name, way] = N * float(values.mean(axis=1).var(ddof=1))
    return found


def _controlled(found: dict[Any, float], name: str, values: FloatArray, controls: FloatArray, prefix: str) -> None:
    for way, chosen in (("control: terminal score", controls[:1]), ("control: textbook twin and score", controls)):
        design = np.vstack([np.ones(values.size), chosen]).T
        rest = values.ravel() - design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
        found[name, prefix + way] = float(rest.var())


def _off(control: FloatArray) -> float:
    return float(control.mean() / control.std() * np.sqrt(control.size))


def seconds(function: Callable[[], Any], runs: int = 3) -> float:
    """The least processor time of some runs, after one that is not counted."""
    function()
    found = []
    for _ in range(runs):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def times(case: Case) -> dict[tuple[str, str], float]:
    """Nanoseconds a path for (question, way)."""
    rng = np.random.default_rng(1)
    shape = (case.steps, len(case.model.assets) + int(case.plan._kernel_inputs().scores.mixed), N)
    padded = (case.steps, len(case.model.assets) + 1, N)
    out, normals = np.empty(shape), rng.standard_normal(padded)
    unit = 1e9 / N
    plain = unit * seconds(lambda: engine_normals(np.uint64(7), 0, len(case.model.assets), out))
    numpy_plain = unit * seconds(lambda: PLANS["plain"](rng, padded, case.direction))
    extra = dict.fromkeys(PLANS, 0.0)
    extra["crossing probability"] = 0.0
    half = out[:, :, : N // 2]
    copy = unit * seconds(lambda: np.negative(half))
    share = shape[1] / padded[1]  # a model without mixing needs no points for it
    for way in PLANS:
        if way.startswith("antithetic"):
            extra[way] = copy - 0.5 * plain
        elif way.startswith("stratified"):
            both = unit * seconds(lambda way=way: PLANS[way](rng, padded, case.direction))
            extra[way] = max(both - numpy_plain, 0.0)
        elif way.startswith("scrambled"):
            both = unit * seconds(lambda way=way: PLANS[way](rng, padded, case.direction))
            extra[way] = share * both - plain
    twin = unit * seconds(lambda: twin_controls(case, normals))
    twin *= 1.0 if case.steps == QUESTIONS[HAIRCUT] else 0.5  # it computes three barriers, a question wants one
    score = unit * seconds(lambda: np.einsum("sd,sdn->n", case.direction, normals[:, :-1]))
    for prefix in ("", "crossing probability, "):
        extra[prefix + "control: terminal score"] = score
        extra[prefix + "control: textbook twin and score"] = twin
    found = {}
    mix = cr.Mix(dict.fromkeys(case.model.assets, 1.0 / len(case.model.assets)))
    for name, steps in QUESTIONS.items():
        if steps == case.steps:
            public = 1e9 / case.plan.n_paths * seconds(lambda name=name: _ask(name, case, mix))
            sys.stderr.write(f"{name}: {public:.0f} ns a path, of it normals {plain:.0f}\n")
            found |= {(name, way): public + more for way, more in extra.items()}
    return found


def _ask(name: str, case: Case, mix: Any) -> Any:
    if name == HAIRCUT:
        return cr.haircut(case.plan, mix, level=LEVEL, mpor_days=case.steps, measure="es")
    if name == SHORTFALL:
        return cr.run_margin(case.plan, even_loan(case.model, 0.75), terms("bridge", **DELAYED))
    return cr.run_margin(case.plan, even_loan(case.model, CALL if name == CALLS[0] else RARE), terms("bridge"))


def constant(d: int) -> Any:
    """Normal log returns of 54 % a year, correlations 0.5."""
    names = [f"A{i}" for i in range(d)]
    return cr.MarketModel.constant(dict.fromkeys(names, 0.54), 0.5, dict.fromkeys(names, 100.0))


def same_bits(model: Any) -> None:
    """Given the engine's own normals, the paths here are those of `PathPlan.read`, bit for bit."""
    plan = cr.PathPlan(model, n_paths=1024, horizon_days=10, seed=5)
    inputs, block = plan._kernel_inputs(), plan.read(0, 1024)
    d = len(plan.assets)
    normals, prices, variance = np.empty((10, d + 1, 1024)), np.empty((11, d, 1024)), np.empty((10, d, 1024))
    engine_normals(inputs.scores.key, 0, d, normals)
    paths_from(inputs, normals, prices, variance)
    if not (np.array_equal(prices, block.prices) and np.array_equal(variance, block.step_variance)):
        raise AssertionError("the paths of this benchmark are not those of the engine")


def main() -> None:
    """All tables to standard output."""
    models = {
        "normal, 1 asset": constant(1),
        "normal, 5 assets": constant(5),
        "GJR-GARCH-t, 1 asset": market(1),
        "GJR-GARCH-t with t copula, 5 assets": market(5),
    }
    gains: dict[str, dict[str, list[str]]] = {name: {} for name in QUESTIONS}
    for title, model in models.items():
        same_bits(model)
        sys.stderr.write(f"{title}\n")
        for steps in sorted(set(QUESTIONS.values())):
            case = make_case(model, steps)
            cost, spread = times(case), variances(case)
            for name, way in spread:
                ratio = spread[name, "plain"] / spread[name, way]
                gain = ratio * cost[name, "plain"] / cost[name, way]
                gains[name].setdefault(way, []).append("exact" if ratio > 1e6 else f"{gain:.3g} ({ratio:.3g})")
    for name, ways in gains.items():
        sys.stdout.write(f"\n### {name}\n\n| way | {' | '.join(models)} |\n|---|{'---|' * len(models)}\n")
        for way, cells in ways.items():
            sys.stdout.write(f"| {way} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
