"""Recover the liquidation bonus of a lending venue from its liquidation events, by asset and quarter.

``python benchmarks/replay_aave.py events.csv.gz parameters.csv [--prices hourly.csv.gz]`` prints a Markdown table.

The events need columns utc, collateral, collateral_amount, collateral_usd, debt, debt_amount, debt_usd; the parameters
symbol and reserveLiquidationBonus (basis points, 10500 for 5 %). A fixed-bonus venue seizes ``repaid * (1 + bonus)``,
so each event shows the bonus as the ratio of its two values less 1. Where the record has no dollar value for WETH, the
price of the hour is used if a file of hourly closes (column ETH) is given: that is noisier than the venue's own price.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

SMALLEST_USD = 500.0  # below, gas and rounding of the record matter
STEP = 0.005  # venues set bonuses in whole multiples of this
NEAR = 0.0025
FEWEST = 5
READABLE = 0.5


def main(arguments: list[str]) -> None:
    """Print the table and what it says about the parameters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path)
    parser.add_argument("parameters", type=Path)
    parser.add_argument("--prices", type=Path)
    given = parser.parse_args(arguments)
    events = read_events(given.events, given.prices)
    table = recovered(events)
    published = pd.read_csv(given.parameters).set_index("symbol")["reserveLiquidationBonus"] / 1e4 - 1.0
    sys.stdout.write(to_markdown(table, published) + "\n")
    clean = table[table["near"] >= READABLE]
    last = clean.groupby("collateral").tail(1).set_index("collateral")
    agree = [asset for asset in last.index if abs(last.at[asset, "bonus"] - published.get(asset, np.nan)) < NEAR]
    text = f"{len(events):,} events of at least {SMALLEST_USD:g} USD; {len(last)} assets whose bonus can be read; "
    sys.stdout.write(f"{text}last quarter equal to the given parameters: {len(agree)} ({', '.join(agree)})\n")


def read_events(path: Path, prices: Path | None) -> pd.DataFrame:
    """Events large enough to tell, with the ratio of collateral seized to debt repaid less 1."""
    events = pd.read_csv(path, parse_dates=["utc"])
    if prices is not None:
        hours = pd.read_csv(prices, parse_dates=[0], index_col=0)["ETH"].dropna()
        ether = hours.reindex(events["utc"].dt.floor("h")).to_numpy()
        for side in ("collateral", "debt"):
            missing = (events[side] == "WETH") & events[f"{side}_usd"].isna()
            events.loc[missing, f"{side}_usd"] = (events[f"{side}_amount"] * ether)[missing]
    events = events.dropna(subset=["collateral_usd", "debt_usd"])
    events = events[events["debt_usd"] >= SMALLEST_USD].copy()
    events["bonus"] = events["collateral_usd"] / events["debt_usd"] - 1.0
    events["quarter"] = events["utc"].dt.to_period("Q").astype(str)
    return events


def recovered(events: pd.DataFrame) -> pd.DataFrame:
    """By collateral and quarter: the commonest bonus in steps of 0.5 %, the share of events near it, their number."""
    rows = []
    for (asset, quarter), group in events.groupby(["collateral", "quarter"]):
        if len(group) < FEWEST:
            continue
        steps = (group["bonus"] / STEP).round()
        mode = float(steps.mode().iloc[0]) * STEP
        near = float((np.abs(group["bonus"] - mode) <= NEAR).mean())
        rows.append((asset, quarter, len(group), mode, near, float(group["bonus"].median())))
    return pd.DataFrame(rows, columns=["collateral", "quarter", "events", "bonus", "near", "median"])


def to_markdown(table: pd.DataFrame, published: pd.Series) -> str:
    """One row an asset, one column a quarter: bonus (share of events within 0.25 points of it, number of events)."""
    quarters = sorted(table["quarter"].unique())
    lines = ["| collateral | " + " | ".join(quarters) + " | given |", "|---" * (len(quarters) + 2) + "|"]
    for asset, group in table.groupby("collateral"):
        cells = {row.quarter: _cell(row.bonus, row.near, row.events) for row in group.itertuples()}
        given = published.get(asset, np.nan)
        values = [cells.get(quarter, "") for quarter in quarters]
        lines.append(f"| {asset} | " + " | ".join(values) + f" | {'' if np.isnan(given) else f'{given:.1%}'} |")
    return "\n".join(lines)


def _cell(bonus: float, near: float, events: int) -> str:
    """A bonus that fewer than half of the events show is not one: their prices in dollars are wrong."""
    return f"{bonus:.1%} ({near:.0%} of {events})" if near >= READABLE else f"unclear ({events})"


if __name__ == "__main__":
    main(sys.argv[1:])
