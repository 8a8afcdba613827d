"""Pegs as arrays of the path kernel, the order in which assets are stepped, and how the bridge sees a staked token."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.dependence.result import DependenceFit
from collatrisk.simulation.law_inputs import law_inputs
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.peg_marginal import AnyMarginal, PegMarginal
from collatrisk.volatility.peg_estimate import kernel_vector
from collatrisk.volatility.peg_spec import COMMON, PEG_PARAMETERS
from collatrisk.volatility.specs import ConstantVolatility

if TYPE_CHECKING:
    from collatrisk.kernels.pegs import PegInputs

FloatArray = NDArray[np.float64]

_LEAST_PHI = 0.02  # a faster pull than this is bridged as this


def stepping_order(marginals: Sequence[AnyMarginal]) -> list[int]:
    """Places of the assets in the order of the kernel: those that are no pegs, then pegs, each after its underlying.

    Within each, as they stand: so a peg that is added never changes the place, and the draws, of another market asset.
    """
    places = {marginal.asset: place for place, marginal in enumerate(marginals)}

    def depth(marginal: AnyMarginal) -> int:
        if not isinstance(marginal, PegMarginal):
            return 0
        parent = marginal.spec.underlying
        return 1 + (0 if parent is None else depth(marginals[places[parent]]))

    return sorted(range(len(marginals)), key=lambda place: depth(marginals[place]))


def peg_inputs(marginals: Sequence[AnyMarginal], dependence: DependenceFit, seed: int) -> PegInputs:
    """What `collatrisk.kernels.pegs` reads.

    Parameters
    ----------
    marginals, dependence : in the order of `stepping_order`.
    """
    from collatrisk.kernels.pegs import PegInputs

    pegs = [marginal for marginal in marginals if isinstance(marginal, PegMarginal)]
    market = [marginal.asset for marginal in marginals if not isinstance(marginal, PegMarginal)]
    rows = {marginal.asset: row for row, marginal in enumerate(marginals)}
    parents = [-1 if peg.spec.underlying is None else rows[peg.spec.underlying] for peg in pegs]
    correlation = dependence.correlation
    normal = Marginal("normal", ConstantVolatility(mean="zero", dist="normal"), {"omega": 1.0})
    weights = [shock_weights(peg.spec.market, market, correlation) for peg in pegs]
    coupling = [correlation[rows[peg.asset], max(parent, 0)] for peg, parent in zip(pegs, parents, strict=True)]
    shape = (len(pegs), len(PEG_PARAMETERS) + 1)
    return PegInputs(
        key=stream_key(seed, Purpose.PEGS),
        slots=_slots([peg.asset for peg in pegs]),
        theta=np.array([kernel_vector(peg.params, peg.spec.depeg) for peg in pegs]).reshape(shape),
        parent=np.array(parents, dtype=np.int64),
        weights=np.array(weights).reshape(len(pegs), len(market)),
        distance=np.array([peg.last_distance for peg in pegs]),
        stressed=np.array([peg.last_stressed for peg in pegs]),
        variance=np.array([bridge_variances(peg.params) for peg in pegs]).reshape(len(pegs), 2),
        coupling=np.array(coupling, dtype=np.float64),
        normal=law_inputs([normal] * len(pegs), [dependence.nus[rows[peg.asset]] for peg in pegs]),
    )


def _slots(names: Sequence[str]) -> NDArray[np.int64]:
    """A counter of its own for each peg, by its name: where it stands among the others does not matter."""
    slots: list[int] = []
    for name in names:
        slot = zlib.crc32(name.encode())
        while slot in slots:
            slot = (slot + 1) % 2**32
        slots.append(slot)
    return np.array(slots, dtype=np.int64)


def shock_weights(market: str | None, assets: Sequence[str], correlation: FloatArray) -> FloatArray:
    """Weights of the assets' innovations in the shock that entries depend on, at unit variance.

    Parameters
    ----------
    market : an asset, ``"*"`` for the mean of all, None for none. correlation : its first rows are of `assets`.
    """
    size = len(assets)
    if market is None:
        return np.zeros(size)
    if market != COMMON:
        return np.array([1.0 if asset == market else 0.0 for asset in assets])
    weights = np.ones(size)
    found: FloatArray = weights / math.sqrt(max(float(weights @ correlation[:size, :size] @ weights), 1e-12))
    return found


def bridge_variances(params: Mapping[str, float]) -> tuple[float, float]:
    """Variance of the noise inside a step, pegged and stressed: that of the Ornstein-Uhlenbeck process behind it.

    An autoregression of phi and innovation sd sigma is the process whose instantaneous variance a step is
    sigma^2 (-2 ln phi) / (1 - phi^2), sigma^2 at phi = 1. A Brownian bridge with it is wider than the process, which is
    pulled back: the lowest point between two steps is on the safe side.
    """
    found = []
    for phi, sigma in (("phi", "sigma"), ("phi_stressed", "sigma_stressed")):
        pull = max(params[phi], _LEAST_PHI)
        factor = -2.0 * math.log(pull) / (1.0 - pull * pull)
        found.append(params[sigma] ** 2 * factor)
    return found[0], found[1]


def step_correlation(marginals: Sequence[AnyMarginal], correlation: FloatArray) -> FloatArray:
    """Correlation of the log-return steps, a token on an underlying counted with it: what the bridge uses.

    The copula's `correlation` is between the noises, a staked token's being that of its basis. Its returns are those of
    its underlying plus that noise: with A adding the underlyings and D the long-run (otherwise today's) sd of each
    noise, the covariance is A D R D A'. It is constant, while variances move: in a stress the basis then counts for
    less than it is (a loan of the underlying against the token is bridged too narrowly), in calm for more.
    """
    if not any(isinstance(one, PegMarginal) and one.spec.underlying for one in marginals):
        return correlation
    places = {marginal.asset: place for place, marginal in enumerate(marginals)}
    adding = np.eye(len(marginals))
    for place in stepping_order(marginals):
        one = marginals[place]
        if isinstance(one, PegMarginal) and one.spec.underlying is not None:
            adding[place] += adding[places[one.spec.underlying]]
    spread = np.array([_typical_sd(marginal) for marginal in marginals])
    covariance = adding @ (correlation * np.outer(spread, spread)) @ adding.T
    sd = np.sqrt(np.diag(covariance))
    sd[sd == 0.0] = 1.0
    found: FloatArray = covariance / np.outer(sd, sd)
    np.fill_diagonal(found, 1.0)
    return np.clip(found, -1.0, 1.0)


def _typical_sd(marginal: AnyMarginal) -> float:
    if isinstance(marginal, PegMarginal):
        calm, stress = bridge_variances(marginal.params)
        share = marginal.stressed_share
        return math.sqrt((1.0 - share) * calm + share * stress)
    long_run = marginal.long_run_volatility
    return long_run if math.isfinite(long_run) else math.sqrt(marginal.next_variance)
