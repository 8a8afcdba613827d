"""Parts of the twin of the auction engine: the market, the keepers' money, English and batch auctions."""

from __future__ import annotations

import math

from collatrisk.liquidation.impact import constant_product, linear_proceeds


class Market:
    """Undisturbed prices, and what recent resales still weigh (money, by asset)."""

    def __init__(self, depth, assets) -> None:
        self.depth = depth
        self.prices: dict[str, float] = {}
        self.size: dict[str, float] = {}
        self.weight = dict.fromkeys(assets, 0.0)

    def move(self, prices, falls, seconds) -> None:
        self.prices = prices
        self.size = {asset: math.exp(-self.depth.stress * fall) for asset, fall in falls.items()}
        for asset in self.weight:
            if seconds:
                self.weight[asset] *= self.depth.kept(seconds)

    def _impact(self, asset) -> float:
        """The coefficient at the present depth: a market of half the depth is moved as much by half the sale."""
        impact = self.depth.impact_of(asset)
        return impact / (math.sqrt(self.size[asset]) if self.depth.kind == "square_root" else self.size[asset])

    def worth(self, asset, units) -> float:
        value, before, c = units * self.prices[asset], self.weight[asset], self._impact(asset)
        if c == 0:
            return value
        if self.depth.kind == "linear":
            return linear_proceeds(value, c, before)
        if self.depth.kind == "square_root":
            full = (1 / (1.5 * c)) ** 2
            total = [v - c * v**1.5 for v in (min(before, full), min(before + value, full))]
            return total[1] - total[0]
        pool = 1 / c
        return constant_product(before + value, pool, pool) - constant_product(before, pool, pool)

    def resell(self, asset, units) -> float:
        fetched = self.worth(asset, units)
        self.weight[asset] += units * self.prices[asset]
        return fetched

    def resaleable(self, asset, share) -> float:
        """Value until the next unit fetches less than `share` of the price."""
        c = self._impact(asset)
        if share > 1 + 1e-12:
            return 0.0
        if c == 0:
            return math.inf
        total = {
            "linear": lambda: (1 - share) / c,
            "square_root": lambda: ((1 - share) / (1.5 * c)) ** 2,
            "constant_product": lambda: (share**-0.5 - 1) / c if share > 0 else math.inf,
        }[self.depth.kind]()
        return max(total - self.weight[asset], 0.0)


class Purse:
    """What each keeper has tied up in purchases and in standing bids. The scavenger comes last and has nothing."""

    def __init__(self, keepers) -> None:
        self.keepers = keepers
        self.tied = [0.0] * keepers.number
        self.bids = [0.0] * (keepers.number + 1)

    def recover(self, seconds) -> None:
        if seconds:
            turn = self.keepers.turnaround_s
            self.tied = [money * (math.exp(-seconds / turn) if turn else 0.0) for money in self.tied]

    def money(self, k) -> float:
        return 0.0 if k == self.keepers.number else max(self.keepers.capital - self.tied[k] - self.bids[k], 0.0)

    def margin(self, k) -> float:
        return 0.0 if k == self.keepers.number else float(self.keepers.margins[k])


class English:
    def __init__(self, rule, lot, tab, now_s) -> None:
        self.rule, self.lot, self.tab, self.whole = rule, lot, tab, lot
        self.started_s = self.bid_s = now_s
        self.bid, self.leader, self.resets = 0.0, None, 0

    def tick(self, lot, now_s, feed, gas, lookers, market, purse) -> None:
        from naive_auctions import sell

        expired = now_s - self.started_s >= self.rule.length_s
        if self.leader is not None and (expired or now_s - self.bid_s >= self.rule.bid_s):
            if self.leader < purse.keepers.number:
                purse.bids[self.leader] -= self.bid
            sell(lot, self.leader, self.lot, self.bid, gas, market, purse)
            self.tab, self.lot, lot.closed = self.tab - self.bid, self.whole - self.lot, True
            return
        if expired:
            self.started_s, self.resets = now_s, self.resets + 1
        last = purse.keepers.number
        if self.leader is not None and self.bid == self.tab:
            self._dent(lot, now_s, gas, lookers, market, purse, last)
        else:
            self._tend(lot, now_s, gas, lookers, market, purse, last)

    def _money(self, k, purse) -> float:
        return purse.money(k) + (self.bid if k == self.leader else 0.0)

    def _tend(self, lot, now_s, gas, lookers, market, purse, last) -> None:
        limits = []
        for k in lookers:
            worth = (1 - purse.margin(k)) * market.worth(lot.asset, self.lot) - gas
            limits.append((0.0 if k == last else min(worth, self._money(k, purse)), -k))
        ranked = sorted([pair for pair in limits if pair[0] > -1], reverse=True)
        if not ranked:
            return
        (best, minus), second = ranked[0], ranked[1][0] if len(ranked) > 1 else -1.0
        k, floor = -minus, self.rule.step * self.bid
        if self.leader is None:
            floor = 0.0
        else:
            rival = second if k == self.leader else best
            if rival < min(floor, self.tab) or rival <= self.bid:
                return
        beaten = self.rule.step * second if second > self.bid or self.leader is None else 0.0
        self._stand(k, min(max(floor, beaten, 0.0), best, self.tab), now_s, purse)

    def _dent(self, lot, now_s, gas, lookers, market, purse, last) -> None:
        price = market.prices[lot.asset]
        least = []
        for k in lookers:
            if k == last or self._money(k, purse) < self.tab:
                continue
            wanted = (self.tab + gas) / (1 - purse.margin(k))
            if market.worth(lot.asset, self.lot) < wanted:
                continue
            low, high = 0.0, self.lot * price
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if market.worth(lot.asset, middle / price) < wanted else (low, middle)
            least.append((high / price, k))
        if not least:
            return
        least.sort()
        (units, k), second = least[0], least[1][0] if len(least) > 1 else math.inf
        ceiling = self.lot / self.rule.step
        if (second if k == self.leader else units) > ceiling:
            return
        self.lot = max(min(ceiling, second / self.rule.step), units)
        self._stand(k, self.bid, now_s, purse)

    def _stand(self, k, bid, now_s, purse) -> None:
        if self.leader is not None:
            purse.bids[self.leader] -= self.bid
        purse.bids[k] += bid
        self.leader, self.bid, self.bid_s = k, bid, now_s


class Batch:
    def __init__(self, rule, lot, tab, now_s) -> None:
        self.rule, self.lot, self.tab, self.started_s = rule, lot, tab, now_s
        self.seen: set[int] = set()
        self.resets = 0

    def tick(self, lot, now_s, feed, gas, lookers, market, purse) -> None:
        from naive_auctions import sell

        self.seen.update(lookers)
        if now_s - self.started_s < self.rule.length_s:
            return
        bids = self._bids(lot, feed, gas, market, purse)
        price = self._clearing(bids)
        for bid, minus, units in bids:
            if bid < price:
                break
            units = min(units, self.lot)
            paid = units * price
            if price > 0 and paid >= self.tab:
                units, paid = min(self.tab / price, units), self.tab
            sell(lot, -minus, units, paid, gas, market, purse)
            self.lot, self.tab = self.lot - units, self.tab - paid
            if 0.0 in (self.lot, self.tab):
                return
        self.started_s, self.resets, self.seen = now_s, self.resets + 1, set()

    def _bids(self, lot, feed, gas, market, purse) -> list[tuple[float, int, float]]:
        """(price, -keeper, units), the highest first."""
        bids = []
        for k in sorted(self.seen):
            if k == purse.keepers.number:
                if self.rule.reserve <= 0:
                    bids.append((0.0, -k, self.lot))
                continue
            most = market.resaleable(lot.asset, 1 - purse.keepers.slippage_tolerance) / market.prices[lot.asset]
            units = min(self.lot, most)
            if units < 1e-9 * lot.collateral:
                continue
            price = ((1 - purse.margin(k)) * market.worth(lot.asset, units) - gas) / units
            if price > 0 and price >= self.rule.reserve * feed:
                units = min(units, purse.money(k) / price)
                if units >= 1e-9 * lot.collateral:
                    bids.append((price, -k, units))
        return sorted(bids, reverse=True)

    def _clearing(self, bids) -> float:
        for bid, _, _ in bids:
            wanted = sum(units for other, _, units in bids if other >= bid)
            if wanted >= self.lot or wanted * bid >= self.tab:
                return bid
        return bids[-1][0] if bids else math.inf
