"""Branch-free logarithm, exponential, sine and cosine that LLVM turns into vector code.

numba calls the scalar C library for `math.log` and `math.exp` unless Intel's SVML is installed, six times slower than
these. Only elementwise IEEE operations are used, nothing is reassociated, and a fused multiply-add is fused because
the source says `fma`, never because the compiler liked it: vector and scalar lanes give the same bits.

Polynomials of `log` and `sin_cos_turns`: fdlibm (Sun Microsystems 1993, `e_log.c`, `k_sin.c`, `k_cos.c`, freely
distributable). Errors are stated in units in the last place (ulp) and tested against extended precision.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from collatrisk.kernels.jit import njit

_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_INV_LN2 = 1.44269504088896338700
_TWO_PI = 6.28318530717958647692
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest whole number in the low bits
_ROUND_BITS = np.int64(0x4338000000000000)

_SQRT_HALF_BITS = np.int64(0x3FE6A09E00000000)
_ONE_BITS = np.int64(0x3FF0000000000000)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)


@intrinsic
def fma(typing_context, a, b, c):  # type: ignore[no-untyped-def]
    """a b + c with a single rounding: one instruction where the processor has it (else the C library).

    In float32 if all three are float32, in float64 otherwise: a kernel that reads float32 into float64 promotes.
    """
    number = types.float32 if a == b == c == types.float32 else types.float64
    signature = number(number, number, number)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fma(*arguments)

    return signature, generate


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a positive normal float64, within 1 ulp.

    x = 2**k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) from s = f / (2 + f) as in fdlibm.
    """
    shifted = np.float64(x).view(np.int64) + (_ONE_BITS - _SQRT_HALF_BITS)
    k = np.float64((shifted >> np.int64(52)) - np.int64(1023))
    f = np.int64((shifted & _MANTISSA) + _SQRT_HALF_BITS).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01)
    odd = fma(w, 1.479819860510658591e-01, 1.818357216161805012e-01)
    odd = fma(w, fma(w, odd, 2.857142874366239149e-01), 6.666666666666735130e-01)
    half_square = 0.5 * f * f
    return fma(k, _LN2_HI, -((half_square - fma(s, half_square + fma(z, odd, even), k * _LN2_LO)) - f))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def exp(x):  # type: ignore[no-untyped-def]
    """Exponential, within 1 ulp on [-708, 709]; beyond, the value at the nearer end, so never zero and never inf.

    x = k ln 2 + r with |r| <= ln(2) / 2; exp(r) by its Taylor series to degree 13 (remainder below 5e-18).
    """
    x = min(max(x, -708.0), 709.0)
    rounded = fma(x, _INV_LN2, _ROUND)
    k = rounded - _ROUND
    r = fma(-k, _LN2_LO, fma(-k, _LN2_HI, x))
    r2 = r * r
    r4 = r2 * r2
    low = fma(r2, fma(r, 8.3333333333333332e-03, 4.1666666666666664e-02), fma(r, 1.6666666666666666e-01, 0.5))
    middle = fma(r, 2.7557319223985893e-06, 2.4801587301587302e-05)
    middle = fma(r2, middle, fma(r, 1.9841269841269841e-04, 1.3888888888888889e-03))
    high = fma(r, 1.6059043836821613e-10, 2.0876756987868100e-09)
    high = fma(r2, high, fma(r, 2.5052108385441720e-08, 2.7557319223985888e-07))
    significand = 1.0 + fma(r2, fma(r4, fma(r4, high, middle), low), r)
    scale = (np.float64(rounded).view(np.int64) - _ROUND_BITS) << np.int64(52)
    return np.int64(np.float64(significand).view(np.int64) + scale).view(np.float64)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def sin_cos_turns(u):  # type: ignore[no-untyped-def]
    """(sin(2 pi u), cos(2 pi u)) for u in [0, 1], each within 2 ulp.

    u is a whole number of quarter turns plus r with |r| <= 1/8 turn; both are exact.
    """
    rounded = fma(4.0, u, _ROUND)
    quarters = rounded - _ROUND
    quadrant = np.float64(rounded).view(np.int64)  # modulo 4, in its low two bits
    x = fma(-0.25, quarters, u) * _TWO_PI
    z = x * x
    sin_tail = fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    sin_tail = fma(z, fma(z, sin_tail, 2.75573137070700676789e-06), -1.98412698298579493134e-04)
    sin_tail = fma(z, sin_tail, 8.33333333332248946124e-03)
    sine = fma(z * x, fma(z, sin_tail, -1.66666666666666324348e-01), x)
    square = z * z
    cos_tail = fma(z, -2.75573143513906633035e-07, 2.48015872894767294178e-05)
    cos_tail = fma(z, fma(z, cos_tail, -1.38888888888741095749e-03), 4.16666666666666019037e-02)
    cos_tail = z * fma(square * square, fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09), cos_tail)
    half = 0.5 * z
    head = 1.0 - half
    cosine = head + fma(z, cos_tail, (1.0 - head) - half)
    swap = (quadrant & np.int64(1)) != 0
    sin_turned = cosine if swap else sine
    cos_turned = sine if swap else cosine
    sin_sign = (quadrant & np.int64(2)) << np.int64(62)
    cos_sign = ((quadrant + np.int64(1)) & np.int64(2)) << np.int64(62)
    sin_bits = np.float64(sin_turned).view(np.int64) ^ sin_sign
    cos_bits = np.float64(cos_turned).view(np.int64) ^ cos_sign
    return np.int64(sin_bits).view(np.float64), np.int64(cos_bits).view(np.float64)
