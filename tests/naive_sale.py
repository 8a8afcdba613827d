"""The slow twin of liquidation rules: one account on one path, straight from the rules and the venues' functions."""

from __future__ import annotations

import math

import naive
import numpy as np

from collatrisk.collateral import (
    AbsorbRule,
    CloseFactor,
    FixedBonus,
    GrowingBonus,
    GrowingDiscount,
    PoolRule,
    SaleRule,
)
from collatrisk.liquidation import compound, liquity


def figure(rule, asset, currency, of_cash):
    """A number for all assets or a mapping; cash that a mapping does not name has `of_cash`."""
    if isinstance(rule, float):
        return rule
    return rule.get(asset, of_cash if asset == currency else rule.get("*"))


def fetches(value, impact, before):
    """Selling bit by bit into a price that falls by `impact` a unit of value sold, and not below zero."""
    end = min(before + value, 1 / impact) if impact > 0 else before + value
    return max((end - before) - impact * (end**2 - before**2) / 2, 0.0)


def must_sell(target, impact, before):
    """The smallest value that fetches `target`, inf if none does."""
    slope = 1 - impact * before
    if impact == 0:
        return target
    if slope <= 0 or slope**2 < 2 * impact * target:
        return math.inf
    return 2 * target / (slope + math.sqrt(slope**2 - 2 * impact * target))


class NaiveSale(naive.NaiveMargin):
    """`NaiveMargin` under any `LiquidationRule`; assets are named, the currency last."""

    def __init__(self, held, owed, thresholds, impacts, terms, step_years, steps_of, assets):
        super().__init__(held, owed, thresholds, impacts, terms, step_years, steps_of)
        self.assets, self.rule, self.currency = assets, terms.rule, assets[-1]
        self.steps_of = steps_of
        extra = ["debt_written_off", "debt_redistributed", "collateral_absorbed", "resale_proceeds", "absorbed_loss"]
        self.amounts.update(dict.fromkeys(extra, 0.0))
        self.balance = self.paid = 0.0
        self.taken = None
        self.room = np.full(len(assets), math.inf)  # value that the market still takes of each asset
        self.sold_of = np.zeros(len(assets))
        rule = self.rule
        if isinstance(rule, SaleRule):
            self.trigger = math.nextafter(1, 2) if rule.at_one else 1.0
            self.sells_nothing = rule.write_off_from is not None
        elif isinstance(rule, AbsorbRule):
            self.sells_nothing = True
        elif rule.system_ratio is not None and rule.system_ratio < rule.critical_ratio:
            self.trigger = max(rule.system_ratio / rule.minimum_ratio, 1.0)

    def run(self, prices, *rest):
        super().run(prices, *rest)
        path = np.column_stack([prices, np.ones(len(prices))])
        if self.taken is not None:
            step, units = self.taken
            self.resell(units * path[min(step + self.steps_of(self.rule.resale_delay_days), len(path) - 1)])
        self.amounts["remaining_collateral"] += self.balance
        debt, value = self.amounts["outstanding_debt"], self.amounts["remaining_collateral"]
        self.amounts["shortfall"] = max(debt - value, 0.0) + self.amounts["absorbed_loss"]
        self.first["shortfall"] = len(path) - 1 if self.amounts["shortfall"] > 0 else -1
        return self

    def step(self, t, p, mark, start, cure_uniform):
        self.sold_of = np.zeros(len(p))
        super().step(t, p, mark, start, cure_uniform)

    def sell(self, t, p, factor):
        owing = float(self.owed @ p)
        if owing == 0 or (not self.held.any() and not self.sells_nothing):
            return
        prices = np.append(p[:-1] * factor, 1.0)
        before = self.held.copy()
        if isinstance(self.rule, SaleRule):
            acted = self.sell_in_calls(p, prices) or not before.any()
        else:
            acted = self.hand_over(t, owing, self.held * prices, factor)
        if not acted:
            return
        self.note("liquidated", t)
        debt = float(self.owed @ p)
        if not self.held.any() and debt > 0:
            self.note("exhausted", t)
            least = getattr(self.rule, "write_off_from", None)
            if least is not None and owing >= least:
                self.amounts["debt_written_off"] += debt
                self.amounts["absorbed_loss"] += debt
                self.owed = self.owed * 0
        if self.amounts["debt_written_off"] > 0:
            self.note("exhausted", t)

    def bonuses(self, health):
        """By asset, at a health."""
        bonus, missing = self.rule.bonus, max(1 - health, 0.0)
        if isinstance(bonus, FixedBonus):
            return np.array([figure(bonus.bonus, asset, self.currency, 0.0) or 0.0 for asset in self.assets])
        if isinstance(bonus, GrowingBonus):
            most = np.array([figure(bonus.most, asset, self.currency, 0.0) or 0.0 for asset in self.assets])
            if health <= bonus.most_at:
                return most
            return most * bonus.least + (most - most * bonus.least) * missing / (1 - bonus.most_at)
        assert isinstance(bonus, GrowingDiscount)
        base = bonus.at_one + missing
        limits = [base * bonus.booster, bonus.most] + ([] if bonus.most_boost is None else [base + bonus.most_boost])
        discount = min(limits)
        return np.full(len(self.assets), 1 / (1 - discount) - 1)

    def group(self, values, debt):
        """Indices of the assets that the next call sells."""
        order, left = self.rule.order, [i for i in range(len(values)) if values[i] > 0 and self.room[i] > 0]
        if not left or order == "pro_rata":
            return left
        if order == "least_cost":
            bonuses = self.bonuses(-math.inf) if isinstance(self.rule.bonus, GrowingBonus) else self.bonuses(1.0)
            if isinstance(self.rule.bonus, GrowingDiscount):
                bonuses = np.zeros(len(values))
            share = self.rule.size.share if isinstance(self.rule.size, CloseFactor) else 1.0

            def price(i):
                cost = 1 + bonuses[i] + self.rule.fee
                value = must_sell(share * debt * cost, self.impacts[i], self.sold_of[i])
                if value < values[i]:
                    return value / (share * debt)
                fetched = fetches(values[i], self.impacts[i], self.sold_of[i])
                return values[i] * cost / fetched if fetched > 0 else math.inf

            return [min(left, key=price)]
        if order == "most_liquid":
            key = dict(enumerate(self.impacts))
        elif order == "most_volatile":
            key = {i: -self.rule.volatility.get(asset, 0.0) for i, asset in enumerate(self.assets)}
        else:
            key = {i: order.index(a) if a in order else len(order) for i, a in enumerate(self.assets)}
        first = min(key[i] for i in left)
        return [i for i in left if key[i] == first]

    def size(self, debt, value, counted, health, cost, impact, before):
        """Debt that a call repays if the collateral suffices."""
        size = self.rule.size

        def rests(wanted):
            sold = must_sell(wanted * cost, impact, before)
            return debt - wanted, max(value - sold, 0.0)

        if isinstance(size, CloseFactor):
            if (size.full_at > 0 and health <= size.full_at) or min(debt, value) < size.full_below:
                return debt
            wanted = size.share * debt
            if size.least_left == 0 or wanted == debt or rests(wanted)[1] == 0:
                return wanted
            wanted = min(wanted, debt - size.least_left)
            if 0 < rests(size.share * debt)[1] < size.least_left:
                wanted = min(wanted, fetches(max(value - size.least_left, 0.0), impact, before) / cost)
            return max(wanted, 0.0)
        gain = size.health - cost * counted / value
        wanted = debt if gain <= 0 else min(debt * max(size.health - health, 0) / gain, debt)
        debt_left, left = rests(wanted)
        if 0 < wanted < debt and (0 < debt_left < size.dust or 0 < left < size.dust):
            return debt
        return wanted

    def sell_in_calls(self, p, prices):
        acted = False
        for _ in range(self.rule.calls_a_step):
            debt, values = float(self.owed @ p), self.held * prices
            group = self.group(values, debt)
            if not group:
                break
            health = float(values @ self.thresholds) / debt
            bonuses = self.bonuses(health)
            share = np.array([figure(self.rule.fee_of_bonus, a, self.currency, 0.0) or 0.0 for a in self.assets])
            value = sum(values[i] for i in group)
            weight = {i: values[i] / value for i in group}
            impact = sum(weight[i] ** 2 * self.impacts[i] for i in group)
            fallen = sum(weight[i] * self.impacts[i] * self.sold_of[i] for i in group)
            before = fallen / impact if impact > 0 else 0.0
            most = min(self.room[i] / weight[i] for i in group)
            a_unit = {i: weight[i] / (1 + bonuses[i] + self.rule.fee) for i in group}
            cost = 1 / sum(a_unit.values())
            counted = sum(values[i] * self.thresholds[i] for i in group)
            wanted = self.size(debt, value, counted, health, cost, impact, before)
            if wanted <= 0:
                break
            acted = True
            sold = min(must_sell(wanted * cost, impact, before), value, most)
            short = sold in (value, most)
            repaid = min(fetches(sold, impact, before) / cost, wanted) if short else wanted
            bonus = sum(repaid * cost * a_unit[i] * bonuses[i] for i in group)
            kept = sum(repaid * cost * a_unit[i] * bonuses[i] * share[i] for i in group)
            kept += self.rule.liquidator_fee * repaid
            self.amounts["debt_repaid"] += repaid
            self.amounts["collateral_seized"] += sold
            self.amounts["liquidator_bonus"] += bonus - kept
            self.amounts["lender_fee"] += self.rule.fee * repaid + kept
            self.amounts["slippage_cost"] += sold - repaid - bonus - self.rule.fee * repaid
            for i in group:
                self.sold_of[i] += sold * weight[i]
                full = sold == most and self.room[i] <= most * weight[i] * (1 + 1e-12)
                self.room[i] = 0.0 if full else self.room[i] - sold * weight[i]
                self.held[i] = 0.0 if sold == value else self.held[i] * (1 - sold / value)
            rest = 1 - repaid / debt
            self.owed = self.owed * (rest if rest > 1e-12 else 0.0)  # less is rounding
            debt = float(self.owed @ p)
            if debt == 0 or float((self.held * prices) @ self.thresholds) / debt >= self.trigger * (1 - 1e-12):
                break
        return acted

    def hand_over(self, t, debt, values, factor):
        total = float(values.sum())
        if isinstance(self.rule, AbsorbRule):
            credit = [
                1.0
                if a == self.currency and isinstance(self.rule.credit, float)
                else figure(self.rule.credit, a, self.currency, 1.0) or 0.0
                for a in self.assets
            ]
            done = compound.v3_absorb(debt, list(map(float, values)), credit)
            self.amounts["debt_repaid"] += done.repaid
            self.amounts["debt_written_off"] += done.written_off if done.written_off > 1e-12 * debt else 0.0
            self.amounts["lender_fee"] += total - done.credited
            self.amounts["collateral_seized"] += total - done.balance
            self.amounts["collateral_absorbed"] += total - done.balance
            self.balance, self.paid = done.balance, debt + done.balance
            taken, self.held = self.held.copy(), self.held * 0
            passed, delay = values, self.steps_of(self.rule.resale_delay_days)
        else:
            assert isinstance(self.rule, PoolRule)
            terms = liquity.LiquityTerms(
                self.rule.minimum_ratio, self.rule.critical_ratio, self.rule.gas_share, 0.0, 0.0
            )
            system = math.inf if self.rule.system_ratio is None else self.rule.system_ratio
            price = 1.0 if factor == 1 else 1 - 1e-12  # at the touch of the barrier counts as below it
            done = liquity.settle(total, debt, price=price, system_ratio=system, pool=self.rule.pool, terms=terms)
            if done.action == "none":
                return False
            absorbed = done.offset_collateral + done.redistributed_collateral
            self.amounts["debt_repaid"] += done.offset_debt
            self.amounts["debt_redistributed"] += done.redistributed_debt
            self.amounts["liquidator_bonus"] += done.to_caller
            self.amounts["collateral_absorbed"] += absorbed
            self.amounts["collateral_seized"] += absorbed + done.to_caller
            self.paid, taken, delay = debt, None, 0
            passed = values * (absorbed / total)
            self.held = self.held * (done.claimable / total)
        self.owed = self.owed * 0
        if delay > 0:
            self.taken = t, taken
        else:
            self.resell(passed)
        return True

    def resell(self, values):
        """All at once and pro rata, each asset at its discount to what the market pays."""
        total, proceeds = float(values.sum()), 0.0
        if total > 0:
            weight = values / total
            fetched = fetches(total, float(weight**2 @ self.impacts), 0.0)
            rule = getattr(self.rule, "resale_discount", 0.0)
            discounts = [
                0.0 if a == self.currency and isinstance(rule, float) else figure(rule, a, self.currency, 0.0) or 0.0
                for a in self.assets
            ]
            proceeds = fetched * float(weight @ (1 - np.array(discounts)))
        self.amounts["resale_proceeds"] += proceeds
        missing = self.paid - proceeds
        self.amounts["absorbed_loss"] += missing if missing > 1e-12 * self.paid else 0.0  # less is rounding
