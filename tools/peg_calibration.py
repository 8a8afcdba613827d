"""Put the pegs of dollar coins into a saved calibration, in the place of the marginals that it has for them.

    python tools/peg_calibration.py closes.csv data/calibrations/crypto_2023-12-31.json

`closes.csv`: daily closes in dollars, dates in the first column. The rest of the file (other marginals, dependence,
spot) stays as it is; the copula keeps the correlations that it has for the coins, estimated from the ranks of their
returns.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pandas as pd

import collatrisk as cr

# Before these dates the closes are another thing: aggregated prints that scatter by a percent (USDC), a price held at
# 1.001 by rounding (DAI).
FIRST = {"USDC": "2021-01-01", "DAI": "2022-01-01"}


def main(closes: str, file: str) -> None:
    prices = pd.read_csv(closes, index_col=0, parse_dates=True)
    prices.index = prices.index.tz_localize("UTC")
    model = cr.MarketModel.load(file)
    last = model.provenance["last"]
    pegs = {}
    for asset, first in FIRST.items():
        fit = cr.fit_peg(prices.loc[first:last, asset].dropna(), cr.Peg(), clock=model.clock)
        pegs[asset] = cr.PegMarginal.of(asset, fit)
    told = {asset: f"two-regime peg fitted to daily closes from {first} to {last}" for asset, first in FIRST.items()}
    changed = replace(
        model,
        marginals=tuple(pegs.get(one.asset, one) for one in model.marginals),
        findings=tuple(finding for finding in model.findings if finding.subject not in pegs),
        provenance={**model.provenance, "pegs": "; ".join(f"{asset}: {text}" for asset, text in told.items())},
    )
    changed.save(file)


if __name__ == "__main__":
    main(*sys.argv[1:3])
