"""Margin calls, cures and liquidations on every path: `run_margin` and its `Outcomes`."""

from collatrisk.margining.book import book_margin_calls
from collatrisk.margining.book_calls import BookCalls
from collatrisk.margining.names import EVENTS, METRICS, TAIL_METRICS
from collatrisk.margining.orders import compare_orders
from collatrisk.margining.outcomes import Outcomes
from collatrisk.margining.run import run_margin
from collatrisk.margining.sweep import shortfall_probabilities
from collatrisk.margining.view import AccountOutcomes

__all__ = [
    "EVENTS",
    "METRICS",
    "TAIL_METRICS",
    "AccountOutcomes",
    "BookCalls",
    "Outcomes",
    "book_margin_calls",
    "compare_orders",
    "run_margin",
    "shortfall_probabilities",
]
