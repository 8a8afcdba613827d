"""`fit_jumps`: the jumps of some assets by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.simulation.fit import fit_each, spec_of_each
from collatrisk.simulation.jump_estimate import jumps_of
from collatrisk.simulation.jump_fit import JumpFit, Jumps
from collatrisk.volatility.peg_spec import Peg
from collatrisk.volatility.specs import Garch, VolatilitySpec

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.likelihood import Presample

_GARCH = Garch()
_JUMPS = Jumps()
_TITLE = "fit_jumps"


def fit_jumps(
    returns: pd.DataFrame | pd.Series,
    spec: Jumps = _JUMPS,
    *,
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec] = _GARCH,
    clock: Clock | str = "24/7",
    presample: Presample = "mean_square",
) -> JumpFit:
    """Estimate jumps on top of a volatility model, by thresholding on the local volatility.

    A volatility model is fitted, returns further than the threshold from the mean are taken for jumps and replaced by
    one conditional standard deviation (what the variance expects there, so that it does not carry them as well), and
    both is repeated until the same dates stand out. Sizes are threshold + exponential in each direction: an exponential
    is memoryless, so the mean excess over each date's own threshold is its maximum likelihood estimate. Smaller jumps
    cannot be told from the noise and stay in the volatility; nothing is added for them.

    Parameters
    ----------
    returns : decimals, a column an asset; NaN where it has none.
    spec : the threshold, and what is common.
    volatility : one spec for all assets, or by name with ``"*"`` for the rest.
    clock : counts the years.

    Raises
    ------
    InputError, DataError, FitError : as `fit_market`.
    """
    import pandas as pd

    frame = returns if isinstance(returns, pd.DataFrame) else returns.to_frame()
    names = [str(name) for name in frame.columns]
    specs = spec_of_each(volatility, names)
    problems = Problems(_TITLE)
    problems.check(isinstance(spec, Jumps), "spec", spec, "must be a Jumps", "give Jumps()")
    pegs = [asset for asset, one in specs.items() if isinstance(one, Peg)]
    problems.check(not pegs, "volatility", pegs, "pegs have a stress of their own and no jumps", "leave them out")
    problems.raise_if_any()
    series = {asset: frame.iloc[:, place].dropna().rename(asset) for place, asset in enumerate(names)}
    moving = {asset: one for asset, one in specs.items() if not isinstance(one, Peg)}

    def fit(some: Mapping[str, pd.Series]) -> dict[str, VolatilityFit]:
        return fit_each(some, {asset: moving[asset] for asset in some}, presample)

    return jumps_of(series, spec, Clock.of(clock), fit)
