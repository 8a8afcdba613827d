"""The textbook market: constant volatilities, normal log returns and a correlation that the user gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import nearest_correlation
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import GaussianCopula, Independent
from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.volatility.specs import ConstantVolatility

FloatArray = NDArray[np.float64]

_TITLE = "MarketModel.constant"


def constant_model(
    volatility: Mapping[str, float], correlation: object, spot: Mapping[str, float] | None, clock: Clock | str
) -> MarketModel:
    """See `MarketModel.constant`."""
    clock = Clock.of(clock)
    problems = Problems(_TITLE)
    if not isinstance(volatility, Mapping) or not volatility:
        problems.add("volatility", volatility, "must map each asset to a number", 'give {"ETH": 0.8}')
        problems.raise_if_any()
    assets = tuple(map(str, volatility))
    annual = [
        problems.number(f"volatility[{asset}]", value, low=0, remedy="a year's standard deviation: 0.8 for 80 %")
        for asset, value in volatility.items()
    ]
    mapped = spot is None or isinstance(spot, Mapping)
    problems.check(mapped, "spot", spot, "must map assets to prices", "give {'ETH': 2000.0}")
    prices = dict(spot) if spot is not None and mapped else {}
    problems.known("spot", prices, assets)
    start = [
        problems.number(f"spot[{asset}]", prices.get(asset, 1.0), low=0, open_low=True, remedy="give a price")
        for asset in assets
    ]
    matrix = None if correlation is None else read_correlation(problems, correlation, assets)
    problems.raise_if_any()
    return MarketModel(
        assets=assets,
        spot=np.array(start),
        clock=clock,
        marginals=tuple(
            Marginal(asset, ConstantVolatility(mean="zero", dist="normal"), {"omega": clock.per_step(value) ** 2})
            for asset, value in zip(assets, annual, strict=True)
        ),
        dependence=_given_dependence(assets, matrix),
        provenance={"source": "given by the user, not fitted"},
    )


def _given_dependence(assets: tuple[str, ...], matrix: FloatArray | None) -> DependenceFit:
    if matrix is None:
        return DependenceFit(Independent(), assets, np.eye(len(assets)))
    repaired, finding = nearest_correlation(matrix)
    return DependenceFit(GaussianCopula(), assets, repaired, findings=() if finding is None else (finding,))


def read_correlation(problems: Problems, correlation: object, assets: tuple[str, ...]) -> FloatArray:
    """A correlation in any of its notations as a matrix; what is wrong with it goes to `problems`."""
    size = len(assets)
    matrix = np.eye(size)
    if isinstance(correlation, (int, float)) and not isinstance(correlation, bool):
        matrix = _as_array(problems, np.full((size, size), correlation))
        np.fill_diagonal(matrix, 1.0)
    elif hasattr(correlation, "reindex") and hasattr(correlation, "columns"):
        frame: Any = correlation
        for axis, names in (("index", list(frame.index)), ("columns", list(frame.columns))):
            rule = f"must name exactly the assets {list(assets)}"
            fits = sorted(map(str, names)) == sorted(assets)
            problems.check(fits, f"correlation.{axis}", names, rule, "label it with the assets")
        if not problems.found:
            labelled = frame.set_axis(list(map(str, frame.index))).set_axis(list(map(str, frame.columns)), axis=1)
            matrix = _as_array(problems, labelled.loc[list(assets), list(assets)])
    elif isinstance(correlation, Mapping):
        _fill_pairs(problems, matrix, correlation, assets)
    else:
        matrix = _as_array(problems, correlation)
    _check_entries(problems, matrix, size)
    return matrix


def _fill_pairs(
    problems: Problems, matrix: FloatArray, correlation: Mapping[object, object], assets: tuple[str, ...]
) -> None:
    pairs: list[tuple[object, object, object]] = []
    for key, value in correlation.items():
        if isinstance(value, Mapping):
            pairs.extend((key, other, inner) for other, inner in value.items())
        elif isinstance(key, tuple) and len(key) == 2:
            pairs.append((key[0], key[1], value))
        else:
            problems.add("correlation", {key: value}, "must map pairs of assets", 'give {("ETH", "BTC"): 0.8}')
    given: dict[tuple[int, int], float] = {}
    for first, second, value in pairs:
        before = len(problems.found)
        problems.known("correlation", [str(first), str(second)], assets)
        name = f"correlation[{first}, {second}]"
        number = problems.number(name, value, low=-1, high=1, remedy="a correlation is in [-1, 1]")
        if len(problems.found) > before:
            continue
        i, j = sorted((assets.index(str(first)), assets.index(str(second))))
        agrees = given.setdefault((i, j), number) == number
        problems.check(agrees, name, value, f"contradicts {given[i, j]} given before", "give each pair once")
        matrix[i, j] = matrix[j, i] = number
    missing = [(assets[i], assets[j]) for i in range(len(assets)) for j in range(i) if (j, i) not in given]
    problems.check(not missing, "correlation", missing, "these pairs are missing", "give every pair, 0 if unrelated")


def _as_array(problems: Problems, correlation: object) -> FloatArray:
    try:
        return np.array(correlation, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        problems.add("correlation", correlation, "must be a table of numbers", "give a square array or a DataFrame")
        return np.eye(0)


def _check_entries(problems: Problems, matrix: FloatArray, size: int) -> None:
    if problems.found:
        return
    rule = f"must have shape ({size}, {size})"
    if not problems.check(matrix.shape == (size, size), "correlation", matrix.shape, rule, "one row an asset"):
        return
    inside = bool(np.all(np.abs(matrix) <= 1.0))
    problems.check(inside, "correlation", matrix.tolist(), "must lie in [-1, 1]", "check the numbers")
    symmetric = bool(np.array_equal(matrix, matrix.T)) or not inside
    problems.check(symmetric, "correlation", matrix.tolist(), "must be symmetric", "use (C + C.T) / 2")
    ones = bool(np.array_equal(np.diag(matrix), np.ones(size))) or not inside
    problems.check(ones, "correlation", np.diag(matrix).tolist(), "must have ones on its diagonal", "set them to 1")
