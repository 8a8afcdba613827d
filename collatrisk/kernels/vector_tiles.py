"""Hand-made vector code for matrices in tiles: some symmetric matrices side by side.

A matrix of `tiles` by `tiles` tiles keeps its lower triangle of them: tile (i, j), j <= i, begins at i (i + 1) / 2 + j
tiles, and holds its elements by rows, each a run of numbers, one a matrix. A tile on the diagonal is whole. A
tile of sums (sixteen vectors where the side is four) stays in registers, so that a product of tiles reads half a number
for each multiply-add; runs of elements one by one (`collatrisk.kernels.packed`) read two. The side of a tile is the
length of the tuple `shape`, part of its type: each side is compiled, unrolled, by itself.

The same answers come from `collatrisk.kernels.dcc`; tests compare both, and numpy.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from collatrisk.kernels.tile_machine import Tiles, generated, word


@intrinsic
def factor_tile(typing_context, flat, matrix, factor, inverses, i, j, shape):  # type: ignore[no-untyped-def]
    """Tile (i, j) of the lower Cholesky factors, those before it being there; 1 / diagonal from `inverses`."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64, types.int64, shape)

    def body(machine: Tiles, matrix: Any, factor: Any, inverses: Any, i: Any, j: Any) -> None:
        side = machine.side
        builder = machine.builder
        source, target = machine.tile(matrix, i, j), machine.tile(factor, i, j)
        sums = machine.variables([machine.load(source, e) for e in range(side**2)])
        with machine.loop(word(0), j) as (k, _):
            machine.subtract(sums, machine.tile(factor, i, k), machine.tile(factor, j, k), True, True)
        own = builder.add(inverses, builder.mul(j, machine.vector))
        with builder.if_else(builder.icmp_signed("==", i, j)) as (diagonal, below):
            with diagonal:
                _factor_diagonal(machine, machine.values(sums), target, own)
            with below:
                _solve_below(machine, machine.values(sums), target, machine.tile(factor, j, j), own)

    return signature, generated(body)


def _factor_diagonal(machine: Tiles, held: list[Any], target: Any, inverses: Any) -> None:
    side = machine.side
    for n in range(side):
        for k in range(n):
            held[n * side + n] = machine.minus(held[n * side + k], held[n * side + k], held[n * side + n])
        root = machine.root(held[n * side + n])
        inverse = machine.builder.fdiv(machine.constant(1.0), root)
        machine.store(inverse, inverses, n)
        held[n * side + n] = root
        for m in range(n + 1, side):
            for k in range(n):
                held[m * side + n] = machine.minus(held[m * side + k], held[n * side + k], held[m * side + n])
            held[m * side + n] = machine.builder.fmul(held[m * side + n], inverse)
            held[n * side + m] = machine.constant(0.0)
    for e, value in enumerate(held):
        machine.store(value, target, e)


def _solve_below(machine: Tiles, held: list[Any], target: Any, diagonal: Any, inverses: Any) -> None:
    side = machine.side
    for n in range(side):
        inverse = machine.load(inverses, n)
        row = [machine.load(diagonal, n * side + k) for k in range(n)]
        for m in range(side):
            for k in range(n):
                held[m * side + n] = machine.minus(held[m * side + k], row[k], held[m * side + n])
            held[m * side + n] = machine.builder.fmul(held[m * side + n], inverse)
            machine.store(held[m * side + n], target, m * side + n)


@intrinsic
def invert_tile(typing_context, flat, factor, inverse, inverses, i, j, shape):  # type: ignore[no-untyped-def]
    """Tile (i, j) of the inverse K of the lower factors, those above it in its column being there."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64, types.int64, shape)

    def body(machine: Tiles, factor: Any, inverse: Any, inverses: Any, i: Any, j: Any) -> None:
        side = machine.side
        builder = machine.builder
        diagonal = builder.icmp_signed("==", i, j)
        one = builder.select(diagonal, machine.constant(1.0), machine.constant(0.0))
        zero = machine.constant(0.0)
        sums = machine.variables([one if e % (side + 1) == 0 else zero for e in range(side**2)])
        with machine.loop(j, i) as (k, _):
            machine.subtract(sums, machine.tile(factor, i, k), machine.tile(inverse, k, j), True, False)
        held, target, own = machine.values(sums), machine.tile(inverse, i, j), machine.tile(factor, i, i)
        scales = builder.add(inverses, builder.mul(i, machine.vector))
        for m in range(side):
            scale = machine.load(scales, m)
            row = [machine.load(own, m * side + k) for k in range(m)]
            for n in range(side):
                for k in range(m):
                    held[m * side + n] = machine.minus(row[k], held[k * side + n], held[m * side + n])
                held[m * side + n] = builder.fmul(held[m * side + n], scale)
                machine.store(held[m * side + n], target, m * side + n)

    return signature, generated(body)


@intrinsic
def solve_tile(typing_context, flat, factor, inverses, vector, i, shape):  # type: ignore[no-untyped-def]
    """Four elements of L^-1 vector in place, those before them being there."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64, shape)

    def body(machine: Tiles, factor: Any, inverses: Any, vector: Any, i: Any) -> None:
        side = machine.side
        builder = machine.builder
        shift = builder.mul(i, machine.vector)
        own, scales = builder.add(vector, shift), builder.add(inverses, shift)
        sums = machine.variables([machine.load(own, m) for m in range(side)])
        with machine.loop(word(0), i) as (k, _):
            tile = machine.tile(factor, i, k)
            part = builder.add(vector, builder.mul(k, machine.vector))
            _subtract_rows(machine, sums, tile, part, by_rows=True)
        held, diagonal = machine.values(sums), machine.tile(factor, i, i)
        for m in range(side):
            for k in range(m):
                held[m] = machine.minus(machine.load(diagonal, m * side + k), held[k], held[m])
            held[m] = builder.fmul(held[m], machine.load(scales, m))
            machine.store(held[m], own, m)

    return signature, generated(body)


@intrinsic
def transposed_tile(typing_context, flat, inverse, vector, target, j, tiles, shape):  # type: ignore[no-untyped-def]
    """Four elements of -K' vector."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64, types.int64, shape)

    def body(machine: Tiles, inverse: Any, vector: Any, target: Any, j: Any, tiles: Any) -> None:
        side = machine.side
        builder = machine.builder
        sums = machine.variables([machine.constant(0.0)] * side)
        with machine.loop(j, tiles) as (k, _):
            part = builder.add(vector, builder.mul(k, machine.vector))
            _subtract_rows(machine, sums, machine.tile(inverse, k, j), part, by_rows=False)
        own = builder.add(target, builder.mul(j, machine.vector))
        for m, value in enumerate(machine.values(sums)):
            machine.store(value, own, m)

    return signature, generated(body)


def _subtract_rows(machine: Tiles, sums: list[Any], tile: Any, vector: Any, *, by_rows: bool) -> None:
    side = machine.side
    held = machine.values(sums)
    for k in range(side):
        element = machine.load(vector, k)
        for m in range(side):
            held[m] = machine.minus(machine.load(tile, m * side + k if by_rows else k * side + m), element, held[m])
    for place, value in zip(sums, held, strict=True):
        machine.builder.store(value, place)


@intrinsic
def slope_tile(typing_context, flat, inverse, sd, weighted, x, v, slopes, i, j, tiles, shape):  # type: ignore[no-untyped-def]
    """Tile (i, j) of P, the slope of a log-density in Q: minus K' K, minus weighted v', and the scaling's share.

    Elements off the diagonal count for both of their mirrored places: a tile below the diagonal holds both shares.
    """
    signature = types.void(flat, *[types.int64] * 9, shape)

    def body(machine: Tiles, inverse: Any, sd: Any, weighted: Any, x: Any, v: Any, slopes: Any, *where: Any) -> None:
        side = machine.side
        i, j, tiles = where
        builder = machine.builder
        sums = machine.variables([machine.constant(0.0)] * (side**2))
        with machine.loop(i, tiles) as (k, _):
            machine.subtract(sums, machine.tile(inverse, k, i), machine.tile(inverse, k, j), False, False)
        rows, columns = (builder.mul(part, machine.vector) for part in (i, j))
        left = [machine.load(builder.add(weighted, rows), m) for m in range(side)]
        right = [machine.load(builder.add(v, columns), n) for n in range(side)]
        held = [machine.minus(left[e // side], right[e % side], value) for e, value in enumerate(machine.values(sums))]
        target = machine.tile(slopes, i, j)
        with builder.if_else(builder.icmp_signed("==", i, j)) as (diagonal, below):
            with diagonal:
                half = machine.constant(0.5)
                for e, value in enumerate(held):
                    m, n = divmod(e, side)
                    if m == n:
                        root, score = machine.load(builder.add(sd, rows), m), machine.load(builder.add(x, rows), m)
                        inverse_root = builder.fdiv(machine.constant(1.0), root)
                        scaling = machine.minus(left[m], score, inverse_root)
                        value = machine.fma(scaling, inverse_root, value)
                    machine.store(builder.fmul(half, value), target, e)
            with below:
                for e, value in enumerate(held):
                    machine.store(value, target, e)

    return signature, generated(body)


@intrinsic
def standardise_tile(typing_context, flat, matrix, inverses, x, sd, scaled, ratios, i, shape):  # type: ignore[no-untyped-def]
    """Of four assets: sd and x sd; from `ratios` the product of sd over the diagonal of the factor."""
    signature = types.void(flat, *[types.int64] * 7, shape)

    def body(machine: Tiles, matrix: Any, inverses: Any, x: Any, sd: Any, scaled: Any, ratios: Any, i: Any) -> None:
        side = machine.side
        builder = machine.builder
        rows, tile = builder.mul(i, machine.vector), machine.tile(matrix, i, i)
        product = machine.constant(1.0)
        for m in range(side):
            root = machine.root(machine.load(tile, m * (side + 1)))
            machine.store(root, builder.add(sd, rows), m)
            machine.store(builder.fmul(root, machine.load(builder.add(x, rows), m)), builder.add(scaled, rows), m)
            product = builder.fmul(product, builder.fmul(root, machine.load(builder.add(inverses, rows), m)))
        machine.store(product, builder.add(ratios, builder.mul(i, word(machine.lanes))))

    return signature, generated(body)


@intrinsic
def subtract_dot(typing_context, flat, left, right, runs, target, shape):  # type: ignore[no-untyped-def]
    """flat[target] -= sum over `runs`, a multiple of the side, of left times right."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.int64, shape)

    def body(machine: Tiles, left: Any, right: Any, runs: Any, target: Any) -> None:
        side = machine.side
        builder = machine.builder
        sums = machine.variables([machine.load(target), *[machine.constant(0.0)] * (side - 1)])
        with machine.loop(word(0), builder.udiv(runs, word(side))) as (k, _):
            shift = builder.mul(k, machine.vector)
            one, other = builder.add(left, shift), builder.add(right, shift)
            for m, place in enumerate(sums):
                builder.store(machine.minus(machine.load(one, m), machine.load(other, m), builder.load(place)), place)
        total, *others = machine.values(sums)
        for more in others:
            total = builder.fadd(total, more)
        machine.store(total, target)

    return signature, generated(body)


@intrinsic
def advance_tile(typing_context, flat, matrices, step, driving, constants, count, a, b, i, j, shape):  # type: ignore[no-untyped-def]
    """Tile (i, j) of Q and of its derivatives in a and b one observation on.

    The three matrices begin at `matrices` and `step` numbers apart; constants: from that offset, in rows of `count`.
    """
    integers, reals = [types.int64] * 5, [types.float64] * 2
    signature = types.void(flat, *integers, *reals, types.int64, types.int64, shape)

    def body(machine: Tiles, matrices: Any, step: Any, driving: Any, constants: Any, count: Any, *rest: Any) -> None:
        side = machine.side
        a, b, i, j = rest
        builder = machine.builder
        keep, gain = machine.spread(b), machine.spread(a)
        rows, columns = (builder.add(driving, builder.mul(part, machine.vector)) for part in (i, j))
        left = [machine.load(rows, m) for m in range(side)]
        right = [machine.load(columns, n) for n in range(side)]
        first = machine.tile(matrices, i, j)
        places = [first, builder.add(first, step), builder.add(first, builder.shl(step, word(1)))]
        own = builder.add(constants, builder.udiv(builder.sub(first, matrices), word(machine.lanes)))
        for e in range(side**2):
            level, in_a, in_b = (_number(machine, own, count, part, e) for part in range(3))
            product = builder.fmul(left[e // side], right[e % side])
            q, qa, qb = (machine.load(place, e) for place in places)
            machine.store(machine.fma(keep, qb, builder.fadd(q, in_b)), places[2], e)
            machine.store(machine.fma(keep, qa, builder.fadd(product, in_a)), places[1], e)
            machine.store(machine.fma(keep, q, machine.fma(gain, product, level)), places[0], e)

    return signature, generated(body)


def _number(machine: Tiles, start: Any, count: Any, part: int, element: int) -> Any:
    """A single number of the array in every lane."""
    builder = machine.builder
    at = builder.add(start, builder.add(builder.mul(count, word(part)), word(element)))
    return machine.spread(builder.load(builder.gep(machine.data, [at])))


@intrinsic
def advance_falls_tile(typing_context, flat, matrices, step, driving, constants, count, g, b, i, j, shape):  # type: ignore[no-untyped-def]
    """After `advance_tile`: what g n n' adds to Q, and the derivative in g, the fourth matrix."""
    integers, reals = [types.int64] * 5, [types.float64] * 2
    signature = types.void(flat, *integers, *reals, types.int64, types.int64, shape)

    def body(machine: Tiles, matrices: Any, step: Any, driving: Any, constants: Any, count: Any, *rest: Any) -> None:
        side = machine.side
        g, b, i, j = rest
        builder = machine.builder
        keep, gain, zero = machine.spread(b), machine.spread(g), machine.constant(0.0)

        def falls(part: Any) -> list[Any]:
            start = builder.add(driving, builder.mul(part, machine.vector))
            scores = [machine.load(start, m) for m in range(side)]
            return [builder.select(builder.fcmp_ordered("<", one, zero), one, zero) for one in scores]

        left, right = falls(i), falls(j)
        first = machine.tile(matrices, i, j)
        last = builder.add(first, builder.mul(step, word(3)))
        own = builder.add(constants, builder.udiv(builder.sub(first, matrices), word(machine.lanes)))
        for e in range(side**2):
            product = builder.fmul(left[e // side], right[e % side])
            moved = builder.fadd(product, _number(machine, own, count, 3, e))
            machine.store(machine.fma(keep, machine.load(last, e), moved), last, e)
            machine.store(machine.fma(gain, product, machine.load(first, e)), first, e)

    return signature, generated(body)


@intrinsic
def add_along_tile(typing_context, flat, matrix, driving, along, factor, i, j, shape):  # type: ignore[no-untyped-def]
    """Tile (i, j) of a matrix += factor (w u' + u w'), u from `driving`, w from `along`."""
    signature = types.void(flat, types.int64, types.int64, types.int64, types.float64, types.int64, types.int64, shape)

    def body(machine: Tiles, matrix: Any, driving: Any, along: Any, factor: Any, i: Any, j: Any) -> None:
        side = machine.side
        builder = machine.builder
        scale, target = machine.spread(factor), machine.tile(matrix, i, j)
        rows, columns = (builder.mul(part, machine.vector) for part in (i, j))
        left, right, moved_left, moved_right = (
            [machine.load(builder.add(start, shift), m) for m in range(side)]
            for start, shift in ((driving, rows), (driving, columns), (along, rows), (along, columns))
        )
        for e in range(side**2):
            m, n = divmod(e, side)
            product = machine.fma(moved_left[m], right[n], builder.fmul(left[m], moved_right[n]))
            machine.store(machine.fma(scale, product, machine.load(target, e)), target, e)

    return signature, generated(body)
