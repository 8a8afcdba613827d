"""Slow, obvious twins of the peg: its filter, its smoother, its paths."""

from __future__ import annotations

import math

import naive
import naive_jumps
import naive_paths
import numpy as np
from scipy import stats

from collatrisk.volatility.peg_spec import PEG_PARAMETERS


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


def score_and_innovation(inputs, path, step, i):
    """Of row i: its score, its innovation by its own law, its normal innovation, and the mixing variable."""
    copula, half = inputs.scores, step % 2
    normals = [naive.draw_normals(copula.key, path, step // 2, j)[half] for j in range(i + 1)]
    mixing = 1.0
    if copula.mixed:
        g = naive.draw_normals(copula.key, path, step // 2, 1 << 16)[half]
        mixing = naive_paths.piecewise_cubic(copula.mixing, g, scale=copula.mixing_scale[0])
    score = mixing * float(copula.lower[i, : i + 1] @ normals)
    j = i - (len(inputs.columns) - len(inputs.pegs.slots))
    normal = law(inputs.pegs.normal, j, score) if j >= 0 else None
    return score, law(inputs.laws, i, score), normal, mixing


def law(laws, i, score):
    cubics = laws.cubics[laws.offset[i] : laws.offset[i] + 2 * laws.segments[i]]
    if laws.law[i] == 0:
        return laws.scale[i] * score
    if laws.law[i] == 1:
        return naive_paths.piecewise_cubic(cubics, score, scale=laws.scale[i])
    return naive_paths.piecewise_cubic(cubics, score, power=int(laws.power[i]))


def simulate_path(inputs, path, steps):
    """Prices (steps + 1, d) and step variances (steps, d) of one path of a model with pegs; columns as in the model."""
    d, pegs = len(inputs.columns), len(inputs.pegs.slots)
    market = d - pegs
    plain, plain_variances = naive_paths.simulate_path(inputs, path, steps)  # right for the assets that are no pegs
    distance = [float(x) for x in inputs.pegs.distance]
    stressed = [
        naive.draw_uniforms(inputs.pegs.key, path, 2**32 - 1, int(slot))[0] < share
        for slot, share in zip(inputs.pegs.slots, inputs.pegs.stressed, strict=True)
    ]
    prices, variances = np.empty((steps + 1, d)), np.empty((steps, d))
    prices[0, inputs.columns] = inputs.spot
    for step in range(steps):
        drawn = [score_and_innovation(inputs, path, step, i) for i in range(d)]
        mixing = drawn[0][3]
        own = list(plain_variances[step, :market] / (inputs.scores.conditional[:market] * mixing**2))
        total = list(np.log(plain[step + 1, :market] / inputs.spot[:market]))
        for j in range(pegs):
            theta = inputs.pegs.theta[j]
            params, depeg = dict(zip(PEG_PARAMETERS, theta, strict=False)), theta[-1]
            shock = sum(w * drawn[k][1] for k, w in enumerate(inputs.pegs.weights[j]))
            u, v = naive.draw_uniforms(inputs.pegs.key, path, step, int(inputs.pegs.slots[j]))
            enters = not stressed[j] and u < entry(params, shock)
            stays = stressed[j] and u >= params["exit"]
            if enters:
                down = params["down"]
                share = v / down if v < down else (1.0 - v) / (1.0 - down)
                size = depeg - params["drop"] * math.log(share)
                distance[j] = -size if v < down else size
            elif stays:
                distance[j] = params["phi_stressed"] * distance[j] + params["sigma_stressed"] * drawn[market + j][2]
            else:
                distance[j] = params["phi"] * distance[j] + params["sigma"] * drawn[market + j][1]
            stressed[j] = enters or (stays and abs(distance[j]) >= depeg)
            variance, parent = inputs.pegs.variance[j, 1 if enters or stays else 0], inputs.pegs.parent[j]
            if parent >= 0:
                variance += own[parent] + 2.0 * inputs.pegs.coupling[j] * math.sqrt(variance * own[parent])
            own.append(variance)
            jumped = naive_jumps.jump_on(inputs.jumps, path, step, market + j)
            if jumped != 0.0:
                distance[j] += jumped
                stressed[j] = abs(distance[j]) >= depeg
            grown = params["accrual"] * (step + 1) + distance[j] - inputs.pegs.distance[j]
            total.append(grown + (total[parent] if parent >= 0 else 0.0))
        prices[step + 1, inputs.columns] = inputs.spot * np.exp(total)
        variances[step, inputs.columns] = np.array(own) * inputs.scores.conditional * mixing**2
    return prices, variances
