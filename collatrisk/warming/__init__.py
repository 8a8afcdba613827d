"""Compiling the kernels ahead of time."""

from collatrisk.warming.warm import warmup

__all__ = ["warmup"]
