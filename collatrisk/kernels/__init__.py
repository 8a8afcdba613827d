"""Compiled loops: array in, array out, serial, lock released, nothing allocated inside. numpy and numba only.

Every kernel has a slow and obvious twin in the tests (`tests/naive*.py`). How compiled code is kept: `kernels.cache`.
"""
