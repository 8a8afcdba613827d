"""Black's (1976) formula, its derivatives and its inverse, in plain loops that LLVM turns into vector code.

With x = ln(F / K) / s, s = sigma sqrt(T), d1 = x + s / 2, d2 = x - s / 2 and the Mills ratio R(z) = N(-z) / n(z) of
z >= 0, both F N(d1) and K N(d2) come from one exponential, because F n(d1) = K n(d2) = e, say. The value of a call is
A - B with A = e R(|d1|) where d1 < 0 and F - e R(|d1|) elsewhere, B likewise from K and d2. Far out of the money both
are small, and nothing large is subtracted.

F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976) 167-179.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import exp, fma

CHUNK = 1024
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_SQRT_HALF = 0.7071067811865476
_INV_SQRT_TWO_PI = 0.3989422804014327
_ONE_BITS = np.int64(0x3FF0000000000000)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_FARTHEST = 40.0  # n(40) is 1e-348: beyond, every tail is zero
_LEAST = 1e-300  # what is below counts as zero: logarithms need normal numbers
_MOST = 1e300


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def log_ratio(a, b):  # type: ignore[no-untyped-def]
    """ln(a / b) of positive normal numbers, within 2 ulp, with a single division.

    a / b = 2**k (1 + s) / (1 - s) with |s| <= 0.172; the series of 2 artanh(s) as fdlibm's `e_log.c` has it.
    """
    bits_a, bits_b = np.float64(a).view(np.int64), np.float64(b).view(np.int64)
    k = np.float64((bits_a >> np.int64(52)) - (bits_b >> np.int64(52)))
    m = np.int64((bits_a & _MANTISSA) | _ONE_BITS).view(np.float64)
    n = np.int64((bits_b & _MANTISSA) | _ONE_BITS).view(np.float64)
    small, large = m < _SQRT_HALF * n, n < _SQRT_HALF * m
    k = k + (1.0 if large else 0.0) - (1.0 if small else 0.0)
    m = 0.5 * m if large else m
    n = 0.5 * n if small else n
    s = (m - n) / (m + n)
    z = s * s
    w = z * z
    even = w * fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01)
    odd = fma(w, 1.479819860510658591e-01, 1.818357216161805012e-01)
    odd = z * fma(w, fma(w, odd, 2.857142874366239149e-01), 6.666666666666735130e-01)
    return fma(k, _LN2_HI, fma(k, _LN2_LO, fma(s, even + odd, 2.0 * s)))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _mills(t):  # type: ignore[no-untyped-def]
    """R(z) from t = 1 / (4 + z), z in [0, 40], within 3e-13 of itself: 4 t times a polynomial in 8.8 t - 1.2.

    The polynomial interpolates R / (4 t) in Chebyshev points (our own fit, degree 16).
    """
    u = fma(8.8, t, -1.2)
    w = u * u
    even = fma(w, 2.307275849418922e-08, -2.2252006255009279e-07)
    odd = fma(w, -5.974106767466413e-08, 7.613863115526117e-07)
    even = fma(w, even, 1.3243900761211763e-06)
    odd = fma(w, odd, -6.736747648385469e-06)
    even = fma(w, even, -8.527910786857274e-06)
    odd = fma(w, odd, 5.6800365597904745e-05)
    even = fma(w, even, 9.278238763563553e-05)
    odd = fma(w, odd, -0.0004714362916725899)
    even = fma(w, even, -0.0015819455803706593)
    odd = fma(w, odd, 0.002088218358243823)
    even = fma(w, even, 0.027114977305069114)
    odd = fma(w, odd, 0.09842483874653975)
    even = fma(w, even, 0.22842154860156888)
    odd = fma(w, odd, 0.38915045944987237)
    even = fma(w, even, 0.5100313320432824)
    return 4.0 * t * fma(u, odd, even)


@njit(cache=True, nogil=True, error_model="numpy")
def black_prices(forward, strike, volatility, years, rate, sign, out):  # type: ignore[no-untyped-def]
    """Values of options on a forward: exp(-rate T) sign (F N(sign d1) - K N(sign d2)).

    Parameters
    ----------
    forward, strike, volatility, years, rate, sign : float64 (n,) or (1,), the last for all options; sign 1 for a call
        and -1 for a put.
    out : float64 (n,), overwritten.

    Returns
    -------
    How many options have a number that is NaN, infinite, or negative (the rate may be negative); their values mean
    nothing.
    """
    filled = _fill(forward, strike, volatility, years, rate, sign)
    work = np.empty((6, CHUNK))
    discounted = rate.size > 1 or rate[0] != 0.0
    bad = 0
    for low in range(0, out.size, CHUNK):
        part = out[low : low + CHUNK]
        size = part.size
        f, k = _chunk(forward, low, size, filled[0]), _chunk(strike, low, size, filled[1])
        v, t = _chunk(volatility, low, size, filled[2]), _chunk(years, low, size, filled[3])
        r, s = _chunk(rate, low, size, filled[4]), _chunk(sign, low, size, filled[5])
        total, d1, d2 = work[0, :size], work[1, :size], work[2, :size]
        density, t1, t2 = work[3, :size], work[4, :size], work[5, :size]
        bad += _find_d(f, k, v, t, r, total, d1, d2)
        _find_density(f, d1, d2, density, t1, t2)
        _find_value(f, k, s, total, d1, d2, density, t1, t2, part)
        if discounted:
            _discount(r, t, part)
    return bad


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(forward, strike, volatility, years, rate, sign):  # type: ignore[no-untyped-def]
    """A row for each input: a chunk full of its value where one serves all (and of its first where there are more)."""
    filled = np.empty((6, CHUNK))
    if min(forward.size, strike.size, volatility.size, years.size, rate.size, sign.size) == 0:
        return filled
    filled[0, :], filled[1, :] = forward[0], strike[0]
    filled[2, :], filled[3, :] = volatility[0], years[0]
    filled[4, :], filled[5, :] = rate[0], sign[0]
    return filled


@njit(cache=True, nogil=True, error_model="numpy")
def _chunk(values, low, size, filled):  # type: ignore[no-untyped-def]
    """`size` values from `low` on; where one value serves all, that many of it."""
    return values[low : low + size] if values.size > 1 else filled[:size]


@njit(cache=True, nogil=True, error_model="numpy")
def _find_d(forward, strike, volatility, years, rate, total, d1, d2):  # type: ignore[no-untyped-def]
    """s, d1 and d2; an s of 0 where nothing moves or nothing can be paid. Returns how many inputs are bad."""
    bad = 0
    for i in range(d1.size):
        f, k, v, t = forward[i], strike[i], volatility[i], years[i]
        every = f + k + v + t + rate[i]
        # A number less itself is zero unless it is NaN or infinite.
        bad += 0 if (min(min(f, k), min(v, t)) >= 0.0) & (every - every == 0.0) else 1
        s = v * math.sqrt(t)
        usable = (f >= _LEAST) & (k >= _LEAST) & (s >= _LEAST)
        x = log_ratio(f if usable else 1.0, k if usable else 1.0) / (s if usable else 1.0)
        total[i] = s if usable else 0.0
        d1[i], d2[i] = fma(0.5, s, x), fma(-0.5, s, x)
    return bad


@njit(cache=True, nogil=True, error_model="numpy")
def _find_density(forward, d1, d2, density, t1, t2):  # type: ignore[no-untyped-def]
    for i in range(d1.size):
        z1, z2 = 4.0 + min(abs(d1[i]), _FARTHEST), 4.0 + min(abs(d2[i]), _FARTHEST)
        both = 1.0 / (z1 * z2)
        t1[i], t2[i] = z2 * both, z1 * both
        density[i] = _INV_SQRT_TWO_PI * forward[i] * exp(-0.5 * d1[i] * d1[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _find_value(forward, strike, sign, total, d1, d2, density, t1, t2, out):  # type: ignore[no-untyped-def]
    """sign (F N(sign d1) - K N(sign d2)), or what is paid at once where nothing can move any more."""
    for i in range(out.size):
        f, k, theta = forward[i], strike[i], sign[i]
        tail1, tail2 = density[i] * _mills(t1[i]), density[i] * _mills(t2[i])
        first = f - tail1 if theta * d1[i] >= 0.0 else tail1
        second = k - tail2 if theta * d2[i] >= 0.0 else tail2
        value = first - second if total[i] > 0.0 else f - k
        out[i] = max(theta * value, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _discount(rate, years, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] *= exp(-rate[i] * years[i])


PRICE, DELTA, GAMMA, VEGA, THETA, N_GREEKS = range(6)


@njit(cache=True, nogil=True, error_model="numpy")
def black_derivatives(forward, strike, volatility, years, rate, sign, out):  # type: ignore[no-untyped-def]
    """Values and their derivatives; parameters as `black_prices`, but out : float64 (N_GREEKS, n).

    DELTA is to the forward, GAMMA its derivative, VEGA to the volatility, THETA to calendar time (less to T), a year.
    Where nothing moves (s = 0): the delta of what is paid at once, a half at F = K, and no gamma and no vega.
    """
    filled = _fill(forward, strike, volatility, years, rate, sign)
    work = np.empty((6, CHUNK))
    bad = 0
    for low in range(0, out.shape[1], CHUNK):
        size = min(CHUNK, out.shape[1] - low)
        value, delta = out[PRICE][low : low + size], out[DELTA][low : low + size]
        gamma, vega = out[GAMMA][low : low + size], out[VEGA][low : low + size]
        theta = out[THETA][low : low + size]
        f, k = _chunk(forward, low, size, filled[0]), _chunk(strike, low, size, filled[1])
        v, t = _chunk(volatility, low, size, filled[2]), _chunk(years, low, size, filled[3])
        r, s = _chunk(rate, low, size, filled[4]), _chunk(sign, low, size, filled[5])
        total, d1, d2 = work[0, :size], work[1, :size], work[2, :size]
        density, t1, t2 = work[3, :size], work[4, :size], work[5, :size]
        bad += _find_d(f, k, v, t, r, total, d1, d2)
        _find_density(f, d1, d2, density, t1, t2)
        _find_value(f, k, s, total, d1, d2, density, t1, t2, value)
        _find_shares(f, k, s, total, d1, density, t1, d2)
        _find_derivatives(f, v, t, r, s, total, density, d2, value, delta, gamma, vega, theta)
    return bad


@njit(cache=True, nogil=True, error_model="numpy")
def _find_shares(forward, strike, sign, total, d1, density, t1, shares):  # type: ignore[no-untyped-def]
    """N(sign d1), or the delta of what is paid at once."""
    for i in range(shares.size):
        f, theta = forward[i], sign[i]
        moves = total[i] > 0.0
        tail = density[i] / (f if moves else 1.0) * _mills(t1[i])
        share = 1.0 - tail if theta * d1[i] >= 0.0 else tail
        payoff = theta * (f - strike[i])
        at_once = (0.5 if payoff >= 0.0 else 0.0) + (0.5 if payoff > 0.0 else 0.0)
        shares[i] = share if moves else at_once


@njit(cache=True, nogil=True, error_model="numpy")
def _find_derivatives(  # type: ignore[no-untyped-def]
    forward, volatility, years, rate, sign, total, density, shares, value, delta, gamma, vega, theta
):
    """Discounted, from the undiscounted value."""
    for i in range(value.size):
        f, s, r, t = forward[i], total[i], rate[i], years[i]
        moves = s > 0.0
        discount = exp(-r * t)
        root = math.sqrt(t)
        dense = discount * density[i] if moves else 0.0
        value[i] *= discount
        delta[i] = sign[i] * discount * shares[i]
        gamma[i] = dense / (f * f * s if moves else 1.0)
        vega[i] = dense * root
        theta[i] = r * value[i] - 0.5 * dense * volatility[i] / (root if moves else 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def implied_volatilities(price, forward, strike, years, rate, sign, out):  # type: ignore[no-untyped-def]
    """The volatility at which an option has its price: nan where none has, 0 where the price is what is paid at once.

    Parameters
    ----------
    price : float64 (n,) or (1,); the others as in `black_prices`. out : float64 (n,), overwritten.

    Notes
    -----
    An option in the money has the volatility of the one out of the money, which costs less by what is paid at once:
    that one is solved, in units of sqrt(F K), by Halley's method on the logarithm of its price (of what is missing to
    the highest price, where that is nearer), inside a bracket that every step narrows.
    """
    for i in range(out.size):
        p = price[i if price.size > 1 else 0]
        f, k = forward[i if forward.size > 1 else 0], strike[i if strike.size > 1 else 0]
        t, r = years[i if years.size > 1 else 0], rate[i if rate.size > 1 else 0]
        theta = sign[i if sign.size > 1 else 0]
        out[i] = np.nan
        if not (p >= 0.0 and _LEAST <= f <= _MOST and _LEAST <= k <= _MOST and 0.0 < t <= _MOST and abs(r * t) < 700.0):
            continue
        at_once = max(theta * (f - k), 0.0)
        left = p * math.exp(r * t) - at_once
        slack = 4.0 * _ULP * (at_once + left)  # prices in the money are rounded where their time value is read
        if abs(left) <= (slack if at_once > 0.0 else 0.0):
            out[i] = 0.0
        elif 0.0 < left < min(f, k):
            out[i] = _solve(left / math.sqrt(f) / math.sqrt(k), -abs(math.log(f / k))) / math.sqrt(t)


_ULP = 2.0**-52
_HIGHEST_TOTAL = 100.0
_CLOSE = 1e-7  # Halley's steps shrink with the third power: the next would be below the last bit


@njit(cache=True, nogil=True, error_model="numpy")
def _scaled(x, s):  # type: ignore[no-untyped-def]
    """The call out of the money in units of sqrt(F K), ln(F / K) = x <= 0, and its derivative to s."""
    d1, d2 = x / s + 0.5 * s, x / s - 0.5 * s
    high, low = math.exp(0.5 * x), math.exp(-0.5 * x)
    value = 0.5 * (high * math.erfc(-d1 * _SQRT_HALF) - low * math.erfc(-d2 * _SQRT_HALF))
    return value, _INV_SQRT_TWO_PI * high * math.exp(-0.5 * d1 * d1)


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(target, x):  # type: ignore[no-untyped-def]
    """s with `_scaled(x, s)` = target, in (0, exp(x / 2)); nan where it is beyond any volatility."""
    most = math.exp(0.5 * x)
    low, high = 0.0, _HIGHEST_TOTAL
    near_top = target > 0.5 * most
    s = math.sqrt(-2.0 * x) if x < 0.0 else target / _INV_SQRT_TWO_PI
    s = min(max(s, 1e-8), 10.0)
    for round_ in range(200):
        value, slope = _scaled(x, s)
        if value < target:
            low = s
        else:
            high = s
        following = _halley(value, slope, target, most, x, s, near_top)
        if abs(following - s) <= _CLOSE * s:
            return following if following < 0.99 * _HIGHEST_TOTAL else np.nan
        # No leap beyond a factor of four, and the bracket halved now and then: both ends of s are nearly flat.
        following = min(max(following, 0.25 * s), 4.0 * s)
        if not low < following < high or round_ % 8 == 7:
            following = 0.5 * (low + high)
        if high - low <= 2.0 * _ULP * high:
            return following if high < _HIGHEST_TOTAL else np.nan
        s = following
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def _halley(value, slope, target, most, x, s, near_top):  # type: ignore[no-untyped-def]
    """The next s; nan where the functions tell nothing."""
    bend = x * x / (s * s * s) - 0.25 * s  # the second derivative over the first
    left = most - value if near_top else value
    if not (slope > 0.0 and left > 0.0):
        return np.nan
    error = math.log((most - target) / left) if near_top else math.log(value / target)
    first = slope / left
    second = first * bend + (first * first if near_top else -first * first)
    newton = error / first
    return s - newton / (1.0 - 0.5 * newton * second / first)
