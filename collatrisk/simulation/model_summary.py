"""A market model as a table and as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collatrisk.base.tables import html_table
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_marginal import AnyMarginal

if TYPE_CHECKING:
    import pandas as pd


def model_summary(model: MarketModel) -> pd.DataFrame:
    """See `MarketModel.summary`."""
    import pandas as pd

    names = list(dict.fromkeys(name for marginal in model.marginals for name in marginal.params))
    rows = []
    for marginal in model.marginals:
        row: dict[str, object] = {"model": _model(marginal)}
        for name in names:
            row[name] = marginal.params.get(name)
            row[f"{name}_se"] = marginal.std_errors.get(name)
        row["persistence"] = marginal.persistence
        row["long_run_volatility"] = model.clock.annualise(marginal.long_run_volatility)
        row["current_volatility"] = model.clock.annualise(marginal.next_variance**0.5)
        row["n_obs"] = marginal.n_obs
        row["loglikelihood"] = marginal.loglikelihood
        row["findings"] = sum(finding.subject == marginal.asset for finding in model.findings)
        rows.append(row)
    frame = pd.DataFrame(rows, index=pd.Index(model.assets, name="asset"))
    numbers = [column for column in frame.columns if column not in {"model", "n_obs", "findings"}]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _model(marginal: AnyMarginal) -> str:
    """The spec, and where they are not its own the innovations and the season."""
    parts = [str(marginal.spec)]
    if isinstance(marginal, Marginal):
        parts += [] if marginal.innovations is None else [str(marginal.innovations)]
        parts += [] if marginal.season is None else [f"season of {len(marginal.season.factors)} bins a week"]
    return ", ".join(parts)


def model_html(model: MarketModel) -> str:
    """The summary, the dependence and the provenance as escaped HTML tables."""
    frame = model_summary(model)
    cells = [[asset, *map(_show, row)] for asset, row in zip(model.assets, frame.itertuples(index=False), strict=True)]
    summary = html_table(["asset", *map(str, frame.columns)], cells, f"Market model, {model.clock}")
    facts: list[tuple[str, object]] = [("dependence", model.dependence.describe())]
    facts += [(f"jump: {jump.label}", jump.describe()) for jump in model.jumps]
    facts += list(model.provenance.items())
    facts += [(f"{finding.severity}: {finding.code}", finding.message) for finding in model.findings]
    return summary + html_table(["", ""], facts)


def _show(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)
