"""GARCH, EGARCH and APARCH by the book, many parameter vectors at once: likelihoods, derivatives, standard errors.

Nothing here is shared with the library: recursions are loops over time, derivatives are differences of the
log-likelihood, in extended precision where the machine has it.
"""

from __future__ import annotations

import numpy as np

LD = np.longdouble
CENTRE = np.sqrt(LD(2) / np.pi)


def _start(y, mu):
    """Residuals (n, m), and what stands before the sample: their mean square at these means."""
    e = y[:, None] - mu
    return e, np.mean(e**2, axis=0)


def garch(theta, y):
    """mu, omega, alpha, beta: the model of Fiorentini, Calzolari and Panattoni (1996)."""
    mu, omega, alpha, beta = theta
    e, before = _start(y, mu)
    square, h = before, before
    found = []
    for row in e:
        h = omega + alpha * square + beta * h
        square = row**2
        found.append(h)
    return e, np.array(found)


def egarch(theta, y):
    """mu, omega, alpha (size), gamma (sign), beta; no shock before the sample."""
    mu, omega, alpha, gamma, beta = theta
    e, before = _start(y, mu)
    logs, shock = np.log(before), 0.0
    found = []
    for row in e:
        logs = omega + shock + beta * logs
        z = row / np.exp(logs / 2)
        shock = alpha * (np.abs(z) - CENTRE) + gamma * z
        found.append(np.exp(logs))
    return e, np.array(found)


def aparch(theta, y):
    """mu, omega, alpha, gamma, beta, delta; before the sample |e| - gamma e is the root of the mean square."""
    mu, omega, alpha, gamma, beta, delta = theta
    e, before = _start(y, mu)
    s = before ** (delta / 2)
    shock = s
    found = []
    for row in e:
        s = omega + alpha * shock + beta * s
        shock = (np.abs(row) - gamma * row) ** delta
        found.append(s ** (2 / delta))
    return e, np.array(found)


def contributions(model, theta, y):
    """Normal log-density of each return, (n, m), at parameter vectors (k, m)."""
    e, h = model(theta, y)
    return -(np.log(2 * LD(np.pi)) + np.log(h) + e**2 / h) / 2


def scores_of(model, theta, y, steps):
    """Scores (n, k) by central differences."""
    points = [theta + sign * move for move in np.diag(steps) for sign in (1, -1)]
    values = contributions(model, np.array(points, dtype=LD).T, y)
    return (values[:, ::2] - values[:, 1::2]) / (2 * steps)


def hessian_of(model, theta, y, steps):
    """Hessian (k, k) by central differences of the log-likelihood."""
    k, moves = theta.size, np.diag(steps)
    pairs = [(i, j) for i in range(k) for j in range(i + 1)]
    points = [theta + s * moves[i] + t * moves[j] for i, j in pairs for s in (1, -1) for t in (1, -1)]
    totals = contributions(model, np.array(points, dtype=LD).T, y).sum(axis=0).reshape(-1, 4)
    hessian = np.empty((k, k))
    for (i, j), (a, b, c, d) in zip(pairs, totals, strict=True):
        hessian[i, j] = hessian[j, i] = (a - b - c + d) / (4 * steps[i] * steps[j])
    return hessian


def maximum(model, start, y, steps):
    """The parameters at which the slope is zero, the likelihood, and three kinds of standard errors there.

    Uphill by the outer product of the scores (Berndt, Hall, Hall and Hausman 1974), then by Newton's steps.
    """

    def value(point):
        return contributions(model, point[:, None], y).sum()

    theta = np.array(start, dtype=LD)
    for _ in range(200):
        scores = scores_of(model, theta, y, steps)
        gradient = scores.sum(axis=0).astype(np.float64)
        step = np.linalg.solve((scores.T @ scores).astype(np.float64), gradient)
        if step @ gradient < 1e-6:
            break
        size, here = 1.0, value(theta)
        while not value(theta + size * step) > here:  # also where it is nan
            size /= 2.0
        theta = theta + size * step
    for _ in range(5):
        gradient = scores_of(model, theta, y, steps).sum(axis=0).astype(np.float64)
        theta = theta + np.linalg.solve(-hessian_of(model, theta, y, steps), gradient)
    scores = scores_of(model, theta, y, steps)
    inverse = np.linalg.inv(-hessian_of(model, theta, y, steps))
    meat = (scores.T @ scores).astype(np.float64)
    covariances = {"hessian": inverse, "opg": np.linalg.inv(meat), "robust": inverse @ meat @ inverse}
    errors = {kind: np.sqrt(np.diag(found)) for kind, found in covariances.items()}
    return theta.astype(np.float64), float(value(theta)), errors
