"""Slow, obvious twins of sales: numerical integrals over tiny lots, and a book walked one level at a time."""

from __future__ import annotations

import math


def power_sale(units: float, price: float, coefficient: float, exponent: float, earlier: float, permanent: float):
    """Proceeds of selling in 20 000 lots at the price in the middle of each, the price falling by a power law."""
    lots, proceeds = 20_000, 0.0
    for i in range(lots):
        value = (earlier + units * (i + 0.5) / lots) * price
        proceeds += units / lots * price * max(1.0 - permanent - coefficient * value**exponent, 0.0)
    return proceeds


def book_sale(units: float, price: float, levels: list[tuple[float, float]], earlier: float = 0.0, depth: float = 1.0):
    """(sold, proceeds) of walking (distance, size) levels, of which `earlier` units were taken before."""
    sold = proceeds = 0.0
    for distance, size in levels:
        there = size * depth
        gone = min(earlier, there)
        earlier -= gone
        taken = min(units - sold, there - gone)
        sold += taken
        proceeds += taken * price * (1.0 - distance)
    return sold, proceeds


def split_sale(units: float, prices: list[float], transient: float, permanent: float, half_life: float, parts):
    """Proceeds of a linear impact that decays by half after each half-life (in steps); `parts` by step."""
    fallen_for_good = fallen = proceeds = 0.0
    for price, part in zip(prices, parts, strict=True):
        value = part * price
        start = 1.0 - fallen_for_good - fallen
        end = start - (transient + permanent) * value
        proceeds += value * (start + end) / 2.0
        fallen_for_good += permanent * value
        fallen = (fallen + transient * value) * (math.pow(2.0, -1.0 / half_life) if half_life else 0.0)
    return proceeds
