"""Files that come with the package: templates, shipped calibrations, the price series that `arch` carries."""

from __future__ import annotations

import importlib.util
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from collatrisk.base.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

CRYPTO_CALIBRATION = "crypto_2023-12-31.json"
TEMPLATES = ("lombard", "crypto-lending")
_SERIES = {"SP500": ("sp500", "Close"), "NASDAQ": ("nasdaq", "Close"), "WTI": ("wti", "DCOILWTICO")}
_FIRST, _LAST = "1999-01-04", "2018-12-31"


def template(name: str) -> str:
    """The commented study file of a template."""
    return files("collatrisk.study").joinpath(f"templates/{name}.toml").read_text(encoding="utf-8")


def calibration(name: str) -> Path:
    """A shipped calibration: inside the installed package, or beside the package in a checkout of the source.

    Raises
    ------
    InputError : if this installation has none of that name.
    """
    package = Path(str(files("collatrisk")))
    places = (package / "_data" / "calibrations" / name, package.parent / "data" / "calibrations" / name)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place.parent) for place in places)
    remedy = "install collatrisk again, or calibrate your own"
    raise InputError("Shipped calibrations", [Problem("calibration", repr(name), f"is not in {looked}", remedy)])


def index_prices() -> pd.DataFrame:
    """S&P 500, Nasdaq Composite and WTI crude, daily, 1999 to 2018, from the files that `arch` carries.

    They are read as files: importing `arch` would cost a second, and only the volatility room may do it. A day on which
    a series has no price stays empty; nothing is filled.
    """
    import pandas as pd

    spec = importlib.util.find_spec("arch")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    columns = {}
    for asset, (name, column) in _SERIES.items():
        path = next((Path(folder) / "data" / name / f"{name}.csv.gz" for folder in folders), None)
        if path is None or not path.is_file():
            problem = Problem("arch", str(path), "does not carry the series", "install arch 7.2 or later with pip")
            raise InputError("Example prices", [problem])
        frame = pd.read_csv(path)
        stamps = pd.to_datetime(frame.iloc[:, 0], format="%m/%d/%Y")
        # The file marks a day without a price with a full stop.
        columns[asset] = pd.Series(pd.to_numeric(frame[column], errors="coerce").to_numpy(), index=stamps)
    table = pd.DataFrame(columns).loc[_FIRST:_LAST].dropna(how="all")
    table.index.name = "date"
    return table
