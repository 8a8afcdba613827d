"""Hand-made vector code for tables of cubics: a row of four coefficients is one load, and four by four are transposed.

LLVM would fetch every coefficient by itself: 0.8 ns an element, where this takes 0.5 (float64) or 0.28 (float32).
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

_word = ir.IntType(64)
_COEFFICIENTS = 4
LANES_64, LANES_32 = 8, 16
"""Elements that one call of `cubics_wide` serves, in float64 and in float32."""


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _joined(builder: Any, parts: list[Any]) -> Any:
    """Vectors of one length, a power of two of them, one after the other."""
    while len(parts) > 1:
        order = list(range(2 * parts[0].type.count))
        parts = [_shuffle(builder, parts[k], parts[k + 1], order) for k in range(0, len(parts), 2)]
    return parts[0]


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Four vectors as blocks of four by four, each block transposed."""
    lanes = rows[0].type.count

    def mix(a: Any, b: Any, places: tuple[int, ...]) -> Any:
        # Places 0 to 3 are those of a block in `a`, 4 to 7 those of the same block in `b`.
        blocks = range(0, lanes, _COEFFICIENTS)
        order = [block + place % 4 + (lanes if place >= 4 else 0) for block in blocks for place in places]
        return _shuffle(builder, a, b, order)

    low, high = (0, 4, 1, 5), (2, 6, 3, 7)
    first, second = (0, 1, 4, 5), (2, 3, 6, 7)
    pairs = [(mix(rows[0], rows[1], part), mix(rows[2], rows[3], part)) for part in (low, high)]
    return [mix(a, b, part) for a, b in pairs for part in (first, second)]


@intrinsic
def cubics_wide(typing_context, cubics, rows, at, x):  # type: ignore[no-untyped-def]
    """`collatrisk.kernels.cubics.evaluate_plain` for the 64 bytes of `x` from `at` on: 8 float64 or 16 float32.

    All arrays C-contiguous; `cubics` and `x` of one type.
    """
    if any(array.layout != "C" for array in (cubics, rows, x)) or cubics.dtype != x.dtype:
        return None
    single = x.dtype == types.float32
    number, lanes = (ir.FloatType(), LANES_32) if single else (ir.DoubleType(), LANES_64)
    signature = types.void(cubics, rows, types.intp, x)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        def address(which: int) -> Any:
            return context.make_array(signature.args[which])(context, builder, arguments[which]).data

        table, row_of, at = address(0), address(1), arguments[2]
        aligned = number.get_abi_size(context.target_data)
        four, wide = ir.VectorType(number, _COEFFICIENTS), ir.VectorType(number, lanes)
        loaded = []
        for lane in range(lanes):
            row = builder.load(builder.gep(row_of, [builder.add(at, _word(lane))]))
            row = row if row.type == _word else builder.zext(row, _word)
            place = builder.gep(table, [builder.mul(row, _word(_COEFFICIENTS))])
            loaded.append(builder.load(builder.bitcast(place, four.as_pointer()), align=aligned))
        # Element 4 b + j stands in block b of vector j, so that the transpose leaves the elements in their order.
        quads = [_joined(builder, loaded[j::_COEFFICIENTS]) for j in range(_COEFFICIENTS)]
        coefficients = _transposed(builder, quads)
        name = f"llvm.fma.v{lanes}f{8 * aligned}"
        fma = builder.module.globals.get(name)
        if fma is None:
            fma = ir.Function(builder.module, ir.FunctionType(wide, [wide] * 3), name)
        target = builder.bitcast(builder.gep(address(3), [at]), wide.as_pointer())
        t = builder.load(target, align=aligned)
        value = reduce(lambda total, c: builder.call(fma, [t, total, c]), coefficients[2::-1], coefficients[3])
        builder.store(value, target, align=aligned)
        return context.get_dummy_value()

    return signature, generate
