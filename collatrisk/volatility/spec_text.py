"""Specs in the words of their literature, for tables and reports."""

from __future__ import annotations

from collatrisk.volatility.specs import Aparch, Egarch, Ewma, Figarch, Garch, RiskMetrics2006, VolatilitySpec


def model_name(spec: VolatilitySpec) -> str:
    """The model of the variance with its orders, without mean and law: GJR(1,1,1), APARCH(1,1,1), EWMA(0.94)."""
    if isinstance(spec, Garch):
        orders = f"({spec.p},{spec.o},{spec.q})" if spec.o else f"({spec.p},{spec.q})"
        if spec.power == 2.0:
            return f"{'GJR' if spec.o else 'GARCH'}{orders}"
        return f"TGARCH{orders}" if spec.power == 1.0 else f"GARCH{orders} power {spec.power:g}"
    if isinstance(spec, Egarch):
        return f"EGARCH({spec.p},{spec.o},{spec.q})"
    if isinstance(spec, Aparch):
        held = "" if spec.delta is None else f" delta {spec.delta:g}"
        return f"APARCH({spec.p},{spec.o},{spec.q}){held}"
    if isinstance(spec, Figarch):
        power = "" if spec.power == 2.0 else f" power {spec.power:g}"
        return f"FIGARCH({spec.p},d,{spec.q}){power}"
    if isinstance(spec, Ewma):
        return f"EWMA({spec.decay:g})"
    return "RiskMetrics 2006" if isinstance(spec, RiskMetrics2006) else "constant"


def spec_label(spec: VolatilitySpec) -> str:
    """The model with its law, and with its mean where that is an AR(1)."""
    mean = "AR(1) " if spec.mean == "ar1" else ""
    return f"{mean}{model_name(spec)} {spec.dist}"
