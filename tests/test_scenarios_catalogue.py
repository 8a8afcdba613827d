"""The catalogue: its numbers equal the sourced figures, and every scenario says what it knows of every asset."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import pytest

from collatrisk.scenarios import load_catalogue, load_proxies, load_scenario
from collatrisk.scenarios.records import QUALITIES

LOMBARD = ("SP500", "NASDAQ", "WTI")
CRYPTO = ("BTC", "ETH", "SOL", "LINK", "BNB", "XRP", "AAVE", "UNI", "PAXG", "USDC", "DAI")
CATALOGUE = load_catalogue()

# Copied by hand from the sources that the files name.
FIGURES = [
    ("2020-03", "ETH", -0.5223, "peak_to_trough_hourly_close"),
    ("2020-03", "BTC", -0.4803, "peak_to_trough_hourly_close"),
    ("2020-03", "LINK", -0.4778, "worst_day_open_to_close"),
    ("2021-05-19", "SOL", -0.3984, "peak_to_trough_hourly_close"),
    ("2021-05", "LINK", -0.6686, "peak_to_trough_hourly_close"),
    ("2022-05", "LUNA", -1.0, "peak_to_trough_hourly_close"),
    ("2022-06", "AAVE", -0.5506, "peak_to_trough_hourly_close"),
    ("2022-11", "FTT", -0.9136, "peak_to_trough_hourly_close"),
    ("2023-03", "USDC", 0.9128 - 1, "peg_low_hourly_close_against_par"),
    ("2024-08", "ETH", -0.3025, "peak_to_trough_hourly_close"),
    ("2025-10", "WBETH", -0.9119, "peak_to_low_daily_bound"),
    ("t-2007-10", "SP500", -0.5678, "peak_to_trough_daily_close"),
    ("t-2008-09", "GOLD", -0.2127, "peak_to_trough_daily_close"),
    ("t-2014-06", "BRENT", -0.6932, "peak_to_trough_daily_close"),
    ("t-2020-02", "ACWI", -0.333, "peak_to_trough_daily_close"),
    ("t-2022", "AGG", -0.1661, "peak_to_trough_daily_close"),
    ("t-2022", "NASDAQ", 10213.29 / 16057.44 - 1, "peak_to_trough"),
    ("t-2022-09", "GBPUSD", -0.0436, "peak_to_trough_daily_close"),
]


@pytest.mark.parametrize(("scenario", "asset", "value", "measure"), FIGURES)
def test_shocks_equal_the_sourced_figures(scenario: str, asset: str, value: float, measure: str) -> None:
    number = CATALOGUE[scenario].shocks[asset]
    assert number.value == pytest.approx(value, abs=5.1e-5)
    assert number.measure == measure


def test_figures_of_events_are_carried() -> None:
    worst_hour = [
        n for n in CATALOGUE["2020-03"].figures if n.asset == "ETH" and n.measure == "worst_hour_close_to_close"
    ]
    assert [n.value for n in worst_hour] == [-0.2087]
    worst_day = [n for n in CATALOGUE["t-2007-10"].figures if n.asset == "SP500"]
    assert [n.value for n in worst_day] == [-0.0903]
    bad_print = [n for n in CATALOGUE["2020-03"].figures if n.asset == "LINK" and n.value == -1.0]
    assert [n.quality for n in bad_print] == ["disputed"]
    negative_oil = [n for n in CATALOGUE["t-2020-02"].figures if n.unit == "USD" and n.asset == "WTI"]
    assert [n.value for n in negative_oil] == [-36.98]


@pytest.mark.parametrize(
    ("scenario", "first", "last"),
    [
        ("t-2007-10", "2007-10-09", "2009-03-09"),
        ("t-2008-09", "2008-09-12", "2008-11-20"),
        ("t-2011-08", "2011-07-22", "2011-08-10"),
        ("t-2018-q4", "2018-10-03", "2018-12-24"),
        ("t-2014-06", "2014-06-19", "2016-02-11"),
    ],
)
def test_index_and_oil_figures_recomputed_from_the_series_of_arch(scenario: str, first: str, last: str) -> None:
    from arch.data import nasdaq, sp500, wti

    series = {
        "SP500": sp500.load()["Adj Close"],
        "NASDAQ": nasdaq.load()["Adj Close"],
        "WTI": wti.load().iloc[:, 0].dropna(),
    }
    for asset, closes in series.items():
        window = closes.loc[first:last]
        fall = float((window / window.cummax() - 1).min())
        assert CATALOGUE[scenario].shocks[asset].value == pytest.approx(fall, abs=5.1e-5), asset


def test_there_are_enough_events_of_each_sort() -> None:
    historical = [s for s in CATALOGUE.values() if s.kind == "historical"]
    traditional = [s for s in historical if s.id.startswith("t-")]
    crypto = [s for s in historical if not s.id.startswith("t-")]
    hypothetical = [s for s in CATALOGUE.values() if s.kind == "hypothetical"]
    assert len(crypto) >= 9
    assert len(traditional) >= 8
    assert len(hypothetical) >= 6
    first_days = [s.window.first.isoformat() for s in crypto if s.window]
    assert min(first_days)[:7] == "2020-03"
    assert max(first_days)[:7] == "2025-10"


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_number_states_its_origin_and_falls_are_negative(name: str) -> None:
    scenario = CATALOGUE[name]
    assert scenario.id == name
    for number in scenario.shocks.values():
        assert -1 <= number.value <= 0, number.asset
        assert scenario.source_of(number)
        assert number.quality in QUALITIES
        assert (number.quality == "assumption") == (number.source == "assumption"), number.asset
        if scenario.kind == "historical" and number.quality != "assumption":
            assert number.window or scenario.window
            assert number.venue, number.asset
    if scenario.kind == "hypothetical":
        assert {n.quality for n in scenario.shocks.values()} == {"assumption"}
    else:
        assert scenario.window is not None
        assert scenario.replay is not None
        assert scenario.replay.first <= scenario.window.first
        assert scenario.window.last <= scenario.replay.last


@pytest.mark.parametrize("name", list(CATALOGUE))
@pytest.mark.parametrize("assets", [LOMBARD, CRYPTO], ids=["lombard", "crypto"])
def test_every_scenario_resolves_or_refuses_with_a_reason(name: str, assets: tuple[str, ...]) -> None:
    resolved = CATALOGUE[name].resolve(assets)
    assert set(resolved.shocks) | set(resolved.refused) == set(assets)
    assert not set(resolved.shocks) & set(resolved.refused)
    assert all(-1 <= shock < math.inf for shock in resolved.shocks.values())
    assert set(resolved.how) == set(resolved.shocks)
    assert all(resolved.how.values())
    assert all(resolved.refused.values())
    assert len(resolved.problems) == len(resolved.refused)


def test_which_scenarios_cover_which_study() -> None:
    crypto = [s for s in CATALOGUE.values() if s.resolve(CRYPTO).complete]
    lombard = [s for s in CATALOGUE.values() if s.resolve(LOMBARD).complete]
    assert {s.id for s in crypto} >= {i for i in CATALOGUE if i.startswith(("20", "h-"))} | {"t-2020-02", "t-2022"}
    assert {s.id for s in lombard} >= {i for i in CATALOGUE if i.startswith("t-20")} - {"t-2022-09"}
    assert not CATALOGUE["t-2008-09"].resolve(["BTC"]).complete


def test_stressed_blocks_add_depegs() -> None:
    stressed = CATALOGUE["2023-03"].stressed
    assert stressed is not None
    arrival = stressed.arrivals[0]
    assert arrival.log_sizes(("USDC", "BTC")) == {"USDC": pytest.approx(math.log(0.88))}
    half = CATALOGUE["h-crypto-50"].stressed
    assert half is not None
    assert (half.volatility_scale, half.correlation) == (2.0, (0.95, 1.0))


def test_proxies_form_no_rule_of_its_own_asset_and_are_positive() -> None:
    rules = load_proxies()
    assert len({(rule.asset, rule.of) for rule in rules}) == len(rules)
    assert all(rule.beta > 0 and rule.factor > 0 and rule.asset != rule.of for rule in rules)


def test_nasdaq_beta_recomputed_from_the_series_of_arch() -> None:
    import numpy as np
    from arch.data import nasdaq, sp500

    reference = np.log(sp500.load()["Adj Close"].loc["2003":]).diff().dropna()
    follower = np.log(nasdaq.load()["Adj Close"].loc["2003":]).diff().dropna()
    worst = reference[reference <= reference.quantile(0.05)]
    beta = follower[worst.index].sum() / worst.sum()
    rule = next(r for r in load_proxies() if (r.asset, r.of) == ("NASDAQ", "SP500"))
    assert rule.beta == pytest.approx(beta, abs=0.01)


def test_catalogue_is_picklable_and_shown() -> None:
    scenario = CATALOGUE["2022-06"]
    again = pickle.loads(pickle.dumps(scenario))
    assert again.to_dict() == scenario.to_dict()
    html = scenario._repr_html_()
    assert "-43.29%" in html
    assert "computed from prices" in html


def test_load_scenario_by_id() -> None:
    assert load_scenario("2022-06") is CATALOGUE["2022-06"]
    assert load_scenario(CATALOGUE["2022-06"]) is CATALOGUE["2022-06"]


def test_catalogue_loads_light() -> None:
    code = (
        "import sys, collatrisk.scenarios as s; s.load_catalogue(); "
        "print([m for m in ('arch', 'numba', 'statsmodels', 'matplotlib', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
