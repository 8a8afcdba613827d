"""Risk: VaR, ES, means and probabilities as pure functions of losses, each with its error."""

from collatrisk.risk.controls import estimate_controlled_mean
from collatrisk.risk.estimate import Estimate, Kind
from collatrisk.risk.intervals import (
    BinomialInterval,
    BootstrapInterval,
    ExactValue,
    FixedInterval,
    Interval,
    MappedInterval,
    NormalInterval,
    OrderInterval,
    clopper_pearson,
)
from collatrisk.risk.levels import check_levels, quantile_rank, tail_size
from collatrisk.risk.measures import (
    block_estimate,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_value_at_risk,
    expected_shortfall,
    value_at_risk,
    var_and_es,
)
from collatrisk.risk.moment_sums import MomentSums
from collatrisk.risk.moments import Moments, micro_sums
from collatrisk.risk.probabilities import estimate_probability, probability
from collatrisk.risk.sketch import TailSketch

__all__ = [
    "BinomialInterval",
    "BootstrapInterval",
    "Estimate",
    "ExactValue",
    "FixedInterval",
    "Interval",
    "Kind",
    "MappedInterval",
    "MomentSums",
    "Moments",
    "NormalInterval",
    "OrderInterval",
    "TailSketch",
    "block_estimate",
    "check_levels",
    "clopper_pearson",
    "estimate_controlled_mean",
    "estimate_expected_shortfall",
    "estimate_mean",
    "estimate_probability",
    "estimate_value_at_risk",
    "expected_shortfall",
    "micro_sums",
    "probability",
    "quantile_rank",
    "tail_size",
    "value_at_risk",
    "var_and_es",
]
