"""Reading a book from a table of positions that nobody has checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_REQUIRED, _UNITS, _THRESHOLD = ("account", "asset"), ("held", "owed"), "liquidation_threshold"


def read_book(frame: pd.DataFrame, currency: str) -> dict[str, Any]:
    """The fields of a `Book` but its currency, from the table that `Book.from_frame` describes.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    import pandas as pd

    problems = Problems("Book.from_frame")
    named = isinstance(currency, str) and bool(currency.strip())
    problems.check(named, "currency", currency, "must be text that is not empty", "give 'USD'")
    usable = isinstance(frame, pd.DataFrame)
    problems.check(usable, "frame", frame, "must be a DataFrame", "give a row for each account and asset")
    problems.raise_if_any()
    columns = [str(column) for column in frame.columns]
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        problems.add("frame", column, "is the name of more than one column", "rename one of them")
    for column in _REQUIRED:
        problems.check(column in columns, "frame", columns, f"must have a column {column!r}", "rename the columns")
    found = any(column in columns for column in _UNITS)
    problems.check(found, "frame", columns, "must have a column 'held' or 'owed'", "give units of each asset")
    problems.check(len(frame) > 0, "frame", "no rows", "must hold at least one position", "check the selection")
    problems.raise_if_any()

    accounts, assets = (_texts(problems, frame, column) for column in _REQUIRED)
    units = {column: _numbers(problems, frame, column, columns) for column in _UNITS}
    own = _numbers(problems, frame, _THRESHOLD, columns, missing=np.nan)
    problems.raise_if_any()

    account_codes, names = pd.factorize(accounts)
    asset_codes, kinds = pd.factorize(assets)
    _check_pairs(problems, account_codes, asset_codes, names, kinds)
    thresholds = _one_each(problems, account_codes, names, own) if _THRESHOLD in columns else None
    problems.raise_if_any()

    priced = [kind for kind in kinds if kind != currency]
    place = {kind: column for column, kind in enumerate([*priced, currency])}
    at = np.array([place[kind] for kind in kinds], dtype=np.int64)[asset_codes]
    matrices = {column: np.zeros((len(names), len(priced) + 1)) for column in _UNITS}
    for column, matrix in matrices.items():
        matrix[account_codes, at] = units[column]
    return {"names": tuple(names), "assets": tuple(priced), **matrices, _THRESHOLD: thresholds}


def _texts(problems: Problems, frame: pd.DataFrame, column: str) -> NDArray[np.object_]:
    """A column of names; numbers count as names, missing and empty cells do not."""
    values = frame[column]
    texts = values.astype(str).str.strip().to_numpy(dtype=object)
    _refuse(problems, column, values.isna().to_numpy() | (texts == ""), texts, "must not be empty", "name every row")
    return texts


def _numbers(
    problems: Problems, frame: pd.DataFrame, column: str, columns: list[str], missing: float = 0.0
) -> FloatArray:
    """A column of finite numbers, not negative, `missing` where a cell is empty or the column absent."""
    import pandas as pd

    if column not in columns:
        return np.full(len(frame), missing)
    given = frame[column]
    shown = given.to_numpy(dtype=object)
    if given.dtype == bool:
        _refuse(problems, column, np.ones(len(frame), dtype=bool), shown, "must be numbers", "give units, not flags")
        return np.full(len(frame), missing)
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    absent = given.isna().to_numpy()
    _refuse(problems, column, np.isnan(numbers) & ~absent, shown, "must be a number", "write 1234.5, empty for none")
    _refuse(problems, column, np.isinf(numbers), shown, "must be finite", "give what is held or owed")
    _refuse(problems, column, numbers < 0, shown, "must not be negative", "what is owed goes into 'owed', as it is")
    if column == _THRESHOLD:
        outside = (numbers == 0) | ((numbers > 1) & np.isfinite(numbers))
        _refuse(problems, column, outside, shown, "must be in (0, 1]", "give 0.85 for 85 %")
    return np.where(absent, missing, numbers)


def _refuse(
    problems: Problems, column: str, bad: NDArray[np.bool_], shown: NDArray[np.object_], rule: str, remedy: str
) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        problems.add(column, f"{int(bad.sum())} such as {shown[row]!r} in row {row}", rule, remedy)


def _check_pairs(
    problems: Problems,
    accounts: NDArray[np.int64],
    assets: NDArray[np.int64],
    names: NDArray[np.object_],
    kinds: NDArray[np.object_],
) -> None:
    pairs, first, counts = np.unique(accounts * len(kinds) + assets, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = int(first[np.argmax(counts > 1)])
        shown = f"{int((counts > 1).sum())} such as {kinds[assets[row]]!r} in {names[accounts[row]]!r}"
        rule = "comes more than once in an account"
        problems.add("asset", shown, rule, "sum the rows first, if they are not the same position twice")
    assert len(pairs) > 0


def _one_each(
    problems: Problems, accounts: NDArray[np.int64], names: NDArray[np.object_], values: FloatArray
) -> FloatArray:
    """The one threshold of each account, NaN where it has none."""
    given = ~np.isnan(values)
    lowest, highest = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(lowest, accounts[given], values[given])
    np.maximum.at(highest, accounts[given], values[given])
    differ = lowest < highest
    if differ.any():
        row = int(np.argmax(differ))
        shown = f"{int(differ.sum())} accounts such as {names[row]!r} with {lowest[row]:g} and {highest[row]:g}"
        problems.add(_THRESHOLD, shown, "must be the same in all rows of an account", "thresholds by asset go to terms")
    return np.where(np.isinf(lowest), np.nan, lowest)
