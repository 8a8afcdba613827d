"""collatrisk: VaR/ES stress testing of collateral."""

__version__ = "0.1.0"
