"""Hand-made vector code for a lower triangle times a matrix of lanes: a tile of four rows stays in registers.

Plain loops load and store a row for every four products; a tile of 4 x 4 registers loads it once.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

TILE_ROWS, TILE_BYTES = 4, 256  # four registers of AVX-512 a row: 32 float64 or 64 float32
_PARTS = TILE_BYTES // 64
_word = ir.IntType(64)


@intrinsic
def product_tile_wide(typing_context, lower, rows, first, at):  # type: ignore[no-untyped-def]
    """Rows `first` to `first` + 3 of `collatrisk.kernels.scores.correlate_plain`, 256 bytes from lane `at` on.

    Rows before `first` must still be what they were. Both matrices C-contiguous and of one type.
    """
    if lower.layout != "C" or rows.layout != "C" or lower.dtype != rows.dtype:
        return None
    single = rows.dtype == types.float32
    number, lanes = (ir.FloatType(), 16) if single else (ir.DoubleType(), 8)
    vector, order = ir.VectorType(number, lanes), ir.VectorType(ir.IntType(32), lanes)
    signature = types.void(lower, rows, types.intp, types.intp)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        factors, source = (context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 1))
        width, length = (builder.extract_value(one.shape, 1) for one in (factors, source))
        first, at = arguments[2:]
        name = f"llvm.fma.v{lanes}f{512 // lanes}"
        fma = builder.module.globals.get(name)
        if fma is None:
            fma = ir.Function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        aligned = 64 // lanes

        def place(row: Any, part: int) -> Any:
            spot = builder.add(builder.mul(row, length), builder.add(at, _word(lanes * part)))
            return builder.bitcast(builder.gep(source.data, [spot]), vector.as_pointer())

        def load(row: Any) -> list[Any]:
            return [builder.load(place(row, part), align=aligned) for part in range(_PARTS)]

        def factor(row: Any, column: Any) -> Any:
            found = builder.load(builder.gep(factors.data, [builder.add(builder.mul(row, width), column)]))
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), found, ir.IntType(32)(0))
            return builder.shuffle_vector(one, one, ir.Constant(order, [0] * lanes))

        def add(weight: Any, source: list[Any], totals: list[Any]) -> list[Any]:
            return [builder.call(fma, [weight, lane, total]) for lane, total in zip(source, totals, strict=True)]

        tile = [builder.add(first, _word(k)) for k in range(TILE_ROWS)]
        begun = [[builder.fmul(factor(row, row), lane) for lane in load(row)] for row in tile]
        entry = builder.block
        test, body, done = (builder.append_basic_block(part) for part in ("test", "body", "done"))
        builder.branch(test)
        builder.position_at_end(test)
        j = builder.phi(_word)
        sums = [[builder.phi(vector) for _ in range(_PARTS)] for _ in tile]
        builder.cbranch(builder.icmp_signed("<", j, first), body, done)

        builder.position_at_end(body)
        above = load(j)
        grown = [add(factor(row, j), above, totals) for row, totals in zip(tile, sums, strict=True)]
        following = builder.add(j, _word(1))
        builder.branch(test)
        for block, place_of, values in ((entry, _word(0), begun), (body, following, grown)):
            j.add_incoming(place_of, block)
            for totals, row in zip(sums, values, strict=True):
                for total, value in zip(totals, row, strict=True):
                    total.add_incoming(value, block)

        builder.position_at_end(done)
        for k in range(1, TILE_ROWS):  # the triangle at the end of the rows, from what they were before
            for column in range(k):
                sums[k] = add(factor(tile[k], tile[column]), load(tile[column]), sums[k])
        for row, totals in zip(tile, sums, strict=True):
            for part, total in enumerate(totals):
                builder.store(total, place(row, part), align=aligned)
        return context.get_dummy_value()

    return signature, generate
