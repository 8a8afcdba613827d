"""The parts of a study: what it asks of which market. Frozen, validated; nothing here reads a file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.collateral import Account, Loan, Mix
    from collatrisk.simulation import MarketModel

Drift = Literal["martingale", "zero_log", "fitted"]
DRIFTS: tuple[Drift, ...] = ("martingale", "zero_log", "fitted")
MEASURES = ("var", "es")
DEFAULT_ASSET = "default"
"""The key of `MarketPlan.volatility` that stands for every asset without a specification of its own."""
_FRACTION = "give a fraction: 0.7 for 70 %"


@dataclass(frozen=True)
class MarketPlan:
    """Where the market model comes from: prices that are fitted, or a model that is already fitted.

    Parameters
    ----------
    prices : a file for `load_prices`, or a frame of prices (UTC index, one column an asset); None with `calibration`.
    calibration : a file written by ``MarketModel.save``, or a `MarketModel`; None with `prices`.
    clock : ``"24/7"``, ``"business"``, a `Clock` (one with holidays, say) or None: found from the prices, or the
        calibration's own.
    align : ``"intersection"``: only dates on which every asset has a price; the report says which were dropped.
    assets : the assets to use; empty means all.
    volatility : asset -> specification; the key ``"default"`` stands for all others (Garch(1, 1, 1, "t") if absent).
    dependence : specification; None is the Student t copula.
    innovations : `GpdTails`, or None for the law of the volatility specification.
    season : `HourOfWeek`, or None.
    presample : ``"mean_square"`` or ``"backcast"``, how the variance recursion of the fit is started.
    drift : ``"martingale"``, ``"zero_log"`` or ``"fitted"``.
    """

    prices: Path | pd.DataFrame | None = None
    calibration: Path | MarketModel | None = None
    clock: Clock | str | None = None
    align: str = "intersection"
    assets: tuple[str, ...] = ()
    volatility: Mapping[str, Any] = field(default_factory=dict)
    dependence: Any = None
    innovations: Any = None
    season: Any = None
    presample: Literal["mean_square", "backcast"] = "mean_square"
    drift: Drift = "martingale"

    def __post_init__(self) -> None:
        problems = Problems("Market")
        given = [name for name in ("prices", "calibration") if getattr(self, name) is not None]
        if len(given) != 1:
            remedy = "name a file of prices, or a saved calibration, not both"
            problems.add("prices, calibration", given, "exactly one of the two must be given", remedy)
        if isinstance(self.clock, str):
            problems.choice("clock", self.clock, ("24/7", "business"))
        problems.choice("align", self.align, ("intersection",))
        problems.choice("presample", self.presample, ("mean_square", "backcast"))
        problems.choice("drift", self.drift, DRIFTS)
        problems.raise_if_any()


@dataclass(frozen=True)
class Book:
    """One row of a study: a loan against a mix, or an account as it stands.

    Parameters
    ----------
    name : what the report calls it, unique in the study.
    position : the loan or the account.
    """

    name: str
    position: Loan | Account

    def __post_init__(self) -> None:
        problems = Problems(f"Book {self.name!r}")
        check_name(problems, "name", self.name)
        problems.raise_if_any()

    @classmethod
    def of(cls, position: Loan | Account) -> Book:
        """A book under the position's own name."""
        return cls(position.label, position)

    @property
    def mix(self) -> Mix | None:
        """The mix behind a loan; None for an account, whose weights depend on the prices."""
        return getattr(self.position, "mix", None)

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets that the model must know."""
        return self.position.assets

    @property
    def currency(self) -> str:
        """The currency of debts and amounts."""
        return self.position.currency

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary: with the model and the seed it names what a cell computes from."""
        return {"name": self.name, **{key: value for key, value in self.position.to_dict().items() if key != "name"}}


@dataclass(frozen=True, slots=True)
class Grid:
    """The loan-to-value ratios and horizons of the margin-call surface.

    Parameters
    ----------
    ltv : each in (0, 1), ascending.
    horizons : each > 0, ascending, days of the clock.
    """

    ltv: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    horizons: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems("Grid")
        for i, value in enumerate(self.ltv):
            problems.number(f"ltv[{i}]", value, low=0, high=1, open_low=True, open_high=True, remedy=_FRACTION)
        problems.check(len(self.ltv) > 0, "ltv", self.ltv, "must not be empty", "give at least one loan-to-value ratio")
        for i, value in enumerate(self.horizons):
            problems.number(f"horizons[{i}]", value, low=0, open_low=True, remedy="give days of the clock")
        for name in ("ltv", "horizons"):
            values = list(getattr(self, name))
            rule = "must ascend without repetition"
            problems.check(values == sorted(set(values)), name, values, rule, "sort it and drop repeated values")
        problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the sized parameters must achieve.

    Parameters
    ----------
    level : confidence of the haircut and of VaR and ES, in (0, 1).
    mpor_days : margin period of risk, days of the clock, > 0.
    measure : ``"var"`` or ``"es"``, what the haircut covers.
    max_call_probability : the largest tolerated probability of a margin call within the horizon, in (0, 1).
    max_shortfall_probability : the largest tolerated probability of a shortfall within the horizon, in (0, 1).
    """

    level: float = 0.99
    mpor_days: float = 10.0
    measure: Literal["var", "es"] = "es"
    max_call_probability: float = 0.05
    max_shortfall_probability: float = 0.001

    def __post_init__(self) -> None:
        problems = Problems("Sizing")
        for name, remedy in (
            ("level", "give 0.99 for 99 %"),
            ("max_call_probability", "give 0.05 for 5 %"),
            ("max_shortfall_probability", "give 0.001 for 0.1 %"),
        ):
            problems.number(name, getattr(self, name), low=0, high=1, open_low=True, open_high=True, remedy=remedy)
        problems.number("mpor_days", self.mpor_days, low=0, open_low=True, remedy="give days of the clock, such as 10")
        problems.choice("measure", self.measure, MEASURES)
        problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class StressPlan:
    """Which scenarios are applied to every book under every term sheet.

    Parameters
    ----------
    scenarios : names in the catalogue, or ``("all",)``; empty means no stress test.
    n_paths : paths of each stressed model, >= 1.
    """

    scenarios: tuple[str, ...] = ("all",)
    n_paths: int = 20_000

    def __post_init__(self) -> None:
        problems = Problems("Stress")
        problems.integer("n_paths", self.n_paths, low=1, remedy="give the paths of each stressed model, such as 20000")
        problems.check(
            len(set(self.scenarios)) == len(self.scenarios),
            "scenarios",
            list(self.scenarios),
            "must not repeat a name",
            "drop the repeated names",
        )
        problems.raise_if_any()


def check_name(problems: Problems, name: str, value: object) -> None:
    """A name is one line of text: no control characters, which terminals obey and markup forbids."""
    if not isinstance(value, str):
        problems.add(name, value, "must be text", "give it a name")
        return
    problems.check(bool(value.strip()), name, value, "must not be empty", "give it a name")
    check_line(problems, name, value)


def check_line(problems: Problems, name: str, value: str) -> None:
    """Text without control characters."""
    plain = not any(unicodedata.category(letter) == "Cc" for letter in value)
    problems.check(plain, name, value, "must be one line without control characters", "take them out")


def repeated(names: Sequence[str]) -> list[str]:
    """The names that occur more than once, in order of first occurrence."""
    return [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
