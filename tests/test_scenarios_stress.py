"""`stress`: every scenario in its three applications, one row each, failures included."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import InputError
from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.margining import run_margin
from collatrisk.scenarios import Scenario, StressedModel, load_catalogue, stressed_model
from collatrisk.simulation import MarketModel, PathPlan
from collatrisk.study import stress_rows
from collatrisk.study.stress_table import stress

LOMBARD = ("SP500", "NASDAQ", "WTI")
CRYPTO = ("BTC", "ETH", "SOL", "LINK", "BNB", "XRP", "AAVE", "UNI", "PAXG", "USDC", "DAI")
TERMS = Terms(liquidation_threshold=0.85)
NUMBERS = ("collateral_after", "health_factor_after", "margin_called", "liquidated", "shortfall", "debt_repaid")


def loan(asset: str = "ETH", ltv: float = 0.6, name: str = "") -> Loan:
    return Loan(Mix({asset: 1.0}), 1_000_000.0, ltv, name=name)


def model() -> MarketModel:
    return MarketModel.constant({"ETH": 0.8, "BTC": 0.6, "USDC": 0.01}, correlation=0.7, spot={"ETH": 2_000.0})


def prices() -> pd.DataFrame:
    index = pd.date_range("2022-01-01", "2022-12-31", freq="D", tz="UTC")
    wave = 1.0 + 0.3 * np.sin(np.arange(len(index)) / 20.0)
    return pd.DataFrame({"BTC": 40_000.0 * wave, "ETH": 3_000.0 * wave**1.2}, index=index)


@given(st.floats(-1.0, 1.0), st.floats(0.05, 0.8))
def test_a_shock_moves_value_and_health_factor_in_proportion(shock: float, ltv: float) -> None:
    row = stress(loan(ltv=ltv), Scenario("s", "S", shocks={"ETH": shock}), TERMS).iloc[0]
    kept = max(1 + shock, 1e-9)
    assert row["status"] == "ok"
    assert row["collateral_after"] == pytest.approx(1e6 * kept)
    assert row["collateral_change"] == pytest.approx(kept - 1)
    assert row["health_factor_before"] == pytest.approx(0.85 / ltv)
    factor = 0.85 / ltv * kept
    assert row["health_factor_after"] == pytest.approx(factor)
    if abs(factor - 1) > 1e-9:
        assert row["liquidated"] == (factor < 1)
    if abs(factor - TERMS.margin_call) > 1e-9:
        assert row["margin_called"] == (min(factor, 0.85 / ltv) < TERMS.margin_call)
    assert 0 <= row["shortfall"] <= ltv * 1e6 + 1e-6
    assert row["shortfall"] >= ltv * 1e6 - 1e6 * kept - 1e-6


def test_a_crash_below_the_debt_by_hand() -> None:
    """ETH -52.23 %: 477 700 left against 600 000; all of it is sold, 1.05 of collateral for 1 of debt."""
    row = stress(loan(), "2020-03", TERMS).iloc[0]
    assert row["debt_repaid"] == pytest.approx(477_700 / 1.05)
    assert row["shortfall"] == pytest.approx(600_000 - 477_700 / 1.05)
    assert row["applied"] == "ETH -52.2% (named)"
    assert (row["shortfall_low"], row["shortfall_high"]) == (row["shortfall"], row["shortfall"])
    assert (row["n_paths"], row["horizon_days"]) == (1, 2)


def test_applied_says_which_proxy() -> None:
    row = stress(loan("UNI"), "2020-03", TERMS).iloc[0]
    assert row["applied"] == "UNI -53.6% (proxy ETH x1.04)"
    assert row["collateral_change"] == pytest.approx((1 - 0.5223) ** 1.04 - 1)


@pytest.mark.parametrize("assets", [LOMBARD, CRYPTO], ids=["lombard", "crypto"])
def test_the_whole_catalogue_on_both_studies(assets: tuple[str, ...]) -> None:
    mix = Mix({asset: 1 / len(assets) for asset in assets})
    accounts = [Loan(mix, 1e6, 0.5, name="mix"), *(loan(asset, 0.5, asset) for asset in assets)]
    table = stress(accounts, terms=TERMS)
    assert len(table) == len(load_catalogue()) * len(accounts)
    assert set(table["status"]) <= {"ok", "refused"}
    fine = table[table["status"] == "ok"]
    assert (fine["reason"] == "").all()
    assert fine[list(NUMBERS)].notna().all(axis=None)
    refused = table[table["status"] != "ok"]
    assert (refused["reason"].str.len() > 10).all()
    assert refused[list(NUMBERS)].isna().all(axis=None)
    mixed = fine[fine["account"] == "mix"]
    assert len(mixed) >= (14 if assets is LOMBARD else 18)


def test_every_application_has_its_row() -> None:
    table = stress([loan("ETH", 0.6, "a"), loan("BTC", 0.6, "b")], ["2022-05", "h-rates-oil"], TERMS, model=model(),
                   prices=prices(), n_paths=2_000, seed=3)  # fmt: skip
    keys = list(zip(table["scenario"], table["application"], table["account"], strict=True))
    assert keys == [(s, a, n) for s in ("2022-05", "h-rates-oil") for a in ("shock", "model", "replay") for n in "ab"]
    assert list(table["status"]) == ["ok"] * 6 + ["ok"] * 4 + ["not applicable"] * 2
    assert table["reason"].iloc[-1] == "the scenario has no replay window"


def test_the_model_row_is_the_margin_engine_on_the_stressed_model() -> None:
    scenario = load_catalogue()["h-crypto-50"]
    row = stress(loan(), scenario, TERMS, model=model(), n_paths=3_000, horizon_days=10, seed=5).iloc[1]
    plan = PathPlan(stressed_model(model(), scenario), n_paths=3_000, horizon_days=10, seed=5)
    outcomes = run_margin(plan, loan(), TERMS)
    called = outcomes.probability("margin_called")
    assert (row["margin_called"], row["margin_called_low"], row["margin_called_high"]) == (called.value, *called.ci())
    assert row["shortfall"] == outcomes.mean("shortfall").value
    assert row["health_factor_after"] == outcomes.value_at_risk("min_health_factor", 0.99).value
    ends = np.concatenate([block.prices[-1, 0] for block in plan.blocks()]) / 2_000.0 * 1e6
    assert row["collateral_after"] == pytest.approx(np.sort(ends)[:30].mean())
    assert row["margin_called_low"] < row["margin_called"] < row["margin_called_high"]
    calm = run_margin(PathPlan(model(), n_paths=3_000, horizon_days=10, seed=5), loan(), TERMS)
    assert called.value > calm.probability("margin_called").value
    assert "volatility starts at 2 x average, never below today's; correlation 0.95" in row["applied"]


def test_a_depeg_reaches_the_account() -> None:
    calm = Scenario("calm", "Calm", stressed=StressedModel(1.0))
    table = stress(loan("USDC", 0.75), [calm, "2023-03"], TERMS, model=model(), n_paths=2_000, seed=1)
    rows = table[table["application"] == "model"].set_index("scenario")
    # One arrival a month takes 12 %: 0.85 / 0.75 x 0.88 < 1. P(at least one in 30 days of 365) = 1 - exp(-12 x 30/365).
    expected = 1 - math.exp(-12 * 30 / 365)
    error = math.sqrt(expected * (1 - expected) / 2_000)
    assert rows.loc["2023-03", "liquidated"] == pytest.approx(expected, abs=4 * error)
    assert rows.loc["calm", "liquidated"] == 0
    assert "depeg of DAI: no such asset, left out" in rows.loc["2023-03", "applied"]


def test_the_model_is_refused_where_the_scenario_says_nothing() -> None:
    equities = MarketModel.constant({"SP500": 0.2, "ETH": 0.8})
    table = stress([loan("SP500"), loan("BTC"), loan("ETH")], ["2021-05-19"], TERMS, model=equities, n_paths=200)
    rows = table[table["application"] == "model"]
    assert list(rows["status"]) == ["refused", "refused", "ok"]
    assert list(rows["reason"])[:2] == ["the scenario says nothing about SP500", "the model does not have BTC"]


def test_the_replay_is_the_lowest_of_the_window() -> None:
    frame = prices()
    row = stress(loan("BTC", 0.5), "2022-05", TERMS, prices=frame).iloc[1]
    window = frame["BTC"].loc["2022-05-04":"2022-05-17"]
    assert row["collateral_change"] == pytest.approx(window.iloc[1:].min() / window.iloc[0] - 1)
    assert row["horizon_days"] == 13
    assert "2022-05-04 to 2022-05-17, 13 steps" in row["applied"]
    outside = stress(loan("BTC", 0.5), "2024-08", TERMS, prices=frame).iloc[1]
    assert outside["status"] == "refused"
    assert "must cover the replay window" in outside["reason"]
    absent = stress(loan("SOL", 0.5), "2022-05", TERMS, prices=frame).iloc[1]
    assert absent["reason"] == "no prices of SOL"


def test_drawn_cures_give_a_probability() -> None:
    terms = Terms(liquidation_threshold=0.85, cure_probability=0.3, uncured="liquidate", margin_call=1.1)
    row = stress(loan(ltv=0.6), Scenario("s", "S", shocks={"ETH": -0.25}), terms, seed=2).iloc[0]
    # Health factor 1.0625: called, not liquidatable; sold unless cured.
    assert row["margin_called"] == 1
    assert row["n_paths"] == 1_000
    assert row["liquidated"] == pytest.approx(0.7, abs=4 * math.sqrt(0.21 / 1_000))
    assert row["liquidated_low"] < row["liquidated"] < row["liquidated_high"]


def test_what_goes_wrong_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [
        (Account({"NOPE": 1.0}, {"USD": 1.0}), {}, "no price of NOPE"),
        (Account({"USD": 5.0}, {"USD": 1.0}), {}, "only cash"),
        (loan("NOPE"), {}, "NOPE: not named and has no proxy rule"),
        (loan(), {"terms": Terms(cure_days=0.5)}, "cure_days"),
        (loan(), {"terms": Terms(liquidation_threshold={"BTC": 0.8})}, "threshold"),
    ]
    for account, arguments, reason in cases:
        row = stress(account, "2022-05", **arguments).iloc[0]
        assert row["status"] == "refused", reason
        assert reason in row["reason"]
        assert row[list(NUMBERS)].isna().all()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(stress_rows, "_run", broken)
    table = stress(loan(), "2022-05", TERMS, model=model(), n_paths=100)
    assert list(table["status"]) == ["failed", "failed"]
    assert set(table["reason"]) == {"ZeroDivisionError: on purpose"}
    assert table[list(NUMBERS)].isna().all(axis=None)


def test_one_bad_account_does_not_spoil_the_others() -> None:
    terms = Terms(liquidation_threshold={"ETH": 0.85})
    euro = Loan(Mix({"ETH": 1.0}), 1e6, 0.6, currency="EUR", name="euro")
    table = stress([loan(), loan("BTC"), euro], "h-crypto-50", terms, model=model(), n_paths=500)
    rows = table[table["application"] == "model"]
    assert list(rows["status"]) == ["ok", "refused", "ok"]
    assert rows["shortfall"].iloc[0] == rows["shortfall"].iloc[2]


def test_accounts_without_debt_and_equal_names() -> None:
    free = Account({"ETH": 1.0}, {})
    table = stress([free, free], "h-crypto-50", TERMS, model=model(), n_paths=500)
    assert list(table["account"]) == ["1 ETH against none", "1 ETH against none (2)"] * 2
    assert (table["health_factor_after"] == math.inf).all()
    assert (table["liquidated"] == 0).all()
    assert table["collateral_before"].tolist() == [2_000.0] * 4


def test_results_do_not_depend_on_the_executor() -> None:
    accounts, names = [loan(), loan("BTC")], ["2022-05", "h-crypto-50"]
    alone = stress(accounts, names, TERMS, model=model(), n_paths=5_000, seed=9)
    with ThreadPoolExecutor(2) as executor:
        together = stress(accounts, names, TERMS, model=model(), n_paths=5_000, seed=9, executor=executor)
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_bad_calls_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="must hold at least one"):
        stress([])
    with pytest.raises(InputError, match="did you mean '2022-05'") as error:
        stress(loan(), ["2022-5", "nothing-like-it"])
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match="must be Account or Loan"):
        stress(["ETH"])  # type: ignore[list-item]
