"""The slow, obvious twin of the auction engine: one path, plain objects, the law of docs/auctions.md word by word.

Dutch auctions are the library's own pure objects (`DutchAuction`, `AuctionBook`), which are tested against the
venue's figures; English and batch auctions are written out in `naive_auction_sales`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from naive_auction_sales import Batch, English, Market, Purse

from collatrisk.base.errors import InputError
from collatrisk.kernels.auction_rules import bark_size
from collatrisk.kernels.random import fill_normals, uniform
from collatrisk.liquidation.auction_book import AuctionBook
from collatrisk.liquidation.dutch import DutchAuction
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import EnglishTerms

ALL = 1e-12  # a debt that is this small a part of what was owed is a rounding error


@dataclass
class Lot:
    """An auction and what came of it."""

    account: int
    asset: str
    auction: object
    collateral: float
    debt: float
    target: float
    first_s: float
    feed: float
    sold: float = 0.0
    raised: float = 0.0
    value: float = 0.0
    resold: float = 0.0
    gas: float = 0.0
    purchases: int = 0
    rewards: float = 0.0
    end_s: float = math.inf
    closed: bool = False

    def left(self) -> tuple[float, float]:
        return self.auction.lot, self.auction.tab


@dataclass
class Vault:
    """An account: what is not in auctions, and the debt outside them."""

    units: dict[str, float]
    cash: float
    debt: float
    thresholds: dict[str, float]
    cash_threshold: float
    debt_at_first: float
    written_off: float = 0.0
    interest: float = 0.0
    found_s: float | None = None
    ended_s: float | None = None

    def health(self, feed: dict[str, float]) -> float:
        holds = self.cash > 0 or any(self.units.values())
        if self.debt <= 0 or not holds:
            return math.inf
        counted = self.cash * self.cash_threshold
        counted += sum(units * feed[asset] * self.thresholds[asset] for asset, units in self.units.items())
        return counted / self.debt


@dataclass
class NaiveAuctions:
    """One path of a run; call `run`, then read `lots` and `vaults`."""

    terms: object
    keepers: object
    depth: object
    assets: tuple[str, ...]
    vaults: list[Vault]
    step_s: float
    n_ticks: int
    growth: float
    stress_steps: int
    running: list[Lot] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    book: AuctionBook = field(default_factory=AuctionBook)

    def run(self, prices, variance, factor, within_key, keeper_key, path: int) -> NaiveAuctions:
        """`prices` (n_steps + 1, n_assets) and `variance` (n_steps, n_assets) or None, of the assets in use."""
        self.market = Market(self.depth, self.assets)
        self.purse = Purse(self.keepers)
        self.tick_s = self.step_s / self.n_ticks
        self.delay = round(self.terms.feed_delay_s / self.tick_s)
        n_steps = len(prices) - 1
        ticks = [
            ticks_of_step(prices, variance, factor, t, within_key, path, self.n_ticks) for t in range(1, n_steps + 1)
        ]
        line = np.concatenate([ticks[0][:1], *[each[1:] for each in ticks]])
        for tick in range(len(line)):
            step = max(-(-tick // self.n_ticks), 1)
            if tick % self.n_ticks == 1 or (self.n_ticks == 1 and tick > 0):
                for vault in self.vaults:
                    vault.interest += vault.debt * (self.growth - 1)
                    vault.debt *= self.growth
            now = dict(zip(self.assets, line[tick], strict=True))
            feed = dict(zip(self.assets, line[max(tick - self.delay, 0)], strict=True))
            recent = np.concatenate([prices[max(step - self.stress_steps, 0) : step], line[tick][None]])
            falls = dict(zip(self.assets, 1 - line[tick] / recent.max(axis=0), strict=True))
            self.market.move(now, falls, self.tick_s if tick else 0.0)
            self.purse.recover(self.tick_s if tick else 0.0)
            gas = {a: self.keepers.gas * math.exp(self.keepers.gas_stress * falls[a]) for a in self.assets}
            chance = self.keepers.look_probability(self.tick_s)
            lookers = [
                k for k in range(self.keepers.number) if chance >= 1 or uniform(keeper_key, path, tick, k) < chance
            ]
            if self.keepers.scavenger:
                lookers.append(self.keepers.number)
            self.tick(tick * self.tick_s, feed, gas, lookers)
        last = dict(zip(self.assets, prices[-1], strict=True))
        for vault in self.vaults:
            if vault.found_s is not None and vault.health(last) < 1:
                vault.ended_s = n_steps * self.step_s
        for lot in self.running:
            self.vaults[lot.account].ended_s = n_steps * self.step_s
        self.lots += self.running
        return self

    def tick(self, now_s, feed, gas, lookers) -> None:
        raising = {
            asset: float(sum(lot.auction.tab for lot in self.running if lot.asset == asset)) for asset in self.assets
        }
        self.book = AuctionBook(raising)
        self.start(now_s, feed, gas, lookers)
        order = sorted(range(len(self.running)), key=lambda n: self._attraction(self.running[n], now_s))
        for n in order:
            lot = self.running[n]
            if isinstance(lot.auction, DutchAuction):
                self.dutch(lot, now_s, feed, gas[lot.asset], lookers)
            else:
                lot.auction.tick(lot, now_s, feed[lot.asset], gas[lot.asset], lookers, self.market, self.purse)
            if 0.0 in lot.left() or lot.closed:
                self.finish(lot, now_s)
        self.lots += [lot for lot in self.running if lot.closed]
        self.running = [lot for lot in self.running if not lot.closed]

    def _attraction(self, lot: Lot, now_s: float) -> float:
        dutch = isinstance(lot.auction, DutchAuction)
        return lot.auction.price_at(now_s) / self.market.prices[lot.asset] if dutch else 0.0

    def start(self, now_s, feed, gas, lookers) -> None:
        for vault in self.vaults:
            if vault.debt < ALL * vault.debt_at_first:
                vault.debt = 0.0
        unhealthy = [(vault.health(feed), a) for a, vault in enumerate(self.vaults) if vault.health(feed) < 1]
        for _, a in unhealthy:
            if self.vaults[a].found_s is None:
                self.vaults[a].found_s = now_s
        keys = {
            "severity": lambda pair: (pair[0], -self.vaults[pair[1]].debt, pair[1]),
            "largest": lambda pair: (-self.vaults[pair[1]].debt, pair[1]),
            "listed": lambda pair: pair[1],
        }
        for _, a in sorted(unhealthy, key=keys[self.terms.account_order]):
            vault = self.vaults[a]
            paid = min(vault.cash, vault.debt)
            vault.cash, vault.debt = vault.cash - paid, vault.debt - paid
            if vault.health(feed) < 1:
                before = vault.debt
                for asset, share in self._shares(vault, feed):
                    self._auction_off(a, asset, share, before, now_s, feed[asset], gas[asset], lookers)

    def _shares(self, vault: Vault, feed) -> list[tuple[str, float]]:
        named = () if self.terms.asset_order == "pro_rata" else self.terms.asset_order
        order = [*(a for a in named if a in self.assets), *(a for a in self.assets if a not in named)]
        held = [asset for asset in order if vault.units[asset] * feed[asset] > ALL * vault.debt]
        worth = {asset: vault.units[asset] * feed[asset] for asset in held}
        left, shares = vault.debt, []
        for asset in held:
            if self.terms.asset_order == "pro_rata":
                share = min(vault.debt * (worth[asset] / sum(worth.values())), left)
            else:
                share = min(worth[asset] * vault.thresholds[asset], left)
            share = left if asset == held[-1] else share
            shares.append((asset, share))
            left -= share
        return shares

    def _auction_off(self, a, asset, share, before, now_s, feed, gas, lookers) -> None:
        vault, rule = self.vaults[a], self.terms.rule_of(asset)
        while share > 0 and vault.units[asset] > 0 and len(self.running) < self.terms.most_running:
            room = min(self.book.room(rule, asset), self.terms.max_lot_of(asset) * (1 + rule.penalty))
            part = bark_size(share, room, rule.penalty, rule.dust) if room > 0 else -1
            if part <= ALL * before or (getattr(rule, "breaker", 0) >= 1 and now_s >= self.terms.breaker_from_s):
                return
            tab = part * (1 + rule.penalty) if part == share else min(part * (1 + rule.penalty), room)
            lot = vault.units[asset] if part == share else vault.units[asset] * (part / share)
            reward = 0.0
            if self.terms.started_by == "keeper":
                tip, chip = (rule.tip, rule.chip) if isinstance(rule, DutchTerms) else (0.0, 0.0)
                reward = tip + chip * tab
                if not lookers or reward < gas:
                    return
            if isinstance(rule, DutchTerms):
                calm = replace(rule, breaker=0)
                auction = DutchAuction.start(calm, collateral=lot, debt=part, feed=feed, time_s=now_s, asset=asset)
                auction = replace(auction, tab=tab, target=tab, rewards=reward)
            else:
                auction = (English if isinstance(rule, EnglishTerms) else Batch)(rule, lot, tab, now_s)
            self.running.append(Lot(a, asset, auction, lot, part, tab, now_s, feed, rewards=reward))
            vault.units[asset] -= lot
            vault.debt -= part
            share -= part
            self.book = self.book.add(asset, tab)

    def dutch(self, lot: Lot, now_s, feed, gas, lookers) -> None:
        auction = lot.auction
        if now_s >= self.terms.breaker_from_s:
            auction = lot.auction = replace(auction, terms=self.terms.rule_of(lot.asset))
        if auction.needs_reset(now_s):
            again = self._reset(auction, now_s, feed[lot.asset], gas, lookers)
            if again is None:
                return
            lot.rewards += again.rewards - auction.rewards
            auction = lot.auction = again
        price = auction.price_at(now_s)
        for k in lookers:
            amount = self._wanted(k, price, lot)
            if amount < 1e-9 * lot.collateral:
                continue
            done = self._try(auction, amount, price, now_s) or self._try(auction, math.inf, price, now_s)
            if done is None or done.sold <= 0 or done.paid > self.purse.money(k) * (1 + 1e-12):
                continue
            if self.market.worth(lot.asset, done.sold) * (1 - self.purse.margin(k)) - (
                gas if k < self.keepers.number else 0.0
            ) < done.paid * (1 - 1e-12):
                continue
            sell(lot, k, done.sold, done.paid, gas, self.market, self.purse)
            auction = lot.auction = done.auction
            if auction.closed:
                return

    def _reset(self, auction, now_s, feed, gas, lookers):
        try:
            done = auction.redo(feed, time_s=now_s)
        except InputError:
            return None
        if self.terms.started_by == "lender":
            return replace(done.auction, rewards=auction.rewards)
        return done.auction if lookers and done.reward >= gas else None

    def _wanted(self, k, price, lot) -> float:
        if k == self.keepers.number:
            return math.inf if price == 0 else 0.0
        market = self.market.prices[lot.asset]
        least = max(price / (market * (1 - self.purse.margin(k))), 1 - self.keepers.slippage_tolerance)
        amount = self.market.resaleable(lot.asset, least) / market
        return min(amount, self.purse.money(k) / price) if price > 0 else amount

    def _try(self, auction, amount, price, now_s):
        try:
            return auction.take(amount, math.inf, time_s=now_s)
        except InputError:
            return None

    def finish(self, lot: Lot, now_s) -> None:
        vault = self.vaults[lot.account]
        vault.units[lot.asset] += lot.auction.returned if isinstance(lot.auction, DutchAuction) else lot.auction.lot
        missing = lot.debt - lot.raised
        if missing > ALL * lot.debt:
            if self.terms.recourse:
                vault.debt += missing
            else:
                vault.written_off += missing
        lot.closed, lot.end_s, vault.ended_s = True, now_s, now_s


def sell(lot: Lot, k, units, paid, gas, market: Market, purse: Purse) -> None:
    """Keeper k pays, gets the units and resells them at once."""
    lot.sold += units
    lot.raised += paid
    lot.value += units * market.prices[lot.asset]
    lot.resold += market.resell(lot.asset, units)
    lot.purchases += 1
    if k < purse.keepers.number:
        lot.gas += gas
        purse.tied[k] += paid


def ticks_of_step(prices, variance, factor, t, key, path, n_ticks) -> np.ndarray:
    """A Brownian bridge in time from `prices[t - 1]` to `prices[t]`; interpolated logs without a variance."""
    start, whole = prices[t - 1], np.log(prices[t] / prices[t - 1])
    line = [start]
    here = np.zeros(len(start))
    for j in range(1, n_ticks):
        if variance is None or factor is None:
            here = whole * j / n_ticks
        else:
            shocks = np.empty(len(start))
            for i in range(len(start)):
                pair = np.empty(1), np.empty(1)
                fill_normals(key, path, t, i | ((j // 2) << 16), *pair)
                shocks[i] = pair[j % 2][0]
            left = n_ticks - j + 1
            spread = np.sqrt(variance[t - 1] / n_ticks * (left - 1) / left)
            here = here + (whole - here) / left + spread * (factor @ shocks)
        line.append(start * np.exp(here))
    return np.array([*line, prices[t]])
