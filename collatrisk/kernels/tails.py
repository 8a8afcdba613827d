"""The passes over losses that VaR and ES need: gather what exceeds a threshold, and sum without rounding errors."""

from __future__ import annotations

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

CHUNK = 1024
_WIDE = 8
_SUMS = 32  # running sums: enough that an addition need not wait for the one before


@intrinsic
def _compress_eight(typing_context, values, at, low, high, out, to):  # type: ignore[no-untyped-def]
    """Eight values from `at` on: those in (low, high] to `out` from `to` on. (inside, equal to low, above high, odd).

    Writes eight elements, of which the first `inside` count; odd is 1 if one of the eight is NaN or infinite. The
    vector instruction behind it (AVX-512 vcompresspd) keeps the order; other processors get a correct but slow
    replacement, which is why they take the plain loop.
    """
    signature = types.Tuple((types.int64, types.int64, types.int64, types.float64))(
        values, types.intp, types.float64, types.float64, out, types.intp
    )

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        double, bit, byte = ir.DoubleType(), ir.IntType(1), ir.IntType(_WIDE)
        vector, mask = ir.VectorType(double, _WIDE), ir.VectorType(bit, _WIDE)
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        target = context.make_array(signature.args[4])(context, builder, arguments[4])
        x = builder.load(builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer()), align=8)

        def spread(number):  # type: ignore[no-untyped-def]
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), _WIDE), [0] * _WIDE))

        low, high = spread(arguments[2]), spread(arguments[3])
        inside = builder.and_(builder.fcmp_ordered(">", x, low), builder.fcmp_ordered("<=", x, high))
        equal, above = builder.fcmp_ordered("==", x, low), builder.fcmp_ordered(">", x, high)
        name = "llvm.experimental.vector.compress.v8f64"
        compress = builder.module.globals.get(name)
        if compress is None:
            compress = ir.Function(builder.module, ir.FunctionType(vector, [vector, mask, vector]), name)
        packed = builder.call(compress, [x, inside, ir.Constant(vector, ir.Undefined)])
        place = builder.bitcast(builder.gep(target.data, [arguments[5]]), vector.as_pointer())
        builder.store(packed, place, align=8)
        masks = (inside, equal, above)
        counts = [builder.zext(builder.ctpop(builder.bitcast(mask, byte)), ir.IntType(64)) for mask in masks]
        # x - x is 0 for finite values, nan for the others; they are only counted where there are any.
        difference = builder.fsub(x, x)
        odd = builder.bitcast(builder.fcmp_unordered("!=", difference, difference), byte)
        bad = builder.uitofp(builder.icmp_unsigned("!=", odd, byte(0)), double)
        return context.make_tuple(builder, signature.return_type, [*counts, bad])

    return signature, generate


@njit(cache=True, nogil=True, error_model="numpy")
def count_bad(values):  # type: ignore[no-untyped-def]
    """How many values are NaN or infinite."""
    bad = 0
    for i in range(values.size):
        bad += 0 if values[i] - values[i] == 0.0 else 1
    return bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_above_wide(values, threshold, out):  # type: ignore[no-untyped-def]
    """`compress_above` with vector compression."""
    above = 0
    equal = 0
    bad = 0
    for start in range(0, values.size, CHUNK):
        stop = min(start + CHUNK, values.size)
        if above + CHUNK > out.size:
            return -1, 0, bad
        seen = 0.0
        whole = start + (stop - start) // _WIDE * _WIDE
        for i in range(start, whole, _WIDE):
            more, same, _, odd = _compress_eight(values, i, threshold, np.inf, out, above)
            above += more
            equal += same
            seen += odd
        for i in range(whole, stop):
            x = values[i]
            out[above] = x
            above += 1 if x > threshold else 0
            equal += 1 if x == threshold else 0
            seen += 0.0 if x - x == 0.0 else 1.0
        if seen > 0.0:
            bad += count_bad(values[start:stop])
    return above, equal, bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_above_plain(values, threshold, out):  # type: ignore[no-untyped-def]
    """`compress_above` in plain code."""
    above = 0
    equal = 0
    bad = 0
    for start in range(0, values.size, CHUNK):
        part = values[start : start + CHUNK]
        if above + CHUNK > out.size:
            return -1, 0, bad
        same = 0
        odd = 0
        for i in range(part.size):
            same += 1 if part[i] == threshold else 0
            odd += 0 if part[i] - part[i] == 0.0 else 1
        equal += same
        bad += odd
        for i in range(part.size):
            # Always store, advance only if it counts: no branch to mispredict.
            out[above] = part[i]
            above += 1 if part[i] > threshold else 0
    return above, equal, bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_between_wide(values, low, high, out):  # type: ignore[no-untyped-def]
    """`compress_between` with vector compression."""
    inside = 0
    above = 0
    whole = values.size // _WIDE * _WIDE
    for i in range(0, whole, _WIDE):
        more, _, beyond, _ = _compress_eight(values, i, low, high, out, inside)
        inside += more
        above += beyond
    for i in range(whole, values.size):
        x = values[i]
        out[inside] = x
        inside += 1 if low < x <= high else 0
        above += 1 if x > high else 0
    return inside, above


@njit(cache=True, nogil=True, error_model="numpy")
def compress_between_plain(values, low, high, out):  # type: ignore[no-untyped-def]
    """Copy the values in (low, high] to the front of `out`: (how many, how many are above `high`).

    `out` has room for eight more than there are values, or is the array that they come from.
    """
    inside = 0
    above = 0
    for i in range(values.size):
        x = values[i]
        out[inside] = x
        inside += 1 if low < x <= high else 0
        above += 1 if x > high else 0
    return inside, above


def compress_above(values: NDArray[np.float64], threshold: float, out: NDArray[np.float64]) -> tuple[int, int, int]:
    """Copy the values above `threshold` to the front of `out`, in their order.

    Parameters
    ----------
    values : float64 (n,), C-contiguous.
    threshold : values strictly above it are copied.
    out : float64 (capacity,), overwritten; must hold `CHUNK` more than are found.

    Returns
    -------
    (above, equal, bad): how many were copied (-1: `out` is too small, nothing else is then meaningful), how many equal
    the threshold, how many are NaN or infinite.
    """
    kernel = compress_above_wide if WIDE else compress_above_plain
    found: tuple[int, int, int] = kernel(values, threshold, out)
    return found


WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
"""Whether this processor compresses vectors in one instruction."""


@njit(cache=True, nogil=True, error_model="numpy")
def sum_twice(values):  # type: ignore[no-untyped-def]
    """The sum as an unevaluated pair of floats, and the sum of magnitudes.

    Thirty-two running sums with the rounding error of every addition kept beside (Knuth's two-sum), so that the
    pair is off by no more than about (n 2**-53)**2 times the sum of magnitudes.

    Parameters
    ----------
    values : float64 (n,), finite.
    """
    high = np.zeros(_SUMS)
    low = np.zeros(_SUMS)
    size = np.zeros(_SUMS)
    whole = values.size // _SUMS * _SUMS
    for i in range(0, whole, _SUMS):
        part = values[i : i + _SUMS]
        for k in range(_SUMS):
            x = part[k]
            total = high[k] + x
            tail = total - high[k]
            low[k] += (high[k] - (total - tail)) + (x - tail)
            high[k] = total
            size[k] += abs(x)
    s = 0.0
    e = 0.0
    magnitude = 0.0
    for k in range(_SUMS + values.size - whole):
        x = high[k] if k < _SUMS else values[whole + k - _SUMS]
        total = s + x
        tail = total - s
        e += (s - (total - tail)) + (x - tail)
        s = total
        if k < _SUMS:
            e += low[k]
            magnitude += size[k]
        else:
            magnitude += abs(x)
    return s, e, magnitude
