"""Venues by name: ``venues.load("aave-v3")``. The data files lie beside this one."""

from collatrisk.liquidation.presets import load, names, parse

__all__ = ["load", "names", "parse"]
