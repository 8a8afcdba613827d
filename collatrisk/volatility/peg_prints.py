"""Single prints that stand far from both of their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

_FAR = 8.0  # robust standard deviations of a step
_AGREE = 0.2  # neighbours differ by at most this share of how far the print stands from them


def lone_prints(
    name: str,
    rows: pd.Index,
    basis: NDArray[np.float64],
    depeg: float,
    stressed: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.bool_], list[Finding]]:
    """Which prints are usable, and a finding that names those that are not.

    A print is left out if it is further from the mean of its neighbours than `depeg` and than 8 robust standard
    deviations of a step (1.4826 x the median absolute step), and they differ by at most a fifth of that. A depeg that
    is over within a step looks the same: at a finer clock it does not.

    Parameters
    ----------
    stressed : (n,) probability of the stress at each row, where it is known: prints scatter more in it than the
        steps of the whole history tell, so that one beside a row that is likelier stressed than not is no bad print.

    Returns
    -------
    bool (n,), True for usable prints, and the findings.
    """
    middle = 0.5 * (basis[:-2] + basis[2:])
    away = np.abs(basis[1:-1] - middle)
    scale = 1.4826 * float(np.median(np.abs(np.diff(basis))))
    lone = (away > max(_FAR * scale, depeg)) & (np.abs(basis[2:] - basis[:-2]) <= _AGREE * away)
    if stressed is not None:
        lone &= np.maximum(stressed[:-2], stressed[2:]) <= 0.5
    usable = np.ones(basis.size, dtype=np.bool_)
    usable[1:-1] = ~lone
    places = np.flatnonzero(~usable)
    if not places.size:
        return usable, []
    named = tuple(f"{_row(rows[i])}: {basis[i] - middle[i - 1]:+.2%}" for i in places[:20])
    one = places.size == 1
    text = f"{places.size} single {'print stands' if one else 'prints stand'} far from both neighbours and "
    text += f"{'was left out as a bad print; if it was' if one else 'were left out as bad prints; if they were'} real, "
    text += "use finer prices, or lone_prints='keep'"
    return usable, [Finding("lone-prints", "warning", name, text, named)]


def _row(label: object) -> str:
    return str(label.date()) if hasattr(label, "date") else str(label)
