"""Many assets at once: copulas whose correlation stays or moves, or rows of history. See docs/dependence.md."""

from collatrisk.dependence.correlation import correlation_factor, equicorrelation, nearest_correlation
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
    "Dcc",
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
    "correlation_factor",
    "equicorrelation",
    "fit_dependence",
    "fit_history",
    "nearest_correlation",
    "spec_from_dict",
]
