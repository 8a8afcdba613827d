"""Sizing: haircuts, loan-to-value limits and liquidation thresholds from the paths, each with its error."""

from collatrisk.sizing.haircut import haircut, haircuts
from collatrisk.sizing.mixes import compare_mixes, max_ltv, max_ltvs
from collatrisk.sizing.threshold import liquidation_threshold

__all__ = ["compare_mixes", "haircut", "haircuts", "liquidation_threshold", "max_ltv", "max_ltvs"]
