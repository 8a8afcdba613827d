"""Slow, obvious twin of the path kernel."""

import math

import naive
import naive_jumps
import naive_recursions
import numpy as np


def piecewise_cubic(cubics, x, scale=None, power=None):
    """Twin of `kernels.cubics.interpolate_even` (scale given) and `interpolate_octaves` (power given) for one x."""
    half = len(cubics) // 2
    if scale is not None:
        row = min(math.floor(abs(x) * scale), half - 1)
        t = abs(x) * scale - row
    else:
        s = 1.0 + abs(x)
        octave = math.floor(math.log2(s))
        row = min((octave << power) + math.floor((s / 2.0**octave - 1.0) * 2**power), half - 1)
        t = s - 2.0 ** (row >> power) * (1.0 + (row % 2**power) / 2**power)
    c0, c1, c2, c3 = cubics[row if x >= 0 else row + half]
    return c0 + c1 * t + c2 * t**2 + c3 * t**3


def history_row(history, path, step, before):
    """Twin of `kernels.history.draw_rows`: the row of this step, given that of the step before."""
    place, restart = naive.draw_uniforms(history.key, path, step, 2 << 16)
    size = history.columns.shape[1]
    if before is None or restart < history.restart:
        return math.floor(place * size)
    return (before + 1) % size


def unpacked(values, d):
    """The symmetric matrix of a packed lower triangle."""
    matrix = np.zeros((d, d))
    matrix[np.tril_indices(d)] = values
    return matrix + np.tril(matrix, -1).T


def moved_scores(motion, q, normals, mixing):
    """Twin of `kernels.motion.move_scores` for one path and step: the scores, and Q one step on."""
    sd = np.sqrt(np.diag(q))
    scores = (np.linalg.cholesky(q / np.outer(sd, sd)) @ normals) * mixing
    x = scores * motion.unit
    u = x * sd if motion.corrected else x
    falls = np.minimum(x, 0)
    level = unpacked(motion.constant, len(sd))
    return scores, level + motion.a * np.outer(u, u) + motion.g * np.outer(falls, falls) + motion.b * q


def simulate_path(inputs, path, n_steps):
    """Twin of `kernels.paths.simulate_block` for one path: prices (n_steps + 1, d) and variances (n_steps, d).

    `inputs` : all parts, of `path_models.whole_inputs`.
    """
    d = len(inputs.spot)
    copula, laws, steps, extras, jumps = inputs.scores, inputs.laws, inputs.steps, inputs.extras, inputs.jumps
    residuals, variances = map(list, zip(*(naive_recursions.start_of(steps, extras, i) for i in range(d)), strict=True))
    log_price, last_return = [0.0] * d, list(extras.last_return)
    prices, step_variances = [list(inputs.spot)], []
    place = None
    q = unpacked(inputs.motion.state, d) if inputs.motion.moving else None
    for step in range(n_steps):
        half = step % 2
        normals = [naive.draw_normals(copula.key, path, step // 2, i)[half] for i in range(d)]
        mixing = [1.0] * d
        if copula.mixed:
            g = naive.draw_normals(copula.key, path, step // 2, 1 << 16)[half]
            for i, group in enumerate(copula.group):
                table = copula.mixing[copula.mixing_rows[group] : copula.mixing_rows[group + 1]]
                mixing[i] = piecewise_cubic(table, g, scale=copula.mixing_scale[group])
        if inputs.motion.moving:
            scores, q = moved_scores(inputs.motion, q, normals, mixing)
        else:
            scores = [mixing[i] * sum(copula.lower[i, j] * normals[j] for j in range(i + 1)) for i in range(d)]
        step_variances.append([])
        if inputs.history.columns.size:
            place = history_row(inputs.history, path, step, place)
        for i in range(d):
            score = scores[i]
            cubics = laws.cubics[laws.offset[i] : laws.offset[i] + 2 * laws.segments[i]]
            if laws.law[i] == 0:
                z = laws.scale[i] * score
            elif laws.law[i] == 1:
                z = piecewise_cubic(cubics, score, scale=laws.scale[i])
            else:
                z = piecewise_cubic(cubics, score, power=int(laws.power[i]))
            if place is not None:
                z = inputs.history.columns[i, place]
            h = naive_recursions.kernel_variance(steps, extras, i, step, residuals[i], variances[i])
            e = math.sqrt(h) * z
            residuals[i].append(e)
            variances[i].append(h)
            season = extras.season[i, step % extras.season.shape[1]]
            last_return[i] = (
                extras.inherited[i] * last_return[i] + steps.mean[i] + steps.variance_drift * season * h + e
            )
            log_price[i] += season * last_return[i]
            step_variances[-1].append(season**2 * h * copula.conditional[i] * mixing[i] ** 2)
        log_price = [x + naive_jumps.jump_on(jumps, path, step, i) for i, x in enumerate(log_price)]
        prices.append([inputs.spot[i] * math.exp(log_price[i]) for i in range(d)])
    return np.array(prices), np.array(step_variances)
