"""Slow, obvious twins of the kernels of dynamic correlation, in plain numpy."""

from __future__ import annotations

import numpy as np


def to_correlation(q):
    """Q scaled to a unit diagonal."""
    sd = np.sqrt(np.diag(q))
    return q / np.outer(sd, sd)


def log_density(r, x, nu):
    """Of scores with correlation r, less what depends on nu and the margins only."""
    d = len(x)
    quadratic = x @ np.linalg.solve(r, x)
    log_det = np.linalg.slogdet(r)[1]
    if nu is None:
        return -0.5 * log_det - 0.5 * quadratic
    return -0.5 * log_det - 0.5 * (nu + d) * np.log(1 + quadratic / (nu - 2))


def targets(x, motion, a, b):
    """u, S and N. u of the corrected model needs the diagonal of Q, whose mean is 1."""
    u = x.copy()
    if motion == "corrected":
        diagonal = np.ones(x.shape[1])
        for t in range(len(x)):
            u[t] = x[t] * np.sqrt(diagonal)
            diagonal = (1 - a - b) + a * u[t] ** 2 + b * diagonal
    falls = np.minimum(x, 0)
    return u, to_correlation(u.T @ u / len(u)), falls.T @ falls / len(x)


def dcc_path(x, motion, a, b, g):
    """Q of every observation and of the step after the last."""
    u, s, n = targets(x, motion, a, b)
    constant = (1 - a - b) * s - g * n
    q, out = s.copy(), []
    for t in range(len(x)):
        out.append(q)
        falls = np.minimum(x[t], 0)
        q = constant + a * np.outer(u[t], u[t]) + g * np.outer(falls, falls) + b * q
    return [*out, q]


def dcc_values(x, motion, a, b, g, nu, pairs):
    """The log-density of every observation, or the sum over pairs of it."""
    found = []
    for t, q in enumerate(dcc_path(x, motion, a, b, g)[:-1]):
        r = to_correlation(q)
        if pairs:
            total = 0.0
            for i in range(len(r)):
                for j in range(i):
                    both = [j, i]
                    total += log_density(r[np.ix_(both, both)], x[t][both], nu)
            found.append(total)
        else:
            found.append(log_density(r, x[t], nu))
    return np.array(found)


def simulate_dcc(normals, mixing, unit, motion, a, b, g, s, n, q):
    """Scores of one path: normals and mixing (steps, d), the state q; unit (d,) scales scores to variance 1."""
    out = []
    for z, w in zip(normals, mixing, strict=True):
        score = (np.linalg.cholesky(to_correlation(q)) @ z) * w
        out.append(score)
        x = score * unit
        u = x * np.sqrt(np.diag(q)) if motion == "corrected" else x
        falls = np.minimum(x, 0)
        q = (1 - a - b) * s - g * n + a * np.outer(u, u) + g * np.outer(falls, falls) + b * q
    return np.array(out)
