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


def _join_masks(builder: Any, masks: list[Any]) -> Any:
    """Masks of 64 lanes in all as one number, the first lane lowest."""
    while len(masks) > 1:
        both = ir.Constant(ir.VectorType(ir.IntType(32), 2 * masks[0].type.count), list(range(2 * masks[0].type.count)))
        pairs = zip(masks[::2], masks[1::2], strict=True)
        masks = [builder.shuffle_vector(left, right, both) for left, right in pairs]
    return builder.bitcast(masks[0], ir.IntType(64))


def _fused_multiply_add(builder: Any) -> Any:
    """LLVM's a b + c of eight lanes, rounded once."""
    name = "llvm.fma.v8f64"
    fma = builder.module.globals.get(name)
    if fma is None:
        fma = ir.Function(builder.module, ir.FunctionType(_vector, [_vector] * 3), name)
    return fma


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


TILE_ROWS = 4
TILE_LANES = 32
_PARTS = TILE_LANES // EIGHT


@intrinsic
def tile_below_wide(typing_context, prices, at, columns, first, last, weights, start, scale, limits, values):  # type: ignore[no-untyped-def]
    """`collatrisk.kernels.tile.tile_below_plain` with the whole tile in registers: sixteen of eight lanes each.

    The values are written only if one of them is below its limit: mostly nothing is stored at all.
    """
    signature = types.UniTuple(types.uint64, 2)(
        prices, types.intp, columns, types.intp, types.intp, weights, start, types.float64, limits, values
    )

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        def address(which: int) -> Any:
            return context.make_array(signature.args[which])(context, builder, arguments[which]).data

        def wide(pointer: Any) -> Any:
            return builder.bitcast(pointer, _vector.as_pointer())

        word = ir.IntType(64)
        price, column, weight, limit, value = (address(which) for which in (0, 2, 5, 8, 9))
        begin = address(6)
        at, first, last, scale = (arguments[which] for which in (1, 3, 4, 7))
        fma = _fused_multiply_add(builder)
        opened = []
        for row in range(TILE_ROWS):
            cash = builder.load(builder.gep(begin, [word(row)]))
            opened += [_spread(builder, builder.fmul(cash, scale))] * _PARTS

        entry = builder.block
        test, body, done = (builder.append_basic_block(part) for part in ("test", "body", "done"))
        builder.branch(test)
        builder.position_at_end(test)
        j = builder.phi(word)
        sums = [builder.phi(_vector) for _ in opened]
        j.add_incoming(first, entry)
        for total, begun in zip(sums, opened, strict=True):
            total.add_incoming(begun, entry)
        builder.cbranch(builder.icmp_signed("<", j, last), body, done)

        builder.position_at_end(body)
        row_of = builder.mul(builder.load(builder.gep(column, [j])), word(TILE_LANES))
        place = builder.gep(price, [builder.add(at, row_of)])
        lanes = [builder.load(wide(builder.gep(place, [word(EIGHT * part)])), align=8) for part in range(_PARTS)]
        factors = builder.gep(weight, [builder.mul(j, word(TILE_ROWS))])
        for row in range(TILE_ROWS):
            factor = _spread(builder, builder.load(builder.gep(factors, [word(row)])))
            for part in range(_PARTS):
                total = sums[row * _PARTS + part]
                total.add_incoming(builder.call(fma, [lanes[part], factor, total]), body)
        j.add_incoming(builder.add(j, word(1)), body)
        builder.branch(test)

        builder.position_at_end(done)
        bounds = [builder.load(wide(builder.gep(limit, [word(EIGHT * part)])), align=8) for part in range(len(sums))]
        below = [builder.fcmp_ordered("<", total, bound) for total, bound in zip(sums, bounds, strict=True)]
        any_below = below[0]
        for mask in below[1:]:
            any_below = builder.or_(any_below, mask)
        found = builder.icmp_unsigned("!=", builder.bitcast(any_below, _byte), _byte(0))
        store, end = builder.append_basic_block("store"), builder.append_basic_block("end")
        builder.cbranch(found, store, end)

        builder.position_at_end(store)
        for where, total in enumerate(sums):
            builder.store(total, wide(builder.gep(value, [word(EIGHT * where)])), align=8)
        half = len(below) // 2
        halves = [_join_masks(builder, below[:half]), _join_masks(builder, below[half:])]
        builder.branch(end)

        builder.position_at_end(end)
        answer = []
        for half in halves:
            chosen = builder.phi(word)
            chosen.add_incoming(word(0), done)
            chosen.add_incoming(half, store)
            answer.append(chosen)
        return context.make_tuple(builder, signature.return_type, answer)

    return signature, generate


TILE_STEPS = 2 * EIGHT


@intrinsic
def steps_below_wide(  # type: ignore[no-untyped-def]
    typing_context, prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits
):
    """`collatrisk.kernels.tile.steps_below_plain` with all sums in registers: eight of eight steps each."""
    signature = types.UniTuple(types.uint64, 2)(
        prices, types.intp, types.intp, columns, types.intp, types.intp, weights, types.intp, cash, scales, types.intp,
        limits,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        price, column, weight, opening, scale, limit = (
            context.make_array(signature.args[which])(context, builder, arguments[which]).data
            for which in (0, 3, 6, 8, 9, 11)
        )
        at, stride, first, last, row, step = (arguments[which] for which in (1, 2, 4, 5, 7, 10))
        word = ir.IntType(64)
        rows, parts = range(TILE_ROWS), range(TILE_STEPS // EIGHT)
        fma = _fused_multiply_add(builder)

        def number(data: Any, index: Any, shift: int) -> Any:
            return _spread(builder, builder.load(builder.gep(data, [builder.add(index, word(shift))])))

        def eight(data: Any, index: Any, part: int) -> Any:
            place = builder.gep(data, [builder.add(index, word(EIGHT * part))])
            return builder.load(builder.bitcast(place, _vector.as_pointer()), align=8)

        factors = [eight(scale, step, part) for part in parts]
        opened = [builder.fmul(number(opening, row, r), factor) for r in rows for factor in factors]
        entry = builder.block
        test, body, done = (builder.append_basic_block(part) for part in ("test", "body", "done"))
        builder.branch(test)
        builder.position_at_end(test)
        j, sums = builder.phi(word), [builder.phi(_vector) for _ in opened]
        j.add_incoming(first, entry)
        for total, begun in zip(sums, opened, strict=True):
            total.add_incoming(begun, entry)
        builder.cbranch(builder.icmp_signed("<", j, last), body, done)

        builder.position_at_end(body)
        place = builder.add(at, builder.mul(builder.load(builder.gep(column, [j])), stride))
        steps = [eight(price, place, part) for part in parts]
        four = builder.mul(j, word(TILE_ROWS))
        for r in rows:
            factor = number(weight, four, r)
            for part in parts:
                total = sums[r * len(parts) + part]
                total.add_incoming(builder.call(fma, [steps[part], factor, total]), body)
        j.add_incoming(builder.add(j, word(1)), body)
        builder.branch(test)

        builder.position_at_end(done)
        answer = []
        pair = builder.mul(row, word(2))
        for which in range(2):
            below = []
            for r in rows:
                bound = number(limit, pair, 2 * r + which)
                below += [builder.fcmp_ordered("<", sums[r * len(parts) + part], bound) for part in parts]
            answer.append(_join_masks(builder, below))
        return context.make_tuple(builder, signature.return_type, answer)

    return signature, generate


@intrinsic
def lowest_bit(typing_context, bits):  # type: ignore[no-untyped-def]
    """The place of the lowest 1 of a uint64 that is not 0."""
    signature = types.int64(types.uint64)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], _bit(1))

    return signature, generate


RUN_LANES = 64


@intrinsic
def subtract_products_wide(typing_context, flat, first, second, count, target):  # type: ignore[no-untyped-def]
    """`collatrisk.kernels.packed.subtract_products_plain` with the sums in registers: eight of eight lanes each."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        first, second, count, target = arguments[1:]
        fma = _fused_multiply_add(builder)

        def place(start: Any, part: int) -> Any:
            spot = builder.gep(data, [builder.add(start, word(EIGHT * part))])
            return builder.bitcast(spot, _vector.as_pointer())

        parts = range(RUN_LANES // EIGHT)
        begun = [builder.load(place(target, part), align=8) for part in parts]
        entry = builder.block
        test, body, done = (builder.append_basic_block(part) for part in ("test", "body", "done"))
        builder.branch(test)
        builder.position_at_end(test)
        k = builder.phi(word)
        sums = [builder.phi(_vector) for _ in parts]
        k.add_incoming(word(0), entry)
        for total, start in zip(sums, begun, strict=True):
            total.add_incoming(start, entry)
        builder.cbranch(builder.icmp_signed("<", k, count), body, done)

        builder.position_at_end(body)
        shift = builder.mul(k, word(RUN_LANES))
        left, right = builder.add(first, shift), builder.add(second, shift)
        for part, total in enumerate(sums):
            minus = builder.fneg(builder.load(place(left, part), align=8))
            other = builder.load(place(right, part), align=8)
            total.add_incoming(builder.call(fma, [minus, other, total]), body)
        k.add_incoming(builder.add(k, word(1)), body)
        builder.branch(test)

        builder.position_at_end(done)
        for part, total in enumerate(sums):
            builder.store(total, place(target, part), align=8)
        return context.get_dummy_value()

    return signature, generate
