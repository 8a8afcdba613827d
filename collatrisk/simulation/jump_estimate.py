"""Jumps from returns: what stands out of the local volatility, how often it arrives and how large it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from collatrisk.base.findings import Finding
from collatrisk.market.clock import Clock
from collatrisk.simulation.jump_fit import JumpFit, Jumps, SizeEstimate
from collatrisk.simulation.jumps import Jump, JumpSize

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit

_ROUNDS = 6
_FEW = 10
_OFF = 0.1

Fitter = Callable[["Mapping[str, pd.Series]"], "dict[str, VolatilityFit]"]


def jumps_of(series: Mapping[str, pd.Series], spec: Jumps, clock: Clock, fit: Fitter) -> JumpFit:
    """Detect and estimate; see `fit_jumps`.

    Parameters
    ----------
    series : returns by asset, decimals, each on its own dates. fit : volatilities of such series.
    """
    import pandas as pd

    fits, cleaned, means, places = _detect(series, spec, fit)
    tables = [
        _moves(asset, one, means[asset], fits[asset], places[asset], spec.threshold) for asset, one in series.items()
    ]
    detected = pd.concat(tables, ignore_index=True).sort_values(["date", "asset"], kind="stable", ignore_index=True)
    detected["common"] = _common(detected, series, spec)
    sizes = {asset: _sizes(detected[detected["asset"] == asset]) for asset in series}
    years = {asset: len(one) * clock.step_years for asset, one in series.items()}
    jumps, arrivals = _arrivals(detected, sizes, years)
    return JumpFit(
        spec=spec,
        clock=clock,
        jumps=jumps,
        arrivals=arrivals,
        sizes=sizes,
        detected=detected,
        returns=cleaned,
        fits=fits,
        findings=(*_findings(sizes, spec), *_variance_findings(series, cleaned, jumps, clock)),
    )


def _detect(
    series: Mapping[str, pd.Series], spec: Jumps, fit: Fitter
) -> tuple[
    dict[str, VolatilityFit], dict[str, pd.Series], dict[str, NDArray[np.float64]], dict[str, NDArray[np.int64]]
]:
    """Fit, take out what stands out, fit again, until nothing new does: fits, what is left, means, places."""
    import pandas as pd

    cleaned = dict(series)
    places = {asset: np.zeros(0, dtype=np.int64) for asset in series}
    fits: dict[str, VolatilityFit] = {}
    means: dict[str, NDArray[np.float64]] = {}
    waiting = list(series)
    for _ in range(_ROUNDS):
        fits |= fit({asset: cleaned[asset] for asset in waiting})
        again = []
        for asset in waiting:
            one = fits[asset]
            values = series[asset].to_numpy(dtype=np.float64).copy()
            mean = means[asset] = _mean(cleaned[asset], one)
            found = np.flatnonzero(np.abs(values - mean) > spec.threshold * one.conditional_volatility)
            if np.array_equal(found, places[asset]):
                continue
            places[asset] = found
            again.append(asset)
            signs = np.where(np.arange(found.size) % 2, -1.0, 1.0)
            values[found] = mean[found] + signs * one.conditional_volatility[found]
            cleaned[asset] = pd.Series(values, index=series[asset].index, name=series[asset].name)
        waiting = again
        if not waiting:
            break
    return fits, cleaned, means, places


def _mean(cleaned: pd.Series, fit: VolatilityFit) -> NDArray[np.float64]:
    """What the fit expects of each return."""
    expected = cleaned.to_numpy(dtype=np.float64) - fit.std_resid * fit.conditional_volatility
    return np.asarray(expected, dtype=np.float64)


def _moves(
    asset: str,
    returns: pd.Series,
    mean: NDArray[np.float64],
    fit: VolatilityFit,
    places: NDArray[np.int64],
    threshold: float,
) -> pd.DataFrame:
    import pandas as pd

    moved = (returns.to_numpy(dtype=np.float64) - mean)[places]
    sd = fit.conditional_volatility[places]
    table = {"date": returns.index[places], "asset": asset, "move": moved, "sd": sd, "threshold": threshold * sd}
    return pd.DataFrame(table)


def _common(detected: pd.DataFrame, series: Mapping[str, pd.Series], spec: Jumps) -> NDArray[np.bool_]:
    """Rows of dates on which enough assets jump the same way."""
    up = detected["move"] > 0
    together = detected.groupby(["date", up])["asset"].transform("size")
    present = np.array([sum(date in one.index for one in series.values()) for date in detected["date"]])
    return np.asarray((together >= 2) & (together >= spec.common_share * present), dtype=np.bool_)


def _sizes(moves: pd.DataFrame) -> dict[str, SizeEstimate]:
    """The exponential beyond the threshold, by direction; a direction without any has the other's mean."""
    beyond = moves["move"].abs() - moves["threshold"]
    found = {}
    for side, chosen in (("up", moves["move"] > 0), ("down", moves["move"] < 0)):
        count = int(chosen.sum())
        usable = chosen if count else moves["move"] != 0
        mean = float(beyond[usable].mean()) if usable.any() else math.nan
        minimum = float(moves["threshold"][usable].mean()) if usable.any() else math.nan
        found[side] = SizeEstimate(count, minimum, mean, mean / math.sqrt(count) if count else math.nan)
    return found


def _law(sides: Mapping[str, SizeEstimate], p_up: float, hit: float = 1.0) -> JumpSize:
    up, down = sides["up"], sides["down"]
    return JumpSize(p_up, max(up.mean, 1e-9), max(down.mean, 1e-9), up.minimum, down.minimum, hit)


def _arrivals(
    detected: pd.DataFrame, sizes: Mapping[str, Mapping[str, SizeEstimate]], years: Mapping[str, float]
) -> tuple[tuple[Jump, ...], dict[str, tuple[int, float, float, float, float]]]:
    jumps: list[Jump] = []
    arrivals: dict[str, tuple[int, float, float, float, float]] = {}
    shared = detected[detected["common"]]
    if len(shared):
        events = _events(shared)
        count, longest = len(events), max(years.values())
        ups = sum(up for _, up in events)
        # An asset that is younger than the others could only be hit since it has prices.
        hits = {asset: int((shared["asset"] == asset).sum()) for asset in sizes}
        laws = {
            asset: _law(sizes[asset], ups / count, min(hit / count * longest / years[asset], 1.0))
            for asset, hit in hits.items()
            if hit
        }
        arrivals["common jumps"] = _rate(count, longest)
        together = _together(events, sizes)
        jumps.append(Jump("common jumps", count / longest, laws, compensated=True, together=together, count=count))
    for asset, sides in sizes.items():
        own = detected[(detected["asset"] == asset) & ~detected["common"]]
        arrivals[f"jumps of {asset}"] = _rate(len(own), years[asset])
        if len(own):
            law = _law(sides, float((own["move"] > 0).mean()))
            rate = len(own) / years[asset]
            jumps.append(Jump(f"jumps of {asset}", rate, {asset: law}, compensated=True, count=len(own)))
    return tuple(jumps), arrivals


def _rate(count: int, years: float) -> tuple[int, float, float, float, float]:
    """Count, years, intensity and its exact 95 % interval (Garwood 1936)."""
    low = float(gammaincinv(count, 0.025)) / years if count else 0.0
    return count, years, count / years, low, float(gammaincinv(count + 1, 0.975)) / years


def _events(shared: pd.DataFrame) -> dict[tuple[object, bool], list[tuple[str, float]]]:
    """(date, upwards) -> (asset, size beyond its threshold) of each asset that jumped."""
    found: dict[tuple[object, bool], list[tuple[str, float]]] = {}
    for date, asset, move, threshold in zip(
        shared["date"], shared["asset"], shared["move"], shared["threshold"], strict=True
    ):
        found.setdefault((date, bool(move > 0.0)), []).append((str(asset), abs(float(move)) - float(threshold)))
    return found


def _together(
    events: Mapping[tuple[object, bool], list[tuple[str, float]]], sizes: Mapping[str, Mapping[str, SizeEstimate]]
) -> float:
    """The mean product of unit-exponential sizes less 1 over pairs of one arrival: their correlation, in [0, 1]."""
    total, pairs = 0.0, 0
    for (_, up), moves in events.items():
        unit = [beyond / sizes[asset]["up" if up else "down"].mean - 1.0 for asset, beyond in moves]
        total += (sum(unit) ** 2 - sum(x * x for x in unit)) / 2.0
        pairs += len(unit) * (len(unit) - 1) // 2
    return min(max(total / pairs, 0.0), 1.0)


def _findings(sizes: Mapping[str, Mapping[str, SizeEstimate]], spec: Jumps) -> list[Finding]:
    found = []
    for asset, sides in sizes.items():
        few = [f"{one.count} {side}" for side, one in sides.items() if one.count < _FEW]
        if few:
            text = (
                f"{' and '.join(few)} jumps beyond {spec.threshold:g} local sd (rule: {_FEW} a direction): their "
                "sizes are known roughly; use a longer history, or give the jumps"
            )
            found.append(Finding("few-jumps", "warning", asset, text))
    return found


def _variance_findings(
    series: Mapping[str, pd.Series], cleaned: Mapping[str, pd.Series], jumps: tuple[Jump, ...], clock: Clock
) -> list[Finding]:
    """Where the noise and the jumps together have not the variance of the returns: an exponential is the wrong law."""
    found = []
    for asset, returns in series.items():
        part = 0.0
        for jump in jumps:
            size = jump.log_sizes.get(asset)
            if isinstance(size, JumpSize):
                part += jump.intensity_per_year * clock.step_years * size.mean_square
        ratio = (float(cleaned[asset].var()) + part) / float(returns.var())
        if abs(ratio - 1.0) > _OFF:
            text = (
                f"noise and jumps have {ratio:.2f} times the variance of the returns (rule: within {_OFF:.0%} of it): "
                "sizes beyond the threshold are not exponential; look at them in .detected, or give the jumps"
            )
            found.append(Finding("jump-variance", "warning", asset, text))
    return found
