"""The value of an option on a forward, for margin scenarios."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr


def black76(
    forward: ArrayLike, strike: ArrayLike, volatility: ArrayLike, years: ArrayLike, call: ArrayLike
) -> NDArray[np.float64]:
    """Undiscounted Black (1976) value: ``s (F N(s d1) - K N(s d2))``, s = +1 for a call and -1 for a put.

    Parameters
    ----------
    forward, strike : > 0. volatility : a year, >= 0. years : >= 0. call : booleans. All broadcast. Without time or
        volatility the value is the intrinsic one.
    """
    f, k, sigma, tau = (np.asarray(x, dtype=np.float64) for x in (forward, strike, volatility, years))
    sign = np.where(np.asarray(call), 1.0, -1.0)
    spread = sigma * np.sqrt(tau)
    safe = np.where(spread > 0.0, spread, 1.0)
    d1 = np.log(f / k) / safe + 0.5 * safe
    value = sign * (f * ndtr(sign * d1) - k * ndtr(sign * (d1 - safe)))
    return np.asarray(np.where(spread > 0.0, value, np.maximum(sign * (f - k), 0.0)))
