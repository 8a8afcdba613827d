"""The value of an option on a forward, for margin scenarios."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.pricing.black import black_price


def black76(
    forward: ArrayLike, strike: ArrayLike, volatility: ArrayLike, years: ArrayLike, call: ArrayLike
) -> NDArray[np.float64]:
    """Undiscounted Black (1976) value: ``s (F N(s d1) - K N(s d2))``, s = +1 for a call and -1 for a put.

    Parameters
    ----------
    forward, strike : > 0. volatility : a year, >= 0. years : >= 0. call : booleans. All broadcast. Without time or
        volatility the value is the intrinsic one.
    """
    kind = np.where(np.asarray(call), "call", "put")
    return np.asarray(black_price(forward, strike, volatility, years, kind=kind))
