"""Read-only mappings that can be hashed and pickled (proxies of the standard library cannot), for frozen objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any, TypeVar

from collatrisk.base.validation import Problems

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(Mapping[K, V]):
    """A copy of `items` that cannot be changed; equal to any mapping with the same items."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (self._items,)


FrozenMap = FrozenDict[str, float]
"""Names to numbers."""


def checked_map(
    problems: Problems,
    name: str,
    value: object,
    *,
    low: float,
    high: float = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
    remedy: str,
) -> FrozenMap:
    """`value` as a `FrozenMap` of finite floats inside the interval; every broken entry is a problem of its own."""
    if not isinstance(value, Mapping):
        problems.add(name, value, "must be a mapping from asset to number", remedy)
        return FrozenMap({})
    items: dict[str, float] = {}
    for key, entry in value.items():
        if not isinstance(key, str) or not key.strip():
            problems.add(name, key, "asset names must be text that is not empty", "use the column names of the prices")
            continue
        label = f"{name}[{key!r}]"
        # numpy scalars that are not registered as Real (such as 0-d arrays) are accepted as what they hold.
        scalar = not isinstance(entry, Real) and getattr(entry, "size", 0) == 1
        number = entry.item() if scalar and hasattr(entry, "item") else entry
        items[key] = problems.number(
            label, number, low=low, high=high, open_low=open_low, open_high=open_high, remedy=remedy
        )
    return FrozenMap(items)
