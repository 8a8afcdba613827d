"""Twin of the paths in single precision: the same words of the generator, everything after them in float64."""

import naive
import numpy as np

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.simulation.law_inputs import _linear_scale
from collatrisk.simulation.tables import ParametricLaw, mixing_table, normal_score_table, t_score_table

MIXING = 1 << 16


def words_of(key, first, n, quad, slot):
    """The four words of the counters of `n` paths, (4, n)."""
    counters = [((first + k) & 0xFFFFFFFF, (first + k) >> 32, quad, slot) for k in range(n)]
    return np.array([naive.philox_words(counter, int(key)) for counter in counters], dtype=np.uint64).T


def normals_of(words):
    """(4, n) float64: Box and Muller of words 0 and 1, and of words 2 and 3."""
    out = np.empty(words.shape)
    for k in (0, 2):
        v, w = words[k].astype(np.uint64), words[k + 1].astype(np.uint64)
        u = (v.astype(float) + ((w & np.uint64(255)).astype(float) + 0.5) / 256) / 2**32
        turns = ((w >> np.uint64(8)).astype(float) + 0.5) / 2**24
        radius = np.sqrt(-2 * np.log(u))
        out[k], out[k + 1] = radius * np.cos(2 * np.pi * turns), radius * np.sin(2 * np.pi * turns)
    return out


def cubic(table, x):
    """A table at many x."""
    half = table.segments
    if table.octaves:
        s = 1 + np.abs(x)
        mantissa, exponent = np.frexp(s)
        row = ((exponent - 1) << table.power) + np.floor((2 * mantissa - 1) * 2**table.power).astype(int)
        row = np.minimum(row, half - 1)
        t = s - np.ldexp(1 + (row % 2**table.power) / 2**table.power, row >> table.power)
    else:
        row = np.minimum(np.floor(np.abs(x) * 2**table.power).astype(int), half - 1)
        t = np.abs(x) * 2**table.power - row
    c = table.cubics[row + np.where(x < 0, half, 0)]
    return c[:, 0] + t * (c[:, 1] + t * (c[:, 2] + t * c[:, 3]))


class Twin:
    """The paths of a plan with the tables of double precision."""

    def __init__(self, plan, words=words_of):
        self.plan, self.words = plan, words
        self.key = stream_key(plan.seed, Purpose.PATHS_SINGLE)
        nus = plan.model.dependence.nus
        self.lower = np.linalg.cholesky(plan.model.dependence.correlation)
        self.mixings = {nu: mixing_table(nu) for nu in set(nus) - {None}}
        self.laws = []
        for marginal, nu in zip(plan.model.marginals, nus, strict=True):
            scale = _linear_scale(marginal, nu)
            law = marginal.innovations or ParametricLaw(marginal.dist, marginal.nu, marginal.lam)
            table = None if scale is not None else normal_score_table(law) if nu is None else t_score_table(nu, law)
            self.laws.append(lambda x, scale=scale, table=table: cubic(table, x) if scale is None else scale * x)

    def read(self, first, n):
        """Prices (n_steps + 1, d, n) and step variances (n_steps, d, n)."""
        model, d, steps = self.plan.model, len(self.plan.assets), self.plan.n_steps
        drift = -0.5 if self.plan.drift == "martingale" else 0.0
        prices, variances = np.empty((steps + 1, d, n)), np.empty((steps, d, n))
        prices[0] = self.plan.spot[:, None]
        finer = self.plan.clock.steps_per_day / model.clock.steps_per_day
        omega = [m.coefficients.omega / finer for m in model.marginals]
        h = np.array([m.last_variances[-1:] or (omega[i],) for i, m in enumerate(model.marginals)])
        e = np.array([m.last_residuals[-1:] or (0.0,) for m in model.marginals])
        h, e, log_price = h + np.zeros((d, n)), e + np.zeros((d, n)), np.zeros((d, n))
        for step in range(steps):
            if step % 4 == 0:
                z = [normals_of(self.words(self.key, first, n, step // 4, i)) for i in range(d)]
                g = normals_of(self.words(self.key, first, n, step // 4, MIXING)) if self.mixings else None
            scores = self.lower @ np.array([row[step % 4] for row in z])
            mixing = {nu: cubic(table, g[step % 4]) for nu, table in self.mixings.items()}
            for i, (marginal, nu) in enumerate(zip(model.marginals, model.dependence.nus, strict=True)):
                c, m = marginal.coefficients, mixing.get(nu, 1.0)
                alpha, gamma, beta = (sum(getattr(c, name)) for name in ("alpha", "gamma", "beta"))
                h[i] = omega[i] + (alpha + gamma * (e[i] < 0)) * e[i] ** 2 + beta * h[i]
                e[i] = np.sqrt(h[i]) * self.laws[i](scores[i] * m)
                log_price[i] += (marginal.mu / finer if self.plan.drift == "fitted" else 0.0) + drift * h[i] + e[i]
                variances[step, i] = h[i] * (1.0 if nu is None else (1 - 2 / nu) * m**2)
                prices[step + 1, i] = self.plan.spot[i] * np.exp(log_price[i])
        return prices, variances
