"""Where the dates that all assets share lie among those of one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def places_of(common: pd.Index, dates: pd.Index) -> NDArray[np.intp]:
    """The place of each common date in `dates`, which hold them all; usually they are the same dates."""
    if dates is common or dates.equals(common):
        return np.arange(len(common))
    return dates.get_indexer(common)
