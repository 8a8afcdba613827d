"""The study file: strict, every mistake at once, each with its path."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest

from collatrisk.base.errors import InputError
from collatrisk.cli.resources import TEMPLATES, template
from collatrisk.collateral import Account, GrowingBonus, Loan, SaleRule, TargetHealth, Terms
from collatrisk.liquidation import venues
from collatrisk.simulation import MarketModel
from collatrisk.study import Grid, Sizing, StressPlan, Study, load_study, study_schema
from collatrisk.study.reader.schema import GridSection, SizingSection, StressSection, StudySection, TermsSection
from collatrisk.volatility import GpdTails, HourOfWeek, Peg

GOOD = """
[study]
name = "good"
seed = 3
n_paths = 2048
horizon_days = 10
[market]
calibration = "model.json"
[market.volatility.default]
kind = "ewma"
decay = 0.97
[market.dependence]
kind = "gaussian"
shrinkage = "none"
[loan]
ltv = 0.5
[[mixes]]
name = "half"
weights = { ETH = 0.5, BTC = 0.5 }
[[mixes]]
name = "own"
weights = { ETH = 1 }
ltv = 0.6
collateral_value = 5e4
[[accounts]]
name = "account"
holdings = { ETH = 10.0, USD = 100.0 }
debts = { USD = 8.0 }
[grid]
ltv = [0.5, 0.6]
horizons = [1, 10]
[terms.standard]
liquidation_threshold = { ETH = 0.8, "*" = 0.7 }
[stress]
scenarios = ["h-crypto-50"]
"""

BAD = """
[study]
name = ""
sede = 7
n_paths = 1
horizon_days = "30"
[market]
prices = "nowhere.csv"
clock = "buisness"
[market.volatility.default]
kind = "garch"
pp = 1
o = 99
[[mixes]]
name = "a"
weights = { ETH = 0.6, BTC = 0.6 }
[[mixes]]
nmae = "b"
weights = { ETH = "x" }
ltv = 1.4
[[accounts]]
name = "a"
holdings = { ETH = -1.0 }
debts = { USD = 1 }
[grid]
ltv = [0.5, 0.4, 1.2]
[terms.lombard]
margin_call = 0.9
closefactor = 0.5
uncured = "wait"
[terms."two words"]
cure_days = true
[sizing]
level = 99
[stress]
scenarios = ["h-crypto-5"]
[strss]
"""


def read(folder: Path, text: str) -> Study:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return load_study(folder / "study.toml")


def problems(folder: Path, text: str) -> dict[str, str]:
    """Path -> rule and remedy of every problem of a file."""
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return {one.name: f"{one.rule}; {one.remedy}" for one in caught.value.problems}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    MarketModel.constant({"ETH": 0.8, "BTC": 0.6}).save(tmp_path / "model.json")
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('kind = "dcc"\nvariant = "corrected"\ncopula = "gaussian"', "cDCC with Gaussian copula"),
        ('kind = "ewma"\ndecay = 0.97', "EWMA correlation (0.97) with t copula"),
        ('kind = "filtered-historical"\nmean_block = 5', "filtered historical rows in blocks of 5 steps on average"),
        ('kind = "grouped-t"\ngroups = { majors = ["ETH", "BTC"] }', "grouped t copula (majors)"),
    ],
)
def test_dependence_may_move_or_have_groups(folder: Path, lines: str, text: str) -> None:
    study = read(folder, GOOD.replace('kind = "gaussian"\nshrinkage = "none"', lines))
    assert str(study.market.dependence) == text


def test_innovations_and_season_are_read_from_a_file(folder: Path) -> None:
    text = GOOD.replace("[market.dependence]", "[market.innovations]\nthreshold = 0.08\n[market.dependence]")
    text = text.replace("[market]\n", '[market]\nseason = "hour-of-week"\n')
    market = read(folder, text).market
    assert market.innovations == GpdTails(0.08)
    assert market.season == HourOfWeek()
    assert any("threshold" in name for name in problems(folder, text.replace("0.08", "0.5")))


def test_pegs_are_read_from_a_file(folder: Path) -> None:
    text = GOOD.replace(
        "[market.dependence]",
        """[market.volatility.USDC]
kind = "peg"
given = { drop = 0.03 }
[market.volatility.WSTETH]
kind = "peg"
underlying = "ETH"
accrual = "estimated"
[market.dependence]""",
    )
    specs = read(folder, text).market.volatility
    assert specs["USDC"] == Peg(given={"drop": 0.03})
    assert specs["WSTETH"] == Peg(underlying="ETH", accrual=None)
    with pytest.raises(InputError, match="depeg"):
        read(folder, text.replace("given = { drop = 0.03 }", "depeg = -1.0"))


def test_a_good_file_becomes_a_frozen_study(folder: Path) -> None:
    study = read(folder, GOOD)
    assert (study.name, study.seed, study.n_paths, study.horizon_days) == ("good", 3, 2048, 10)
    assert study.market.calibration == folder / "model.json"
    assert study.market.volatility["default"].decay == 0.97
    assert study.market.dependence.shrinkage is None
    assert [book.name for book in study.books] == ["half", "own", "account"]
    half, own, account = (book.position for book in study.books)
    assert isinstance(half, Loan)
    assert isinstance(own, Loan)
    assert isinstance(account, Account)
    assert (half.ltv, half.collateral_value, own.ltv, own.collateral_value) == (0.5, 1e6, 0.6, 5e4)
    assert study.terms["standard"].threshold_of("BTC") == 0.7
    assert study.stress.scenarios == ("h-crypto-50",)
    with pytest.raises(AttributeError):
        study.seed = 4  # type: ignore[misc]


def test_all_mistakes_of_a_file_are_reported_at_once_with_their_paths(folder: Path) -> None:
    found = problems(folder, BAD)
    expected = {
        "study.name": "must not be empty",
        "study.sede": "did you mean 'seed'?",
        "study.n_paths": "at least 2",
        "study.horizon_days": "must be a number",
        "market.prices": "no such file",
        "market.clock": "did you mean 'business'?",
        "market.volatility.default.pp": "did you mean 'p'?",
        "market.volatility.default.o": "at most 10",
        "mixes[0].weights": "must sum to 1 (they sum to 1.2)",
        "mixes[1].name": "is required",
        "mixes[1].nmae": "did you mean 'name'?",
        "mixes[1].weights.ETH": "must be a number",
        "mixes[1].ltv": "give 0.7",
        "accounts[0].holdings['ETH']": "must be a number of at least 0",
        "grid.ltv[2]": "must be a number in (0, 1)",
        "grid.ltv": "must ascend",
        "terms.lombard.margin_call": "must be a number of at least 1",
        "terms.lombard.closefactor": "did you mean 'close_factor'?",
        "terms.lombard.uncured": "must be one of 'hold', 'liquidate'",
        'terms."two words".cure_days': "must be a number",
        "sizing.level": "give 0.99 for 99 %",
        "stress.scenarios": "did you mean 'h-crypto-50'?",
        "strss": "did you mean 'stress'?",
    }
    assert {path: text in found.get(path, "") for path, text in expected.items()} == dict.fromkeys(expected, True)
    assert len(found) == len(expected)


def test_names_must_be_unique_and_horizons_within_the_paths(folder: Path) -> None:
    found = problems(folder, GOOD.replace('name = "own"', 'name = "half"').replace("[1, 10]", "[1, 11]"))
    assert "more than one" in found["mixes.name"]
    assert "must not exceed study.horizon_days = 10" in found["grid.horizons[1]"]
    assert "sizing.mpor_days" in problems(folder, GOOD + "\n[sizing]\nmpor_days = 12\n")


def test_one_study_has_one_currency_and_names_of_one_line(folder: Path) -> None:
    owed = "debts = { USD = 8.0 }"
    assert "share one currency" in problems(folder, GOOD.replace(owed, f"{owed}\ncurrency = 'EUR'"))["mixes.currency"]
    found = problems(
        folder, GOOD.replace('name = "own"', 'name = "a\\u001b[31m"').replace("[terms.standard]", '[terms."x\\ny"]')
    )
    assert "control characters" in found["mixes[1].name"]
    assert "control characters" in found["terms.x\ny"]


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("[market]", "[market]\nprices = 'study.toml'", "market.prices, calibration", "exactly one"),
        ('calibration = "model.json"', "", "market.prices, calibration", "exactly one"),
        ('kind = "ewma"', 'kind = "ewwma"', "market.volatility.default.kind", "'garch'"),
        ("seed = 3", "seed = -3", "study.seed", "at least 0"),
        ("ltv = 0.5\n", "ltv = 50\n", "loan.ltv", "(0, 1)"),
        ("debts = { USD = 8.0 }", "", "accounts[0].debts", "is required"),
        ('liquidation_threshold = { ETH = 0.8, "*" = 0.7 }', "liquidation_threshold = 1.5", None, "0.85 for 85 %"),
        (
            "[terms.standard]",
            "[terms.standard]\nmargin_call = 1.5",
            "terms.standard.restore_to",
            "at least margin_call",
        ),
    ],
)
def test_one_mistake_is_one_problem(folder: Path, old: str, new: str, path: str | None, says: str) -> None:
    found = problems(folder, GOOD.replace(old, new, 1))
    assert says in found[path or "terms.standard.liquidation_threshold"]
    assert len(found) <= 2


def test_text_that_is_no_study(folder: Path) -> None:
    assert "is not TOML" in problems(folder, "[study\nname = 1")["study file"]
    assert {"study", "market", "terms"} <= set(problems(folder, ""))
    (folder / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="not UTF-8"):
        load_study(folder / "latin.toml")
    with pytest.raises(InputError, match="does not exist"):
        load_study(folder / "none.toml")


def test_the_defaults_that_the_schema_documents_are_those_of_the_library() -> None:
    def documented(section: type) -> dict[str, object]:
        return {name: field.default for name, field in section.model_fields.items()}  # type: ignore[attr-defined]

    def real(made: object) -> dict[str, object]:
        return {name: one.default for name, one in inspect.signature(made).parameters.items()}  # type: ignore[arg-type]

    of_venue = {"venue": None, "figures": None}
    assert documented(TermsSection) == {**real(Terms), **of_venue}
    assert documented(SizingSection) == real(Sizing)
    study, terms = documented(StudySection), real(Study)
    assert {name: study[name] for name in ("title", "seed", "n_paths", "horizon_days")} == {
        name: terms[name] for name in ("title", "seed", "n_paths", "horizon_days")
    }
    assert tuple(GridSection().ltv) == Grid().ltv
    assert StressSection().n_paths == StressPlan().n_paths


def test_the_schema_covers_every_key_of_the_templates() -> None:
    schema = study_schema()
    assert schema["additionalProperties"] is False
    for name in TEMPLATES:
        assert set(tomllib.loads(template(name))) <= set(schema["properties"])
    terms = schema["$defs"]["TermsSection"]["properties"]
    assert terms["margin_call"]["minimum"] == 1


def test_a_fingerprint_names_the_question_and_not_the_place(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere")
    MarketModel.constant({"ETH": 0.8, "BTC": 0.6}).save(other / "model.json")
    assert read(folder, GOOD).fingerprint() == read(other, GOOD).fingerprint()
    assert read(folder, GOOD.replace("seed = 3", "seed = 4")).fingerprint() != read(other, GOOD).fingerprint()


def test_a_term_sheet_can_name_a_rule_or_a_venue(folder: Path) -> None:
    sheets = """
[terms.aave]
venue = "aave-v3"
liquidation_threshold = 0.8
figures = { bonus = 0.06, protocol_fee = 0.1 }
liquidation = { order = ["BTC", "ETH"], calls_a_step = 4 }

[terms.own]
liquidation_threshold = 0.8
[terms.own.liquidation]
kind = "SaleRule"
order = "least_cost"
bonus = { kind = "GrowingBonus", most = 0.1, least = 0.5, most_at = 0.9 }
size = { kind = "TargetHealth", health = 1.1 }

[terms.standard]
"""
    study = read(folder, GOOD.replace("[terms.standard]", sheets))
    aave = venues.load("aave-v3", bonus=0.06, protocol_fee=0.1)
    assert study.terms["aave"] == aave.margin_terms(liquidation_threshold=0.8, order=("BTC", "ETH"), calls_a_step=4)
    size, bonus = TargetHealth(1.1), GrowingBonus(0.1, 0.5, 0.9)
    assert study.terms["own"] == Terms(0.8, liquidation=SaleRule(bonus, size, order="least_cost"))


def test_mistakes_in_rules_and_venues_are_found_where_they_are(folder: Path) -> None:
    for sheet, says in (
        ('venue = "aave"', "aave-v3"),
        ('venue = "aave-v3"\nfigures = { bonsu = 0.1 }', "did you mean 'bonus'"),
        ('venue = "aave-v3"\nliquidation = { oder = "pro_rata" }', "did you mean 'order'"),
        ("figures = { bonus = 0.1 }", "belong to a venue"),
        ('liquidation = { kind = "SaelRule" }', "did you mean 'SaleRule'"),
        (
            'liquidation = { kind = "SaleRule", size = { kind = "CloseFactor", share = 0 } }',
            "must be a number in (0, 1]",
        ),
    ):
        found = problems(folder, GOOD.replace("[terms.standard]", f"[terms.bad]\n{sheet}\n\n[terms.standard]"))
        assert any(path.startswith("terms.bad") and says in text for path, text in found.items()), (sheet, found)
