"""The reader of scenario files: strict, all problems at once, with their path in the file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from collatrisk.base.errors import InputError
from collatrisk.scenarios import Arrival, Number, Proxy, Scenario, StressedModel, Window, load_scenario

GOOD = """
format = 1
id = "mine"
title = "My <script>alert(1)</script> =cmd event"
kind = "historical"
window = { first = 2024-01-01, last = 2024-01-05 }
replay = { first = 2024-01-01, last = 2024-01-06 }

[sources]
desk = "our desk"

[stressed]
volatility_scale = { BTC = 2.0, "*" = 1.5 }
correlation = { rho = 0.9, weight = 0.5 }
quality = "assumption"

[[stressed.jumps]]
label = "gap"
intensity_per_year = 2
sizes = { BTC = -0.3, ETH = -0.4 }

[[stressed.depegs]]
asset = "USDC"
price = 0.9
intensity_per_year = 12

[[shocks]]
asset = "<b>BTC</b>"
value = -0.25
measure = "close_to_close"
source = "desk"
quality = "sourced"

[[shocks]]
asset = "GONE"
value = -1
measure = "close_to_close"
source = "desk"
quality = "disputed"

[[proxies]]
asset = "ETH"
of = "<b>BTC</b>"
beta = 1.5
factor = 0.9
source = "desk"
quality = "assumption"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, GOOD))
    assert scenario.window == Window(dt.date(2024, 1, 1), dt.date(2024, 1, 5))
    stressed = scenario.stressed
    assert stressed is not None
    assert (stressed.scale_of("BTC"), stressed.scale_of("ETH")) == (2.0, 1.5)
    assert stressed.correlation == (0.9, 0.5)
    assert [a.label for a in stressed.arrivals] == ["gap", "depeg of USDC"]
    assert stressed.arrivals[1].sizes["USDC"] == pytest.approx(-0.1)
    resolved = scenario.resolve(["<b>BTC</b>", "ETH", "GONE", "XRP"], proxies=[])
    assert resolved.shocks["ETH"] == pytest.approx(0.9 * 0.75**1.5 - 1)
    assert resolved.how["ETH"] == "proxy <b>BTC</b> x1.5 at 0.9"
    assert resolved.how["GONE"] == "named, disputed"
    assert list(resolved.refused) == ["XRP"]


def test_names_are_escaped(tmp_path: Path) -> None:
    scenario = load_scenario(str(write(tmp_path, GOOD)))
    for html in (scenario._repr_html_(), scenario.resolve(["<b>BTC</b>", "<i>"])._repr_html_()):
        assert "<script>" not in html
        assert "<b>" not in html
        assert "<i>" not in html
        assert "&lt;b&gt;" in html


def test_ten_mistakes_at_once(tmp_path: Path) -> None:
    text = """
format = 2
id = ""
tittle = "typo"
kind = "histrical"
window = { first = 2024-01-05, last = 2024-01-01 }

[sources]
desk = "our desk"

[stressed]
volatility_scale = -1.0
quality = "assumption"
[[stressed.jumps]]
label = "gap"
intensity_per_year = -2
sizes = { BTC = -1.0 }

[[shocks]]
asset = "BTC"
value = -1.5
measure = "close_to_close"
source = "dsk"
quality = "good"

[[shocks]]
asset = "BTC"
valeu = -0.5
measure = "close_to_close"
source = "desk"
quality = "sourced"

[[proxies]]
asset = "ETH"
of = "ETH"
beta = "one"
source = "desk"
quality = "sourced"
"""
    with pytest.raises(InputError) as error:
        load_scenario(write(tmp_path, text))
    found = {problem.name: problem for problem in error.value.problems}
    expected = {
        "format",
        "tittle",
        "title",
        "window",
        "stressed.volatility_scale",
        "stressed.jump 'gap'.intensity_per_year",
        "stressed.jump 'gap'.sizes.BTC",
        "shocks[0].value",
        "shocks[0].source",
        "shocks[0].quality",
        "shocks[1].valeu",
        "shocks[1].value",
        "proxies[0].of",
        "proxies[0].beta",
    }
    assert expected <= set(found)
    assert found["tittle"].remedy == "did you mean 'title'?"
    assert found["shocks[1].valeu"].remedy == "did you mean 'value'?"
    assert found["shocks[0].source"].remedy == "did you mean 'desk'?"
    assert "100 %" in found["shocks[0].value"].remedy


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "format"),
        ("format = ", "valid TOML"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\n', "must say something"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\nshocks = 3\n', "list of tables"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\nshocks = [3]\n', "must be a table"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\nstressed = 3\n', "must be a table"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "historical"\nwindow = "x"\n', "must be a table"),
        ('format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\nsources = 3\n', "must be a table"),
        (
            'format = 1\nid = "a"\ntitle = "b"\nkind = "hypothetical"\nwindow = { first = 1, last = 2 }\n',
            "must be a date",
        ),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load_scenario(write(tmp_path, text))


def test_wrong_types_do_not_crash(tmp_path: Path) -> None:
    text = """
format = 1
id = 7
title = ["x"]
kind = 3
[[shocks]]
asset = ["BTC"]
value = "much"
unit = 4
measure = 5
venue = 6
source = ["a"]
quality = {}
window = { first = "a", last = 2024-01-01 }
[[stressed.jumps]]
label = 3
intensity_per_year = "often"
sizes = 4
[[stressed.depegs]]
asset = 3
price = 0
intensity_per_year = []
"""
    with pytest.raises(InputError) as error:
        load_scenario(write(tmp_path, text))
    names = {problem.name for problem in error.value.problems}
    assert {"id", "title", "kind", "shocks[0].asset", "shocks[0].value", "shocks[0].source"} <= names
    assert {"stressed.jumps[0].sizes", "stressed.depegs[0].price", "shocks[0].window.first"} <= names


def test_unknown_name_suggests_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean '2022-06'"):
        load_scenario("2022-6")
    binary = tmp_path / "x.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load_scenario(binary)


@pytest.mark.parametrize("value", [-1.5, float("nan"), float("inf"), "half", True, None])
def test_shocks_beyond_the_possible_are_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"shocks\.BTC\.value"):
        Scenario("mine", "Mine", shocks={"BTC": value})  # type: ignore[dict-item]


def test_a_scenario_in_python() -> None:
    scenario = Scenario(
        "mine",
        "Mine",
        shocks={"BTC": -0.5, "ETH": Number("ETH", -0.6)},
        stressed=StressedModel(2.0, arrivals=(Arrival("gap", 1.0, {"BTC": -0.5}),)),
        proxies=(Proxy("SOL", "ETH", 2.0),),
    )
    resolved = scenario.resolve(["BTC", "ETH", "SOL"])
    assert resolved.shocks == pytest.approx({"BTC": -0.5, "ETH": -0.6, "SOL": 0.4**2 - 1})
    assert scenario.to_dict()["shocks"]["BTC"]["source"] == "given by the caller"
    with pytest.raises(InputError, match="about its own asset"):
        Scenario("mine", "Mine", shocks={"BTC": Number("ETH", -0.5)})
    with pytest.raises(InputError, match="rho"):
        Scenario("mine", "Mine", stressed=StressedModel(correlation=(1.5, 0.5)))
    with pytest.raises(InputError, match="historical scenario has one"):
        Scenario("mine", "Mine", kind="historical", shocks={"BTC": -0.5})
