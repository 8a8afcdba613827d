"""The three applications of a scenario to accounts: the shock, the replay, the stressed model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.errors import CollatriskError
from collatrisk.collateral import Account, Terms, collateral_value, health_factor
from collatrisk.scenarios import Scenario, ScenarioPaths, TablePaths, replay, stressed_model, stressed_text
from collatrisk.study.stress_cells import AMOUNTS, EVENTS, Cells, Priced, Row, blank_row

if TYPE_CHECKING:
    from collatrisk.margining import Outcomes
    from collatrisk.risk import Estimate
    from collatrisk.simulation.source import PathSource

# Copies of one price path on which cures are drawn: their share is then a probability with an interval.
_CURE_DRAWS = 1_000
_TAIL = 0.99
_MODEL_AFTER = "collateral: mean of the worst 1 % at the horizon; health factor: 1 % quantile of the lowest"


def shock_row(cells: Cells, scenario: Scenario, priced: Priced, row: Row) -> Row:
    """The instantaneous shock of one account, with time enough for deadlines and delays to pass."""
    account = priced.account
    if account is None:
        return row
    if not scenario.shocks:
        return replace(row, status="not applicable", reason="the scenario names no shocks")
    spot = {asset: priced.spot[asset] for asset in account.assets}
    resolved = scenario.resolve(spot, proxies=cells.proxies)
    row = replace(row, applied=resolved.text, after_is="at the shocked prices")
    if not resolved.complete:
        refused = "; ".join(f"{asset}: {why}" for asset, why in resolved.refused.items())
        return spoilt(row, "refused", refused)
    clock, terms = cells.shock_clock(account), cells.terms
    waits = (terms.cure_days, "cure_days"), (terms.liquidation_delay_days, "liquidation_delay_days")
    steps = 1 + sum(clock.steps(days, name) for days, name in waits)
    paths = ScenarioPaths.of(scenario, spot, clock=clock, n_steps=steps, proxies=cells.proxies, seed=cells.seed)
    return _table_row(cells, account, paths, row)


def replay_row(cells: Cells, scenario: Scenario, priced: Priced, row: Row) -> Row:
    """The replay of the scenario's window for one account."""
    account = priced.account
    if account is None or cells.prices is None:
        return row
    if scenario.replay is None:
        return replace(row, status="not applicable", reason="the scenario has no replay window")
    absent = [asset for asset in account.assets if asset not in cells.prices.columns]
    if absent:
        return spoilt(row, "refused", f"no prices of {', '.join(absent)}")
    clock = cells.price_clock(account.assets)
    assets = account.assets
    path = replay(cells.prices, scenario, spot=priced.spot, assets=assets, clock=clock, seed=cells.seed)
    applied = f"closes of {scenario.replay}, {path.n_steps} steps, nothing known between them"
    return _table_row(cells, account, path, replace(row, applied=applied, after_is="at the lowest of the window"))


def model_rows(cells: Cells, scenario: Scenario) -> list[Row]:
    """The stressed model of a scenario, all accounts on the same paths."""
    rows = [_model_row_before(cells, scenario, priced) for priced in cells.accounts]
    live = [i for i, row in enumerate(rows) if row.status == "ok"]
    if not live or cells.model is None:
        return rows
    from collatrisk.simulation import PathPlan

    model = stressed_model(cells.model, scenario)
    plan = PathPlan(model, n_paths=cells.n_paths, horizon_days=cells.horizon_days, seed=cells.seed)
    priced = [cells.accounts[i] for i in live]
    worst = _worst_collateral(plan, [p.account for p in priced if p.account is not None])
    for i, found in zip(live, _run_each(cells, plan, priced), strict=True):
        rows[i] = _model_row(cells, plan, cells.accounts[i], found, worst[live.index(i)], rows[i])
    return rows


def spoilt(row: Row, status: str, reason: str) -> Row:
    """The row of a cell that came to nothing: no number, and the reason."""
    return replace(row, status=status, reason=reason, after_is="", numbers={})


def error_row(row: Row, error: Exception) -> Row:
    """The row of a cell that raised: refused where the library said why, failed otherwise."""
    if isinstance(error, CollatriskError):
        return spoilt(row, "refused", str(error))
    return spoilt(row, "failed", f"{type(error).__name__}: {error}")


def _model_row_before(cells: Cells, scenario: Scenario, priced: Priced) -> Row:
    row = blank_row(priced, scenario, "model")
    if priced.account is None or cells.model is None:
        return row
    if scenario.stressed is None:
        return replace(row, status="not applicable", reason="the scenario has no stressed-model block")
    row = replace(row, applied=stressed_text(scenario, cells.model.assets), after_is=_MODEL_AFTER)
    assets = priced.account.assets
    missing = [asset for asset in assets if asset not in cells.model.assets]
    if missing:
        return spoilt(row, "refused", f"the model does not have {', '.join(missing)}")
    silent = scenario.unstressed(assets, proxies=cells.proxies)
    return spoilt(row, "refused", f"the scenario says nothing about {', '.join(silent)}") if silent else row


def _run(cells: Cells, source: PathSource, accounts: Sequence[Account]) -> Outcomes:
    from collatrisk.margining import run_margin

    return run_margin(source, accounts, cells.terms, executor=cells.executor)


def _run_each(
    cells: Cells, source: PathSource, priced: Sequence[Priced]
) -> list[tuple[Outcomes, int] | CollatriskError]:
    """Outcomes and row of every account, from one pass; one account at a time where the pass is refused."""
    accounts = [p.account for p in priced if p.account is not None]
    try:
        outcomes = _run(cells, source, accounts)
    except CollatriskError as error:
        return [error] if len(priced) == 1 else [_run_each(cells, source, [one])[0] for one in priced]
    return [(outcomes, i) for i in range(len(accounts))]


def _table_row(cells: Cells, account: Account, paths: TablePaths, row: Row) -> Row:
    """The numbers of one price path: exact, unless cures are drawn on copies of it."""
    drawn = 0 < cells.terms.cure_probability < 1
    source = _copies(paths, _CURE_DRAWS) if drawn else paths
    numbers = _outcome_numbers(_run(cells, source, [account]), 0, exact=not drawn)
    numbers |= _state(account, cells.terms, paths)
    numbers |= {"n_paths": source.n_paths, "horizon_days": float(paths.times[-1])}
    return replace(row, numbers=numbers)


def _copies(paths: TablePaths, count: int) -> TablePaths:
    table = np.repeat(paths.prices, count, axis=2)
    return TablePaths(paths.assets, paths.clock, table, paths.labels * count, paths.kind, paths.seed)


def _state(account: Account, terms: Terms, paths: TablePaths) -> dict[str, float]:
    """Collateral and health factor before, and at the lowest of the path, units unchanged."""
    steps = [dict(zip(paths.assets, map(float, row), strict=True)) for row in paths.prices[:, :, 0]]
    values = [collateral_value(account, prices) for prices in steps]
    factors = [health_factor(account, prices, terms) for prices in steps]
    return _before_and_after(values[0], min(values[1:]), factors[0], min(factors[1:]))


def _before_and_after(value: float, value_after: float, factor: float, factor_after: float) -> dict[str, float]:
    return {
        "collateral_before": value,
        "collateral_after": value_after,
        "collateral_change": value_after / value - 1 if value > 0 else math.nan,
        "health_factor_before": factor,
        "health_factor_after": factor_after,
    }


def _model_row(
    cells: Cells,
    plan: PathSource,
    priced: Priced,
    found: tuple[Outcomes, int] | CollatriskError,
    worst: float,
    row: Row,
) -> Row:
    if isinstance(found, CollatriskError):
        return error_row(row, found)
    outcomes, index = found
    assert priced.account is not None
    value = collateral_value(priced.account, priced.spot)
    factor = health_factor(priced.account, priced.spot, cells.terms)
    lowest = outcomes.value_at_risk("min_health_factor", _TAIL, index).value if math.isfinite(factor) else math.inf
    numbers = _outcome_numbers(outcomes, index, exact=False)
    numbers |= _before_and_after(value, worst, factor, lowest)
    return replace(row, numbers=numbers | {"n_paths": plan.n_paths, "horizon_days": float(plan.times[-1])})


def _outcome_numbers(outcomes: Outcomes, account: int, *, exact: bool) -> dict[str, float]:
    found = {column: outcomes.probability(event, account) for column, event in EVENTS.items()}
    found |= {amount: outcomes.mean(amount, account) for amount in AMOUNTS}
    return {key: value for column, estimate in found.items() for key, value in _bounds(column, estimate, exact).items()}


def _bounds(column: str, estimate: Estimate, exact: bool) -> dict[str, float]:
    low, high = (estimate.value, estimate.value) if exact else estimate.ci()
    return {column: estimate.value, f"{column}_low": low, f"{column}_high": high}


def _worst_collateral(source: PathSource, accounts: Sequence[Account]) -> list[float]:
    """Mean of the worst 1 % of each account's collateral value at the end of the paths, units unchanged."""
    from collatrisk.risk import TailSketch, tail_size

    units = np.array([[account.holdings.get(asset, 0.0) for asset in source.assets] for account in accounts])
    cash = [account.holdings.get(account.currency, 0.0) for account in accounts]
    sketches = [TailSketch(tail_size(source.n_paths, _TAIL)) for _ in accounts]
    for block in source.blocks():
        ends = block.prices[-1]
        for i in range(len(accounts)):
            # Summed asset by asset: a matrix product of BLAS may change its last bits with the number of threads.
            value = np.full(block.n_paths, cash[i])
            for k in np.flatnonzero(units[i]):
                value += units[i, k] * ends[k]
            sketches[i] = sketches[i].add(-value)
    return [-sketch.expected_shortfall(_TAIL) for sketch in sketches]
