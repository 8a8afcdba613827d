"""A slow, obvious twin of soft liquidation: roots and trades by bisection, one band and one path at a time."""

from __future__ import annotations

import math


def bisect(function, low: float, high: float) -> float:
    """A root of a function that is below 0 at `low` and above at `high`."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


class Band:
    """One band: its stablecoins, its collateral, and the oracle price at which it starts."""

    def __init__(self, x: float, y: float, a: float, up: float) -> None:
        self.x, self.y, self.a, self.up, self.down = x, y, a, up, up * (a - 1) / a

    def curve(self, oracle: float) -> tuple[float, float, float]:
        """f, g and the invariant: y0 solves ``(f + x)(g + y) = p A^2 y0^2``."""

        def excess(y0: float) -> float:
            f, g = self.a * y0 * oracle**2 / self.up, (self.a - 1) * y0 * self.up / oracle
            return oracle * self.a**2 * y0**2 - (f + self.x) * (g + self.y)

        high = 1e-9
        while excess(high) < 0:
            high *= 2
        y0 = bisect(excess, 0.0, high)
        f, g = self.a * y0 * oracle**2 / self.up, (self.a - 1) * y0 * self.up / oracle
        return f, g, (f + self.x) * (g + self.y)

    def arbitrage(self, oracle: float, price: float, fee: float) -> None:
        """Trade until the band's price, with the fee, is the market's, or one side is used up."""
        if self.x <= 0 and self.y <= 0:
            return
        f, g, invariant = self.curve(oracle)
        at = (f + self.x) / (g + self.y)
        if at < price * (1 - fee) and self.y > 0:
            target = price * (1 - fee)
            left = bisect(lambda y: -(invariant / (g + y) / (g + y) - target), 0.0, self.y)
            if invariant / g / g < target:
                left = 0.0
            paid = invariant / (g + left) - f - self.x
            self.x, self.y = self.x + paid / (1 - fee), left
        elif at > price / (1 - fee) and self.x > 0:
            target = price / (1 - fee)
            left = bisect(lambda x: (f + x) / (invariant / (f + x)) - target, 0.0, self.x)
            if f / (invariant / f) > target:
                left = 0.0
            paid = invariant / (f + left) - g - self.y
            self.x, self.y = left, self.y + paid / (1 - fee)

    def slowly(self, oracle: float, to_collateral: bool) -> float:
        """What the band becomes on a slow way out: to the oracle price, then at geometric means of the prices."""
        copy = Band(self.x, self.y, self.a, self.up)
        copy.arbitrage(oracle, oracle, 0.0)
        middle = math.sqrt(self.up * self.down)
        if oracle >= self.up or oracle <= self.down:
            return copy.y + copy.x / middle if to_collateral else copy.x + copy.y * middle
        if to_collateral:
            return copy.y + copy.x / math.sqrt(self.up * oracle)
        return copy.x + copy.y * math.sqrt(self.down * oracle)


def run(path, collateral, debt, first, n_bands, a, fee, discount, growth, memory, base, keeper):
    """(metrics, bands at the end, oracle at the end) of one path on which nobody is liquidated."""
    bands = [Band(0.0, collateral / n_bands, a, base * ((a - 1) / a) ** (first + n)) for n in range(n_bands)]
    oracle, loss = path[0], 0.0
    for price in path[1:]:
        debt *= growth
        oracle = price + (oracle - price) * memory
        before = sum(b.x for b in bands) + sum(b.y for b in bands) * price
        for band in bands:
            band.arbitrage(oracle, price, fee)
        loss += before - sum(b.x for b in bands) - sum(b.y for b in bands) * price
    return (
        {
            "soft_loss": loss,
            "debt": debt,
            "collateral": sum(b.y for b in bands),
            "stablecoins": sum(b.x for b in bands),
        },
        bands,
        oracle,
    )
