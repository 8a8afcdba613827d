"""Numba's `njit` for kernels: from here, so that the cache of `collatrisk.kernels.cache` is in place before it is used.

Modules of constants that kernels share with lighter rooms do not import this one, and so not Numba.

A `leaf` is a function that only kernels call, and that hands back no array: it has no wrappers for Python and counts no
references, which makes it quicker to compile. Functions between a kernel and its leaves, which mostly call others, are
``inline="always"``: compiled by themselves they would be optimised with all that is below them, and again in each
caller.

A number that is written down in a call is a number like any other here. Numba gives it a type of its own: ``f(0)`` is
compiled beside ``f(n)``, and so is every function that a variable is handed to that begins at 0 and is counted up,
although what is compiled for the 0 alone is thrown away.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba.core.types.misc import unliteral

from collatrisk.kernels import cache

__all__ = ["leaf", "njit"]

cache.install()


def njit(**options: bool | str) -> Callable[[Callable[..., object]], Any]:
    """`numba.njit`, but one compilation for all numbers."""

    def compiled(function: Callable[..., object]) -> Any:
        dispatcher = numba.njit(**options)(function)
        template = dispatcher.get_call_template

        def plain(arguments, keywords):  # type: ignore[no-untyped-def]
            named = {name: unliteral(kind) for name, kind in keywords.items()}
            return template([unliteral(kind) for kind in arguments], named)

        dispatcher.get_call_template = plain
        return dispatcher

    return compiled


leaf = functools.partial(
    njit,
    cache=True,
    nogil=True,
    error_model="numpy",
    _nrt=False,
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
)
