"""Models, plans, paths and fits from arguments that break a rule: a clear error, no traceback and no quiet answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr

MODEL = cr.MarketModel.constant({"A": 0.8, "B": 0.6}, correlation=0.5)
PRICES = np.exp(np.random.default_rng(0).normal(0, 0.01, (5, 4, 2)))
PRICES[:, 0] = 1.0
DAYS = pd.date_range("2023-01-01", periods=60)
HISTORY = pd.DataFrame({"A": 100.0 + np.arange(60.0) % 7}, index=DAYS)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("assets", {"assets": ("A", "A")}),
        ("assets", {"assets": (1, 2)}),
        ("assets", {"assets": ("A", "")}),
        ("step_variance", {"step_variance": np.full((5, 3, 2), -1.0)}),
        ("correlation", {"correlation": [[1.0, 5.0], [5.0, 1.0]]}),
        ("correlation", {"correlation": [[1.0, 0.5], [0.1, 1.0]]}),
        ("correlation", {"correlation": [["x", "y"], ["y", "x"]]}),
        ("prices", {"prices": [["x"]]}),
    ],
)
def test_paths_from_arrays(name: str, arguments: dict[str, Any]) -> None:
    """Paths with a negative variance or an impossible correlation gave bridges without a warning."""
    with pytest.raises(cr.InputError, match=name):
        cr.PricePaths.from_array(**{"prices": PRICES, "assets": ("A", "B"), "clock": "24/7", **arguments})


@pytest.mark.parametrize("n_paths", [10**12, 2**62])
def test_more_paths_than_memory(n_paths: int) -> None:
    with pytest.raises(cr.InputError, match=r"these paths take [\d,]+ GiB; give the plan itself"):
        cr.simulate(cr.PathPlan(MODEL, n_paths=n_paths, horizon_days=10))


def test_sources_and_ranges() -> None:
    nothing: Any = 5
    half: Any = 0.5
    with pytest.raises(cr.InputError, match="must be a source of paths"):
        cr.simulate(nothing)
    with pytest.raises(cr.InputError, match="range"):
        cr.PathPlan(MODEL, n_paths=10, horizon_days=1).read(half, 5)


@pytest.mark.parametrize("spot", [5, [1.0], "A"])
def test_spot_is_a_mapping(spot: Any) -> None:
    for call in (
        lambda: cr.MarketModel.constant({"A": 0.5}, spot=spot),
        lambda: MODEL.with_spot(spot),
        lambda: cr.HistoricalWindows(HISTORY, 10, spot=spot),
    ):
        with pytest.raises(cr.InputError, match=r"spot .*must map assets to prices"):
            call()


def test_a_correlation_of_text() -> None:
    words = pd.DataFrame([["x", "y"], ["y", "x"]], index=["A", "B"], columns=["A", "B"])
    with pytest.raises(cr.InputError, match="must be a table of numbers"):
        cr.MarketModel.constant({"A": 0.5, "B": 0.5}, correlation=words)
    text: Any = [["a"]]
    with pytest.raises(cr.InputError, match="must be a table of numbers"):
        cr.nearest_correlation(text)
    with pytest.raises(cr.InputError, match=r"uniforms .*must be a table of numbers"):
        cr.fit_dependence(text, cr.Independent(), assets=["A"])
    none: Any = None
    with pytest.raises(cr.InputError, match="assets = None"):
        cr.fit_dependence(np.full((30, 1), 0.5), cr.Independent(), assets=none)


def test_stresses_of_the_wrong_sort() -> None:
    wrong: Any = 5
    for arguments in ({"jumps": wrong}, {"jumps": [wrong]}, {"label": wrong}):
        with pytest.raises(cr.InputError, match=next(iter(arguments))):
            cr.stress_model(MODEL, **arguments)
    with pytest.raises(cr.InputError, match="model = 5"):
        cr.stress_model(wrong)
    with pytest.raises(cr.InputError, match="log_sizes = 5"):
        cr.Jump("crash", 1.0, wrong)


def test_jumps_that_arrive_more_often_than_steps_can_tell() -> None:
    """A step draws eight arrivals at the most."""
    model = cr.stress_model(MODEL, jumps=[cr.Jump("storm", 1000.0, {"A": -0.01})])
    with pytest.raises(cr.InputError, match=r"jump 'storm' .*at most 365 times a year on this clock"):
        cr.PathPlan(model, n_paths=10, horizon_days=5)
    assert cr.PathPlan(model, n_paths=10, horizon_days=5, steps_per_day=48).n_steps == 240


def test_windows_on_a_clock_that_the_history_contradicts() -> None:
    """Ten business days of a history with weekends were ten calendar days."""
    with pytest.raises(cr.InputError, match=r"clock .*prices at weekends.*use clock='24/7'"):
        cr.HistoricalWindows(HISTORY, 10, clock="business")
    with pytest.raises(cr.InputError, match="use clock='business'"):
        cr.HistoricalWindows(HISTORY[DAYS.day_of_week < 5], 10, clock="24/7")
    assert cr.HistoricalWindows(HISTORY, 10, clock="24/7").n_paths == 50
    with pytest.raises(cr.DataError, match="must hold at least one row"):
        cr.HistoricalWindows(HISTORY.iloc[:0], 10, clock="24/7")


def test_files_of_models(tmp_path: Path) -> None:
    none: Any = None
    with pytest.raises(cr.InputError, match="path = None"):
        cr.MarketModel.load(none)
    for place in (tmp_path, tmp_path / "missing" / "model.json"):
        with pytest.raises(cr.InputError, match="cannot be written"):
            MODEL.save(place)
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(cr.InputError, match="must be JSON"):
        cr.MarketModel.load(deep)
    changed = json.loads(json.dumps(MODEL.to_dict())) | {"spot": [1.0, 2.0]}
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(cr.InputError, match="fingerprint"):
        cr.MarketModel.load(file)


@pytest.mark.parametrize("returns", [np.tile([0.01, -0.01], 250), np.random.default_rng(1).choice([-0.01, 0.01], 500)])
@pytest.mark.parametrize("spec", [cr.ConstantVolatility(), cr.Ewma(), cr.ConstantVolatility(dist="t")])
def test_returns_that_only_change_their_sign(returns: Any, spec: Any) -> None:
    """Their squares are equal, which the ARCH-LM test divided by."""
    fit = cr.fit_volatility(returns, spec)
    assert fit.conditional_volatility == pytest.approx(0.01, rel=5e-3)


@pytest.mark.parametrize("horizon", [10**400, 10**9])
def test_forecasts_that_would_never_end(horizon: int) -> None:
    fit = cr.fit_volatility(np.random.default_rng(2).normal(0, 0.01, 100), cr.ConstantVolatility())
    with pytest.raises(cr.InputError, match="horizon"):
        fit.forecast(horizon)


@pytest.mark.parametrize("scenario", [5, None])
def test_scenarios_are_named(scenario: Any) -> None:
    with pytest.raises(cr.InputError, match="must be an id or a path"):
        cr.load_scenario(scenario)


@pytest.mark.parametrize("name", ["assets", "marginals", "jumps", "findings", "clock", "dependence", "provenance"])
@pytest.mark.parametrize("value", [None, 5, "AB", [1.0]])
def test_models_of_the_wrong_parts(name: str, value: Any) -> None:
    with pytest.raises(cr.InputError, match=f"{name} = "):
        replace(MODEL, **{name: value})


@pytest.mark.parametrize("name", ["spec", "params", "std_errors", "last_residuals", "last_variances"])
@pytest.mark.parametrize("value", [None, 5, "x"])
def test_marginals_of_the_wrong_parts(name: str, value: Any) -> None:
    with pytest.raises(cr.InputError, match=f"{name} = "):
        replace(MODEL.marginals[0], **{name: value})


@pytest.mark.parametrize("multiple", ["x", None, float("nan"), 0.0, 1e300])
def test_multiples_of_a_volatility_that_are_none(multiple: Any) -> None:
    for call in (
        MODEL.marginals[0].started_at,
        MODEL.marginals[0].scaled,
        lambda factor: cr.stress_model(MODEL, volatility_scale=factor),
    ):
        with pytest.raises(cr.InputError, match="must be a number in"):
            call(multiple)
