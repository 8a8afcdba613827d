"""Probabilities far too small to count: `rare_probability`, by splitting paths or by drawing where losses come from."""

from collatrisk.rare.probability import rare_probability

__all__ = ["rare_probability"]
