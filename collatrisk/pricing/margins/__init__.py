"""Margin models that are published well enough to be recomputed: SPAN arrays, Deribit, Derive and OKX."""

from collatrisk.pricing.margins.black import black76
from collatrisk.pricing.margins.deribit import (
    DeribitOptionMargin,
    DeribitPortfolioTerms,
    InversePositions,
    PortfolioMargin,
    deribit_portfolio_margin,
    linear_margin,
    option_margin,
)
from collatrisk.pricing.margins.derive import (
    DeriveCollateral,
    DeriveOption,
    DerivePortfolio,
    DeriveTerms,
    derive_margin,
)
from collatrisk.pricing.margins.okx import depeg_charge, portfolio_charge
from collatrisk.pricing.margins.span import SPAN_SCENARIOS, ScanResult, future_array, price_scan_range, scan_requirement

__all__ = [
    "SPAN_SCENARIOS",
    "DeribitOptionMargin",
    "DeribitPortfolioTerms",
    "DeriveCollateral",
    "DeriveOption",
    "DerivePortfolio",
    "DeriveTerms",
    "InversePositions",
    "PortfolioMargin",
    "ScanResult",
    "black76",
    "depeg_charge",
    "deribit_portfolio_margin",
    "derive_margin",
    "future_array",
    "linear_margin",
    "option_margin",
    "portfolio_charge",
    "price_scan_range",
    "scan_requirement",
]
