"""Slow, obvious twins of the peg: its filter, its smoother, its paths."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats


def entry(params, shock):
    logit = math.log(params["entry"] / (1.0 - params["entry"])) - params["sensitivity"] * shock
    return 1.0 / (1.0 + math.exp(-logit))


def joint_densities(params, depeg, gap, before, now):
    """Density of a step for each pair (regime before, regime after the move): 0 pegged, 1 stressed."""
    z = (now - params["phi"] * before) / params["sigma"]
    unit = math.sqrt((params["nu"] - 2.0) / params["nu"]) if "nu" in params else 1.0
    law = stats.t(params["nu"], scale=unit) if "nu" in params else stats.norm()
    pegged = law.pdf(z) / params["sigma"]
    held = stats.norm(params["phi_stressed"] * before, params["sigma_stressed"]).pdf(now)
    share = params["down"] if gap < 0 else 1.0 - params["down"]
    fallen = share * stats.expon(scale=params["drop"]).pdf(abs(gap) - depeg) if abs(gap) >= depeg else 0.0
    return {(0, 0): pegged, (1, 0): pegged, (1, 1): held, (0, 1): fallen}


def filter_and_smooth(params, depeg, basis, gap, shock, usable):
    """Log-likelihood, and P(stressed) filtered and smoothed, from the table of all joint probabilities of each step."""
    n = len(basis)
    center = [params["center"] + params["accrual"] * (t - (n - 1)) for t in range(n)]
    filtered = [0.5 if abs(gap[0]) >= depeg else 0.0]
    joints, total = [], 0.0
    for t in range(1, n):
        enters = entry(params, shock[t])
        start = {0: 1.0 - filtered[-1], 1: filtered[-1]}
        move = {(0, 0): 1.0 - enters, (0, 1): enters, (1, 0): params["exit"], (1, 1): 1.0 - params["exit"]}
        weight = {pair: start[pair[0]] * move[pair] for pair in move}
        if usable[t] and usable[t - 1]:
            densities = joint_densities(params, depeg, gap[t], basis[t - 1] - center[t - 1], basis[t] - center[t])
            weight = {pair: weight[pair] * densities[pair] for pair in weight}
            total += math.log(sum(weight.values()))
        outside = abs(gap[t]) >= depeg
        joint = {(a, b): 0.0 for a in (0, 1) for b in (0, 1)}
        for (a, b), w in weight.items():
            if (a, b) == (0, 1) and not outside:
                continue  # an entry lands outside, or it is none: an unusable row inside tells that there was none
            joint[(a, b if outside else 0)] += w
        mass = sum(joint.values())
        joint = {pair: w / mass for pair, w in joint.items()}
        joints.append(joint)
        filtered.append(joint[(0, 1)] + joint[(1, 1)])
    smoothed = [filtered[-1]]
    for joint in reversed(joints):
        p1 = joint[(0, 1)] + joint[(1, 1)]
        from_stressed = joint[(1, 1)] / p1 if p1 > 0 else 0.0
        from_pegged = joint[(1, 0)] / (1.0 - p1) if p1 < 1 else 0.0
        smoothed.append(smoothed[-1] * from_stressed + (1.0 - smoothed[-1]) * from_pegged)
    return total, np.array(filtered), np.array(smoothed[::-1])


def simulate_basis(params, depeg, n, rng, start=0.0, shocks=None):
    """A path of the distance from the centre, (n,), and its regimes."""
    d, stressed = start, False
    out, regimes = [d], [stressed]
    for t in range(1, n):
        enters = entry(params, 0.0 if shocks is None else shocks[t])
        move = rng.random() >= params["exit"] if stressed else rng.random() < enters
        if move and stressed:
            d = params["phi_stressed"] * d + params["sigma_stressed"] * rng.standard_normal()
        elif move:
            sign = -1.0 if rng.random() < params["down"] else 1.0
            d = sign * (depeg + rng.exponential(params["drop"]))
        else:
            unit = math.sqrt((params["nu"] - 2.0) / params["nu"]) if "nu" in params else 1.0
            noise = unit * rng.standard_t(params["nu"]) if "nu" in params else rng.standard_normal()
            d = params["phi"] * d + params["sigma"] * noise
        stressed = move and abs(d) >= depeg
        out.append(d)
        regimes.append(stressed)
    return np.array(out), np.array(regimes)
