"""`PathPlan`: the recipe of a Monte Carlo run. It holds no paths; workers read the ones they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.execution.once import building
from collatrisk.market.clock import Clock
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.path_inputs import path_inputs, without_unused
from collatrisk.simulation.peg_inputs import step_correlation
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.simulation.reading import check_range, describe_paths, path_ranges, step_times
from collatrisk.simulation.single_inputs import PRECISIONS, Precision, single_inputs, single_spot, too_rich
from collatrisk.simulation.source import FloatArray, PathArray, PathBlock
from collatrisk.simulation.step_inputs import DRIFTS, Drift, is_constant

if TYPE_CHECKING:
    from collatrisk.kernels.paths import PathInputs
    from collatrisk.kernels.paths_single import SingleInputs

_MAX_STEPS = 2**31
_MAX_ARRIVALS = 1.0  # of a jump a step: at most eight are drawn, and more than eight have a chance of one in a million


@dataclass(frozen=True, repr=False)
class PathPlan:
    """Monte Carlo paths of a market model, drawn on demand.

    A path is a function of (model, seed, index of the path, drift, grid) alone: whichever worker reads it, in whichever
    block, has the same bits; the paths of a smaller plan are the first ones of a larger, and the prices of a shorter
    horizon are the first ones of a longer.

    Per step and asset, h the GARCH variance going on from the last filtered state, z an innovation of mean 0 and
    variance 1 from the fitted law::

        r = drift + sqrt(h) z,    price <- price exp(r)

    Parameters
    ----------
    model : what to simulate.
    n_paths : int >= 1.
    horizon_days : days of the model's clock (calendar days on a 24/7 clock, business days on a business clock), > 0 and
        a whole number of steps.
    seed : int in [0, 2**64).
    steps_per_day : a finer grid than the model's, a multiple of it; None for the model's own. Only where every variance
        is constant: variances and means are divided among the finer steps. (With t innovations the finer steps are
        t, so that their sum over a day is nearer to the normal.)
    drift : ``"martingale"`` (default): -h/2, so that E[price] stays at the spot. That is exact for normal innovations
        only: the exponential of a Student t has no mean. ``"zero_log"``: 0, the median of a symmetric law stays at the
        spot. ``"fitted"``: the mean log return of the fit. Jumps are compensated under ``"martingale"`` where they say
        so (`Jump.compensated`: those that were estimated), never otherwise.
    precision : ``"double"`` (default): paths are drawn and carried in float64. ``"single"``: in float32, at about half
        the cost, from a random stream of its own; money is counted in float64 all the same. For plain models: one lag
        of variance at most, one copula, no jumps, pegs, seasons, AR(1) means, moving correlation or rows of history.
        The error is far below that of the sampling: `docs/precision.md`. `spot` is then the nearest float32.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    model: MarketModel
    _: KW_ONLY
    n_paths: int
    horizon_days: float
    seed: int = 0
    steps_per_day: int | None = None
    drift: Drift = "martingale"
    precision: Precision = "double"
    _clock: Clock = field(init=False, repr=False, compare=False)
    _inputs: PathInputs | None = field(init=False, repr=False, compare=False, default=None)
    _single: SingleInputs | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        problems = Problems("PathPlan")
        known = isinstance(self.model, MarketModel)
        problems.check(
            known, "model", type(self.model).__name__, "must be a MarketModel", "fit_market(prices) gives one"
        )
        n_paths = problems.integer("n_paths", self.n_paths, low=1, high=2**63 - 1, remedy="10_000 is a fair start")
        days = problems.number("horizon_days", self.horizon_days, low=0, open_low=True, remedy="30 for a month")
        seed = problems.integer("seed", self.seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")
        problems.choice("drift", self.drift, DRIFTS)
        problems.choice("precision", self.precision, PRECISIONS)
        for rich in too_rich(self.model) if known and self.precision == "single" else ():
            rule = f"is for plain models, and {rich}"
            problems.add("precision", self.precision, rule, 'leave it out, or give "double"')
        clock = self._checked_clock(problems) if known else Clock()
        for jump in self.model.jumps if known else ():
            most = f"{_MAX_ARRIVALS / clock.step_years:g}"
            rule = f"may arrive at most {most} times a year on this clock: a step draws eight at most"
            often = jump.intensity_per_year * clock.step_years > _MAX_ARRIVALS
            remedy = "lower its intensity_per_year, or use finer steps"
            problems.check(not often, f"jump {jump.label!r}", jump.intensity_per_year, rule, remedy)
        if not problems.found:
            steps = days * clock.steps_per_day
            on_grid = abs(steps - round(steps)) <= 1e-9 and 1 <= round(steps) < _MAX_STEPS
            rule = f"must be a whole number of steps of 1/{clock.steps_per_day} day, at least one"
            remedy = "round it to the grid or use a model on a finer clock"
            problems.check(on_grid, "horizon_days", self.horizon_days, rule, remedy)
        problems.raise_if_any()
        for name, value in (("n_paths", n_paths), ("horizon_days", days), ("seed", seed), ("_clock", clock)):
            object.__setattr__(self, name, value)

    def _checked_clock(self, problems: Problems) -> Clock:
        own = self.model.clock
        if self.steps_per_day is None or self.steps_per_day == own.steps_per_day:
            return own
        remedy = f"leave it out for the model's own {own.steps_per_day}"
        finer = problems.integer("steps_per_day", self.steps_per_day, low=1, high=1440, remedy=remedy)
        rule = f"must be a multiple of the model's {own.steps_per_day}"
        problems.check(finer % own.steps_per_day == 0, "steps_per_day", self.steps_per_day, rule, remedy)
        moving = [one.asset for one in self.model.marginals if isinstance(one, PegMarginal) or not is_constant(one)]
        rule = f"must be the model's {own.steps_per_day}: the volatility of {', '.join(moving)} was fitted on that grid"
        remedy = "leave it out, fit the model to finer prices, or use ConstantVolatility()"
        problems.check(not moving, "steps_per_day", self.steps_per_day, rule, remedy)
        return own if problems.found else own.with_steps_per_day(finer)

    @property
    def assets(self) -> tuple[str, ...]:
        """The model's assets, in the order of the price axis."""
        return self.model.assets

    @property
    def clock(self) -> Clock:
        """The clock of the steps."""
        return self._clock

    @property
    def n_steps(self) -> int:
        """Steps after the spot."""
        return round(self.horizon_days * self._clock.steps_per_day)

    @property
    def spot(self) -> FloatArray:
        """Prices at step 0, float64 (n_assets,); numbers that float32 holds in single precision."""
        return self.model.spot if self.precision == "double" else single_spot(self.model.spot)

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""
        return step_times(self._clock, self.n_steps)

    @property
    def correlation(self) -> FloatArray:
        """Of the steps, float64 (n_assets, n_assets): that of the copula, tokens counted with their underlyings.

        Where correlation moves, one matrix stands for all steps of the bridge: the mean of the forecasts over the
        horizon. Only the minimum between the ends of a step hangs on it; `docs/dependence.md` has the error's size.
        """
        dependence = self.model.dependence
        if dependence.dynamics is None:
            return step_correlation(self.model.marginals, dependence.correlation)
        mean = np.asarray(dependence.forecast_correlation(self.n_steps).mean(axis=0))
        return step_correlation(self.model.marginals, mean)

    @property
    def overlap(self) -> int:
        """1: the paths are independent."""
        return 1

    def read(self, first: int, last: int) -> PathBlock:
        """Simulate the paths `first` to `last` - 1. Safe to call from many threads at once; the kernel is nogil.

        The block is float64 in either precision: float32 prices are widened as they are written.

        Raises
        ------
        InputError : unless 0 <= first <= last <= n_paths.
        """
        check_range(first, last, self.n_paths)
        shape = (len(self.assets), last - first)
        prices = np.empty((self.n_steps + 1, *shape))
        step_variance = np.empty((self.n_steps, *shape))
        self.read_into(first, prices, step_variance)
        return PathBlock(first, prices, step_variance)

    def read_into(self, first: int, prices: PathArray, step_variance: PathArray) -> None:
        """Simulate paths from `first` on into the caller's arrays; nothing is checked.

        Parameters
        ----------
        first : index of the first path.
        prices : (steps + 1, n_assets, n), C-contiguous, float64, or also float32 in single precision; `steps` may be
            fewer than the plan's.
        step_variance : as `prices` (steps, n_assets, n); (0, n_assets, n) where it is not wanted.
        """
        if self.precision == "single":
            from collatrisk.kernels.paths_single import simulate_single

            simulate_single(self._single_inputs(), first, prices, step_variance)
            return
        from collatrisk.kernels.paths import simulate_block

        simulate_block(self._kernel_inputs(), first, cast("FloatArray", prices), cast("FloatArray", step_variance))

    def read_numbered(self, numbers: NDArray[np.uint64], prices: FloatArray, step_variance: FloatArray) -> None:
        """As `read_into`, for paths whose numbers may change on the way; see `collatrisk.simulation.lineage`.

        In double precision only.

        Parameters
        ----------
        numbers : uint64 (n_pairs, n), the number of each path in the steps 2k and 2k + 1.
        """
        from collatrisk.kernels.paths import simulate_block
        from collatrisk.kernels.rows import CHUNK

        n = numbers.shape[1]
        whole = np.zeros((numbers.shape[0], -(-n // CHUNK) * CHUNK), dtype=np.uint64)
        whole[:, :n] = numbers
        simulate_block(self._kernel_inputs(), whole, prices, step_variance)

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order, `size` at a time; nothing is kept."""
        return (self.read(first, last) for first, last in path_ranges(self.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        """What makes the paths reproducible, as plain JSON values."""
        return {
            "kind": "PathPlan",
            "model": self.model.fingerprint(),
            "n_paths": self.n_paths,
            "horizon_days": self.horizon_days,
            "seed": self.seed,
            "drift": self.drift,
            "clock": str(self._clock),
            "n_steps": self.n_steps,
            "precision": self.precision,
            "generator": "Philox4x32-10, Box-Muller",
        }

    def _kernel_inputs(self) -> PathInputs:
        """The tables and arrays of the kernel, built at the first read."""
        if self._inputs is None:
            with building():
                if self._inputs is None:
                    inputs = path_inputs(self.model, self._clock, self.seed, self.drift, self.n_steps)
                    object.__setattr__(self, "_inputs", without_unused(inputs))
        assert self._inputs is not None
        return self._inputs

    def _single_inputs(self) -> SingleInputs:
        """As `_kernel_inputs`, in single precision."""
        if self._single is None:
            with building():
                if self._single is None:
                    inputs = single_inputs(self.model, self._clock, self.seed, self.drift, self.n_steps)
                    object.__setattr__(self, "_single", inputs)
        assert self._single is not None
        return self._single

    def __repr__(self) -> str:
        narrow = ", single precision" if self.precision == "single" else ""
        return f"{describe_paths(self)}, seed {self.seed}, drift {self.drift!r}{narrow}"

    def _repr_html_(self) -> str:
        return html_table(["", ""], list(self.describe().items()), describe_paths(self))

    def __getstate__(self) -> dict[str, Any]:
        # Workers rebuild the tables: milliseconds, and a small pickle.
        return self.__dict__ | {"_inputs": None, "_single": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
