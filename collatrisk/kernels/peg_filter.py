"""The Hamilton filter of the two-regime peg: densities, filtered probabilities, likelihood.

The model is stated in `collatrisk.volatility.peg_spec`. Source of the filter: J. D. Hamilton, "A new approach to the
economic analysis of nonstationary time series and the business cycle", Econometrica 57 (1989).
"""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit

CENTER, ACCRUAL, PHI, SIGMA, NU, ENTRY, EXIT, DROP, PHI_STRESSED, SIGMA_STRESSED, SENSITIVITY, DOWN, DEPEG = range(13)
"""Places of the parameters in the vector that the kernels read."""

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_NORMAL = 1e6  # degrees of freedom from which the Student t is taken for normal
_NOTHING = 1e-300


@njit(cache=True, nogil=True, error_model="numpy")
def entry_probability(entry, sensitivity, shock):  # type: ignore[no-untyped-def]
    """logistic(logit(entry) - sensitivity x shock): a market that falls makes an entry likelier."""
    if sensitivity == 0.0:
        return entry
    odds = entry / (1.0 - entry) * math.exp(min(max(-sensitivity * shock, -600.0), 600.0))
    return odds / (1.0 + odds)


@njit(cache=True, nogil=True, error_model="numpy")
def _log_scale(sigma, nu):  # type: ignore[no-untyped-def]
    """Log density at 0 of sigma times a unit-variance Student t, or normal."""
    if nu > _NORMAL:
        return -_LOG_SQRT_2PI - math.log(sigma)
    shape = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)
    return shape - 0.5 * math.log(math.pi * (nu - 2.0)) - math.log(sigma)


@njit(cache=True, nogil=True, error_model="numpy")
def _calm_density(z, nu, log_scale):  # type: ignore[no-untyped-def]
    if nu > _NORMAL:
        return math.exp(log_scale - 0.5 * z * z)
    return math.exp(log_scale - 0.5 * (nu + 1.0) * math.log1p(z * z / (nu - 2.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def peg_filter(basis, gap, shock, usable, theta, contributions, predicted, filtered, entered, left):  # type: ignore[no-untyped-def]
    """Log-likelihood of a basis given its first value, and the probabilities of the stressed regime.

    Parameters
    ----------
    basis : float64 (n,), log price less log anchor (without accrual).
    gap : float64 (n,), the basis less a centre that does not move with `theta`: what is outside the peg is read here,
        so that the likelihood is smooth. shock : float64 (n,), standardised, of the step
        that ends at the row; row 0 is not read.
    usable : bool (n,); a step whose end or start is not usable moves the probabilities but adds no likelihood.
    theta : float64 (13,), in the order of this module's constants.
    contributions : float64 (n,), overwritten: log density of each row given those before; row 0 is 0.
    predicted, filtered : float64 (n,), overwritten: probability of a stressed move, and of a stressed regime after it.
    entered : float64 (n,), overwritten: of a row that is stressed, the probability that it was pegged before.
    left : float64 (n,), overwritten: of a row that is pegged, the probability that it was stressed before.

    Returns
    -------
    float : the sum of the contributions.
    """
    center, accrual, phi, sigma, nu = theta[CENTER], theta[ACCRUAL], theta[PHI], theta[SIGMA], theta[NU]
    exit_, drop, phi_stressed = theta[EXIT], theta[DROP], theta[PHI_STRESSED]
    sigma_stressed, depeg = theta[SIGMA_STRESSED], theta[DEPEG]
    log_scale = _log_scale(sigma, nu)
    log_stressed = -_LOG_SQRT_2PI - math.log(sigma_stressed)
    last = basis.size - 1
    before = basis[0] - (center - accrual * last)
    stressed = 0.5 if abs(gap[0]) >= depeg else 0.0
    contributions[0], predicted[0], filtered[0], entered[0], left[0] = 0.0, stressed, stressed, 0.0, 0.0
    total = 0.0
    for t in range(1, basis.size):
        now = basis[t] - (center - accrual * (last - t))
        outside = abs(gap[t]) >= depeg
        enters = entry_probability(theta[ENTRY], theta[SENSITIVITY], shock[t])
        entering = (1.0 - stressed) * enters
        staying = stressed * (1.0 - exit_)
        calm = (1.0 - stressed) * (1.0 - enters)
        leaving = stressed * exit_
        predicted[t] = entering + staying
        contributions[t] = 0.0
        if usable[t] and usable[t - 1]:
            z = (now - phi_stressed * before) / sigma_stressed
            pegged = _calm_density((now - phi * before) / sigma, nu, log_scale)
            staying *= math.exp(log_stressed - 0.5 * z * z)
            side = theta[DOWN] if gap[t] < 0.0 else 1.0 - theta[DOWN]
            entering *= side * math.exp((depeg - abs(gap[t])) / drop) / drop if outside else 0.0
            calm *= pegged
            leaving *= pegged
            density = max(calm + leaving + staying + entering, _NOTHING)
            contributions[t] = math.log(density)
            total += contributions[t]
        inside = calm + leaving if outside else calm + leaving + staying
        beyond = staying + entering if outside else 0.0
        stressed = beyond / max(inside + beyond, _NOTHING)
        filtered[t] = stressed
        entered[t] = entering / beyond if beyond > 0.0 else 0.0
        left[t] = (leaving if outside else leaving + staying) / max(inside, _NOTHING)
        before = now
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def peg_smoother(filtered, entered, left, smoothed, arrivals):  # type: ignore[no-untyped-def]
    """Probability of the stressed regime, and of entering it, given all rows (C.-J. Kim, J. of Econometrics 60, 1994).

    Parameters
    ----------
    filtered, entered, left : as in `peg_filter`. smoothed, arrivals : float64 (n,), overwritten.
    """
    n = filtered.size
    smoothed[n - 1] = filtered[n - 1]
    for t in range(n - 1, 0, -1):
        arrivals[t] = smoothed[t] * entered[t]
        smoothed[t - 1] = smoothed[t] - arrivals[t] + (1.0 - smoothed[t]) * left[t]
    arrivals[0] = 0.0
