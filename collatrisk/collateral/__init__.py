"""What is held and owed, and under which terms: mixes, accounts, loans, terms and their measures."""

from collatrisk.collateral.account import Account, Loan, as_account
from collatrisk.collateral.bonuses import CloseFactor, FixedBonus, GrowingBonus, GrowingDiscount, TargetHealth
from collatrisk.collateral.book import Book
from collatrisk.collateral.measures import collateral_value, debt_value, health_factor, loan_to_value, margin_ratio
from collatrisk.collateral.mix import Mix
from collatrisk.collateral.sale_rules import AbsorbRule, LiquidationRule, PoolRule, SaleRule
from collatrisk.collateral.terms import Terms

__all__ = [
    "AbsorbRule",
    "Account",
    "Book",
    "CloseFactor",
    "FixedBonus",
    "GrowingBonus",
    "GrowingDiscount",
    "LiquidationRule",
    "Loan",
    "Mix",
    "PoolRule",
    "SaleRule",
    "TargetHealth",
    "Terms",
    "as_account",
    "collateral_value",
    "debt_value",
    "health_factor",
    "loan_to_value",
    "margin_ratio",
]
