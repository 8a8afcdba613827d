"""The market model: validation, exact files, textbook construction, stress."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.dependence import DependenceFit, GaussianCopula, Independent, StudentTCopula, equicorrelation
from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import Jump, MarketModel
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch

GARCH_PARAMS = {
    "mu": 1e-3,
    "omega": 2e-6,
    "alpha[1]": 0.05,
    "gamma[1]": 0.08,
    "beta[1]": 0.88,
    "nu": 5.0,
    "lambda": -0.1,
}


def garch_marginal(asset: str = "ETH", **changes: Any) -> Marginal:
    fields: dict[str, Any] = {
        "asset": asset,
        "spec": Garch(dist="skewt"),
        "params": GARCH_PARAMS,
        "std_errors": {"omega": 1e-6, "nu": 0.4},
        "last_residuals": (-0.03,),
        "last_variances": (4e-4,),
        "n_obs": 900,
        "loglikelihood": 2100.25,
        "findings": (Finding("arch-lm", "warning", asset, "left over; <look>", ("2020-03-12",)),),
    }
    return Marginal(**(fields | changes))


def market(**changes: Any) -> MarketModel:
    assets = ("ETH", "BTC", "USDC")
    fields: dict[str, Any] = {
        "assets": assets,
        "spot": np.array([2281.0, 42280.0, 1.0]),
        "clock": Clock.of("24/7"),
        "marginals": (
            garch_marginal("ETH"),
            Marginal("BTC", Ewma(), {}, {}, (0.01,), (3e-4,)),
            Marginal("USDC", ConstantVolatility(), {"omega": 1e-8}),
        ),
        "dependence": DependenceFit(
            StudentTCopula(),
            assets,
            equicorrelation(3, 0.4),
            5.5,
            0.7,
            310.5,
            900,
            0.0,
            (Finding("x", "info", "d", "m"),),
        ),
        "jumps": (Jump("depeg", 0.5, {"USDC": math.log(0.9)}),),
        "provenance": {"source": "made up"},
        "findings": (Finding("missing-days", "info", "BTC", "three"),),
    }
    return MarketModel(**(fields | changes))


def test_next_variance_persistence_and_long_run() -> None:
    m = garch_marginal()
    assert m.next_variance == pytest.approx(2e-6 + (0.05 + 0.08) * 0.03**2 + 0.88 * 4e-4, rel=1e-14)
    good_news = garch_marginal(last_residuals=(0.03,))
    assert good_news.next_variance == pytest.approx(2e-6 + 0.05 * 0.03**2 + 0.88 * 4e-4, rel=1e-14)
    assert 0.05 + 0.08 * 0.5 + 0.88 < m.persistence < 0.05 + 0.08 * 0.6 + 0.88  # skewed to the left: more than a half
    assert m.long_run_volatility == pytest.approx(math.sqrt(2e-6 / (1 - m.persistence)))
    assert (m.nu, m.lam, m.mu, m.dist) == (5.0, -0.1, 1e-3, "skewt")


def test_other_marginals() -> None:
    ewma = Marginal("BTC", Ewma(decay=0.9), {}, {}, (0.02,), (1e-4,))
    assert ewma.next_variance == pytest.approx(0.1 * 4e-4 + 0.9 * 1e-4)
    assert ewma.persistence == pytest.approx(1.0)
    assert math.isnan(ewma.long_run_volatility)
    constant = Marginal("USDC", ConstantVolatility(), {"omega": 1e-6})
    assert constant.next_variance == 1e-6
    assert constant.long_run_volatility == pytest.approx(1e-3)
    assert math.isinf(constant.nu)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"asset": " "}, "asset"),
        ({"params": {**GARCH_PARAMS, "nu": 1.9}}, r"params\[nu\]"),
        ({"params": {**GARCH_PARAMS, "lambda": 1.0}}, r"params\[lambda\]"),
        ({"params": {**GARCH_PARAMS, "omega": math.nan}}, r"params\[omega\]"),
        ({"params": {**GARCH_PARAMS, "omega": -1e-9}}, "omega"),
        ({"params": {k: v for k, v in GARCH_PARAMS.items() if k != "beta[1]"}}, r"beta\[1\]"),
        ({"params": {k: v for k, v in GARCH_PARAMS.items() if k != "mu"}}, "needs 'mu'"),
        ({"params": {k: v for k, v in GARCH_PARAMS.items() if k != "nu"}}, "needs 'nu'"),
        ({"last_residuals": ()}, "last_residuals"),
        ({"last_residuals": (0.1, 0.2)}, "last_residuals"),
        ({"last_variances": (-1e-4,)}, r"last_variances\[0\]"),
        ({"std_errors": {"nu": math.inf}}, r"std_errors\[nu\]"),
        ({"loglikelihood": math.nan}, "loglikelihood"),
    ],
)
def test_marginal_names_what_is_wrong(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=name):
        garch_marginal(**changes)


def test_model_names_everything_that_is_wrong_at_once() -> None:
    with pytest.raises(InputError) as caught:
        market(
            spot=np.array([1.0, -1.0, 1.0]),
            marginals=(garch_marginal("BTC"),),
            dependence=DependenceFit(Independent(), ("ETH", "BTC"), np.eye(2)),
            jumps=(Jump("crash", 1.0, {"DOGE": -0.5}),),
        )
    names = [problem.name for problem in caught.value.problems]
    assert names == ["spot", "marginals", "dependence", "jumps[0].log_sizes"]
    with pytest.raises(InputError, match="must not repeat"):
        market(assets=("ETH", "ETH", "USDC"))
    with pytest.raises(InputError, match="intensity_per_year"):
        Jump("crash", -1.0, {"ETH": -0.5})


def test_model_is_frozen_down_to_its_arrays_and_mappings() -> None:
    model = market()
    with pytest.raises(ValueError, match="read-only"):
        model.spot[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        model.dependence.correlation[0, 1] = 0.0
    with pytest.raises(TypeError):
        model.marginals[0].params["omega"] = 0.0  # type: ignore[index]
    with pytest.raises(TypeError):
        model.provenance["source"] = "?"  # type: ignore[index]
    with pytest.raises(AttributeError):
        model.assets = ()  # type: ignore[misc]


def test_equality_hash_pickle_and_fingerprint() -> None:
    model = market()
    assert model == market()
    assert hash(model) == hash(market())
    assert model != market(spot=np.array([2281.0, 42280.0, np.nextafter(1.0, 2)]))
    assert model != "model"
    assert pickle.loads(pickle.dumps(model)) == model
    assert not pickle.loads(pickle.dumps(model)).spot.flags.writeable
    assert len(model.fingerprint()) == 64
    assert model.fingerprint() != model.with_spot({"ETH": 1.0}).fingerprint()


numbers = st.floats(1e-12, 1e12)


@given(
    st.lists(numbers, min_size=3, max_size=3),
    st.lists(st.floats(-1, 1), min_size=1, max_size=1),
    numbers,
    st.floats(2.0001, 500),
    st.floats(-0.5, 1),
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_files_give_back_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory,
    spot: list[float],
    residuals: list[float],
    variance: float,
    nu: float,
    rho: float,
    text: str,
    size: float,
) -> None:
    model = market(
        spot=np.array(spot),
        marginals=(
            garch_marginal("ETH", last_residuals=tuple(residuals), last_variances=(variance,)),
            *market().marginals[1:],
        ),
        dependence=DependenceFit(StudentTCopula(), ("ETH", "BTC", "USDC"), equicorrelation(3, rho), nu),
        provenance={"source": text, text: "key"},
        jumps=(Jump(text, variance, {"ETH": size}),),
    )
    path = tmp_path_factory.mktemp("models") / "model.json"
    model.save(path)
    back = MarketModel.load(path)
    assert back == model
    assert back.spot.tobytes() == model.spot.tobytes()
    assert back.dependence.correlation.tobytes() == model.dependence.correlation.tobytes()
    assert back.fingerprint() == model.fingerprint()


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda d: d.update(version=2), "version = 2"),
        (lambda d: d.update(format="other"), "format = 'other'"),
        (lambda d: d.pop("clock"), "clock = 'nothing': is missing"),
        (lambda d: d.update(colour="red"), "colour"),
        (lambda d: d["spot"].__setitem__(1, math.nan), r"spot\[1\] = nan"),
        (lambda d: d["spot"].__setitem__(0, "1"), "spot"),
        (lambda d: d["marginals"][0]["params"].update(omega=math.inf), "marginals.0..params.omega = inf"),
        (lambda d: d["marginals"][0].pop("last_variances"), r"marginals\[0\].last_variances"),
        (lambda d: d["marginals"][0]["spec"].update(kind="garsh"), "garch"),
        (lambda d: d["dependence"].pop("nu"), "dependence.nu"),
        (lambda d: d["dependence"]["correlation"][0].__setitem__(1, 0.9), "symmetric"),
        (lambda d: d["dependence"]["correlation"].pop(), "correlation"),
        (lambda d: d["jumps"][0].update(intensity_per_year=-1), "intensity_per_year"),
        (lambda d: d["findings"][0].update(severity="fatal"), r"findings\[0\].severity"),
        (lambda d: d["clock"].update(holidays=["soon"]), "clock"),
        (lambda d: d.pop("fingerprint"), "fingerprint"),
        (lambda d: d["spot"].__setitem__(0, 2282.0), "fingerprint.*changed after it was saved"),
        (lambda d: d["provenance"].update(source="elsewhere"), "fingerprint"),
    ],
)
def test_a_file_that_was_changed_is_refused_by_key(tmp_path: Path, edit: Edit, name: str) -> None:
    path = tmp_path / "model.json"
    market().save(path)
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=name):
        MarketModel.load(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"format": "collatrisk-market-model"}', "\udcff"])
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"model\.json"):
        MarketModel.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        MarketModel.load(tmp_path / "nowhere.json")


def test_with_spot_and_select() -> None:
    model = market()
    moved = model.with_spot({"BTC": 50_000.0})
    assert moved.spot.tolist() == [2281.0, 50_000.0, 1.0]
    assert model.spot[1] == 42280.0
    part = model.select(["USDC", "ETH"])
    assert part.assets == ("USDC", "ETH")
    assert part.spot.tolist() == [1.0, 2281.0]
    assert part.dependence.nu == 5.5
    assert "BTC" not in {finding.subject for finding in part.findings}
    assert model.select(["BTC"]).jumps == ()
    assert model.marginal("ETH") == garch_marginal("ETH")
    for call in (
        lambda: model.with_spot({"BTX": 1.0}),
        lambda: model.select(["BTX"]),
        lambda: model.marginal("BTX"),
        lambda: model.with_spot({"BTC": 0.0}),
        lambda: model.select([]),
        lambda: model.select(["BTC", "BTC"]),
    ):
        with pytest.raises(InputError, match=r"BTX|BTC|at least one"):
            call()


def test_findings_of_the_parts_are_the_models() -> None:
    assert [finding.code for finding in market().findings] == ["missing-days", "x", "arch-lm"]


def test_summary_and_html() -> None:
    frame = market().summary()
    assert list(frame.index) == ["ETH", "BTC", "USDC"]
    assert frame.loc["ETH", "omega_se"] == 1e-6
    assert frame.loc["ETH", "nu"] == 5.0
    assert math.isnan(frame.loc["BTC", "nu"])
    assert frame.loc["USDC", "current_volatility"] == pytest.approx(1e-4 * math.sqrt(365))
    assert frame.loc["ETH", "current_volatility"] == pytest.approx(math.sqrt(garch_marginal().next_variance * 365))
    assert frame["findings"].tolist() == [1, 1, 0]
    html = market()._repr_html_()
    assert "&lt;look&gt;" in html
    assert "<look>" not in html


def test_constant_is_annualised_by_the_clock() -> None:
    model = MarketModel.constant({"ETH": 0.8, "BTC": 0.0}, spot={"ETH": 2000.0}, clock="business")
    assert model.spot.tolist() == [2000.0, 1.0]
    assert model.marginals[0].next_variance == pytest.approx(0.64 / 252)
    assert model.summary()["long_run_volatility"].tolist() == pytest.approx([0.8, 0.0])
    assert model.dependence.spec == Independent()


NAMED = {"ETH": 0.8, "BTC": 0.6, "SOL": 1.0}
MATRIX = np.array([[1.0, 0.8, 0.7], [0.8, 1.0, 0.6], [0.7, 0.6, 1.0]])


@pytest.mark.parametrize(
    "correlation",
    [
        MATRIX,
        MATRIX.tolist(),
        pd.DataFrame(MATRIX, list(NAMED), list(NAMED)).iloc[[2, 0, 1], [1, 2, 0]],
        {("ETH", "BTC"): 0.8, ("SOL", "ETH"): 0.7, ("BTC", "SOL"): 0.6},
        {"ETH": {"BTC": 0.8, "SOL": 0.7}, "SOL": {"BTC": 0.6, "ETH": 0.7}},
    ],
)
def test_every_notation_of_a_correlation(correlation: object) -> None:
    model = MarketModel.constant(NAMED, correlation)
    assert model.dependence.spec == GaussianCopula()
    assert np.array_equal(model.dependence.correlation, MATRIX)


def test_one_number_for_every_pair_and_repair() -> None:
    assert MarketModel.constant(NAMED, 0.5).dependence.correlation[0, 2] == 0.5
    repaired = MarketModel.constant(NAMED, -0.9)
    assert [finding.code for finding in repaired.findings] == ["correlation-repaired"]


@pytest.mark.parametrize(
    ("correlation", "rule"),
    [
        (np.eye(2), "shape"),
        ([[1, 2], [3]], "table of numbers"),
        (np.full((3, 3), 0.5), "diagonal"),
        (np.array([[1, 0.1, 0], [0.2, 1, 0], [0, 0, 1]]), "symmetric"),
        (np.array([[1, np.nan, 0], [np.nan, 1, 0], [0, 0, 1]]), r"\[-1, 1\]"),
        (1.5, r"\[-1, 1\]"),
        ({("ETH", "BTC"): 0.8}, "missing"),
        ({("ETH", "BTX"): 0.8}, "BTC"),
        ({("ETH", "BTC"): 0.8, ("BTC", "ETH"): 0.7, ("ETH", "SOL"): 0.1, ("BTC", "SOL"): 0.1}, "contradicts"),
        ({"ETH": 0.5}, "pairs"),
        (pd.DataFrame(MATRIX), "exactly the assets"),
        ("high", "table of numbers"),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(correlation: object, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        MarketModel.constant(NAMED, correlation)


def test_constant_names_all_problems_at_once() -> None:
    with pytest.raises(InputError) as caught:
        MarketModel.constant({"ETH": -0.8, "BTC": math.nan}, spot={"BTX": 1.0, "ETH": 0.0})
    names = [problem.name for problem in caught.value.problems]
    assert names == ["volatility[ETH]", "volatility[BTC]", "spot", "spot[ETH]"]
    with pytest.raises(InputError, match="volatility"):
        MarketModel.constant({})
