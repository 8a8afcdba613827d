"""Compiled loops: array in, array out, serial, lock released, nothing allocated inside. numpy and numba only.

Compiled code is cached beside the sources (or in ``NUMBA_CACHE_DIR``). Numba notices an edit of a file, but not of the
files that it imports: after changing a kernel that others call, delete this folder's ``__pycache__``.
"""
