"""Compiled loops: numpy and numba only, serial, nogil, array in and array out.

Every kernel has a slow and obvious twin among the naive modules of the tests.
"""

from collatrisk.kernels import cache

cache.install()
