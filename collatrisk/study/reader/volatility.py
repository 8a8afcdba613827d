"""The volatility specifications of a study file, one section a kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from collatrisk.study.reader.section import Section, doc

Lags = Annotated[int, doc("lags", minimum=0, maximum=10)]
OneLag = Annotated[int, doc("0 or 1", minimum=0, maximum=1)]
Decay = Annotated[float, doc("a fraction in (0, 1)", exclusiveMinimum=0, exclusiveMaximum=1)]
Power = Annotated[float, doc("a power of the residuals", minimum=0.05, maximum=4)]
Memory = Annotated[float, doc("steps", exclusiveMinimum=0)]
Dist = Literal["normal", "t", "skewt", "ged"]
Mean = Literal["constant", "zero", "ar1"]

VOLATILITY_KINDS = ("garch", "egarch", "aparch", "figarch", "ewma", "riskmetrics2006", "constant", "peg")


class GarchSection(Section):
    """GJR-GARCH(p, o, q); o = 0 is plain GARCH, power = 1 is TGARCH."""

    kind: Literal["garch"] = "garch"
    p: Lags = 1
    o: Lags = 1
    q: Lags = 1
    dist: Dist = "t"
    mean: Mean = "constant"
    power: Power = 2.0


class EgarchSection(Section):
    """EGARCH(p, o, q): linear in the logarithm of the variance."""

    kind: Literal["egarch"]
    p: Lags = 1
    o: Lags = 1
    q: Lags = 1
    dist: Dist = "t"
    mean: Mean = "constant"


class AparchSection(Section):
    """APARCH(p, o, q): linear in a power of the volatility."""

    kind: Literal["aparch"]
    p: Lags = 1
    o: Lags = 1
    q: Lags = 1
    delta: Power | None = Field(default=None, description="the power; estimated if absent")
    dist: Dist = "t"
    mean: Mean = "constant"


class FigarchSection(Section):
    """FIGARCH(p, d, q): long memory."""

    kind: Literal["figarch"]
    p: OneLag = 1
    q: OneLag = 1
    power: Power = 2.0
    truncation: Annotated[int, doc("lags that are kept", minimum=10, maximum=5000)] = 1000
    dist: Dist = "t"
    mean: Mean = "constant"


class EwmaSection(Section):
    """Exponentially weighted variance with a given decay."""

    kind: Literal["ewma"]
    decay: Decay = 0.94
    dist: Dist = "normal"
    mean: Mean = "zero"


class RiskMetricsSection(Section):
    """RiskMetrics 2006: many exponentially weighted variances with given memories."""

    kind: Literal["riskmetrics2006"]
    tau0: Memory = 1560.0
    tau1: Memory = 4.0
    kmax: Annotated[int, doc("components", minimum=1, maximum=50)] = 14
    rho: Annotated[float, doc("ratio of memories", exclusiveMinimum=1)] = 2.0**0.5
    dist: Dist = "normal"
    mean: Mean = "zero"


class ConstantSection(Section):
    """One variance for all steps."""

    kind: Literal["constant"]
    dist: Dist = "normal"
    mean: Mean = "zero"


class PegSection(Section):
    """An asset that holds a level, or keeps to an underlying: two regimes of its basis."""

    kind: Literal["peg"]
    underlying: str | None = Field(default=None, description="the asset that anchors it; the quote currency if absent")
    level: Annotated[float, doc("the anchor", exclusiveMinimum=0)] = 1.0
    accrual: float | Literal["estimated"] = Field(default=0.0, description="log growth a year of the anchor")
    depeg: Annotated[float, doc("distance from which it may be stressed, in logs", exclusiveMinimum=0)] = 0.005
    market: str | None = Field(default=None, description="whose shock makes an entry likelier; '*' for all")
    dist: Literal["t", "normal"] = "t"
    lone_prints: Literal["trim", "keep"] = "trim"
    given: dict[str, float] = Field(default_factory=dict, description="parameters that are not estimated, a step")


def _kind(value: object) -> str:
    kind = value.get("kind", "garch") if isinstance(value, dict) else "garch"
    return kind if kind in VOLATILITY_KINDS else "garch"


Volatility = Annotated[
    Annotated[GarchSection, Tag("garch")]
    | Annotated[EgarchSection, Tag("egarch")]
    | Annotated[AparchSection, Tag("aparch")]
    | Annotated[FigarchSection, Tag("figarch")]
    | Annotated[EwmaSection, Tag("ewma")]
    | Annotated[RiskMetricsSection, Tag("riskmetrics2006")]
    | Annotated[ConstantSection, Tag("constant")]
    | Annotated[PegSection, Tag("peg")],
    Discriminator(_kind),
]
