"""Many assets at once: copulas of the standardised innovations, or rows of them. See docs/architecture.md."""

from collatrisk.dependence.correlation import correlation_factor, equicorrelation, nearest_correlation
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.historical import FilteredHistorical, fit_history
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import DependenceSpec, GaussianCopula, Independent, StudentTCopula, spec_from_dict

__all__ = [
    "DependenceFit",
    "DependenceSpec",
    "FilteredHistorical",
    "GaussianCopula",
    "Independent",
    "StudentTCopula",
    "correlation_factor",
    "equicorrelation",
    "fit_dependence",
    "fit_history",
    "nearest_correlation",
    "spec_from_dict",
]
