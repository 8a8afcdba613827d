"""Hand-made vector code: what LLVM does not find by itself. Each has a twin in plain loops beside its use.

Written for eight float64 lanes (AVX-512). LLVM splits them where registers are narrower, with the same answers, but
slowly: `WIDE` says whether this processor should come here at all.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
"""Whether this processor has registers of eight float64 and compresses them in one instruction."""

EIGHT = 8
_double, _bit, _byte = ir.DoubleType(), ir.IntType(1), ir.IntType(8)
_vector, _mask = ir.VectorType(_double, EIGHT), ir.VectorType(_bit, EIGHT)
_order = ir.VectorType(ir.IntType(32), EIGHT)


def _spread(builder: Any, number: Any) -> Any:
    """A vector with the same number in every lane."""
    one = builder.insert_element(ir.Constant(_vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(_order, [0] * EIGHT))


@intrinsic
def compress_eight(typing_context, values, at, low, high, out, to):  # type: ignore[no-untyped-def]
    """Eight values from `at` on: those in (low, high] to `out` from `to` on. (inside, equal to low, above high, odd).

    Writes eight elements, of which the first `inside` count; odd is 1 if one of the eight is NaN or infinite. The
    vector instruction behind it (AVX-512 vcompresspd) keeps the order; other processors get a correct but slow
    replacement, which is why they take the plain loop.
    """
    signature = types.Tuple((types.int64, types.int64, types.int64, types.float64))(
        values, types.intp, types.float64, types.float64, out, types.intp
    )

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        target = context.make_array(signature.args[4])(context, builder, arguments[4])
        x = builder.load(builder.bitcast(builder.gep(array.data, [arguments[1]]), _vector.as_pointer()), align=8)
        low, high = _spread(builder, arguments[2]), _spread(builder, arguments[3])
        inside = builder.and_(builder.fcmp_ordered(">", x, low), builder.fcmp_ordered("<=", x, high))
        equal, above = builder.fcmp_ordered("==", x, low), builder.fcmp_ordered(">", x, high)
        name = "llvm.experimental.vector.compress.v8f64"
        compress = builder.module.globals.get(name)
        if compress is None:
            compress = ir.Function(builder.module, ir.FunctionType(_vector, [_vector, _mask, _vector]), name)
        packed = builder.call(compress, [x, inside, ir.Constant(_vector, ir.Undefined)])
        place = builder.bitcast(builder.gep(target.data, [arguments[5]]), _vector.as_pointer())
        builder.store(packed, place, align=8)
        masks = (inside, equal, above)
        counts = [builder.zext(builder.ctpop(builder.bitcast(mask, _byte)), ir.IntType(64)) for mask in masks]
        # x - x is 0 for finite values, nan for the others; they are only counted where there are any.
        difference = builder.fsub(x, x)
        odd = builder.bitcast(builder.fcmp_unordered("!=", difference, difference), _byte)
        bad = builder.uitofp(builder.icmp_unsigned("!=", odd, _byte(0)), _double)
        return context.make_tuple(builder, signature.return_type, [*counts, bad])

    return signature, generate
