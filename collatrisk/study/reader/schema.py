"""The shape of a study file: sections, keys and types.

Ranges are the business of the classes that are built from it (`read`): here they are written down for the JSON schema
only, so that a broken range is reported once, with its remedy.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from collatrisk.study.reader.section import Section, doc
from collatrisk.study.reader.volatility import VOLATILITY_KINDS, Volatility


def _is_table(value: object) -> str:
    return "table" if isinstance(value, dict) else "number"


def _is_list(value: object) -> str:
    return "list" if isinstance(value, list) else "word"


TAGS = frozenset({"number", "table", "list", "word", *VOLATILITY_KINDS})
"""Parts of a pydantic location that name a branch of a union, not a key of the file."""

Days = Annotated[float, doc("days of the clock", minimum=0)]
PositiveDays = Annotated[float, doc("days of the clock", exclusiveMinimum=0)]
OpenFraction = Annotated[float, doc("a fraction in (0, 1)", exclusiveMinimum=0, exclusiveMaximum=1)]
ClosedFraction = Annotated[float, doc("a fraction in [0, 1]", minimum=0, maximum=1)]
HealthLevel = Annotated[float, doc("a health factor, at least 1", minimum=1)]
Share = Annotated[float, doc("share of the repaid value", minimum=0)]
Amount = Annotated[float, doc("in the loan's currency", exclusiveMinimum=0)]
Count = Annotated[int, doc("a whole number", minimum=1)]
PerAsset = Annotated[
    Annotated[float, Tag("number")] | Annotated[dict[str, float], Tag("table")],
    Discriminator(_is_table),
    Field(description="one number for all assets, or a table asset = number"),
]


class StudySection(Section):
    """[study]: what it is called and how many paths it draws."""

    name: str = Field(description="short; used in file names and on the report")
    title: str = Field(default="", description="the report's headline")
    seed: int = Field(default=0, description="any whole number >= 0; the same seed gives the same numbers")
    n_paths: Count = 20_000
    horizon_days: PositiveDays = 30.0


DependenceKind: TypeAlias = Literal[
    "student-t", "gaussian", "independent", "grouped-t", "dcc", "ewma", "filtered-historical"
]


class DependenceSection(Section):
    """How assets move together."""

    kind: DependenceKind = "student-t"
    shrinkage: Literal["auto", "none"] = Field(default="auto", description="Ledoit-Wolf when observations are few")
    groups: dict[str, list[str]] | None = Field(default=None, description="grouped-t: the assets of each group")
    variant: Literal["standard", "corrected", "asymmetric"] | None = Field(default=None, description="dcc: which")
    copula: Literal["t", "gaussian"] | None = Field(default=None, description="dcc, ewma: law of the scores")
    likelihood: Literal["auto", "full", "composite"] | None = Field(default=None, description="dcc: of all or of pairs")
    decay: OpenFraction | None = Field(default=None, description="ewma: weight of the past")
    mean_block: Annotated[float, doc("filtered-historical: mean run of rows, in steps", minimum=1)] | None = None


class InnovationsSection(Section):
    """The law of the standardised residuals, where it is not that of the volatility."""

    kind: Literal["gpd-tails"] = "gpd-tails"
    threshold: Annotated[float, doc("share of the residuals in each tail", minimum=0.005, maximum=0.25)] = 0.1


class MarketSection(Section):
    """[market]: prices to fit, or a calibration that is already fitted."""

    prices: str | None = Field(default=None, description="CSV, CSV.gz or Parquet, relative to this file")
    calibration: str | None = Field(default=None, description="a model saved by `collatrisk calibrate`")
    clock: Literal["24/7", "business"] | None = Field(default=None, description="found from the prices if absent")
    align: Literal["intersection"] = Field(default="intersection", description="only dates on which all have a price")
    assets: list[str] = Field(default_factory=list, description="the assets to use; all if absent")
    volatility: dict[str, Volatility] = Field(
        default_factory=dict, description="specification per asset; 'default' stands for all others"
    )
    dependence: DependenceSection = Field(default_factory=DependenceSection)
    innovations: InnovationsSection | None = Field(default=None, description="Pareto tails; the law of the volatility")
    season: Literal["hour-of-week"] | None = Field(default=None, description="taken out before the fit, 24/7 clock")
    presample: Literal["mean_square", "backcast"] = Field(default="mean_square", description="start of the recursion")
    drift: Literal["martingale", "zero_log", "fitted"] = Field(default="martingale", description="drift of the paths")


class LoanSection(Section):
    """[loan]: the loan that a mix backs, unless the mix says otherwise."""

    ltv: OpenFraction = 0.7
    collateral_value: Amount = 1_000_000.0
    currency: str = Field(default="USD", description="what the debt is counted in")


class MixSection(Section):
    """[[mixes]]: a collateral mix."""

    name: str = Field(description="unique; the row's name in every table")
    weights: dict[str, float] = Field(description="asset = share of the collateral's value; they sum to 1")
    ltv: OpenFraction | None = Field(default=None, description="the stated loan-to-value ratio; [loan] ltv if absent")
    collateral_value: Amount | None = Field(default=None, description="[loan] collateral_value if absent")


class AccountSection(Section):
    """[[accounts]]: an account as it stands, in units."""

    name: str = Field(description="unique; the row's name in every table")
    holdings: dict[str, float] = Field(description="asset = units held; the currency itself is cash")
    debts: dict[str, float] = Field(description="asset = units owed; the currency itself is a plain debt")
    currency: str = "USD"


class GridSection(Section):
    """[grid]: the surface of margin-call probabilities."""

    ltv: list[float] = Field(default=[0.3, 0.4, 0.5, 0.6, 0.7, 0.8], description="ascending, each in (0, 1)")
    horizons: list[float] = Field(default_factory=list, description="ascending days; the study's horizon if absent")


class TermsSection(Section):
    """[terms.NAME]: a term sheet; the report prints the defaults of absent keys."""

    liquidation_threshold: PerAsset = 0.85
    margin_call: HealthLevel = 1.1
    restore_to: HealthLevel = 1.2
    liquidation_bonus: Share = 0.05
    liquidation_fee: Share = 0.0
    close_factor: ClosedFraction = 0.5
    cure_days: Days = 1.0
    cure_probability: ClosedFraction = 0.0
    uncured: Literal["hold", "liquidate"] = "hold"
    liquidation_delay_days: Days = 0.0
    borrow_rate: float = Field(default=0.0, description="annual, continuously compounded")
    price_impact: PerAsset = 0.0
    mark: Literal["bridge", "close"] = "bridge"
    sale_price: Literal["worse", "end", "barrier"] = "worse"
    liquidation: dict[str, Any] | None = Field(
        default=None,
        description='a rule by kind: { kind = "SaleRule", size = { kind = "TargetHealth", health = 1.1 }, ... }; with'
        " a venue, fields of its rule in place of the venue's, such as { order = [...] }",
    )
    venue: str | None = Field(default=None, description='a lending venue whose rule applies, such as "aave-v3"')
    figures: dict[str, float] | None = Field(default=None, description="figures in place of the venue's")


class SizingSection(Section):
    """[sizing]: what the sized parameters must achieve."""

    level: OpenFraction = 0.99
    mpor_days: PositiveDays = 10.0
    measure: Literal["var", "es"] = Field(default="es", description="what the haircut covers")
    max_call_probability: OpenFraction = 0.05
    max_shortfall_probability: OpenFraction = 0.001


Scenarios = Annotated[
    Annotated[list[str], Tag("list")] | Annotated[Literal["all"], Tag("word")],
    Discriminator(_is_list),
    Field(description='names in the catalogue, or "all"; [] for none'),
]


class StressSection(Section):
    """[stress]: scenarios of the catalogue."""

    scenarios: Scenarios = "all"
    n_paths: Count = 20_000


class StudyFile(Section):
    """A study file of collatrisk."""

    study: StudySection
    market: MarketSection
    loan: LoanSection = Field(default_factory=LoanSection)
    mixes: list[MixSection] = Field(default_factory=list)
    accounts: list[AccountSection] = Field(default_factory=list)
    grid: GridSection = Field(default_factory=GridSection)
    terms: dict[str, TermsSection]
    sizing: SizingSection = Field(default_factory=SizingSection)
    stress: StressSection = Field(default_factory=StressSection)


def study_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a study file, for editors."""
    schema = StudyFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
