"""Many assets at once: copulas whose correlation stays or moves, or rows of history. See docs/dependence.md."""

from collatrisk.dependence.correlation import correlation_factor, equicorrelation, nearest_correlation
from collatrisk.dependence.diagnostics import (
    CorrelationTest,
    DependenceDiagnostics,
    conditional_correlations,
    diagnose_dependence,
)
from collatrisk.dependence.dynamic_bootstrap import bootstrap_dependence
from collatrisk.dependence.dynamic_specs import Dcc, EwmaCorrelation
from collatrisk.dependence.dynamics import CorrelationDynamics
from collatrisk.dependence.first_step import FirstStep
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.historical import FilteredHistorical, fit_history
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import (
    DependenceSpec,
    GaussianCopula,
    GroupedTCopula,
    Independent,
    StudentTCopula,
    spec_from_dict,
)
from collatrisk.dependence.t_group import TGroup

__all__ = [
    "CorrelationDynamics",
    "CorrelationTest",
    "Dcc",
    "DependenceDiagnostics",
    "DependenceFit",
    "DependenceSpec",
    "EwmaCorrelation",
    "FilteredHistorical",
    "FirstStep",
    "GaussianCopula",
    "GroupedTCopula",
    "Independent",
    "StudentTCopula",
    "TGroup",
    "bootstrap_dependence",
    "conditional_correlations",
    "correlation_factor",
    "diagnose_dependence",
    "equicorrelation",
    "fit_dependence",
    "fit_history",
    "nearest_correlation",
    "spec_from_dict",
]
