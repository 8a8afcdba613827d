"""Paths with a correlation that moves: against the twin, from where history ends, and with groups of mixing."""

from __future__ import annotations

import naive_paths
import numpy as np
import pytest
from path_models import flat, gjr, whole_inputs

from collatrisk.dependence import (
    CorrelationDynamics,
    Dcc,
    DependenceFit,
    EwmaCorrelation,
    GroupedTCopula,
    TGroup,
    equicorrelation,
)
from collatrisk.dependence.dynamics import scaled_to_correlation
from collatrisk.market.clock import Clock
from collatrisk.simulation import MarketModel, PathPlan

STATE = np.array([[1.3, 0.1, -0.4], [0.1, 0.9, 0.2], [-0.4, 0.2, 1.1]])


def moving(motion, nu=None, size=3, a=0.06, b=0.9, state=STATE):
    """A dependence of `size` assets whose correlation starts far from its long-run level 0.6."""
    names = tuple("ABCDEFGHIJ"[:size])
    copula = "gaussian" if nu is None else "t"
    state = state[:size, :size]
    if motion == "ewma":
        dynamics = CorrelationDynamics("ewma", 0.06, 0.94, state)
        return DependenceFit(EwmaCorrelation(copula=copula), names, scaled_to_correlation(state), nu, dynamics=dynamics)
    level = equicorrelation(size, 0.6)
    falls = 0.5 * equicorrelation(size, 0.5) if motion == "asymmetric" else None
    dynamics = CorrelationDynamics(motion, a, b, state, 0.0 if falls is None else 0.04, falls)
    return DependenceFit(Dcc(motion, copula), names, level, nu, dynamics=dynamics)


def model(dependence, make=flat):
    names = dependence.assets
    return MarketModel(names, np.full(len(names), 100.0), Clock(), tuple(map(make, names)), dependence)


@pytest.mark.parametrize("motion", ["standard", "corrected", "asymmetric", "ewma"])
@pytest.mark.parametrize("nu", [None, 5.0])
def test_paths_are_those_of_the_twin(motion, nu):
    plan = PathPlan(model(moving(motion, nu), gjr), n_paths=70, horizon_days=5, seed=3)
    block = plan.read(0, 70)
    for path in (0, 1, 63, 64, 69):
        prices, variances = naive_paths.simulate_path(whole_inputs(plan), path, 5)
        assert block.prices[:, :, path] == pytest.approx(prices, rel=1e-9)
        assert block.step_variance[:, :, path] == pytest.approx(variances, rel=1e-9)


def test_grouped_mixing_is_that_of_the_twin():
    names = ("A", "B", "C", "D")
    groups = {"x": ("A", "C"), "y": ("B", "D")}
    kept = (TGroup("x", groups["x"], 3.0), TGroup("y", groups["y"], 12.0))
    dependence = DependenceFit(GroupedTCopula(groups), names, equicorrelation(4, 0.5), groups=kept)
    plan = PathPlan(model(dependence, gjr), n_paths=40, horizon_days=4, seed=9)
    block = plan.read(0, 40)
    for path in (0, 17, 39):
        prices, variances = naive_paths.simulate_path(whole_inputs(plan), path, 4)
        assert block.prices[:, :, path] == pytest.approx(prices, rel=1e-9)
        assert block.step_variance[:, :, path] == pytest.approx(variances, rel=1e-9)


@pytest.mark.parametrize("motion", ["standard", "corrected", "asymmetric", "ewma"])
@pytest.mark.parametrize("nu", [None, 6.0])
def test_simulated_correlation_starts_where_history_ends(motion, nu):
    dependence = moving(motion, nu)
    plan = PathPlan(model(dependence), n_paths=200_000, horizon_days=1, seed=5, drift="zero_log")
    block = plan.read(0, plan.n_paths)
    # Normal scores of the steps have the copula's correlation where both are normal; ranks for the t copula.
    steps = np.log(block.prices[1] / block.prices[0])
    wanted = dependence.next_correlation
    for i in range(3):
        for j in range(i):
            concordant = np.mean(np.sign(steps[i, ::2] - steps[i, 1::2]) * np.sign(steps[j, ::2] - steps[j, 1::2]))
            # Kendall's tau is 2 asin(rho) / pi for both copulas; its error from 1e5 pairs is at most 1 / sqrt(1e5).
            assert concordant == pytest.approx(2 / np.pi * np.arcsin(wanted[i, j]), abs=4 / np.sqrt(1e5))


def test_simulated_correlation_moves_to_its_long_run_level_as_forecast():
    dependence = moving("standard", a=0.05, b=0.75)
    steps = 20
    plan = PathPlan(model(dependence), n_paths=60_000, horizon_days=steps, seed=6, drift="zero_log")
    block = plan.read(0, plan.n_paths)
    returns = np.diff(np.log(block.prices), axis=0)
    unit = returns / np.sqrt(block.step_variance)
    forecast = dependence.forecast_correlation(steps)
    for t in (0, 4, 19):
        found = unit[t] @ unit[t].T / plan.n_paths
        # 4 standard errors of a correlation from 60 000 paths, and what the forecast's approximation may miss.
        assert found == pytest.approx(forecast[t], abs=4 / np.sqrt(6e4) + 0.012)


def test_bits_do_not_depend_on_blocks():
    plan = PathPlan(model(moving("corrected", 5.0)), n_paths=1200, horizon_days=7, seed=1)
    whole = plan.read(0, 1200).prices
    parts = np.concatenate(
        [plan.read(low, high).prices for low, high in ((0, 1), (1, 70), (70, 700), (700, 1200))], axis=2
    )
    assert np.array_equal(whole, parts)
    assert np.array_equal(PathPlan(plan.model, n_paths=9, horizon_days=3, seed=1).read(0, 9).prices, whole[:4, :, :9])


def test_a_motion_without_motion_is_the_constant_copula():
    level = equicorrelation(3, 0.6)
    held = moving("standard", 5.0, a=0.0, b=0.5, state=level)
    still = DependenceFit.from_dict({**held.to_dict(), "dynamics": None, "spec": {"kind": "student-t"}})
    both = [PathPlan(model(one, gjr), n_paths=300, horizon_days=6, seed=2).read(0, 300).prices for one in (held, still)]
    assert both[0] == pytest.approx(both[1], rel=1e-10)


def test_long_ewma_stays_a_number():
    plan = PathPlan(model(moving("ewma")), n_paths=64, horizon_days=2000, seed=4)
    assert np.isfinite(plan.read(0, 64).prices).all()


def test_the_bridge_takes_the_mean_of_the_forecasts():
    dependence = moving("standard")
    plan = PathPlan(model(dependence), n_paths=10, horizon_days=30, seed=4)
    assert plan.correlation == pytest.approx(dependence.forecast_correlation(30).mean(axis=0))
    assert np.linalg.eigvalsh(plan.correlation)[0] > 0
