"""The market model: every asset over time, how they move together, and what may hit them all at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.result import DependenceFit
from collatrisk.market.clock import Clock
from collatrisk.simulation.jumps import Jump
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.peg_marginal import AnyMarginal, PegMarginal, check_links
from collatrisk.volatility.tail_law import HistoricalLaw

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

FORMAT = "collatrisk-market-model"
VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class MarketModel:
    """Everything a simulation needs to know of a market. Frozen: a change is a new model.

    Attributes
    ----------
    assets : names, in the order of every array.
    spot : float64 (n_assets,), quote currency per unit, > 0, read-only: the prices from which paths start.
    clock : the length of a step.
    marginals : one `Marginal` or `PegMarginal` an asset, in the same order.
    dependence : the copula of the innovations.
    jumps : arrivals on top of the diffusion.
    provenance : where it comes from: source, window, estimator, hashes, versions. Plain text.
    findings : all that alignment, fits and repairs noticed; those of the marginals and the dependence are added.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    assets: tuple[str, ...]
    spot: FloatArray
    clock: Clock
    marginals: tuple[AnyMarginal, ...]
    dependence: DependenceFit
    jumps: tuple[Jump, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        self._check_kinds()
        spot = np.array(self.spot, dtype=np.float64, order="C")
        spot.flags.writeable = False
        object.__setattr__(self, "spot", spot)
        texts = {str(key): str(value) for key, value in self.provenance.items()}
        object.__setattr__(self, "provenance", MappingProxyType(texts))
        everything = (*self.findings, *self.dependence.findings, *(f for m in self.marginals for f in m.findings))
        object.__setattr__(self, "findings", tuple(dict.fromkeys(everything)))
        problems = Problems("MarketModel")
        self._check(problems)
        problems.raise_if_any()

    def _check_kinds(self) -> None:
        """Refuse parts of the wrong sort, before anything looks into them."""
        problems = Problems("MarketModel")
        for name, kinds, remedy in (
            ("assets", (str,), "give ('ETH', 'BTC')"),
            ("marginals", (Marginal, PegMarginal), "fit_market(prices) makes them"),
            ("jumps", (Jump,), "give [Jump('crash', 1.0, {'ETH': -0.5})]"),
            ("findings", (Finding,), "leave them out"),
        ):
            given = getattr(self, name)
            several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
            object.__setattr__(self, name, tuple(given) if several else ())
            found = getattr(self, name)
            rule = f"must be a list of {' or '.join(kind.__name__ for kind in kinds)}"
            problems.check(several and all(isinstance(one, kinds) for one in found), name, given, rule, remedy)
        for name, kind, remedy in (
            ("clock", Clock, "give Clock('24/7')"),
            ("dependence", DependenceFit, "fit_market(prices) makes it"),
            ("provenance", Mapping, "give {'source': '...'} or leave it out"),
        ):
            rule = f"must be a {kind.__name__}"
            problems.check(isinstance(getattr(self, name), kind), name, getattr(self, name), rule, remedy)
        problems.raise_if_any()

    def _check(self, problems: Problems) -> None:
        names = list(self.assets)
        problems.check(bool(names), "assets", names, "must name at least one asset", "give one")
        twice = sorted({name for name in names if names.count(name) > 1})
        problems.check(not twice, "assets", twice, "must not repeat", "give each asset once")
        spot_ok = self.spot.shape == (len(names),) and bool(np.all(np.isfinite(self.spot) & (self.spot > 0)))
        rule = f"must be {len(names)} finite prices above zero"
        problems.check(spot_ok, "spot", self.spot.tolist(), rule, "give each asset's last price")
        for what, found in (
            ("marginals", [marginal.asset for marginal in self.marginals]),
            ("dependence", list(self.dependence.assets)),
        ):
            problems.check(found == names, what, found, f"must be of the assets {names}, in that order", "reorder them")
        drawn = self.dependence.rows is not None
        free = [one for one in self.marginals if not isinstance(one, PegMarginal)]
        unlike = [m.asset for m in free if isinstance(m.innovations, HistoricalLaw) != drawn]
        rule = "must have rows of history as their innovations where the dependence has, and only there"
        problems.check(not unlike, "marginals", unlike, rule, "fit_market(..., dependence=FilteredHistorical())")
        for i, jump in enumerate(self.jumps):
            problems.known(f"jumps[{i}].log_sizes", jump.log_sizes, names)
        check_links(problems, self.marginals, names)

    @property
    def n_assets(self) -> int:
        """The number of assets."""
        return len(self.assets)

    def marginal(self, asset: str) -> AnyMarginal:
        """The marginal of one asset."""
        problems = Problems("MarketModel")
        problems.known("asset", [asset], self.assets)
        problems.raise_if_any()
        return self.marginals[self.assets.index(asset)]

    def with_spot(self, spot: Mapping[str, float]) -> MarketModel:
        """The same model started at other prices; assets that `spot` does not name keep theirs."""
        problems = Problems("MarketModel.with_spot")
        problems.check(isinstance(spot, Mapping), "spot", spot, "must map assets to prices", "give {'ETH': 2000.0}")
        problems.raise_if_any()
        problems.known("spot", spot, self.assets)
        prices = [
            problems.number(f"spot[{asset}]", spot.get(asset, float(old)), low=0, open_low=True, remedy="give a price")
            for asset, old in zip(self.assets, self.spot, strict=True)
        ]
        problems.raise_if_any()
        return replace(self, spot=np.array(prices))

    def with_next_volatility(self, volatility: Mapping[str, float]) -> MarketModel:
        """The same models, started where the sd of the next step is the one given: a forecast made elsewhere.

        Parameters
        ----------
        volatility : asset -> sd of its next log return, decimals a step, such as ``fit.next_variance ** 0.5`` of a
            `RealizedFit`; assets that it does not name keep their state. The parameters and the long-run level stay,
            and the difference fades with the half-life of each model. With a season it is that of the next step's hour.

        Raises
        ------
        InputError : an unknown asset, a peg, or a variance at which no state of the model can start.
        """
        from collatrisk.simulation.started import with_next_volatility

        return with_next_volatility(self, volatility)

    def with_correlation_stress(self, rho: float, weight: float) -> MarketModel:
        """The same market with tighter correlation: R* = (1 - weight) R + weight E, every pair of E correlated by rho.

        Positive semi-definite for any rho in [-1/(n-1), 1] and weight in [0, 1]. Where correlation moves, R* is where
        paths start and the level to which they return. It is on record in the provenance and the findings; more than
        correlation is stressed by `stress_model`.

        Raises
        ------
        InputError : rho or weight out of range, or rows of history, which have no correlation to set.
        """
        from collatrisk.simulation.stress import stress_model

        return stress_model(self, correlation=(rho, weight), label="correlation stress")

    def select(self, assets: Sequence[str]) -> MarketModel:
        """The model of some of the assets, in the order given. Jumps keep the sizes of the assets that stay.

        A peg needs the assets that it depends on (its underlying, the market that its entries follow).
        """
        names = tuple(assets)
        problems = Problems("MarketModel.select")
        problems.known("assets", names, self.assets)
        problems.raise_if_any()
        gone = set(self.assets) - set(names)
        jumps = (
            replace(jump, log_sizes={asset: size for asset, size in jump.log_sizes.items() if asset in names})
            for jump in self.jumps
            if any(asset in names for asset in jump.log_sizes)
        )
        return replace(
            self,
            assets=names,
            spot=np.array([self.spot[self.assets.index(name)] for name in names]),
            marginals=tuple(self.marginals[self.assets.index(name)] for name in names),
            dependence=self.dependence.select(names),
            jumps=tuple(jumps),
            findings=tuple(finding for finding in self.findings if finding.subject not in gone),
        )

    @classmethod
    def constant(
        cls,
        volatility: Mapping[str, float],
        correlation: object = None,
        spot: Mapping[str, float] | None = None,
        clock: Clock | str = "24/7",
    ) -> MarketModel:
        """The textbook model: constant volatility, normal log returns, a Gaussian copula.

        Parameters
        ----------
        volatility : annualised standard deviation of the log price, an asset: ``{"ETH": 0.8}``; >= 0.
        correlation : None (independent), one float for every pair, a DataFrame with the assets as index and columns, a
            nested mapping ``{"ETH": {"BTC": 0.8}}``, a mapping of pairs ``{("ETH", "BTC"): 0.8}``, or an array in the
            order of `volatility`. One that is not positive semi-definite is replaced by the nearest, with a finding.
        spot : prices; 1.0 for an asset that it does not name.
        clock : a `Clock` or its short name.

        Raises
        ------
        InputError : with all broken rules at once.
        """
        from collatrisk.simulation.textbook import constant_model

        return constant_model(volatility, correlation, spot, clock)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, with format and version."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "assets": list(self.assets),
            "spot": self.spot.tolist(),
            "clock": self.clock.to_dict(),
            "marginals": [marginal.to_dict() for marginal in self.marginals],
            "dependence": self.dependence.to_dict(),
            "jumps": [jump.to_dict() for jump in self.jumps],
            "provenance": dict(self.provenance),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MarketModel:
        """The inverse of `to_dict`, strict: every missing, unknown or non-finite entry is named in one InputError."""
        from collatrisk.simulation.model_file import model_from_dict

        return model_from_dict(data)

    def save(self, path: str | PathLike[str]) -> None:
        """Write versioned JSON with the fingerprint. Floats are written so that reading them gives the same bits."""
        from collatrisk.simulation.model_file import save_model

        save_model(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> MarketModel:
        """Read what `save` wrote.

        Raises
        ------
        InputError : not JSON, another format or version, a missing or unknown key, a number that is not finite, or
            content that does not fit its fingerprint (edited after it was saved).
        """
        from collatrisk.simulation.model_file import load_model

        return load_model(path)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON: the same for equal models, on every machine."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def summary(self) -> pd.DataFrame:
        """One row an asset: model, parameters with robust standard errors, persistence, annualised volatilities.

        Columns: model, each parameter and its ``_se``, persistence, ``long_run_volatility`` and ``current_volatility``
        (annualised by the clock, decimals), n_obs, loglikelihood and the number of findings on the asset.
        """
        from collatrisk.simulation.model_summary import model_summary

        return model_summary(self)

    def __repr__(self) -> str:
        return f"MarketModel({', '.join(self.assets)}; {self.dependence.describe()}; {self.clock})"

    def _repr_html_(self) -> str:
        from collatrisk.simulation.model_summary import model_html

        return model_html(self)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, MarketModel) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __reduce__(self) -> tuple[Any, ...]:
        # A plain pickle would give back writeable arrays and cannot hold read-only mappings.
        return MarketModel.from_dict, (self.to_dict(),)
