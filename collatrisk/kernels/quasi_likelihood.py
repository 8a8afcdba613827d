"""Value and exact gradient of the quasi-likelihood of GARCH(1,1) and GJR(1,1,1), in three passes over the data.

The model: ``h_t = omega + w(e_{t-1}) e_{t-1}^2 + beta h_{t-1}`` with e = r - mu, w = `up` for e >= 0 (alpha) and `down`
for e < 0 (alpha + gamma). Before the sample e^2 = h = b, weighted by the mean of `up` and `down`.

A linear recursion is sequential, but it splits: the series is cut into `LANES` stretches that run side by side, each
from zero, and what a stretch inherits from the one before decays as a known power of beta and is added afterwards.
The gradient comes from the adjoint recursion ``l_t = dlogf_t/dh_t + beta l_{t+1}``, which splits in the same way:

1. forward: h of every stretch from zero; then what each inherits;
2. backward: h complete, the density and its slopes, the adjoint of every stretch from zero; then what each inherits;
3. the adjoint complete, times what each parameter does to h.

Sums of logarithms are logarithms of products of 16 numbers. Columns of the work arrays are stretches: rows are read a
few at a time and the innermost loop, over the columns, becomes vector code. No fused operations, no reassociation.
"""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import log

LANES = 32
_GROUP = 4
NORMAL, STUDENT, SKEWED = 0, 1, 2

# Where each sum over the rows begins in `sums`, one number a stretch. One flat array with known distances: LLVM then
# sees that they do not overlap. The second meaning is that of `_gather`.
_INHERITED, _STATE, _PRODUCT, _TAILS, _LOG_H, _LOG_TAILS, _RATIO, _SHARE, _ONE, _ALONG, _BESIDE = (
    k * LANES for k in range(11)
)
_OVER, _ABOVE, _BELOW, _PAST, _MEAN = _STATE, _RATIO, _SHARE, _ONE, _ALONG
SUMS = 11 * LANES

_LOG_2PI = math.log(2.0 * math.pi)
_LOG_PI = math.log(math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def work_rows(n):  # type: ignore[no-untyped-def]
    """Rows of the work arrays for n returns: enough for `LANES` stretches, a multiple of four."""
    rows = (n + LANES - 1) // LANES
    return (rows + _GROUP - 1) // _GROUP * _GROUP


@njit(cache=True, nogil=True, error_model="numpy")
def fill_work(returns, scale, work):  # type: ignore[no-untyped-def]
    """Lay returns / scale out in stretches.

    work : (5, rows + 1, LANES); [0] the returns, [1] each one's predecessor, [2] 1 where there is a return and 0 behind
    the last, [3] the variances (row 0: what came before the stretch), [4] the adjoint. [0], [1], [2], [4] leave the
    last row unused.
    """
    n = returns.size
    rows = work.shape[1] - 1
    values, lagged, here = work[0], work[1], work[2]
    before = 0.0
    for lane in range(LANES):
        first = min(lane * rows, n)
        held = min(rows, n - first)
        for row in range(held):
            value = returns[first + row] / scale
            values[row, lane] = value
            lagged[row, lane] = before
            here[row, lane] = 1.0
            before = value
        for row in range(held, rows):
            values[row, lane] = lagged[row, lane] = here[row, lane] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(work, sums, powers, order, theta, dist, n, presample, presample_slope, slopes):  # type: ignore[no-untyped-def]
    """The log-likelihood at `theta`, its gradient into `slopes`.

    Parameters
    ----------
    work : from `fill_work`; [3] holds the variances afterwards.
    sums : (SUMS,) and powers : (rows + 1,), overwritten; order : (rows,) int64, rows - 1 down to 0.
    theta : (7,) mu, omega > 0, up >= 0, down >= 0, beta >= 0, nu > 2, lambda in (-1, 1); the last two where `dist`
        has them.
    dist : 0 normal, 1 Student t, 2 Hansen's skewed t, all with unit variance.
    n : how many returns.
    presample, presample_slope : b and db/dmu.
    slopes : (7,) overwritten.
    """
    mu, omega, up, down, beta, nu, lam = theta[0], theta[1], theta[2], theta[3], theta[4], theta[5], theta[6]
    rows = work.shape[1] - 1
    powers[0] = 1.0
    for i in range(rows):
        powers[i + 1] = powers[i] * beta
    variances = work[3]
    weight = 0.5 * (up + down) + beta
    work[1, 0, 0] = mu  # no residual before the sample: `presample` stands for it
    _forward(work[1], variances, sums, mu, omega, up, down, beta)
    # What each stretch inherits: beta times the last variance of the one before it.
    before = presample
    own = weight * presample
    for j in range(LANES):
        sums[_INHERITED + j] = own
        variances[0, j] = before
        before = variances[rows, j] + powers[rows - 1] * own
        own = beta * before
    slopes[:] = 0.0
    if dist == NORMAL:
        value = _normal(work, sums, powers, mu, beta, n, slopes)
    elif dist == STUDENT:
        value = _student(work, sums, powers, mu, beta, nu, n, slopes)
    else:
        value = _skewed(work, sums, powers, order, mu, beta, nu, lam, n, slopes)
    own = 0.0
    for back in range(LANES):
        j = LANES - 1 - back
        sums[_INHERITED + j] = own
        own = beta * (work[4, 0, j] + powers[rows - 1] * own)
    first = work[4, 0, 0] + powers[rows - 1] * sums[_INHERITED]
    _gather(work, sums, powers, mu, up, down, slopes)
    slopes[0] += first * weight * presample_slope
    slopes[2] += 0.5 * first * presample
    slopes[3] += 0.5 * first * presample
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(lagged, variances, sums, mu, omega, up, down, beta):  # type: ignore[no-untyped-def]
    for j in range(LANES):
        sums[_STATE + j] = 0.0
    for start in range(0, lagged.shape[0] - 1, _GROUP):
        x0, x1, x2, x3 = lagged[start], lagged[start + 1], lagged[start + 2], lagged[start + 3]
        h0, h1, h2, h3 = variances[start + 1], variances[start + 2], variances[start + 3], variances[start + 4]
        for j in range(LANES):
            e0, e1, e2, e3 = x0[j] - mu, x1[j] - mu, x2[j] - mu, x3[j] - mu
            y0 = (omega + (up if e0 >= 0.0 else down) * (e0 * e0)) + beta * sums[_STATE + j]
            y1 = (omega + (up if e1 >= 0.0 else down) * (e1 * e1)) + beta * y0
            y2 = (omega + (up if e2 >= 0.0 else down) * (e2 * e2)) + beta * y1
            y3 = (omega + (up if e3 >= 0.0 else down) * (e3 * e3)) + beta * y2
            h0[j], h1[j], h2[j], h3[j] = y0, y1, y2, y3
            sums[_STATE + j] = y3


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(work, sums, powers, mu, up, down, slopes):  # type: ignore[no-untyped-def]
    rows = work.shape[1] - 1
    lagged, variances, adjoint = work[1], work[3], work[4]
    for j in range(LANES):
        sums[_OVER + j] = sums[_ABOVE + j] = sums[_BELOW + j] = sums[_PAST + j] = sums[_MEAN + j] = 0.0
    for start in range(0, rows, 2):
        x0, x1 = lagged[start], lagged[start + 1]
        h0, h1 = variances[start], variances[start + 1]
        a0, a1 = adjoint[start], adjoint[start + 1]
        p0, p1 = powers[rows - 1 - start], powers[rows - 2 - start]
        for j in range(LANES):
            l0, l1 = a0[j] + p0 * sums[_INHERITED + j], a1[j] + p1 * sums[_INHERITED + j]
            e0, e1 = x0[j] - mu, x1[j] - mu
            le0, le1 = l0 * e0, l1 * e1
            s0, s1 = le0 * e0, le1 * e1
            sums[_OVER + j] += l0 + l1
            sums[_ABOVE + j] += (s0 if e0 >= 0.0 else 0.0) + (s1 if e1 >= 0.0 else 0.0)
            sums[_BELOW + j] += (0.0 if e0 >= 0.0 else s0) + (0.0 if e1 >= 0.0 else s1)
            sums[_PAST + j] += l0 * h0[j] + l1 * h1[j]
            sums[_MEAN + j] += (up if e0 >= 0.0 else down) * le0 + (up if e1 >= 0.0 else down) * le1
    slopes[0] -= 2.0 * _total(sums, _MEAN)
    slopes[1] += _total(sums, _OVER)
    slopes[2] += _total(sums, _ABOVE)
    slopes[3] += _total(sums, _BELOW)
    slopes[4] += _total(sums, _PAST)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _total(sums, which):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(LANES):
        total += sums[which + j]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _clear(sums):  # type: ignore[no-untyped-def]
    """Sums to 0 and products to 1; what is inherited stays."""
    for k in range(LANES, SUMS):
        sums[k] = 0.0
    for j in range(LANES):
        sums[_PRODUCT + j] = 1.0
        sums[_TAILS + j] = 1.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _take_logs(sums, products, logs):  # type: ignore[no-untyped-def]
    for j in range(LANES):
        sums[logs + j] += log(sums[products + j])
        sums[products + j] = 1.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _normal_terms(h, e, m):  # type: ignore[no-untyped-def]
    """(dlogf/dh, -dlogf/de, z^2), each 0 where m is."""
    d = m / h
    ed = e * d
    square = e * ed
    return 0.5 * d * (square - 1.0), ed, square


@njit(cache=True, nogil=True, error_model="numpy")
def _normal(work, sums, powers, mu, beta, n, slopes):  # type: ignore[no-untyped-def]
    rows = work.shape[1] - 1
    values, here, variances, adjoint = work[0], work[2], work[3], work[4]
    _clear(sums)
    for start in range(rows - 2, -1, -2):
        x0, x1, m0, m1 = values[start], values[start + 1], here[start], here[start + 1]
        v0, v1, a0, a1 = variances[start + 1], variances[start + 2], adjoint[start], adjoint[start + 1]
        p0, p1 = powers[start], powers[start + 1]
        for j in range(LANES):
            h1 = v1[j] + p1 * sums[_INHERITED + j]
            h0 = v0[j] + p0 * sums[_INHERITED + j]
            v0[j], v1[j] = h0, h1
            g1, d1, q1 = _normal_terms(h1, x1[j] - mu, m1[j])
            g0, d0, q0 = _normal_terms(h0, x0[j] - mu, m0[j])
            l1 = g1 + beta * sums[_STATE + j]
            l0 = g0 + beta * l1
            a0[j], a1[j], sums[_STATE + j] = l0, l1, l0
            sums[_RATIO + j] += d0 + d1
            sums[_SHARE + j] += q0 + q1
            sums[_PRODUCT + j] *= (h0 if m0[j] > 0.0 else 1.0) * (h1 if m1[j] > 0.0 else 1.0)
        if start % 16 == 0:
            _take_logs(sums, _PRODUCT, _LOG_H)
    slopes[0] += _total(sums, _RATIO)
    return -0.5 * (n * _LOG_2PI + _total(sums, _LOG_H) + _total(sums, _SHARE))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _student_terms(h, e, m, k, nu):  # type: ignore[no-untyped-def]
    """(dlogf/dh, e / (h + q), q / (h + q)) with q = k e^2, each 0 where m is; and 1 + q / h there."""
    q = k * (e * e)
    s = h + q
    d = m / (h * s)
    hd = h * d
    return 0.5 * d * (nu * q - h), e * hd, q * hd, s * (s * d)


@njit(cache=True, nogil=True, error_model="numpy")
def _student(work, sums, powers, mu, beta, nu, n, slopes):  # type: ignore[no-untyped-def]
    rows = work.shape[1] - 1
    values, here, variances, adjoint = work[0], work[2], work[3], work[4]
    k = 1.0 / (nu - 2.0)
    _clear(sums)
    for start in range(rows - 2, -1, -2):
        x0, x1, m0, m1 = values[start], values[start + 1], here[start], here[start + 1]
        v0, v1, a0, a1 = variances[start + 1], variances[start + 2], adjoint[start], adjoint[start + 1]
        p0, p1 = powers[start], powers[start + 1]
        for j in range(LANES):
            h1 = v1[j] + p1 * sums[_INHERITED + j]
            h0 = v0[j] + p0 * sums[_INHERITED + j]
            v0[j], v1[j] = h0, h1
            g1, d1, q1, r1 = _student_terms(h1, x1[j] - mu, m1[j], k, nu)
            g0, d0, q0, r0 = _student_terms(h0, x0[j] - mu, m0[j], k, nu)
            l1 = g1 + beta * sums[_STATE + j]
            l0 = g0 + beta * l1
            a0[j], a1[j], sums[_STATE + j] = l0, l1, l0
            sums[_RATIO + j] += d0 + d1
            sums[_SHARE + j] += q0 + q1
            sums[_PRODUCT + j] *= (h0 if m0[j] > 0.0 else 1.0) * (h1 if m1[j] > 0.0 else 1.0)
            sums[_TAILS + j] *= (r0 if m0[j] > 0.0 else 1.0) * (r1 if m1[j] > 0.0 else 1.0)
        if start % 16 == 0:
            _take_logs(sums, _PRODUCT, _LOG_H)
            _take_logs(sums, _TAILS, _LOG_TAILS)
    far = _total(sums, _LOG_TAILS)
    log_c, slope_c = _constant(nu)
    slopes[0] += (nu + 1.0) * k * _total(sums, _RATIO)
    slopes[5] = n * slope_c - 0.5 * far + 0.5 * (nu + 1.0) * k * _total(sums, _SHARE)
    return n * log_c - 0.5 * _total(sums, _LOG_H) - 0.5 * (nu + 1.0) * far


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _skewed_terms(h, e, m, a, b, lam, width):  # type: ignore[no-untyped-def]
    """(u, u z, u y / side, y^2 / s, 1 + r, slope of h, slope of e), where m is; Hansen's y = a + b z.

    side = 1 -+ lam, s = side^2 (nu - 2) + y^2, u = y / s (times -(nu + 1): dlogf/dy), 1 + r = s / (side^2 (nu - 2)).
    """
    inverse = 1.0 / math.sqrt(h)
    z = e * inverse
    y = a + b * z
    sign = -1.0 if y < 0.0 else 1.0
    side = 1.0 + sign * lam
    low = (side * side) * width
    s = low + y * y
    d = 1.0 / (low * s)
    u = m * (y * (low * d))
    uz = u * z
    return u, uz, sign * (u * y) * (side * (s * d) * width), u * y, s * (s * d), inverse * inverse, u * inverse


@njit(cache=True, nogil=True, error_model="numpy")
def _skewed(work, sums, powers, order, mu, beta, nu, lam, n, slopes):  # type: ignore[no-untyped-def]
    rows = work.shape[1] - 1
    values, here, variances, adjoint = work[0], work[2], work[3], work[4]
    log_c, slope_c = _constant(nu)
    c = math.exp(log_c)
    a = 4.0 * lam * c * (nu - 2.0) / (nu - 1.0)
    b = math.sqrt(1.0 + 3.0 * lam * lam - a * a)
    factor = (nu + 1.0) * b
    _clear(sums)
    for back in range(rows):
        # Read from an array: of a plain descending loop LLVM asks whether the rows overlap once for all of them, gets
        # it wrong, and falls back to scalar code that takes four times as long.
        start = order[back]
        x0, m0, v0, a0 = values[start], here[start], variances[start + 1], adjoint[start]
        p0 = powers[start]
        for j in range(LANES):
            m = m0[j]
            h0 = v0[j] + p0 * sums[_INHERITED + j]
            u, uz, us, q, r, i, ui = _skewed_terms(h0, x0[j] - mu, m, a, b, lam, nu - 2.0)
            l0 = 0.5 * i * (factor * uz - m) + beta * sums[_STATE + j]
            v0[j] = h0
            a0[j] = l0
            sums[_STATE + j] = l0
            sums[_RATIO + j] += ui
            sums[_SHARE + j] += q
            sums[_ONE + j] += u
            sums[_ALONG + j] += uz
            sums[_BESIDE + j] += us
            sums[_PRODUCT + j] *= h0 if m > 0.0 else 1.0
            sums[_TAILS + j] *= r if m > 0.0 else 1.0
        if start % 16 == 0:
            _take_logs(sums, _PRODUCT, _LOG_H)
            _take_logs(sums, _TAILS, _LOG_TAILS)
    far = _total(sums, _LOG_TAILS)
    a_nu = a * (slope_c + 1.0 / (nu - 2.0) - 1.0 / (nu - 1.0))
    a_lam = 4.0 * c * (nu - 2.0) / (nu - 1.0)
    b_nu, b_lam = -a * a_nu / b, (3.0 * lam - a * a_lam) / b
    ones, zs = _total(sums, _ONE), _total(sums, _ALONG)
    slopes[0] += factor * _total(sums, _RATIO)
    within = 0.5 * (nu + 1.0) / (nu - 2.0) * _total(sums, _SHARE)
    slopes[5] = n * (slope_c + b_nu / b) - (nu + 1.0) * (a_nu * ones + b_nu * zs) - 0.5 * far + within
    slopes[6] = n * b_lam / b - (nu + 1.0) * (a_lam * ones + b_lam * zs) + (nu + 1.0) * _total(sums, _BESIDE)
    return n * (log_c + math.log(b)) - 0.5 * _total(sums, _LOG_H) - 0.5 * (nu + 1.0) * far


@njit(cache=True, nogil=True, error_model="numpy")
def _constant(nu):  # type: ignore[no-untyped-def]
    """log of G((nu + 1) / 2) / (G(nu / 2) sqrt(pi (nu - 2))), and its slope in nu.

    log G(x + 1/2) - log G(x) by its asymptotic series, after x is raised above 12 by G(x + 1) = x G(x): two large
    logarithms of G need not cancel.
    """
    x = 0.5 * nu
    value = slope = 0.0
    while x < 12.0:
        value += math.log(x / (x + 0.5))
        slope += 1.0 / x - 1.0 / (x + 0.5)
        x += 1.0
    w = 1.0 / x
    w2 = w * w
    tail = 31.0 / 18432.0 - w2 * (691.0 / 180224.0)
    tail = 1.0 / 192.0 - w2 * (1.0 / 640.0 - w2 * (17.0 / 14336.0 - w2 * tail))
    value += 0.5 * math.log(x) - w * (1.0 / 8.0 - w2 * tail)
    tail = 279.0 / 18432.0 - w2 * (7601.0 / 180224.0)
    tail = 3.0 / 192.0 - w2 * (5.0 / 640.0 - w2 * (119.0 / 14336.0 - w2 * tail))
    slope += 0.5 * w + w2 * (1.0 / 8.0 - w2 * tail)
    return value - 0.5 * (_LOG_PI + math.log(nu - 2.0)), 0.5 * slope - 0.5 / (nu - 2.0)
