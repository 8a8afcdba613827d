"""The command line: exit codes, one message for every failure, nothing heavy before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from collatrisk import __version__
from collatrisk.cli import running, talk
from collatrisk.cli.app import app
from collatrisk.cli.resources import CRYPTO_CALIBRATION, calibration, index_prices
from collatrisk.simulation import MarketModel

STUDY = """
[study]
name = "tiny"
seed = 5
n_paths = 1024
horizon_days = 5
[market]
calibration = "model.json"
[[mixes]]
name = "<b>ETH</b> [red]x"
weights = { ETH = 1.0 }
[terms.standard]
liquidation_threshold = 0.8
[grid]
ltv = [0.5, 0.6]
[sizing]
mpor_days = 5
max_shortfall_probability = 0.05
[stress]
scenarios = ["h-crypto-50"]
n_paths = 1024
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    MarketModel.constant({"ETH": 0.9, "BTC": 0.7}).save(tmp_path / "model.json")
    path = tmp_path / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def closes(folder: Path, rows: int = 400) -> Path:
    rng = np.random.default_rng(2)
    index = pd.date_range("2022-01-01", periods=rows, freq="D")
    values = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal((rows, 2)), axis=0))
    path = folder / "closes.csv"
    pd.DataFrame(values, index=index, columns=["AAA", "BBB"]).rename_axis("date").to_csv(path)
    return path


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from collatrisk.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as error:\n    assert error.code == 0\n"
        "heavy = ('numpy', 'pandas', 'scipy', 'numba', 'matplotlib', 'arch', 'statsmodels', 'pydantic', 'jinja2')\n"
        "found = [name for name in heavy if name in sys.modules]\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("init", "demo", "run", "validate", "stress", "calibrate", "schema"):
        assert command in done.stdout


def test_the_installed_command_reports_its_version_and_its_usage_errors() -> None:
    script = [sys.executable, "-c", "from collatrisk.cli import main; main()"]
    done = subprocess.run([*script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, f"collatrisk {__version__}")
    wrong = subprocess.run([*script, "run"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_a_run_writes_its_report_and_answers_in_json(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("run", study, "--out", out, "--json", "--workers", 1)
    assert done.exit_code == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["exit_code"] == 0
    assert body["executive"][0]["book"] == "<b>ETH</b> [red]x"
    assert "<b>ETH</b> [red]x" in done.stderr
    for name in ("report.html", "report.json", "tables/executive.csv"):
        assert (out / name).is_file()
    row = body["executive"][0]
    assert f"{100 * row['call_probability_low']:.2f}-{100 * row['call_probability_high']:.2f}" in done.stderr
    again = call("run", study, "--out", out)
    assert "cells from an earlier run" in again.stderr
    assert again.stdout == ""


def test_overrides_of_seed_and_paths_are_those_of_the_report(study: Path, tmp_path: Path) -> None:
    done = call("run", study, "--out", tmp_path / "o", "--seed", 9, "--paths", 2048, "--json")
    assert done.exit_code == 0
    report = json.loads((tmp_path / "o" / "report.json").read_text(encoding="utf-8"))
    assert (report["study"]["seed"], report["study"]["n_paths"]) == (9, 2048)


def test_some_failed_cells_end_with_four(study: Path, tmp_path: Path) -> None:
    study.write_text(STUDY + '\n[[mixes]]\nname = "bad"\nweights = { ETC = 1.0 }\n', encoding="utf-8")
    done = call("run", study, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 4
    assert {row["book"] for row in json.loads(done.stdout)["failures"]} == {"bad"}
    assert "failed: " in done.stderr
    checked = call("validate", study)
    assert checked.exit_code == 2
    assert "ETC" in checked.stderr


def test_validate_tells_all_mistakes(study: Path) -> None:
    assert call("validate", study).exit_code == 0
    study.write_text(STUDY.replace("seed", "sede").replace("0.8", "1.8").replace("mpor", "mopr"), encoding="utf-8")
    done = call("validate", study, "--json")
    assert done.exit_code == 2
    names = [problem["name"] for problem in json.loads(done.stdout)["problems"]]
    assert names == ["study.sede", "sizing.mopr_days", "terms.standard.liquidation_threshold"]
    assert "did you mean 'seed'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("date,ETH\n2024-01-01,5\n", "too few"),
        ("date,ETH\n" + "".join(f"2024-01-{day:02d},-1\n" for day in range(1, 32)), "negative"),
        ("date,ETH\n" + "".join(f"2024-01-{day:02d},abc\n" for day in range(1, 32)), "ETH"),
    ],
)
def test_rejected_data_end_with_three(study: Path, text: str, says: str) -> None:
    (study.parent / "prices.csv").write_text(text, encoding="utf-8")
    study.write_text(STUDY.replace('calibration = "model.json"', 'prices = "prices.csv"'), encoding="utf-8")
    for command in ("validate", "run"):
        done = call(command, study)
        assert done.exit_code == 3, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr


def test_an_internal_error_is_a_short_message_and_a_log(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(running, "validate", broken)
    done = call("validate", study)
    assert done.exit_code == 1
    assert "ZeroDivisionError: a bug" in done.stderr
    assert "Traceback" not in done.stderr
    log = Path(done.stderr.split("The details are in ")[1].split(";")[0].replace("\n", ""))
    assert "Traceback" in log.read_text(encoding="utf-8")
    log.unlink()
    loud = call("--debug", "validate", study)
    assert "Traceback" in loud.stderr


def test_init_writes_a_valid_study_and_overwrites_nothing(tmp_path: Path) -> None:
    assert call("init", "lombard", "--in", tmp_path / "new").exit_code == 0
    assert call("validate", tmp_path / "new" / "study.toml").exit_code == 0
    (tmp_path / "new" / "study.toml").write_text("mine", encoding="utf-8")
    done = call("init", "lombard", "--in", tmp_path / "new")
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "new" / "study.toml").read_text(encoding="utf-8") == "mine"
    assert call("init", "lombard", "--in", tmp_path / "new", "--force").exit_code == 0
    assert call("init", "lombart").exit_code == 2


def test_the_example_prices_are_the_series_of_arch_with_nothing_filled() -> None:
    prices = index_prices()
    assert list(prices.columns) == ["SP500", "NASDAQ", "WTI"]
    assert str(prices.index[0].date()) == "1999-01-04"
    assert str(prices.index[-1].date()) == "2018-12-31"
    assert prices.loc["2018-12-24", "SP500"].item() == pytest.approx(2351.10, abs=0.01)
    assert prices["WTI"].isna().sum() > 0
    assert prices.notna().any(axis=1).all()


def test_the_shipped_calibration_is_found_and_valid(tmp_path: Path) -> None:
    assert calibration(CRYPTO_CALIBRATION).is_file()
    assert call("init", "crypto-lending", "--in", tmp_path).exit_code == 0
    assert call("validate", tmp_path / "study.toml").exit_code == 0


def test_calibrate_knows_tails_rows_and_seasons(tmp_path: Path) -> None:
    prices, out = closes(tmp_path), tmp_path / "tails.json"
    options = ("--volatility", "ewma", "--clock", "24/7")
    done = call("calibrate", prices, "--out", out, *options, "--tails", "0.15", "--season")
    assert done.exit_code == 0, done.stderr
    first = MarketModel.load(out).marginals[0]
    assert first.innovations.lower.share == pytest.approx(0.15, abs=0.01)
    assert len(first.season.factors) == 7
    rows = tmp_path / "rows.json"
    done = call("calibrate", prices, "--out", rows, *options, "--dependence", "filtered-historical")
    assert done.exit_code == 0, done.stderr
    assert "holds data" in done.stderr
    assert MarketModel.load(rows).dependence.rows is not None


def test_calibrate_saves_a_model_with_its_provenance(tmp_path: Path) -> None:
    prices, out = closes(tmp_path), tmp_path / "model.json"
    options = ("--volatility", "constant", "--dependence", "gaussian", "--clock", "24/7", "--no-spot")
    done = call("calibrate", prices, "--out", out, *options, "--until", "2022-12-31", "--source", "made up", "--json")
    assert done.exit_code == 0, done.stderr
    model = MarketModel.load(out)
    assert model.assets == ("AAA", "BBB")
    assert model.spot.tolist() == [1.0, 1.0]
    assert model.provenance["source"] == "made up"
    assert model.provenance["last"] == "2022-12-31"
    assert json.loads(done.stdout)["fingerprint"] == model.fingerprint()
    assert call("calibrate", prices, "--out", out, *options).exit_code == 2
    wrong = call(
        "calibrate", prices, "--out", tmp_path / "b.json", "--per-asset", "AAA", "--until", "soon", "--clock", "x"
    )
    assert wrong.exit_code == 2
    assert wrong.stderr.count("\n") >= 4


def test_stress_applies_the_catalogue(study: Path, tmp_path: Path) -> None:
    listed = call("stress", "--list")
    assert listed.exit_code == 0
    assert "h-crypto-50" in listed.stdout
    table = tmp_path / "stress.csv"
    done = call("stress", study, "--scenario", "h-crypto-50", "--out", table, "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["application"] for row in rows} == {"shock", "model"}
    assert table.is_file()
    assert "did you mean 'h-crypto-50'?" in call("stress", study, "--scenario", "h-crypto-5").stderr
    assert "--list` shows them" in call("stress", study, "--scenario", "zzz").stderr.replace("\n", " ")
    assert call("stress").exit_code == 2
    assert call("stress", study, "--out", tmp_path / "no folder" / "s.csv").exit_code == 2


def test_a_stress_table_is_safe_to_open_in_a_spreadsheet(study: Path, tmp_path: Path) -> None:
    study.write_text(
        STUDY.replace("<b>ETH</b> [red]x", "=1+1").replace("terms.standard", "terms.'@t'"), encoding="utf-8"
    )
    table = tmp_path / "stress.csv"
    assert call("stress", study, "--scenario", "h-crypto-50", "--out", table).exit_code == 0
    rows = pd.read_csv(table)
    assert set(rows["book"]) == {"'=1+1"}
    assert set(rows["terms"]) == {"'@t"}


def test_a_terminal_is_shown_control_characters_and_does_not_obey_them(study: Path) -> None:
    study.write_text(
        STUDY.replace("[red]x", "\\u001b[31m").replace("terms.standard", 'terms."a\\u0007"'), encoding="utf-8"
    )
    done = call("validate", study)
    assert done.exit_code == 2
    assert done.stderr.count("control characters") == 2
    assert talk.printable("a\x1b[31m\x07\n\tb") == "a\\x1b[31m\\x07\n\tb"
    assert not set(done.stderr) & {"\x1b", "\x07"}


def test_many_failures_are_counted(study: Path, tmp_path: Path) -> None:
    bad = "".join(f'\n[[mixes]]\nname = "{"b" * 90}{i}"\nweights = {{ ETC = 1.0 }}\n' for i in range(9))
    study.write_text(STUDY + bad, encoding="utf-8")
    done = call("run", study, "--out", tmp_path / "out")
    assert done.exit_code == 4
    assert done.stderr.count("failed: ") == 8
    assert f"failed: haircut, {'b' * 45}...: " in done.stderr
    assert "more: tables/failures.csv has them all" in done.stderr


def test_schema_prints_a_json_schema() -> None:
    done = call("schema")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["title"] == "StudyFile"


def test_the_package_runs_as_a_module() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "collatrisk", "--help"], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert "calibrate" in found.stdout
