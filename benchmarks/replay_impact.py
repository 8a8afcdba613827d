"""Impact of liquidation volume on minute returns, and how it fades.

``python benchmarks/replay_impact.py minutes.csv.gz`` prints Markdown tables. The file needs columns mid (price),
liq_long_eth (units of long positions closed by force in the minute, which are sales) and liq_short_eth (purchases).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import collatrisk as cr
from collatrisk.liquidation.impact_fit import DecayFit

MINUTE = 1.0 / 1440.0
LAGS = 15


def main(arguments: list[str]) -> None:
    """Fit, and print laws, decay and findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=Path)
    data = pd.read_csv(parser.parse_args(arguments).minutes)
    volume = (data["liq_short_eth"] - data["liq_long_eth"]) * data["mid"]
    trades = pd.DataFrame({"return": np.log(data["mid"]).diff(), "volume": volume}).iloc[1:]
    fit = cr.calibrate_impact(trades=trades, lags=LAGS, step_days=MINUTE)
    assert fit.decay is not None, "prices rise when sold: nothing decays"
    sys.stdout.write(_laws(trades, fit) + _decay(fit.decay))
    for finding in fit.findings:
        sys.stdout.write(f"- {finding.severity} {finding.code}: {finding.message}\n")
    sys.stdout.write(f"- the law as a venue: {fit.venue()}\n")


def _laws(trades: pd.DataFrame, fit: cr.ImpactFit) -> str:
    active = trades["volume"].ne(0.0)
    typical = trades["volume"][active].abs().median()
    lines = [
        f"{len(trades):,} minutes, {active.mean():.1%} with liquidations, median {typical:,.0f} USD",
        "",
        "| law | exponent | move at the median | R2 | R2 out of sample | error out of sample |",
        "|---|---|---|---|---|---|",
    ]
    for law in fit.laws.values():
        low, high = law.exponent.ci()
        span = f"{law.exponent.value:.3f}" + ("" if low == high else f" [{low:.2f}, {high:.2f}]")
        move = " to ".join(f"{1e4 * end:.2f}" for end in law.typical_move.ci())
        errors = f"{law.r_squared:.3f} | {law.test_r_squared:.3f} | {1e4 * law.test_rmse:.2f} bp"
        lines.append(f"| {law.law} | {span} | {move} bp | {errors} |")
    return "\n".join(lines) + "\n\n"


def _decay(decay: DecayFit) -> str:
    low, high = decay.half_life_days.ci()
    half_life = f"{decay.half_life_days.value / MINUTE:.1f} [{low / MINUTE:.1f}, {high / MINUTE:.1f}] minutes"
    lines = [
        "| minutes later | " + " | ".join(map(str, range(LAGS + 1))) + " |",
        "|---" * (LAGS + 2) + "|",
        "| left of the move | " + " | ".join(f"{value:.2f}" for value in decay.response) + " |",
        "",
        f"half-life {half_life}; share that stays {decay.permanent_share}; one minute before {decay.lead}",
    ]
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    main(sys.argv[1:])
