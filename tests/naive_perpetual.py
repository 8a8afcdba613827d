"""A slow, obvious twin of the engine of perpetual venues: plain Python on one path, one account at a time.

Margins, limit and bankruptcy prices come from the pure functions of the venues where they have one.
"""

from __future__ import annotations

import math

from collatrisk.liquidation import perpetual_gmx as gmx
from collatrisk.liquidation.perpetual_dydx import compare_severity
from collatrisk.liquidation.perpetual_terms import PerpetualMarket, PerpetualTerms

TINY = 1e-12


class Book:
    """Accounts of one path: quote balances, sizes, entries, the fund, and everybody else."""

    def __init__(self, accounts, terms: PerpetualTerms, first: dict[str, float]) -> None:
        self.terms, self.accounts = terms, accounts
        self.names = list(dict.fromkeys(asset for account in accounts for asset in account.sizes))
        self.quote = [a.margin - sum(s * a.entries.get(m, 0.0) for m, s in a.sizes.items()) for a in accounts]
        self.size = [{m: a.sizes.get(m, 0.0) for m in self.names} for a in accounts]
        self.entry = [{m: a.entries.get(m, 0.0) for m in self.names} for a in accounts]
        self.fund, self.outside = terms.fund, 0.0
        self.out = dict.fromkeys(("liquidated", "accounts_liquidated", "deleveraged", "deleverage_cost"), 0.0)
        self.out |= dict.fromkeys(("fund_paid", "fund_received", "uncovered", "slippage", "rewards"), 0.0)
        self.events: list[tuple] = []
        self.first = first
        self.start = [self.profit_part(i, first) for i in range(len(accounts))]
        self.start_outside = -sum(s[m] * first[m] for s in self.size for m in self.names)

    def profit_part(self, i, prices):
        return self.quote[i] + sum(self.size[i][m] * prices[m] for m in self.names)

    def equity(self, i, prices):
        held = self.accounts[i].collateral
        return self.profit_part(i, prices) + sum(self.terms.counted(a, u) * prices[a] for a, u in held.items())

    def skew(self, m):
        return self.terms.market(m).outside_skew + sum(size[m] for size in self.size)

    def required(self, i, m, prices):
        market, size = self.terms.market(m), self.size[i][m]
        if size == 0.0:
            return 0.0
        notional = abs(size) * (self.entry[i][m] if market.on_entry else prices[m])
        return float(market.brackets.margin(notional)) + notional * market.slope * abs(size) + market.floor

    def impact(self, m, delta, price) -> float:
        market = self.terms.market(m)
        before, after = self.skew(m) * price, (self.skew(m) + delta) * price
        factors = {"positive_factor": market.positive_factor, "negative_factor": market.negative_factor}
        return gmx.price_impact(before, after, **factors, exponent=market.impact_exponent)

    def look(self, i, prices):
        """(equity, what the test counts, margin by market, what is asked, reward)."""
        by_market = {m: self.required(i, m, prices) for m in self.names}
        counted, reward = self.equity(i, prices), 0.0
        for m in self.names:
            market, size = self.terms.market(m), self.size[i][m]
            if size:
                loss = min(self.impact(m, -size, prices[m]), 0.0)
                counted += max(loss, -market.max_impact_factor * abs(size) * self.entry[i][m])
                counted -= market.closing_fee * abs(size) * prices[m]
                reward += market.reward_ratio * abs(size) * prices[m]
        total = sum(by_market.values())
        asked = max(total, self.terms.least_requirement) + reward if total > 0 else 0.0
        return self.equity(i, prices), counted, by_market, asked, reward

    def lacks(self, counted, asked) -> bool:
        if asked <= 0:
            return False
        if self.terms.zero_liquidates and counted <= 0:
            return True
        return counted <= asked if self.terms.equality_liquidates else counted < asked

    def step(self, t, prices) -> None:
        self.closed = {(m, side): 0.0 for m in self.names for side in (-1, 1)}
        for m in self.names if t else ():
            for i, size in enumerate(self.size):
                paid = size[m] * prices[m] * self.terms.market(m).funding_rate
                self.quote[i] -= paid
                self.outside += paid
        due = []
        for i in range(len(self.accounts)):
            equity, counted, _, asked, _ = self.look(i, prices)
            if self.lacks(counted, asked):
                place = len(due)
                while place and compare_severity(equity, asked, *due[place - 1][1:]) > 0:
                    place -= 1
                due.insert(place, (i, equity, asked))
        for i, _, _ in due:
            self.liquidate(t, i, prices)

    def liquidate(self, t, i, prices) -> None:
        base = {m: self.size[i][m] * self.terms.close_share for m in self.names}
        blocked: set[str] = set()
        rewarded = False
        for _ in range(64 * len(self.names)):
            equity, counted, by_market, asked, reward = self.look(i, prices)
            open_markets = [m for m in self.names if self.size[i][m] and m not in blocked]
            if not open_markets or not self.lacks(counted, asked):
                return
            m = max(open_markets, key=lambda name: by_market[name])
            if not rewarded:
                rewarded = True
                self.out["accounts_liquidated"] += 1
                self.pay_reward(reward, sum(1 for size in self.size[i].values() if size), counted)
            size, price = self.size[i][m], prices[m]
            room = self.terms.market(m).largest_step - (self.closed[m, -1] + self.closed[m, 1]) / price
            if room <= TINY * abs(size):
                blocked.add(m)
                continue
            delta = -size if abs(base[m]) >= abs(size) * (1 - TINY) else -base[m]
            delta = math.copysign(min(abs(delta), room), delta)
            bankrupt = price - equity * (by_market[m] / sum(by_market.values())) / size
            side = -1 if delta < 0 else 1
            fill = fill_price(self.terms.market(m), price, delta, self.closed[m, side], self.skew(m))
            if self.terms.limit_spread is not None:
                away = min(max(self.terms.bankruptcy_adjustment * (1 - equity / asked), 0.0), 1.0)
                limit = price - away * self.terms.limit_spread * by_market[m] / size
                if (fill - limit) * size < -TINY * price * abs(size):
                    if equity < 0 and self.terms.deleveraging != "none":
                        self.deleverage(t, i, m, delta, bankrupt, prices)
                    blocked.add(m)
                    continue
            if self.money(m, delta, fill, price) + delta * bankrupt < -self.fund and self.terms.deleveraging != "none":
                delta = self.deleverage(t, i, m, delta, bankrupt, prices)
                if abs(delta) <= TINY * abs(size):
                    continue
                fill = fill_price(self.terms.market(m), price, delta, self.closed[m, side], self.skew(m))
            self.trade(t, i, m, delta, fill, bankrupt, price)
            self.closed[m, side] += abs(delta) * price

    def pay_reward(self, reward, positions, available) -> None:
        keeper = self.terms.keeper
        if keeper is not None:
            flagged = None if available <= 0 else available
            reward = keeper.reward(keeper.cost(positions), reward, available=flagged)
        paid = min(reward, self.fund)
        self.fund -= paid
        self.out["rewards"] += reward
        self.out["fund_paid"] += paid
        self.out["uncovered"] += reward - paid

    def open_or_short(self, i, prices) -> bool:
        """Whether a negative equity is more than the rounding of closed positions."""
        account = self.accounts[i]
        scale = abs(account.margin) + sum(abs(size) * self.first[m] for m, size in account.sizes.items())
        return self.equity(i, prices) < -1e-9 * scale

    def money(self, m, delta, fill, price) -> float:
        return -delta * fill + self.impact(m, delta, price) - self.terms.market(m).closing_fee * abs(delta) * price

    def trade(self, t, i, m, delta, fill, bankrupt, price) -> None:
        money = self.money(m, delta, fill, price)
        beyond = money + delta * bankrupt
        change = beyond if beyond <= 0 else min(self.terms.most_fee * abs(money), beyond)
        self.quote[i] += money - change
        self.outside -= money
        held = self.size[i][m]
        self.size[i][m] = 0.0 if abs(held + delta) <= TINY * abs(held) else held + delta
        self.out["liquidated"] += abs(delta) * price
        self.out["slippage"] += -delta * price - money
        paid = min(max(-change, 0.0), self.fund)
        self.out["fund_received"] += max(change, 0.0)
        self.out["fund_paid"] += paid
        self.out["uncovered"] += max(-change, 0.0) - paid
        self.fund += max(change, 0.0) - paid
        self.events.append((t, i, m, delta, bankrupt, fill, "market"))

    def deleverage(self, t, i, m, delta, bankrupt, prices):
        others = []
        for c in range(len(self.accounts)):
            size, equity = self.size[c][m], self.equity(c, prices)
            if c != i and size * self.size[i][m] < 0 and equity > 0:
                leverage = abs(size) * prices[m] / equity
                profit = math.copysign(1.0, size) * (prices[m] - self.entry[c][m]) / prices[m]
                others.append((-(profit * leverage if profit > 0 else profit / leverage), c))
        total = sum(abs(self.size[c][m]) for _, c in others)
        wanted, done, sign = min(abs(delta), total), 0.0, math.copysign(1.0, delta)
        for _, c in sorted(others):
            if done >= wanted * (1 - TINY):
                break
            part = abs(self.size[c][m])
            part = part * wanted / total if self.terms.deleveraging == "pro_rata" else min(part, wanted - done)
            whole = part >= abs(self.size[c][m])
            self.quote[i] -= sign * part * bankrupt
            self.quote[c] += sign * part * bankrupt
            self.size[c][m] = 0.0 if whole else self.size[c][m] - sign * part
            done += part
            self.out["deleveraged"] += part * prices[m]
            self.out["deleverage_cost"] += sign * part * (prices[m] - bankrupt)
        if done:
            held = self.size[i][m]
            self.size[i][m] = 0.0 if abs(held + sign * done) <= TINY * abs(held) else held + sign * done
            self.out["liquidated"] += done * prices[m]
            self.events.append((t, i, m, sign * done, bankrupt, bankrupt, "deleveraged"))
        return delta - sign * done

    def finish(self, prices) -> dict[str, float]:
        ends = [self.profit_part(i, prices) for i in range(len(self.accounts))]
        owed = sum(
            max(-self.equity(i, prices), 0.0) for i in range(len(self.accounts)) if self.open_or_short(i, prices)
        )
        outside = self.outside - sum(s[m] * prices[m] for s in self.size for m in self.names) - self.start_outside
        rest = {"owed": owed, "traders_profit": sum(ends) - sum(self.start), "outside_profit": outside}
        return {**self.out, "fund_left": self.fund, **rest}


def fill_price(market: PerpetualMarket, price, delta, closed, skew) -> float:
    """Average price of closing ``delta``: by the skew where the market has one, else by a linear impact."""
    if math.isfinite(market.skew_scale):
        return price * (1 + (skew + delta / 2) / market.skew_scale)
    moved = market.impact * (closed + abs(delta) * price / 2)
    return price * max(1 - moved, 0) if delta < 0 else price * (1 + moved)


def run(accounts, terms: PerpetualTerms, path: list[dict[str, float]]) -> tuple[dict[str, float], list[tuple]]:
    """Metrics and events of one path."""
    book = Book(accounts, terms, path[0])
    for t, prices in enumerate(path):
        book.step(t, prices)
    return book.finish(path[-1]), book.events
