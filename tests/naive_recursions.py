"""Slow, obvious twins of the volatility recursions: plain loops over time, straight from the formulas."""

import math

CENTRE = math.sqrt(2.0 / math.pi)


def next_variance(spec, params, residuals, variances):
    """h of the next step from all residuals and variances so far, oldest first (enough of both).

    For a RiskMetrics 2006 spec `variances` are not read and `residuals` must hold the whole history.
    """
    kind = type(spec).__name__
    if kind == "Egarch":
        z = [e / math.sqrt(h) for e, h in zip(residuals, variances[len(variances) - len(residuals) :], strict=True)]
        log_h = params["omega"]
        log_h += sum(params[f"alpha[{i}]"] * (abs(z[-i]) - CENTRE) for i in range(1, spec.p + 1))
        log_h += sum(params[f"gamma[{i}]"] * z[-i] for i in range(1, spec.o + 1))
        log_h += sum(params[f"beta[{j}]"] * math.log(variances[-j]) for j in range(1, spec.q + 1))
        return math.exp(log_h)
    if kind == "Aparch":
        delta = params["delta"] if spec.delta is None else spec.delta
        s = params["omega"]
        for i in range(1, spec.p + 1):
            gamma = params[f"gamma[{i}]"] if i <= spec.o else 0.0
            s += params[f"alpha[{i}]"] * (abs(residuals[-i]) - gamma * residuals[-i]) ** delta
        s += sum(params[f"beta[{j}]"] * variances[-j] ** (delta / 2.0) for j in range(1, spec.q + 1))
        return s ** (2.0 / delta)
    if kind == "Figarch":
        phi, beta = params.get("phi", 0.0), params.get("beta", 0.0)
        weights = figarch_weights(phi, params["d"], beta, spec.truncation)
        s = params["omega"] / (1.0 - beta)
        s += sum(weight * abs(residuals[-i]) ** spec.power for i, weight in enumerate(weights, 1))
        return s ** (2.0 / spec.power)
    s = params["omega"]
    s += sum(params[f"alpha[{i}]"] * abs(residuals[-i]) ** spec.power for i in range(1, spec.p + 1))
    s += sum(params[f"gamma[{i}]"] * max(-residuals[-i], 0.0) ** spec.power for i in range(1, spec.o + 1))
    s += sum(params[f"beta[{j}]"] * variances[-j] ** (spec.power / 2.0) for j in range(1, spec.q + 1))
    return s ** (2.0 / spec.power)


def figarch_weights(phi, d, beta, lags):
    """lambda_1 ... lambda_lags of Baillie, Bollerslev and Mikkelsen."""
    delta, weights = d, [phi - beta + d]
    for i in range(2, lags + 1):
        following = delta * (i - 1 - d) / i
        weights.append(beta * weights[-1] + following - phi * delta)
        delta = following
    return weights


def riskmetrics_components(spec):
    """Decay and weight of each component."""
    memories = [spec.tau1 * spec.rho**k for k in range(spec.kmax)]
    weights = [1.0 - math.log(memory) / math.log(spec.tau0) for memory in memories]
    return [math.exp(-1.0 / memory) for memory in memories], [weight / sum(weights) for weight in weights]


def filter_variances(spec, params, residuals, start):
    """h along residuals; before the sample |e|^2 = h = start, falls and rises half and half, and no EGARCH shocks."""
    if type(spec).__name__ == "RiskMetrics2006":
        decays, weights = riskmetrics_components(spec)
        v, found, square = [start] * spec.kmax, [], start
        for e in residuals:
            v = [decay * x + (1.0 - decay) * square for decay, x in zip(decays, v, strict=True)]
            found.append(sum(weight * x for weight, x in zip(weights, v, strict=True)))
            square = e * e
        return found
    found = []
    for t in range(len(residuals)):
        found.append(_with_start(spec, params, residuals[:t], found, start))
    return found


def _with_start(spec, params, residuals, variances, start):
    """`next_variance` early in the sample: the pre-sample terms by their own rules."""
    kind = type(spec).__name__
    deep = 1001 if kind == "Figarch" else 12
    h = [start] * deep + variances
    if kind == "Egarch":
        # A shock of size sqrt(2 / pi) without a sign adds nothing: the mean over a rise and a fall.
        sides = [[sign * CENTRE * math.sqrt(start)] * deep + residuals for sign in (1.0, -1.0)]
        logs = [math.log(next_variance(spec, params, side, h)) for side in sides]
        return math.exp(sum(logs) / 2.0)
    if kind == "Aparch":
        # Before the sample a shock counts as if gamma were 0.
        delta = params["delta"] if spec.delta is None else spec.delta
        s = params["omega"]
        for i in range(1, spec.p + 1):
            if i > len(residuals):
                s += params[f"alpha[{i}]"] * start ** (delta / 2.0)
            else:
                gamma = params[f"gamma[{i}]"] if i <= spec.o else 0.0
                s += params[f"alpha[{i}]"] * (abs(residuals[-i]) - gamma * residuals[-i]) ** delta
        s += sum(params[f"beta[{j}]"] * h[-j] ** (delta / 2.0) for j in range(1, spec.q + 1))
        return s ** (2.0 / delta)
    sides = [[sign * math.sqrt(start)] * deep + residuals for sign in (1.0, -1.0)]
    power = spec.power / 2.0
    return (sum(next_variance(spec, params, side, h) ** power for side in sides) / 2.0) ** (1.0 / power)


def simulate_path(spec, params, residuals, variances, shocks):
    """(h, e) along shocks from a state."""
    e, h = list(residuals), list(variances)
    first = len(e), len(h)
    for z in shocks:
        h.append(next_variance(spec, params, e, h))
        e.append(math.sqrt(h[-1]) * z)
    return h[first[1] :], e[first[0] :]


def simulate_riskmetrics(spec, components, last_residual, shocks):
    """(h, e) of a RiskMetrics 2006 model from its last components and residual."""
    decays, weights = riskmetrics_components(spec)
    v, square, h, e = list(components), last_residual**2, [], []
    for z in shocks:
        v = [decay * x + (1.0 - decay) * square for decay, x in zip(decays, v, strict=True)]
        h.append(sum(weight * x for weight, x in zip(weights, v, strict=True)))
        e.append(math.sqrt(h[-1]) * z)
        square = e[-1] ** 2
    return h, e


def start_of(steps, extras, i):
    """The residuals and variances of asset i in `StepInputs`, oldest first, back from the scale of its recursion."""
    e, h = list(steps.residuals[i]), list(steps.variances[i])
    power = extras.power[i]
    if steps.kind[i] == 2:
        return [math.copysign(abs(x) ** (1.0 / power), x) for x in e], [x ** (2.0 / power) for x in h]
    if steps.kind[i] == 3:
        h = [math.exp(x) for x in h]
        return [z * math.sqrt(x) for z, x in zip(e, h, strict=True)], h
    return e, h


def kernel_variance(steps, extras, i, step, e, h):
    """Twin of `kernels.steps` and `extras` for one path: h of asset i at a step, from all residuals and variances."""
    power = extras.power[i]
    if steps.kind[i] == 4:
        row, simulated = extras.slot[i], e[len(e) - step :] if step else []
        s = extras.base[row, step]
        s += sum(w * abs(x) ** power for w, x in zip(extras.weights[row], reversed(simulated), strict=False))
        return s ** (2.0 / power)
    s = steps.omega[i]
    for k in range(extras.lags[i]):
        x, past = e[-1 - k], h[-1 - k]
        if steps.kind[i] == 3:
            z = x / math.sqrt(past)
            s += steps.alpha[i, k] * abs(z) + steps.gamma[i, k] * z + steps.beta[i, k] * math.log(past)
        else:
            s += (steps.alpha[i, k] + (steps.gamma[i, k] if x < 0 else 0.0)) * abs(x) ** power
            s += steps.beta[i, k] * past ** (power / 2.0)
    return math.exp(s) if steps.kind[i] == 3 else s ** (2.0 / power)
