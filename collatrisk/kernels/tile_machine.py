"""What hand-made vector code for matrices in tiles is written with: loads, stores and arithmetic of whole runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES_OF_SIDE = (0, 0, 16, 16, 8, 8)
"""How many matrices lie side by side, by the side of a tile: small ones wait for one another's roots otherwise."""

word = ir.IntType(64)
_double = ir.DoubleType()


class Tiles:
    """Loads, stores and arithmetic on runs of a flat float64 array."""

    def __init__(self, context: Any, builder: Any, kind: Any, flat: Any, side: int) -> None:
        self.builder = builder
        self.side = side
        lanes = LANES_OF_SIDE[side]
        self.lanes = lanes
        self.run = ir.VectorType(_double, lanes)
        self.vector = word(side * lanes)
        self.data = context.make_array(kind)(context, builder, flat).data
        module = builder.module
        fma, root = ir.FunctionType(self.run, [self.run] * 3), ir.FunctionType(self.run, [self.run])
        self.fma_of = cgutils.get_or_insert_function(module, fma, f"llvm.fma.v{lanes}f64")
        self.root_of = cgutils.get_or_insert_function(module, root, f"llvm.sqrt.v{lanes}f64")

    def _place(self, start: Any, run: int) -> Any:
        spot = self.builder.gep(self.data, [self.builder.add(start, word(run * self.lanes))])
        return self.builder.bitcast(spot, self.run.as_pointer())

    def load(self, start: Any, run: int = 0) -> Any:
        return self.builder.load(self._place(start, run), align=8)

    def store(self, value: Any, start: Any, run: int = 0) -> None:
        self.builder.store(value, self._place(start, run), align=8)

    def spread(self, number: Any) -> Any:
        """The same number in every lane."""
        one = self.builder.insert_element(ir.Constant(self.run, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
        order = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, one, order)

    def constant(self, number: float) -> Any:
        return ir.Constant(self.run, [number] * self.lanes)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self.fma_of, [a, b, c])

    def minus(self, a: Any, b: Any, c: Any) -> Any:
        """c - a b."""
        return self.fma(self.builder.fneg(a), b, c)

    def root(self, a: Any) -> Any:
        return self.builder.call(self.root_of, [a])

    def variables(self, values: list[Any]) -> list[Any]:
        """Places for vectors that change in a loop; LLVM keeps them in registers."""
        places = [cgutils.alloca_once(self.builder, self.run) for _ in values]
        for place, value in zip(places, values, strict=True):
            self.builder.store(value, place)
        return places

    def values(self, places: list[Any]) -> list[Any]:
        return [self.builder.load(place) for place in places]

    def tile(self, start: Any, row: Any, column: Any) -> Any:
        """The offset of a tile of the triangle that begins at `start`."""
        builder = self.builder
        before = builder.lshr(builder.mul(row, builder.add(row, word(1))), word(1))
        return builder.add(start, builder.mul(builder.add(before, column), word(self.side**2 * self.lanes)))

    def subtract(self, sums: list[Any], left: Any, right: Any, left_rows: bool, right_rows: bool) -> None:
        """sums[m, n] -= sum over k of left times right; by rows: element (m, k) or (n, k), else (k, m) or (k, n)."""
        held, side = self.values(sums), self.side
        for k in range(side):
            lefts = [self.load(left, m * self.side + k if left_rows else k * self.side + m) for m in range(self.side)]
            rights = [
                self.load(right, n * self.side + k if right_rows else k * self.side + n) for n in range(self.side)
            ]
            for m in range(self.side):
                for n in range(self.side):
                    held[m * self.side + n] = self.minus(lefts[m], rights[n], held[m * self.side + n])
        for place, value in zip(sums, held, strict=True):
            self.builder.store(value, place)

    def loop(self, first: Any, last: Any) -> Any:
        return cgutils.for_range_slice(self.builder, first, last, word(1), intp=word)


def generated(body: Callable[..., None]) -> Callable[..., None]:
    """A code generator of numba's from one that takes the machine and the other arguments."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        machine = Tiles(context, builder, signature.args[0], arguments[0], len(signature.args[-1]))
        body(machine, *arguments[1:-1])
        return context.get_dummy_value()

    return generate
