"""The two-line way: prices and a loan in, an assessment with its report out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Terms
from collatrisk.market.clock import Clock
from collatrisk.study.result import StudyResult
from collatrisk.study.spec import DEFAULT_ASSET, Book, Grid, MarketPlan, Sizing, StressPlan
from collatrisk.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.dependence import DependenceSpec
    from collatrisk.simulation import MarketModel
    from collatrisk.volatility import VolatilitySpec

Say = Callable[[str], object]
_STANDARD = "standard"
ANY_ASSET = "*"


@dataclass(frozen=True, repr=False)
class Assessment:
    """What `assess` found: the tables of a study of one or a few accounts.

    Attributes
    ----------
    result : the study's result; every table of the report is a DataFrame there.
    clock : the clock that was used, and whether it was given or found.
    terms : the terms that were used.
    """

    result: StudyResult
    clock: str
    terms: Terms

    @property
    def model(self) -> MarketModel | None:
        """The fitted market model."""
        return self.result.model

    def summary(self) -> pd.DataFrame:
        """The executive table: one row an account, each number with its 95 % interval."""
        return self.result.executive

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the report as one self-contained HTML file (no network, no scripts) and return its path.

        Raises
        ------
        InputError : if `path` does not end in ``.html`` or its folder does not exist.
        """
        from collatrisk.report import render_html, write_text

        target = Path(path)
        problems = Problems("Assessment.report")
        problems.check(target.suffix.lower() in {".html", ".htm"}, "path", str(path), "must end in .html", "rename it")
        problems.check(target.parent.is_dir(), "path", str(path), "must lie in a folder that exists", "make the folder")
        problems.raise_if_any()
        return write_text(target, render_html(self.result))

    def __repr__(self) -> str:
        return f"Assessment({self.result!r}, {self.clock})"

    def _repr_html_(self) -> str:
        from collatrisk.base.tables import html_table

        used = html_table(("used", "value"), [("clock", self.clock), ("terms", self.terms.describe())])
        return self.result._repr_html_() + used


def assess(
    prices: pd.DataFrame,
    loan: Loan | Account | Sequence[Loan | Account],
    *,
    terms: Terms | None = None,
    clock: Clock | str | None = None,
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec] | None = None,
    dependence: DependenceSpec | None = None,
    horizon_days: float = 30.0,
    n_paths: int = 20_000,
    seed: int = 0,
    scenarios: Sequence[str] = ("all",),
    executor: Executor | None = None,
    say: Say | None = print,
) -> Assessment:
    """Fit a market model to prices, run a loan through it and size its terms.

    Parameters
    ----------
    prices : as `load_prices` returns them: UTC index, one column an asset, > 0.
    loan : one loan or account, or several; they share the paths.
    terms : margin and liquidation terms; None takes the stated defaults of `Terms`.
    clock : ``"24/7"``, ``"business"``, a `Clock`, or None: found from the dates of the prices.
    volatility : a specification, or asset -> specification with ``"*"`` for the rest; None is GJR-GARCH(1, 1, 1) with
        Student-t innovations.
    dependence : the copula; None is Student t.
    horizon_days : days of the clock that the paths run, > 0.
    n_paths : Monte Carlo paths, >= 2.
    seed : int in [0, 2**64).
    scenarios : names of the stress catalogue, ``("all",)`` or ``()``.
    executor : any `concurrent.futures.Executor`; the result does not depend on it.
    say : called with the clock and the terms that are used, one line each; None is silent.

    Returns
    -------
    Assessment; ``.report("report.html")`` writes it down.

    Raises
    ------
    DataError, FitError, InputError : prices or arguments that cannot be used, with all problems at once.
    """
    from collatrisk.market import infer_clock
    from collatrisk.study import run_study
    from collatrisk.study.check import check_study

    _check(terms, scenarios, say, horizon_days, n_paths)
    used_clock = infer_clock(prices) if clock is None else Clock.of(clock)
    used_terms = Terms() if terms is None else terms
    clock_text = f"{used_clock} ({'found from the dates' if clock is None else 'as given'})"
    if say is not None:
        say(f"clock: {clock_text}")
        say(f"terms: {used_terms.describe()}{' (the defaults)' if terms is None else ''}")
    study = Study(
        name="assessment",
        title="Collateral assessment",
        market=MarketPlan(
            prices=prices,
            clock=used_clock,
            volatility=_by_asset(volatility),
            dependence=dependence,
        ),
        books=_books(loan),
        terms={_STANDARD: used_terms},
        seed=seed,
        n_paths=n_paths,
        horizon_days=horizon_days,
        grid=Grid(),
        sizing=Sizing(mpor_days=min(10.0, horizon_days)),
        stress=StressPlan(scenarios=tuple(scenarios), n_paths=min(n_paths, 10_000)),
    )
    check_study(study)  # a batch goes on past a bad book; here there is nobody else to serve
    result = run_study(study, executor=executor, command="collatrisk.assess(prices, loan)")
    return Assessment(result, clock_text, used_terms)


def _check(terms: object, scenarios: object, say: object, horizon_days: object, n_paths: object) -> None:
    """What no other check sees before it is used."""
    problems = Problems("assess")
    problems.check(terms is None or isinstance(terms, Terms), "terms", terms, "must be Terms or None", "leave it out")
    listed = tuple(scenarios) if isinstance(scenarios, Iterable) and not isinstance(scenarios, str) else (None,)
    named = all(isinstance(name, str) for name in listed)
    problems.check(named, "scenarios", scenarios, "must be names in a list", "give ('2020-03',), ('all',) or ()")
    problems.check(say is None or callable(say), "say", say, "must be a function or None", "None is silent")
    problems.number("horizon_days", horizon_days, low=0, high=1e6, open_low=True, remedy="give 30 for a month")
    problems.integer("n_paths", n_paths, low=2, remedy="give 20_000, say")
    problems.raise_if_any()


def _by_asset(volatility: VolatilitySpec | Mapping[str, VolatilitySpec] | None) -> dict[str, VolatilitySpec]:
    """The study's mapping, in which the rest is called ``"default"``."""
    if volatility is None:
        return {}
    if not isinstance(volatility, Mapping):
        return {DEFAULT_ASSET: volatility}
    return {(DEFAULT_ASSET if asset == ANY_ASSET else asset): spec for asset, spec in volatility.items()}


def _books(loan: Loan | Account | Sequence[Loan | Account]) -> tuple[Book, ...]:
    problems = Problems("assess")
    each = problems.listed("loan", loan, (Loan, Account), "make it with cr.Loan(mix, collateral_value, ltv)")
    problems.raise_if_any()
    return tuple(Book.of(one) for one in each)
