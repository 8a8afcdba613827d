"""Check a study against its market without fitting or simulating: assets, thresholds, clocks."""

from __future__ import annotations

from dataclasses import dataclass

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.study.market import load_frame
from collatrisk.study.spec import DEFAULT_ASSET
from collatrisk.study.study import Study


@dataclass(frozen=True, slots=True)
class CheckedStudy:
    """What is known of a study before it runs.

    Attributes
    ----------
    assets : that the market has. clock : in words. findings : on the data and the terms.
    """

    assets: tuple[str, ...]
    clock: str
    findings: tuple[Finding, ...]


def check_study(study: Study) -> CheckedStudy:
    """Load the data of a study and check that books, terms and horizons fit it.

    Raises
    ------
    DataError : prices that cannot be used. InputError : with everything that does not fit.
    """
    assets, clock, findings = _market(study)
    problems = Problems(f"Study {study.name!r}")
    for asset in study.market.volatility:
        problems.known("market.volatility", [asset] if asset != DEFAULT_ASSET else [], assets)
    for book in study.books:
        problems.known(f"book {book.name!r}", book.assets, assets)
        for name, terms in study.terms.items():
            for asset in book.assets:
                _collect(problems, f"terms.{name}", lambda t=terms, a=asset, b=book: t.threshold_of(a, b.currency))
    for name, terms in study.terms.items():
        _collect(problems, f"terms.{name}", lambda t=terms: clock.steps(t.cure_days, "cure_days"))
        _collect(problems, f"terms.{name}", lambda t=terms: clock.steps(t.liquidation_delay_days, "delay"))
    _collect(problems, "study", lambda: clock.steps(study.horizon_days, "horizon_days"))
    _collect(problems, "sizing", lambda: clock.steps(study.sizing.mpor_days, "mpor_days"))
    for days in study.horizons:
        _collect(problems, "grid", lambda d=days: clock.steps(d, "horizons"))
    problems.raise_if_any()
    terms_findings = [finding for terms in study.terms.values() for finding in terms.findings]
    return CheckedStudy(assets, str(clock), (*findings, *terms_findings))


def _market(study: Study) -> tuple[tuple[str, ...], Clock, tuple[Finding, ...]]:
    from collatrisk.market import resolve_clock
    from collatrisk.study.cells import CellStore
    from collatrisk.study.market import load_market

    if study.market.calibration is not None:
        model = load_market(study.market, CellStore(None)).model
        return model.assets, model.clock, model.findings
    prices, findings = load_frame(study.market)
    return tuple(map(str, prices.columns)), resolve_clock(prices, study.market.clock), findings


def _collect(problems: Problems, where: str, check: object) -> None:
    """Run a check; what it refuses goes to `problems`, once."""
    assert callable(check)
    try:
        check()
    except InputError as error:
        for one in error.problems:
            named = type(one)(f"{where}.{one.name}", one.value, one.rule, one.remedy)
            if named not in problems.found:
                problems.found.append(named)
