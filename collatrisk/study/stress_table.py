"""Stress tests of accounts: every scenario in each of its three applications, one row each, failures included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from typing import TYPE_CHECKING

from collatrisk.base.errors import CollatriskError
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Terms
from collatrisk.market.clock import Clock
from collatrisk.scenarios import Proxy, Scenario, load_catalogue, load_scenario
from collatrisk.study.stress_cells import COLUMNS, Cells, Priced, Row, blank_row, priced_accounts
from collatrisk.study.stress_rows import error_row, model_rows, replay_row, shock_row

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation.model import MarketModel

ScenarioLike = str | PathLike[str] | Scenario


def stress(
    account: Account | Loan | Sequence[Account | Loan],
    scenarios: ScenarioLike | Sequence[ScenarioLike] | None = None,
    terms: Terms | None = None,
    *,
    model: MarketModel | None = None,
    prices: pd.DataFrame | None = None,
    n_paths: int | None = None,
    horizon_days: float | None = None,
    seed: int = 0,
    clock: Clock | str | None = None,
    proxies: Sequence[Proxy] | None = None,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Apply scenarios to accounts: as an instantaneous shock, as a stressed model, as a replay of history.

    Parameters
    ----------
    account : one or many. A `Loan` starts at the model's spot, else at the last prices, else at one per unit; an
        `Account` counts units and needs a price from the model or the prices.
    scenarios : ids of the catalogue, paths of TOML files or `Scenario` objects; None (or ``"all"``): the catalogue.
    terms : `Terms()` by default.
    model : with it, every scenario that has a stressed-model block is simulated as well.
    prices : with them, every scenario that has a replay window is replayed as well.
    n_paths, horizon_days : of the simulations; None for 20 000 paths and 30 days. Refused without a model: shocks and
        replays have no use for them.
    seed : of the simulations, and of cures that are drawn. All scenarios share it: rows do not differ by chance.
    clock : of shocks and replays; by default the model's, else that of the prices, else ``"24/7"``.
    proxies : rules for assets that a scenario does not name; None: the table that ships with the catalogue.
    executor : any `concurrent.futures.Executor`; results do not depend on it.

    Returns
    -------
    DataFrame, one row a scenario x application x account, in that order. Columns:

    - ``scenario, title, kind, application`` (``"shock"``, ``"model"``, ``"replay"``), ``account``
    - ``status``: ``"ok"``, ``"not applicable"`` (the scenario has no such block), ``"refused"`` (it says nothing about
      an asset, the window is not in the prices, an account cannot be priced) or ``"failed"`` (unexpected); ``reason``
      says why where it is not ok, and every number of the row is NaN.
    - ``applied``: each shock and whether it is named or follows which proxy; or what was done to the model.
    - ``n_paths, horizon_days``
    - ``collateral_before, collateral_after, collateral_change`` (a fraction, a fall is negative),
      ``health_factor_before, health_factor_after``, before any call or sale: at the shocked prices; at the lowest of
      the replayed window; under the model the mean of the worst 1 % of collateral values at the horizon and the 1 %
      quantile of the lowest health factor on a path. ``after_is`` says which.
    - ``margin_called, liquidated, shortfall_probability`` with ``_low`` and ``_high`` (95 %): probabilities under the
      model, 0 or 1 under a shock or a replay (unless cures are drawn)
    - ``shortfall, debt_repaid`` with ``_low`` and ``_high``: means, in the account's currency.

    Raises
    ------
    InputError : no account, a scenario that cannot be read, or settings of simulations without a model. What goes wrong
        in a cell is a row, not an error.
    """
    import pandas as pd

    settings = {"n_paths": n_paths, "horizon_days": horizon_days}
    accounts = _checked(account, terms, model, prices, settings)
    chosen = _chosen(scenarios)
    priced = priced_accounts(accounts, model, prices)
    paths, days = 20_000 if n_paths is None else n_paths, 30.0 if horizon_days is None else horizon_days
    cells = Cells(priced, terms or Terms(), model, prices, paths, days, seed, clock, proxies, executor)
    rows = [row for scenario in chosen for row in _scenario_rows(cells, scenario)]
    return pd.DataFrame([row.values for row in rows], columns=list(COLUMNS))


def _checked(
    account: object, terms: object, model: object, prices: object, settings: Mapping[str, object]
) -> tuple[Account | Loan, ...]:
    """The accounts, where every argument is of its kind."""
    import pandas as pd

    from collatrisk.simulation.model import MarketModel

    problems = Problems("stress")
    accounts = problems.listed("account", account, (Account, Loan), "give a Loan, an Account or a list of them")
    for name, value, kind, remedy in (
        ("terms", terms, Terms, "give Terms(...)"),
        ("model", model, MarketModel, "fit_market(prices) gives one"),
        ("prices", prices, pd.DataFrame, "load_prices(path) gives one"),
    ):
        fits = value is None or isinstance(value, kind)
        problems.check(fits, name, value, f"must be a {kind.__name__} or None", remedy)
    for name, value in settings.items():
        rule = "is of simulations, and without a model there are none"
        problems.check(model is not None or value is None, name, value, rule, "give model=, or leave it out")
    problems.raise_if_any()
    return accounts


def _chosen(scenarios: ScenarioLike | Sequence[ScenarioLike] | None) -> tuple[Scenario, ...]:
    if scenarios is None or (isinstance(scenarios, str) and scenarios == "all"):
        return tuple(load_catalogue().values())
    problems = Problems("stress")
    remedy = "give ids such as '2020-03', files or Scenario objects; None takes the whole catalogue"
    names = problems.listed("scenarios", scenarios, (str, PathLike, Scenario), remedy)
    problems.raise_if_any()
    found = []
    for name in names:
        try:
            found.append(load_scenario(name))
        except CollatriskError as error:
            problems.found.extend(error.problems)
    problems.raise_if_any()
    return tuple(found)


def _scenario_rows(cells: Cells, scenario: Scenario) -> list[Row]:
    """Shock of every account, then the stressed model, then the replay; each only where it was asked for."""
    rows = [_guarded(shock_row, "shock", cells, scenario, priced) for priced in cells.accounts]
    if cells.model is not None:
        rows += _guarded_model(cells, scenario)
    if cells.prices is not None:
        rows += [_guarded(replay_row, "replay", cells, scenario, priced) for priced in cells.accounts]
    return rows


def _guarded(
    work: Callable[[Cells, Scenario, Priced, Row], Row],
    application: str,
    cells: Cells,
    scenario: Scenario,
    priced: Priced,
) -> Row:
    """The row of one cell, whatever happens in it."""
    row = blank_row(priced, scenario, application)
    try:
        return work(cells, scenario, priced, row)
    except Exception as error:
        return error_row(row, error)


def _guarded_model(cells: Cells, scenario: Scenario) -> list[Row]:
    try:
        return model_rows(cells, scenario)
    except Exception as error:
        rows = [blank_row(priced, scenario, "model") for priced in cells.accounts]
        return [error_row(row, error) if row.status == "ok" else row for row in rows]
