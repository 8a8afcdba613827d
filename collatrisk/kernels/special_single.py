"""The functions of `collatrisk.kernels.special` in float32: shorter polynomials, twice the lanes.

Every constant here is a float32 or an int32 of its own: one Python number in an expression would make float64 of all
that follows. Numba makes int64 of any sum of int32; casting it back lets LLVM keep the narrow lanes.

Polynomials: S. L. Moshier, Cephes Mathematical Library, single precision (`logf.c`, `expf.c`, `sinf.c`, 1992). Errors
are stated in units in the last place (ulp) of float32 and tested against float64.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import fma

LARGEST_EXPONENT = 64.0

_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_LN2_HI, _LN2_LO = np.float32(0.693359375), np.float32(-2.12194440e-4)
_INV_LN2 = np.float32(1.44269504088896341)
_ROUND = np.float32(12582912.0)  # 1.5 * 2**23: adding it leaves the nearest whole number in the low bits
_ROUND_BITS = np.int32(0x4B400000)
_MOST, _LEAST = np.float32(LARGEST_EXPONENT), np.float32(-LARGEST_EXPONENT)

_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_ONE_BITS = np.int32(0x3F800000)
_MANTISSA = np.int32(0x007FFFFF)
_BIAS = np.int32(127)
_23 = np.int32(23)
_SHIFT_TO_ONE = np.int32(0x3F800000 - 0x3F3504F3)

_L0, _L1, _L2 = np.float32(3.3333331174e-1), np.float32(-2.4999993993e-1), np.float32(2.0000714765e-1)
_L3, _L4, _L5 = np.float32(-1.6668057665e-1), np.float32(1.4249322787e-1), np.float32(-1.2420140846e-1)
_L6, _L7, _L8 = np.float32(1.1676998740e-1), np.float32(-1.1514610310e-1), np.float32(7.0376836292e-2)

_E0, _E1, _E2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
_E3, _E4, _E5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)

_S0, _S1, _S2 = np.float32(-1.6666654611e-1), np.float32(8.3321608736e-3), np.float32(-1.9515295891e-4)
_C0, _C1, _C2 = np.float32(4.166664568298827e-2), np.float32(-1.388731625493765e-3), np.float32(2.443315711809948e-5)

_QUARTER = np.int32(1 << 22)  # a quarter of a turn in units of 2**-24 turns
_EIGHTH = np.int32(1 << 21)
_22 = np.int32(22)
_HALF_UNIT = np.float32(2.0 * np.pi / 2**25)  # half of such a unit, in radians
_I1, _I2, _I30 = np.int32(1), np.int32(2), np.int32(30)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def log_single(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a positive normal float32, within 1 ulp.

    x = 2**k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = f - f^2 / 2 + f^3 P(f).
    """
    shifted = np.int32(np.float32(x).view(np.int32) + _SHIFT_TO_ONE)
    k = np.float32(np.int32(np.int32(shifted >> _23) - _BIAS))
    f = np.int32(np.int32(shifted & _MANTISSA) + _SQRT_HALF_BITS).view(np.float32) - _ONE
    z = f * f
    low = fma(f, fma(f, _L2, _L1), _L0)
    middle = fma(f, fma(f, _L5, _L4), _L3)
    high = fma(f, fma(f, _L8, _L7), _L6)
    cube = z * f
    tail = fma(cube, fma(cube, fma(cube, high, middle), low), k * _LN2_LO)
    return fma(k, _LN2_HI, fma(-_HALF, z, tail) + f)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def exp_single(x):  # type: ignore[no-untyped-def]
    """Exponential of a float32, within 1 ulp on [-64, 64]; beyond, the value at the nearer end.

    The bound leaves room for a factor: 10**10 times either end is still a normal float32.
    """
    x = min(max(x, _LEAST), _MOST)
    rounded = fma(x, _INV_LN2, _ROUND)
    k = rounded - _ROUND
    r = fma(-k, _LN2_LO, fma(-k, _LN2_HI, x))
    z = r * r
    low = fma(r, _E1, _E0)
    middle = fma(r, _E3, _E2)
    high = fma(r, _E5, _E4)
    significand = fma(z, fma(z, fma(z, high, middle), low), r) + _ONE
    scale = np.int32(np.int32(np.float32(rounded).view(np.int32) - _ROUND_BITS) << _23)
    return np.int32(np.float32(significand).view(np.int32) + scale).view(np.float32)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def sin_cos_single(k):  # type: ignore[no-untyped-def]
    """(sin(a), cos(a)) as float32, each within 1.5 ulp, of the angle a = (k + 1/2) / 2**24 turns, int32 0 <= k < 2**24.

    The angle is a whole number of quarter turns and a rest of at most an eighth, which is exact in units of 2**-25
    turns. No angle lies on an axis, so neither sine nor cosine is ever 0.
    """
    quadrant = np.int32(np.int32(k + _EIGHTH) >> _22)
    rest = np.int32(k - np.int32(quadrant << _22))
    x = np.float32(np.int32(np.int32(rest << _I1) + _I1)) * _HALF_UNIT
    z = x * x
    sine = fma(z * x, fma(z, fma(z, _S2, _S1), _S0), x)
    cosine = fma(z * z, fma(z, fma(z, _C2, _C1), _C0), fma(-_HALF, z, _ONE))
    swap = np.int32(quadrant & _I1) != 0
    sin_turned = cosine if swap else sine
    cos_turned = sine if swap else cosine
    sin_sign = np.int32(np.int32(quadrant & _I2) << _I30)
    cos_sign = np.int32(np.int32(np.int32(quadrant + _I1) & _I2) << _I30)
    sin_bits = np.int32(np.float32(sin_turned).view(np.int32) ^ sin_sign)
    cos_bits = np.int32(np.float32(cos_turned).view(np.int32) ^ cos_sign)
    return sin_bits.view(np.float32), cos_bits.view(np.float32)
