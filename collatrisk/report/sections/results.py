"""What the paths say: calls by loan-to-value and by day, the surface, the fans and the losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from collatrisk.report.charts.call_curve import call_curve
from collatrisk.report.charts.fan import fan
from collatrisk.report.charts.heat_map import heat_map
from collatrisk.report.charts.losses import losses
from collatrisk.report.charts.term_structure import term_structure
from collatrisk.report.view import Chart, Section

if TYPE_CHECKING:
    from collatrisk.study.result import StudyResult


def call_section(result: StudyResult) -> Section:
    """Margin-call curves, term structures and heat maps, per term sheet."""
    study = result.study
    limit, horizon = study.sizing.max_call_probability, study.horizons[-1]
    charts: list[Chart] = []
    for i, terms in enumerate(study.terms):
        if (result.call_probability["terms"] == terms).any():
            charts.append(call_curve(f"call-curve-{i}", result.call_probability, terms, horizon, limit))
        if (result.term_structure["terms"] == terms).any():
            charts.append(term_structure(f"term-structure-{i}", result.term_structure, terms))
        if (result.call_probability["terms"] == terms).any():
            for j, days in enumerate(reversed(study.horizons)):
                chart = heat_map(f"heat-map-{i}-{j}", result.call_probability, terms, days, limit)
                charts.append(replace(chart, folded=j > 0))
    lead = (
        "Margin is called when the health factor falls below the term sheet\u2019s level at any time, not only at the"
        " end: between steps the paths are joined by a sampled Brownian bridge where the terms say so. All books and"
        " ratios are read from the same paths, so that differences between them are not noise."
    )
    return Section("calls", "How likely is a margin call, and by when?", lead, charts=tuple(charts))


def distribution_section(result: StudyResult) -> Section:
    """Price fans and loss distributions."""
    calls = {}
    if len(result.study.terms) == 1:
        done = result.executive[result.executive["call_at"].notna()]
        calls = dict(zip(done["book"], done["call_at"], strict=True))
    charts = []
    if (result.fan["kind"] == "book").any():
        charts.append(fan("fan-books", result.fan, "book", calls))
    if len(result.loss_histogram):
        charts.append(losses("loss-distribution", result.loss_histogram, result.loss_measures))
    if (result.fan["kind"] == "asset").any():
        charts.append(fan("fan-assets", result.fan, "asset"))
    lead = "Where the simulated prices go. VaR is the order statistic ceil(n \u00d7 level); ES is the tail mean."
    return Section("distributions", "Prices and losses", lead, charts=tuple(charts))
