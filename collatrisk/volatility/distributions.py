"""The laws of the standardised residual: mean 0, variance 1.

``dist`` is ``"normal"``, ``"t"`` (Student with `nu` degrees of freedom times ``sqrt((nu - 2) / nu)``), ``"ged"``
(`collatrisk.volatility.generalised_error`, with `nu` as its shape) or ``"skewt"`` (Hansen 1994, *Autoregressive
conditional density estimation*, International Economic Review 35(3), with `nu` and the skewness `lam` in (-1, 1);
arch's ``SkewStudent``, whose eta is our nu). `lam` = 0 is the t.

Every function takes ``(dist, values, nu, lam)``; the shapes that a law does not have are ignored. Values may be scalars
or arrays and the result is a float64 array of their shape. Shapes are scalars: nu > 2 for the t laws (for the t, inf is
the normal), nu > 0 for the GED.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from collatrisk.base.validation import Problems
from collatrisk.volatility import generalised_error
from collatrisk.volatility.spec_rules import DISTS

Array: TypeAlias = NDArray[np.float64]

_LOG_2PI = math.log(2.0 * math.pi)
# Below this probability scipy's stdtrit can overflow for small nu; the inverse of the beta law does not.
_DEEP_TAIL = 1e-30
_MANY = 1000  # values of a cdf that are worth a table


def check_law(dist: str, nu: float = math.inf, lam: float = 0.0) -> None:
    """Refuse an unknown law or a shape outside its range.

    Raises
    ------
    InputError : dist is not known, nu <= 2 (no variance), or lam is outside (-1, 1).
    """
    problems = Problems("law of the standardised residual")
    problems.choice("dist", dist, DISTS)
    if dist in {"t", "skewt"}:
        problems.check(nu > 2.0, "nu", nu, "must be above 2, or the variance is infinite", "use 2.05 or more")
    if dist == "ged":
        problems.check(0.0 < nu < math.inf, "nu", nu, "must be above 0 and finite", "2 is the normal law")
    if dist == "skewt":
        problems.check(nu < math.inf, "nu", nu, "must be finite for a skewed law", "use 500 for nearly normal tails")
        problems.check(-1.0 < lam < 1.0, "lambda", lam, "must be in (-1, 1)", "0 is no skewness")
    problems.raise_if_any()


def ppf(dist: str, u: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """The quantile: z with P(Z <= z) = u.

    Accurate to rounding for every u that a float64 can hold, down to 1e-300 on the left; on the right 1 - u is exact
    for u >= 0.5 but a float64 holds nothing between 1 - 1.1e-16 and 1: use `isf` there.

    Parameters
    ----------
    u : probabilities in [0, 1]; 0 gives -inf, 1 gives inf, outside gives nan.
    """
    u = np.asarray(u, dtype=np.float64)
    return _quantile(dist, u, 1.0 - u, nu, lam)


def isf(dist: str, s: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """The upper quantile: z with P(Z > z) = s, accurate down to s = 1e-300."""
    s = np.asarray(s, dtype=np.float64)
    return _quantile(dist, 1.0 - s, s, nu, lam)


def cdf(dist: str, z: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """P(Z <= z), accurate in relative terms far in the left tail."""
    check_law(dist, nu, lam)
    z = np.asarray(z, dtype=np.float64)
    if _is_normal(dist, nu):
        return np.asarray(special.ndtr(z), dtype=np.float64)
    if dist == "ged":
        return generalised_error.lower_tail(z, nu)
    scale = math.sqrt(nu / (nu - 2.0))
    if dist == "t":
        return _t_cdf(z * scale, nu)
    a, b, _ = _hansen(nu, lam)
    y = (a + b * z) * scale
    left = (1.0 - lam) * _t_cdf(np.minimum(y, 0.0) / (1.0 - lam), nu)
    right = (1.0 + lam) * _t_cdf(-np.maximum(y, 0.0) / (1.0 + lam), nu)
    return np.asarray(np.where(y < 0.0, left, 1.0 - right), dtype=np.float64)


def sf(dist: str, z: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """P(Z > z), accurate in relative terms far in the right tail."""
    # The mirror of Hansen's law is Hansen's law with -lam.
    return cdf(dist, -np.asarray(z, dtype=np.float64), nu, -lam)


def logpdf(dist: str, z: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """The logarithm of the density."""
    check_law(dist, nu, lam)
    z = np.asarray(z, dtype=np.float64)
    if _is_normal(dist, nu):
        return np.asarray(-0.5 * (_LOG_2PI + z * z), dtype=np.float64)
    if dist == "ged":
        return np.asarray(generalised_error.log_density(z, nu), dtype=np.float64)
    return np.asarray(log_density(z, nu, lam if dist == "skewt" else 0.0), dtype=np.float64)


def pdf(dist: str, z: ArrayLike, nu: float = math.inf, lam: float = 0.0) -> Array:
    """The density."""
    return np.asarray(np.exp(logpdf(dist, z, nu, lam)), dtype=np.float64)


def second_moment_below_zero(dist: str, nu: float = math.inf, lam: float = 0.0) -> float:
    """E[z^2 1(z < 0)], the weight of gamma in the persistence of a GJR model.

    1/2 for the symmetric laws. For Hansen's law the two pieces of the density are integrated up to z = 0 in closed
    form; with a negative skewness the value is above 1/2.
    """
    check_law(dist, nu, lam)
    if dist != "skewt" or lam == 0.0:
        return 0.5
    a, b, _ = _hansen(nu, lam)
    # z < 0 is y < a for y = a + b z, whose density is f(y / (1 - lam)) below 0 and f(y / (1 + lam)) above.
    low = 1.0 - lam
    total = _shifted_square(low, a, _t_moments(min(a, 0.0) / low, nu))
    if a > 0.0:
        high = 1.0 + lam
        upper, middle = _t_moments(a / high, nu), _t_moments(0.0, nu)
        total += _shifted_square(high, a, tuple(x - y for x, y in zip(upper, middle, strict=True)))
    return float(total / b**2)


def tail_mean(dist: str, p: float, nu: float = math.inf, lam: float = 0.0) -> float:
    """E[Z | Z <= q] with q the p-quantile, in closed form: minus the expected shortfall of a unit-variance return.

    Normal: ``-phi(q) / p``. GED: an incomplete gamma function. The unit-variance t has
    ``int_{-inf}^q z f = -f(q) (nu - 2 + q^2) / (nu - 1)``; Hansen's law is two halves of it, stretched and shifted.

    Parameters
    ----------
    p : probability in (0, 1).
    """
    check_law(dist, nu, lam)
    problems = Problems("tail_mean")
    problems.number("p", p, low=0, high=1, open_low=True, open_high=True, remedy="0.01 for the worst 1 %")
    problems.raise_if_any()
    quantile = float(ppf(dist, p, nu, lam))
    if _is_normal(dist, nu):
        return -math.exp(-0.5 * quantile**2) / (math.sqrt(2.0 * math.pi) * p)
    if dist == "ged":
        return generalised_error.mean_below(quantile, nu) / p
    lam = lam if dist == "skewt" else 0.0
    a, b, _ = (float(value) for value in _hansen(nu, lam))
    y = a + b * quantile
    side = 1.0 - lam if y < 0.0 else 1.0 + lam
    w = y / side
    beyond = side**2 * (nu - 2.0 + w * w) / (nu - 1.0) * math.exp(float(log_density(w, nu, 0.0)))
    # E[Y 1(Y <= y)]: from the left half alone, or from E[Y] = a less what lies above.
    below = -beyond if y < 0.0 else a - beyond
    return (below / p - a) / b


def log_density(z: Array | float, nu: Any, lam: Any) -> Any:
    """log f(z) of Hansen's law (lam = 0: the unit-variance t), also for complex nu and lam.

    Complex shapes make exact derivatives by a complex step, Im f(nu + i h) / h: there is no difference to cancel.
    """
    a, b, log_c = _hansen(nu, lam)
    y = a + b * z
    side = np.where(np.real(y) < 0.0, 1.0 - lam, 1.0 + lam)
    return np.log(b) + log_c - 0.5 * (nu + 1.0) * np.log1p((y / side) ** 2 / (nu - 2.0))


def log_density_slope(z: Array, nu: float, lam: float) -> Array:
    """d log f / dz of `log_density`."""
    a, b, _ = _hansen(nu, lam)
    y = a + b * z
    side = np.where(y < 0.0, 1.0 - lam, 1.0 + lam)
    return np.asarray(-(nu + 1.0) * b * y / (side**2 * (nu - 2.0) + y * y), dtype=np.float64)


def density_terms(dist: str, z: Array, nu: float, lam: float) -> tuple[Array, Array]:
    """log f and d log f / dz at each z, of any of the laws; shapes are not checked."""
    if _is_normal(dist, nu):
        return -0.5 * (_LOG_2PI + z * z), -z
    if dist == "ged":
        return np.asarray(generalised_error.log_density(z, nu), dtype=np.float64), generalised_error.slope(z, nu)
    return np.asarray(log_density(z, nu, lam), dtype=np.float64), log_density_slope(z, nu, lam)


def shape_slopes(dist: str, z: Array, nu: float, lam: float) -> tuple[Array, ...]:
    """d log f / d(shape) at each z, for the shapes that the law has: () | (nu,) | (nu, lambda)."""
    if dist == "normal":
        return ()
    if dist == "ged":
        return (np.imag(generalised_error.log_density(z, nu + 1e-20j)) / 1e-20,)
    if dist == "t":
        ratio = z * z / (nu - 2.0)
        constant = special.digamma((nu + 1.0) / 2.0) - special.digamma(nu / 2.0) - 1.0 / (nu - 2.0)
        return (0.5 * (constant - np.log1p(ratio) + (nu + 1.0) / (nu - 2.0) * ratio / (1.0 + ratio)),)
    step = 1e-20j
    along_nu = np.imag(log_density(z, nu + step, lam + 0j)) / 1e-20
    along_lam = np.imag(log_density(z, nu + 0j, lam + step)) / 1e-20
    return along_nu, along_lam


def _is_normal(dist: str, nu: float) -> bool:
    return dist == "normal" or (dist == "t" and math.isinf(nu))


def _hansen(nu: Any, lam: Any) -> tuple[Any, Any, Any]:
    """Hansen's constants a and b, and the log of c."""
    log_c = special.loggamma((nu + 1.0) / 2.0) - special.loggamma(nu / 2.0) - 0.5 * np.log(np.pi * (nu - 2.0))
    a = 4.0 * lam * np.exp(log_c) * (nu - 2.0) / (nu - 1.0)
    return a, np.sqrt(1.0 + 3.0 * lam**2 - a**2), log_c


def _quantile(dist: str, u: Array, s: Array, nu: float, lam: float) -> Array:
    """The quantile from both tail probabilities, u + s = 1; only the smaller one is read."""
    check_law(dist, nu, lam)
    if _is_normal(dist, nu):
        return np.where(u < s, special.ndtri(u), -special.ndtri(s)) + 0.0  # no -0.0 at the median
    if dist == "ged":
        return np.where(u < s, 1.0, -1.0) * generalised_error.lower_quantile(np.minimum(u, s), nu) + 0.0
    scale = math.sqrt((nu - 2.0) / nu)
    if dist == "t":
        return np.where(u < s, 1.0, -1.0) * scale * _t_quantile(np.minimum(u, s), nu) + 0.0
    a, b, _ = _hansen(nu, lam)
    below = u < (1.0 - lam) / 2.0
    left = (1.0 - lam) * _t_quantile(np.where(below, u, 0.0) / (1.0 - lam), nu)
    right = -(1.0 + lam) * _t_quantile(np.where(below, 0.0, s) / (1.0 + lam), nu)
    return np.asarray((scale * np.where(below, left, right) - a) / b, dtype=np.float64)


def _t_quantile(p: Array, nu: float) -> Array:
    """The quantile of Student's t for p <= 1/2 (rounding aside), with its natural variance."""
    p = np.asarray(p, dtype=np.float64)
    deep = p < _DEEP_TAIL
    x = np.asarray(special.stdtrit(nu, np.where(deep, 0.5, np.minimum(p, 0.5))), dtype=np.float64)
    if np.any(deep):
        # P(T < -t) = I_{nu / (nu + t^2)}(nu / 2, 1 / 2) / 2
        share = special.betaincinv(nu / 2.0, 0.5, 2.0 * np.where(deep, p, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(deep, -np.sqrt(nu * (1.0 - share) / share), x)
    return x


def _t_cdf(x: ArrayLike, nu: float) -> Array:
    """The cdf of Student's t; the incomplete beta law keeps its relative accuracy on the left."""
    x = np.asarray(x, dtype=np.float64)
    if x.size >= _MANY:
        from collatrisk.volatility.t_table import reaches, t_cdf_of_many

        if reaches(float(np.max(np.abs(x))), nu):
            return t_cdf_of_many(x, nu)
    found, far = np.empty(x.shape), x < -1.0
    found[~far] = special.stdtr(nu, x[~far])
    with np.errstate(over="ignore"):
        found[far] = 0.5 * special.betainc(nu / 2.0, 0.5, nu / (nu + x[far] * x[far]))
    return found


def _t_moments(t: float, nu: float) -> tuple[float, ...]:
    """The moments of order 0, 1, 2 of the unit-variance t up to t (integration by parts)."""
    mass = float(_t_cdf(t * math.sqrt(nu / (nu - 2.0)), nu))
    edge = (1.0 + t * t / (nu - 2.0)) * math.exp(float(log_density(t, nu, 0.0)))
    return mass, -edge * (nu - 2.0) / (nu - 1.0), mass - t * edge


def _shifted_square(scale: float, shift: float, moments: tuple[float, ...]) -> float:
    """The integral of (scale t - shift)^2 over the density f(y / scale) dy, y = scale t."""
    zeroth, first, second = moments
    return scale * (scale**2 * second - 2.0 * scale * shift * first + shift**2 * zeroth)
