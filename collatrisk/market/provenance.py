"""The fingerprint of a frame of prices, for the reproducibility page."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd

from collatrisk.market.frames import microseconds, price_frame

_FORMAT = b"collatrisk-prices-1\n"


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 (hex) of the names, dates and prices of a frame.

    The same on every platform and pandas version: names as ASCII JSON, dates as little-endian int64 microseconds of
    UTC, prices as little-endian float64 row by row, with one NaN and one zero. The order of rows and columns counts.

    Raises
    ------
    InputError, DataError : if it is not a frame of prices.
    """
    prices = price_frame(frame, "frame_hash")
    # Adding 0.0 turns -0.0 into 0.0; np.nan replaces every NaN payload.
    values = prices.to_numpy() + 0.0
    values[np.isnan(values)] = np.nan
    digest = hashlib.sha256(_FORMAT)
    digest.update(json.dumps([str(name) for name in prices.columns]).encode("ascii") + b"\n")
    digest.update(np.ascontiguousarray(microseconds(prices.index), dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()
