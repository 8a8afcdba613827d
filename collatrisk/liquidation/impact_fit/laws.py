"""Laws of impact by least squares: linear, square root and a power, with intervals and errors out of sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.liquidation.impact_fit.sample import Sample
from collatrisk.risk import BootstrapInterval, Estimate

FloatArray = NDArray[np.float64]
Law = Literal["linear", "square_root", "power"]
LAWS: Final[tuple[Law, ...]] = ("linear", "square_root", "power")
LOWEST: Final = 0.05
HIGHEST: Final = 2.0
REPLICATES: Final = 999
_GRID = np.round(np.arange(LOWEST, HIGHEST + 0.005, 0.01), 2)
_FIXED = {"linear": 1.0, "square_root": 0.5}
_METHOD = "least squares through the origin; bootstrap of blocks of {block}, {replicates} replicates"


@dataclass(frozen=True, slots=True)
class LawFit:
    """One law: ``move = coefficient * sign(amount) * |amount|**exponent``.

    Attributes
    ----------
    law : its name. coefficient : at an amount of one. exponent : fixed, or fitted in [0.05, 2].
    typical_move : the move at the sample's median amount, which is better known than the coefficient.
    r_squared, rmse : in sample; R2 against the mean move.
    test_r_squared, test_rmse : on observations that the fit did not see; R2 against the mean of those that it saw.
    """

    law: Law
    coefficient: Estimate
    exponent: Estimate
    typical_move: Estimate
    r_squared: float
    rmse: float
    test_r_squared: float
    test_rmse: float


def fit_laws(sample: Sample, test_share: float, seed: int) -> tuple[LawFit, ...]:
    """Every law of `LAWS` fitted to a sample."""
    counts = draw_blocks(sample.starts().size, seed)
    tables = _BlockSums.of(sample)
    return tuple(_fit(law, sample, tables, counts, test_share) for law in LAWS)


def draw_blocks(n_blocks: int, seed: int) -> FloatArray:
    """How often each block is drawn in each replicate, float64 (REPLICATES, n_blocks)."""
    generator = np.random.Generator(np.random.Philox(key=int(stream_key(seed, Purpose.BOOTSTRAP))))
    return generator.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=REPLICATES).astype(np.float64)


def shaped(amounts: FloatArray, power: float, scale: float) -> FloatArray:
    """``sign(amount) * |amount / scale|**power``."""
    return np.asarray(np.sign(amounts) * np.abs(amounts / scale) ** power)


@dataclass(frozen=True, slots=True, eq=False)
class _BlockSums:
    """Sums over blocks of g * g and g * move for each power of the grid, float64 (n_powers, n_blocks)."""

    squares: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, sample: Sample) -> _BlockSums:
        """The sums of a sample. Amounts of zero add nothing, and are left out of the powers."""
        active = np.flatnonzero(sample.amounts)
        blocks = active // sample.block
        n_blocks = sample.starts().size
        squares, products = np.empty((2, _GRID.size, n_blocks))
        for i, power in enumerate(_GRID):
            g = shaped(sample.amounts[active], power, sample.typical)
            squares[i] = np.bincount(blocks, g * g, n_blocks)
            products[i] = np.bincount(blocks, g * sample.moves[active], n_blocks)
        return cls(squares, products)


def _fit(law: Law, sample: Sample, tables: _BlockSums, counts: FloatArray, test_share: float) -> LawFit:
    scale = sample.typical
    power, slope = best_power(sample) if law == "power" else (_FIXED[law], _slope(sample, _FIXED[law], scale))
    powers, slopes = _replicates(law, tables, counts)
    method = _METHOD.format(block=sample.block, replicates=REPLICATES)
    exponent = _estimate(power, powers, method, sample) if law == "power" else Estimate.exact(power, "fixed")
    fitted = slope * shaped(sample.amounts, power, scale)
    error = float(np.sum((sample.moves - fitted) ** 2))
    test_r2, test_rmse = _tested(law, sample, test_share)
    return LawFit(
        law=law,
        coefficient=_estimate(slope / scale**power, slopes / scale**powers, method, sample),
        exponent=exponent,
        typical_move=_estimate(slope, slopes, method, sample),
        r_squared=_share(error, float(np.sum((sample.moves - sample.moves.mean()) ** 2))),
        rmse=float(np.sqrt(error / sample.size)),
        test_r_squared=test_r2,
        test_rmse=test_rmse,
    )


def best_power(sample: Sample) -> tuple[float, float]:
    """The exponent in [LOWEST, HIGHEST] and the move at the median amount with the least squared error."""
    from scipy.optimize import minimize_scalar

    scale = sample.typical

    def lost(power: float) -> float:
        """Less the squared error explained, which is least where the error is."""
        g = shaped(sample.amounts, power, scale)
        product = max(float(g @ sample.moves), 0.0)
        return -(product**2) / float(g @ g)

    start = float(_GRID[int(np.argmin([lost(power) for power in _GRID]))])
    bounds = max(start - 0.02, LOWEST), min(start + 0.02, HIGHEST)
    refined = float(minimize_scalar(lost, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)
    power = min((start, refined, *bounds), key=lost)
    return power, _slope(sample, power, scale)


def _slope(sample: Sample, power: float, scale: float) -> float:
    g = shaped(sample.amounts, power, scale)
    return float(g @ sample.moves) / float(g @ g)


def _replicates(law: Law, tables: _BlockSums, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exponent and move at the median amount of each resample."""
    if law == "power":
        squares, products = counts @ tables.squares.T, counts @ tables.products.T
        explained = np.where(squares > 0, np.maximum(products, 0.0) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)
        best = explained.argmax(axis=1)
    else:
        column = int(np.argmin(np.abs(_GRID - _FIXED[law])))
        squares, products = (counts @ table[column][:, None] for table in (tables.squares, tables.products))
        best = np.zeros(counts.shape[0], dtype=np.int64)
    rows = np.arange(counts.shape[0])
    chosen = squares[rows, best]
    slopes = np.divide(products[rows, best], chosen, out=np.zeros(rows.size), where=chosen > 0)
    powers = _GRID[best] if law == "power" else np.full(rows.size, _FIXED[law])
    return powers, slopes


def _tested(law: Law, sample: Sample, test_share: float) -> tuple[float, float]:
    """R2 and root mean squared error on observations that were not fitted."""
    error = base = 0.0
    count = 0
    for fitted_rows, tested_rows in sample.tests(test_share):
        seen, new = sample.part(fitted_rows), sample.part(tested_rows)
        if not seen.amounts.any():
            return float("nan"), float("nan")
        scale = seen.typical
        power, slope = best_power(seen) if law == "power" else (_FIXED[law], _slope(seen, _FIXED[law], scale))
        error += float(np.sum((new.moves - slope * shaped(new.amounts, power, scale)) ** 2))
        base += float(np.sum((new.moves - seen.moves.mean()) ** 2))
        count += new.size
    return _share(error, base), float(np.sqrt(error / count))


def _share(error: float, base: float) -> float:
    return 1.0 - error / base if base > 0.0 else float("nan")


def _estimate(value: float, replicates: FloatArray, method: str, sample: Sample) -> Estimate:
    ordered = np.sort(replicates)
    n_effective = float(sample.starts().size)
    interval = BootstrapInterval(tuple(ordered.tolist()), n_effective)
    return Estimate(value, float(ordered.std(ddof=1)), "parameter", method, sample.size, n_effective, interval)
