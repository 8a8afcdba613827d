"""Numba's `njit` for kernels: from here, so that the cache of `collatrisk.kernels.cache` is in place before it is used.

Modules of constants that kernels share with lighter rooms do not import this one, and so not Numba.

A `leaf` is a function that only kernels call, and that hands back no array: it has no wrappers for Python and counts no
references, which makes it quicker to compile. Functions between a kernel and its leaves, which mostly call others, are
``inline="always"``: compiled by themselves they would be optimised with all that is below them, and again in each
caller.
"""

import functools

from numba import njit

from collatrisk.kernels import cache

__all__ = ["leaf", "njit"]

cache.install()

leaf = functools.partial(
    njit,
    cache=True,
    nogil=True,
    error_model="numpy",
    _nrt=False,
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
)
