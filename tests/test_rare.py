"""Rare events: closed forms, brute force, and what the lineage of paths promises."""

import math

import naive
import numpy as np
import pytest
from scipy import special, stats

import collatrisk as cr
from collatrisk.kernels.search import DIRECTION, JUMP, MIXING, count_extremes, find_extreme
from collatrisk.rare.question import Question
from collatrisk.rare.splitting import copies, pair_reaching
from collatrisk.simulation.lineage import LineagePaths, new_numbers
from collatrisk.simulation.path_inputs import path_inputs

TERMS = cr.Terms(liquidation_threshold=0.85)
TABLE = np.zeros((2, 4))


def loan(ltv, **weights):
    return cr.Loan(cr.Mix(weights or {"ETH": 1.0}), collateral_value=1e6, ltv=ltv)


@pytest.fixture(scope="module")
def gbm():
    return cr.PathPlan(cr.MarketModel.constant({"ETH": 0.8}), n_paths=600, horizon_days=30, seed=7)


@pytest.fixture(scope="module")
def garch():
    spec = cr.Garch(dist="t")
    params = {"mu": 0.0, "omega": 2e-5, "alpha[1]": 0.06, "gamma[1]": 0.04, "beta[1]": 0.9, "nu": 4.0}
    marginals = tuple(
        cr.Marginal(asset, spec, params, last_residuals=(0.01,), last_variances=(0.0012,)) for asset in ("ETH", "BTC")
    )
    rng = np.random.default_rng(3)
    z = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 3000) / np.sqrt(rng.chisquare(5, (3000, 1)) / 5)
    dependence = cr.fit_dependence(stats.t.cdf(z, 5), cr.StudentTCopula(), assets=("ETH", "BTC"))
    model = cr.MarketModel(("ETH", "BTC"), np.array([100.0, 200.0]), cr.Clock.of("24/7"), marginals, dependence)
    return cr.PathPlan(model, n_paths=200_000, horizon_days=9, seed=11)


def first_passage(barrier, sigma, years):
    """P(min of a driftless geometric Brownian motion from 1 <= barrier), Borodin and Salminen (2002), 2.0.2."""
    mu, b, s = -0.5 * sigma**2, math.log(barrier), sigma * math.sqrt(years)
    return special.ndtr((b - mu * years) / s) + math.exp(2 * mu * b / sigma**2) * special.ndtr((b + mu * years) / s)


@pytest.mark.parametrize(("ltv", "worst"), [(0.55, 0.05), (0.4, 0.1), (0.3, 0.25), (0.22, 0.6)])
def test_splitting_meets_the_first_passage_of_a_brownian_motion(gbm, ltv, worst):
    """Probabilities 7e-2, 1e-3, 9e-6 and 7e-9; the bridge makes the monitoring continuous."""
    found = cr.rare_probability(gbm, loan(ltv), TERMS, event="liquidated", method="splitting")
    exact = first_passage(ltv / 0.85, 0.8, 30 / 365)
    assert abs(found.value - exact) < 4.0 * found.standard_error
    assert found.standard_error < worst * exact
    assert found.n < 600_000


@pytest.mark.parametrize("method", ["splitting", "importance"])
@pytest.mark.parametrize("event", ["liquidated", "shortfall"])
def test_both_schemes_agree_with_brute_force(garch, method, event):
    account = loan(0.5, ETH=0.5, BTC=0.5)
    plain = cr.run_margin(garch, account, TERMS).probability(event)
    found = cr.rare_probability(garch, account, TERMS, event=event, method=method)
    assert 1e-5 < plain.value < 5e-3
    assert abs(found.value - plain.value) < 4.0 * math.hypot(found.standard_error, plain.standard_error)


def test_cures_and_forced_sales_are_in_the_answer(garch):
    terms = cr.Terms(liquidation_threshold=0.85, cure_probability=0.5, uncured="liquidate", cure_days=2)
    account = loan(0.55, ETH=0.5, BTC=0.5)
    plain = cr.run_margin(garch, account, terms)
    for event in ("cured", "liquidated"):
        found = cr.rare_probability(garch, account, terms, event=event, method="splitting", effort=1024)
        exact = plain.probability(event)
        assert abs(found.value - exact.value) < 4.0 * math.hypot(found.standard_error, exact.standard_error)


def test_one_jump_that_does_it_all_is_drawn_more_often(gbm):
    """A crash of 80 % liquidates at once and nothing else can: P = 1 - exp(-rate years)."""
    from dataclasses import replace

    model = cr.MarketModel.constant({"ETH": 0.05})
    crash = cr.Jump("crash", 0.02, {"ETH": math.log(0.2)})
    plan = cr.PathPlan(replace(model, jumps=(crash,)), n_paths=600, horizon_days=30, seed=1)
    found = cr.rare_probability(plan, loan(0.5), TERMS, event="liquidated")
    exact = -math.expm1(-0.02 * 30 / 365)
    assert "arrivals of the jump 'crash'" in found.method
    assert abs(found.value - exact) < 4.0 * found.standard_error
    assert found.standard_error < 0.1 * exact


def test_an_event_that_is_not_rare_is_sampled_plainly(gbm):
    found = cr.rare_probability(gbm, loan(0.8), TERMS, event="margin_called", runs=8)
    exact = first_passage(0.8 * 1.1 / 0.85, 0.8, 30 / 365) if 0.8 * 1.1 < 0.85 else 1.0
    assert "plain sampling" in found.method
    assert found.value == pytest.approx(exact)


def test_what_never_happens_has_an_upper_bound(gbm):
    found = cr.rare_probability(gbm, loan(0.01), TERMS, event="shortfall", method="importance", effort=64, runs=4)
    low, high = found.ci()
    assert (found.value, low) == (0.0, 0.0)
    assert high == pytest.approx(-math.expm1(math.log(0.025) / 64))


def test_a_copy_shares_its_parents_prices_up_to_the_level_and_no_further(garch):
    question = Question(garch, loan(0.5, ETH=0.5, BTC=0.5).account({"ETH": 100.0, "BTC": 200.0}), TERMS, "liquidated")
    parents = np.tile(new_numbers(0, 256), (5, 1))
    reached = pair_reaching(question.health(parents), 1.6)
    inside = np.flatnonzero(reached >= 0)
    children = copies(parents, inside, reached, new_numbers(256, 256), np.random.default_rng(0))
    assert inside.size > 5
    prices = {name: LineagePaths(garch, n, 1).read(0, 256).prices for name, n in (("p", parents), ("c", children))}
    for child in range(256):
        parent = int(np.flatnonzero(parents[0] == children[0, child])[0])
        shared = 2 * int(reached[parent]) + 2
        assert np.array_equal(prices["c"][: shared + 1, :, child], prices["p"][: shared + 1, :, parent])
        if shared < 9:
            assert not np.any(prices["c"][shared + 1, :, child] == prices["p"][shared + 1, :, parent])
    counts = np.bincount(np.searchsorted(np.sort(parents[0, inside]), children[0]), minlength=inside.size)
    assert set(counts) <= {256 // inside.size, -(-256 // inside.size)}


def test_numbers_of_a_plan_give_the_plans_own_paths(garch):
    numbers = np.tile(np.arange(700, dtype=np.uint64), (5, 1))
    block, own = LineagePaths(garch, numbers, 0).read(0, 700), garch.read(0, 700)
    assert np.array_equal(block.prices, own.prices)
    assert np.array_equal(block.step_variance, own.step_variance)


@pytest.mark.parametrize("kind", [MIXING, DIRECTION, JUMP])
def test_the_search_finds_the_first_number_whose_draws_are_extreme(kind):
    """Twin: one number after the other, with the naive generator."""
    key, direction, threshold = np.uint64(9), np.array([0.6, 0.8]), 0.02 if kind == JUMP else -1.8

    def extremity(number, pair):
        if kind == JUMP:
            return min(naive.draw_uniforms(9, number, 2 * pair + half, 1)[0] for half in (0, 1))
        if kind == MIXING:
            return min(naive.draw_normals(9, number, pair, 1 << 16))
        draws = np.array([naive.draw_normals(9, number, pair, i) for i in (0, 1)])
        return float((direction @ draws).min())

    starts, pairs = np.array([5, 10**12], dtype=np.uint64), np.array([0, 3])
    found = np.empty(2, dtype=np.uint64)
    assert find_extreme(kind, key, starts, pairs, direction, TABLE, 1.0, 1, threshold, 10**5, found) == 0
    for start, pair, number in zip(starts.tolist(), pairs.tolist(), found.tolist(), strict=True):
        assert number == next(n for n in range(start, start + 10**5) if extremity(n, pair) < threshold)
    numbers = np.tile(np.arange(512, dtype=np.uint64), (3, 1))
    counts = np.empty((1, 40), dtype=np.int64)
    count_extremes(kind, key, numbers, direction, TABLE, 1.0, 1, np.array([threshold]), counts)
    assert counts[0].tolist() == [sum(extremity(n, pair) < threshold for pair in range(3)) for n in range(40)]


def test_the_t_score_along_a_direction_has_the_stated_tail(garch):
    from collatrisk.rare.importance import find_tails

    account = loan(0.5, ETH=0.5, BTC=0.5).account({"ETH": 100.0, "BTC": 200.0})
    (tail,) = find_tails(Question(garch, account, TERMS, "liquidated")).tails
    numbers = np.tile(np.arange(2**17, dtype=np.uint64), (2, 1))
    counts = np.empty((tail.thresholds.size, 2**17), dtype=np.int64)
    args = (tail.kind, tail.key, numbers, tail.direction, tail.mixing, tail.scale, tail.jump)
    count_extremes(*args, tail.thresholds, counts)
    for found, probability in zip(counts.mean(axis=1) / 2, tail.probability, strict=True):
        assert abs(found - probability) < 4.5 * math.sqrt(probability / 2**18)
    assert path_inputs(garch.model, garch.clock, garch.seed, garch.drift, garch.n_steps).scores.mixed


def test_answers_do_not_depend_on_threads_and_repeat(garch):
    from concurrent.futures import ThreadPoolExecutor

    account = loan(0.4, ETH=0.5, BTC=0.5)
    with ThreadPoolExecutor(3) as executor:
        found = {
            cr.rare_probability(garch, account, TERMS, effort=256, runs=4, executor=chosen).value
            for chosen in (None, executor, None)
        }
    assert len(found) == 1


def test_bad_arguments_are_named_together(gbm):
    with pytest.raises(cr.InputError) as error:
        cr.rare_probability(gbm.read(0, 1), "ETH", {}, event="ruin", method="luck", effort=1, runs=1)
    names = {problem.name for problem in error.value.problems}
    assert names == {"plan", "account", "terms", "event", "method", "effort", "runs"}
