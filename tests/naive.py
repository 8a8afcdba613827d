"""Slow, obvious twins of the kernels, in plain Python and numpy: each kernel must agree with its twin."""

from __future__ import annotations

import math

import numpy as np


def value_at_risk(losses, level):
    """The smallest loss x with at least a share `level` of the losses at or below it."""
    ordered = sorted(losses)
    n = len(ordered)
    for i, x in enumerate(ordered):
        if (i + 1) / n >= level - 1e-12:
            return x
    return ordered[-1]


def expected_shortfall(losses, level):
    """Walk down from the largest loss until a mass of 1 - level is used up; the last loss counts in part."""
    n = len(losses)
    left = (1.0 - level) * n
    total = 0.0
    for x in sorted(losses, reverse=True):
        weight = min(1.0, left)
        total += weight * x
        left -= weight
        if left <= 1e-9:
            break
    return total / ((1.0 - level) * n)


def compress_above(values, threshold):
    """What is above the threshold, how many equal it, how many are not finite."""
    above = [x for x in values if x > threshold]
    return above, sum(x == threshold for x in values), sum(not math.isfinite(x) for x in values)


def naive_bridge_minimum(start, end, variance, u):
    """The sampled minimum of exp(Brownian bridge) from start to end."""
    x0, x1 = math.log(start), math.log(end)
    return math.exp((x0 + x1 - math.sqrt((x1 - x0) ** 2 - 2.0 * variance * math.log(u))) / 2.0)


class NaiveMargin:
    """One account on one path, written straight from the rules. Cash is the last entry of every vector."""

    def __init__(self, held, owed, thresholds, impacts, terms, step_years, steps_of):
        self.held, self.owed = np.array(held, float), np.array(owed, float)
        self.thresholds, self.impacts, self.terms = np.array(thresholds), np.array(impacts), terms
        self.growth = math.exp(terms.borrow_rate * step_years)
        self.cure_steps, self.delay = steps_of(terms.cure_days), steps_of(terms.liquidation_delay_days)
        self.call_open, self.deadline, self.calls, self.due, self.forced = False, None, 0, None, False
        self.first = dict.fromkeys(["margin_called", "cured", "liquidated", "exhausted", "shortfall"], -1)
        names = ["debt_repaid", "collateral_seized", "liquidator_bonus", "lender_fee", "slippage_cost", "top_up"]
        self.amounts = dict.fromkeys([*names, "interest"], 0.0)
        self.min_health = math.inf
        self.trigger, self.sells_nothing = 1.0, False  # see naive_sale for rules that change them

    def health(self, p):
        debt = float(self.owed @ p)
        return float((self.held * p) @ self.thresholds) / debt if debt > 0 else math.inf

    def note(self, event, t):
        if self.first[event] == -1:
            self.first[event] = t

    def run(self, prices, variance, correlation, bridge_uniform, cure_uniform):
        """prices (n_steps + 1, d), variance (n_steps, d) or None, uniforms as functions of step and of call number."""
        path = np.column_stack([prices, np.ones(len(prices))])
        self.amounts["collateral_loss"] = float(self.held @ path[0]) - float(self.held @ path[-1])
        self.step(0, path[0], self.health(path[0]), self.health(path[0]), cure_uniform)
        for t in range(1, len(path)):
            debt = float(self.owed @ path[t - 1])
            self.amounts["interest"] += debt * (self.growth - 1)
            self.owed = self.owed * self.growth
            start, end = self.health(path[t - 1]), self.health(path[t])
            mark = end
            if variance is not None and self.terms.mark == "bridge":
                mark = min(start, end)
                if 0 < start < math.inf and end > 0:
                    counted = self.held * path[t - 1] * self.thresholds
                    debts = self.owed * path[t - 1]
                    z = (counted / counted.sum() - debts / debts.sum())[:-1] * np.sqrt(variance[t - 1])
                    s2 = float(z @ correlation @ z)
                    if s2 > 0:
                        mark = min(mark, naive_bridge_minimum(start, end, s2, bridge_uniform(t)))
            self.step(t, path[t], mark, start, cure_uniform)
        debt, value = float(self.owed @ path[-1]), float(self.held @ path[-1])
        self.amounts.update(outstanding_debt=debt, remaining_collateral=value, shortfall=max(debt - value, 0.0))
        self.amounts["min_health_factor"] = self.min_health
        if debt > value:
            self.first["shortfall"] = len(path) - 1
        return self

    def step(self, t, p, mark, start, cure_uniform):
        self.min_health = min(self.min_health, mark)
        end = self.health(p)
        sale = None
        if self.due == t:
            sale, self.due = ("forced" if self.forced else "triggered"), None
        if mark < max(self.terms.margin_call, self.trigger) and not self.call_open:
            self.call_open, self.deadline = True, t + self.cure_steps
            self.calls += 1
            self.note("margin_called", t)
        if mark < self.trigger and sale is None and self.due is None and (self.held.any() or self.sells_nothing):
            if self.delay == 0:
                sale = "triggered"
            else:
                self.due, self.forced = t + self.delay, False
        self.sold = 0.0
        if sale is not None:
            hs = end
            if sale == "triggered" and self.terms.sale_price == "worse":
                hs = min(end, self.trigger)
            if sale == "triggered" and self.terms.sale_price == "barrier" and start >= self.trigger * (1 - 1e-12):
                hs = self.trigger
            self.sell(t, p, hs / end if hs != end else 1.0)
        if self.call_open and t >= self.deadline:
            self.at_deadline(t, p, cure_uniform)

    def at_deadline(self, t, p, cure_uniform):
        health = self.health(p)
        if health >= self.terms.restore_to:
            self.call_open = False
        elif t == self.deadline and self.held.any() and cure_uniform(self.calls - 1) < self.terms.cure_probability:
            ratio = self.terms.restore_to / health
            self.amounts["top_up"] += float(self.held @ p) * (ratio - 1)
            self.held = self.held * ratio
            self.call_open, self.due = False, None
            self.note("cured", t)
        elif t == self.deadline and self.terms.uncured == "liquidate":
            self.call_open = False
            if self.due is None and self.held.any():
                if self.delay == 0:
                    self.sell(t, p, 1.0)
                else:
                    self.due, self.forced = t + self.delay, True

    def sell(self, t, p, factor):
        if not self.held.any() or not self.owed.any():
            return
        sale_prices = np.append(p[:-1] * factor, 1.0)
        weights = self.held * sale_prices / (self.held @ sale_prices)
        impact = float(weights**2 @ self.impacts)
        cost = 1 + self.terms.liquidation_bonus + self.terms.liquidation_fee
        self.note("liquidated", t)
        for _ in range(32):
            debt, left = float(self.owed @ p), float(self.held @ sale_prices)
            target = self.terms.close_factor * debt * cost
            slope = 1 - impact * self.sold
            value = math.inf
            if impact == 0:
                value = target
            elif slope > 0 and slope**2 >= 2 * impact * target:
                # the smaller root of impact / 2 v^2 - slope v + target = 0, in the form that does not cancel
                value = 2 * target / (slope + math.sqrt(slope**2 - 2 * impact * target))
            proceeds = target
            if value >= left:
                value = left
                fetching = left if impact == 0 else max(min(left, slope / impact), 0.0)
                proceeds = min(fetching * slope - impact * fetching**2 / 2, target)
            repaid = proceeds / cost
            self.amounts["debt_repaid"] += repaid
            self.amounts["collateral_seized"] += value
            self.amounts["liquidator_bonus"] += self.terms.liquidation_bonus * repaid
            self.amounts["lender_fee"] += self.terms.liquidation_fee * repaid
            self.amounts["slippage_cost"] += value - proceeds
            self.sold += value
            self.held = self.held * 0 if value == left else self.held * (1 - value / left)
            rest = 1 - repaid / debt
            self.owed = self.owed * (rest if rest > 1e-12 else 0.0)  # less is rounding
            debt = float(self.owed @ p)
            if not self.held.any():
                if debt > 0:
                    self.note("exhausted", t)
                return
            if debt == 0 or float((self.held * sale_prices) @ self.thresholds) / debt >= 1 - 1e-12:
                return


def running_minimum(prices, variance, correlation, uniforms, coefficients, cash, growth, horizons):
    """The lowest collateral ratio (n_mixes, n_horizons, n_paths), one path and one step at a time.

    `uniforms` (n_steps + 1, n_paths) is the bridge's uniform of the step that ends at t, or None for no bridge.
    """
    n_assets, n_paths = prices.shape[1:]
    out = np.empty((len(coefficients), len(horizons), n_paths))
    for m in range(len(coefficients)):
        for k in range(n_paths):
            worth = [[coefficients[m][i] * row[i, k] / prices[0, i, k] for i in range(n_assets)] for row in prices]
            lowest = cash[m] + sum(worth[0])
            for h in range(len(horizons)):
                if horizons[h] == 0:
                    out[m, h, k] = lowest
            for t in range(1, horizons[-1] + 1):
                start, end = cash[m] + sum(worth[t - 1]), cash[m] + sum(worth[t])
                mark = min(start, end) if uniforms is not None else end
                if uniforms is not None:
                    e = [worth[t - 1][i] / start * math.sqrt(variance[t - 1, i, k]) for i in range(n_assets)]
                    s2 = sum(e[i] * correlation[i][j] * e[j] for i in range(n_assets) for j in range(n_assets))
                    x0, x1 = math.log(start), math.log(end)
                    mark = math.exp((x0 + x1 - math.sqrt((x1 - x0) ** 2 - 2 * s2 * math.log(uniforms[t, k]))) / 2)
                lowest = min(lowest, mark / growth**t)
                for h in range(len(horizons)):
                    if horizons[h] == t:
                        out[m, h, k] = lowest
    return out


def gjr_filter(returns, mu, omega, alpha, gamma, beta, presample=None):
    """Twin of `volatility.likelihood.Likelihood.filter`: residuals and variances of a GJR recursion, step by step.

    presample None: the mean squared residual; the squared negative part before the sample is half of it.
    """
    residuals = [float(r) - mu for r in returns]
    if presample is None:
        presample = sum(e * e for e in residuals) / len(residuals)
    variances = []
    for t in range(len(residuals)):
        h = omega
        for lag, a in enumerate(alpha, 1):
            h += a * (residuals[t - lag] ** 2 if t >= lag else presample)
        for lag, g in enumerate(gamma, 1):
            if t < lag:
                h += g * 0.5 * presample
            elif residuals[t - lag] < 0.0:
                h += g * residuals[t - lag] ** 2
        for lag, b in enumerate(beta, 1):
            h += b * (variances[t - lag] if t >= lag else presample)
        variances.append(h)
    return np.array(residuals), np.array(variances)


def kendall_tau_b(x, y):
    """Kendall's tau-b by counting every pair."""
    concordant = x_moves = y_moves = 0
    for i in range(len(x)):
        for j in range(i):
            a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
            concordant += a * b
            x_moves += a * a
            y_moves += b * b
    return concordant / math.sqrt(x_moves * y_moves)


def ledoit_wolf_constant_correlation(scores):
    """Ledoit and Wolf (2004, appendix B) loop by loop: (intensity, sample correlation, target)."""
    n, d = scores.shape
    z = [[(scores[t, i] - scores[:, i].mean()) / scores[:, i].std() for i in range(d)] for t in range(n)]
    s = [[sum(z[t][i] * z[t][j] for t in range(n)) / n for j in range(d)] for i in range(d)]
    average = 2 / (d * (d - 1)) * sum(s[i][j] for i in range(d) for j in range(i))
    target = [[1.0 if i == j else average for j in range(d)] for i in range(d)]
    pi = rho = gamma = 0.0
    for i in range(d):
        for j in range(d):
            variance = sum((z[t][i] * z[t][j] - s[i][j]) ** 2 for t in range(n)) / n
            pi += variance
            gamma += (target[i][j] - s[i][j]) ** 2
            if i == j:
                rho += variance
                continue
            with_i = sum((z[t][i] ** 2 - s[i][i]) * (z[t][i] * z[t][j] - s[i][j]) for t in range(n)) / n
            with_j = sum((z[t][j] ** 2 - s[j][j]) * (z[t][i] * z[t][j] - s[i][j]) for t in range(n)) / n
            rho += average / 2 * (math.sqrt(s[j][j] / s[i][i]) * with_i + math.sqrt(s[i][i] / s[j][j]) * with_j)
    return max(0.0, min(1.0, (pi - rho) / gamma / n)), np.array(s), np.array(target)


def philox_words(counter, key):
    """Twin of `kernels.random.philox`: Philox4x32-10 as in Salmon et al. (2011), with Python's whole numbers."""
    mask = 0xFFFFFFFF
    x0, x1, x2, x3 = counter
    k0, k1 = key & mask, key >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = (q >> 32) ^ x1 ^ k0, q & mask, (p >> 32) ^ x3 ^ k1, p & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return x0, x1, x2, x3


def draw_uniforms(key, path, step, slot):
    """The two uniforms of one counter: (k + 1/2) / 2**52 with k the leading 52 bits of each half of the words."""
    words = philox_words((path & 0xFFFFFFFF, path >> 32, step, slot), int(key))
    halves = (words[0] << 32 | words[1], words[2] << 32 | words[3])
    return tuple(((half >> 12) + 0.5) / 2**52 for half in halves)


def draw_normals(key, path, pair, slot):
    """Twin of `kernels.random.fill_normals` for one path: Box and Muller with the C library's functions."""
    u, v = draw_uniforms(key, path, pair, slot)
    radius = math.sqrt(-2.0 * math.log(u))
    return radius * math.cos(2.0 * math.pi * v), radius * math.sin(2.0 * math.pi * v)


def quasi_loglikelihood(returns, mu, omega, up, down, beta, presample, dist, nu=math.inf, lam=0.0):
    """Twin of `kernels.quasi_likelihood.evaluate`: one return after the other, constants by `math.lgamma`."""
    total, h, w = 0.0, presample, 0.5 * (up + down) * presample
    c = a = 0.0
    if dist != "normal":
        c = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(math.pi * (nu - 2))
        a = 4 * lam * c * (nu - 2) / (nu - 1)
    b = math.sqrt(1 + 3 * lam**2 - a**2)
    for r in returns:
        h = omega + w + beta * h
        e = r - mu
        w = (up if e >= 0 else down) * e * e
        z = e / math.sqrt(h)
        if dist == "normal":
            total += -0.5 * (math.log(2 * math.pi) + z * z)
        else:
            y = (a + b * z) / (1 - lam if a + b * z < 0 else 1 + lam)
            total += math.log(b * c) - (nu + 1) / 2 * math.log(1 + y * y / (nu - 2))
        total -= 0.5 * math.log(h)
    return total
