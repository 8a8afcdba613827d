"""The page: header, sections in the order that a committee reads them, and the template that shows them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from collatrisk.report.palette import STATUSES
from collatrisk.report.sections.context import limits_section, reproduction_section, scope_section
from collatrisk.report.sections.models import data_section, model_section
from collatrisk.report.sections.results import call_section, distribution_section
from collatrisk.report.sections.stress import stress_section
from collatrisk.report.sections.summary import executive_section
from collatrisk.report.tables import records
from collatrisk.report.text import count, days, share
from collatrisk.report.view import Section

if TYPE_CHECKING:
    from jinja2 import Template

    from collatrisk.study.result import StudyResult

_UNPRINTABLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd")
"""Control characters, which a name may hold and neither HTML nor SVG may."""


def render_html(result: StudyResult) -> str:
    """The whole report as one HTML page that needs nothing else: no network, no script, no other file."""
    page = _template().render(
        title=result.study.headline,
        subtitle="Collateral stress test: margin calls, liquidations, haircuts and thresholds",
        status=STATUSES[result.status],
        header=header_facts(result),
        sections=sections(result),
        style=files("collatrisk.report").joinpath("templates/style.css").read_text(encoding="utf-8"),
        version=result.run.version,
    )
    return page.translate(_UNPRINTABLE)


def sections(result: StudyResult) -> tuple[Section, ...]:
    """All sections in order."""
    return (
        executive_section(result),
        scope_section(result),
        call_section(result),
        distribution_section(result),
        stress_section(result),
        model_section(result),
        data_section(result),
        limits_section(result),
        reproduction_section(result),
    )


def header_facts(result: StudyResult) -> tuple[tuple[str, str], ...]:
    """What a reader must know before the first number."""
    run, study = result.run, result.study
    return (
        ("Prices as of", run.as_of or "not stated"),
        ("Data window", f"{run.first} to {run.last}" if run.first else "not stated"),
        ("Clock", run.clock),
        ("Models", _models(result)),
        ("Paths", f"{count(study.n_paths)} over {days(study.horizon_days)}, seed {study.seed}, drift {run.drift}"),
        ("Estimators", f"VaR: order statistic; ES: tail mean; level {share(study.sizing.level)}; intervals 95\u202f%"),
        ("Version", f"collatrisk {run.version}"),
        ("Configuration", run.hashes.get("config", "")[:16]),
    )


def _models(result: StudyResult) -> str:
    rows = records(result.model_summary)
    names = dict.fromkeys(f"{row['volatility_model'].partition(' (figures')[0]} ({row['innovations']})" for row in rows)
    return "; ".join([*names, result.run.dependence])


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment: Any = Environment(
        loader=PackageLoader("collatrisk.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template: Template = environment.get_template("report.html")
    return template
