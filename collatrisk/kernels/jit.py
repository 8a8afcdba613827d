"""Numba's `njit` for kernels: from here, so that the cache of `collatrisk.kernels.cache` is in place before it is used.

Modules of constants that kernels share with lighter rooms do not import this one, and so not Numba.
"""

from numba import njit

from collatrisk.kernels import cache

__all__ = ["njit"]

cache.install()
