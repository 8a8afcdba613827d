"""What to fit where correlation moves: dynamic conditional correlation and the exponentially weighted kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from collatrisk.base.validation import Problems

Shrinkage: TypeAlias = Literal["auto"] | None
Variant: TypeAlias = Literal["standard", "corrected", "asymmetric"]
CopulaKind: TypeAlias = Literal["gaussian", "t"]
LikelihoodKind: TypeAlias = Literal["auto", "full", "composite"]

VARIANTS: tuple[Variant, ...] = ("standard", "corrected", "asymmetric")
COPULAS: tuple[CopulaKind, ...] = ("gaussian", "t")
FEW_ASSETS = 20
"""Up to here the likelihood of all assets and two-step standard errors; beyond, pairs and the bootstrap."""
LIKELIHOODS: tuple[LikelihoodKind, ...] = ("auto", "full", "composite")
_LETTERS = {"standard": "DCC", "corrected": "cDCC", "asymmetric": "ADCC"}


@dataclass(frozen=True, slots=True)
class Dcc:
    """Dynamic conditional correlation of the copula's scores x_t, which have variance 1.

    ``Q_{t+1} = (1 - a - b) S - g N + a u_t u_t' + g n_t n_t' + b Q_t``, and R_t is Q_t scaled to a unit diagonal. With
    normal marginals and the Gaussian copula x_t are the standardised residuals and the model is the textbook's; with
    the t copula each asset still keeps its own marginal law.

    Parameters
    ----------
    variant : ``"standard"``: u = x, g = 0 (Engle 2002); ``"corrected"``: u_i = x_i sqrt(Q_ii), g = 0, for which S
        really is the second moment of u (Aielli 2013); ``"asymmetric"``: u = x, n = min(x, 0), N the mean of n n'
        (Cappiello, Engle and Sheppard 2006): joint falls may move correlation more than joint rises.
    copula : ``"t"`` or ``"gaussian"``.
    likelihood : ``"full"``: of all assets; ``"composite"``: the sum over all pairs of assets (Engle, Shephard and
        Sheppard 2008), whose error does not grow with their number; ``"auto"``: full up to 20 assets, composite beyond.
    shrinkage : of S. ``"auto"`` (Ledoit-Wolf when there are fewer than ten observations an asset) or None (never).

    Raises
    ------
    InputError : with all broken rules at once.
    """

    variant: Variant = "standard"
    copula: CopulaKind = "t"
    likelihood: LikelihoodKind = "auto"
    shrinkage: Shrinkage = "auto"

    def __post_init__(self) -> None:
        problems = Problems("Dcc")
        problems.choice("variant", self.variant, VARIANTS)
        problems.choice("copula", self.copula, COPULAS)
        problems.choice("likelihood", self.likelihood, LIKELIHOODS)
        problems.raise_if_any()
        check_shrinkage("Dcc", self.shrinkage)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "kind": "dcc",
            "variant": self.variant,
            "copula": self.copula,
            "likelihood": self.likelihood,
            "shrinkage": self.shrinkage,
        }

    def __str__(self) -> str:
        return f"{_LETTERS[self.variant]} with {_copula_text(self.copula)}"


@dataclass(frozen=True, slots=True)
class EwmaCorrelation:
    """Exponentially weighted correlation: ``Q_{t+1} = (1 - decay) x_t x_t' + decay Q_t`` from the sample correlation.

    It has no long-run correlation: over a long simulation correlations wander towards -1 and 1, as a volatility of
    persistence 1 does. For horizons beyond a few weeks `Dcc` is the better choice.

    Parameters
    ----------
    decay : in (0, 1); 0.94 is RiskMetrics' for daily data, 0.97 its for monthly horizons.
    copula : ``"t"`` or ``"gaussian"``.
    shrinkage : of the start. ``"auto"`` or None, as in `Dcc`.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    decay: float = 0.94
    copula: CopulaKind = "t"
    shrinkage: Shrinkage = "auto"

    def __post_init__(self) -> None:
        problems = Problems("EwmaCorrelation")
        remedy = "0.94 for daily data"
        decay = problems.number("decay", self.decay, low=0, high=1, open_low=True, open_high=True, remedy=remedy)
        problems.choice("copula", self.copula, COPULAS)
        problems.raise_if_any()
        check_shrinkage("EwmaCorrelation", self.shrinkage)
        object.__setattr__(self, "decay", decay)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "ewma", "decay": self.decay, "copula": self.copula, "shrinkage": self.shrinkage}

    def __str__(self) -> str:
        return f"EWMA correlation ({self.decay:g}) with {_copula_text(self.copula)}"


def _copula_text(copula: CopulaKind) -> str:
    return "t copula" if copula == "t" else "Gaussian copula"


def check_shrinkage(title: str, shrinkage: object) -> None:
    """Raise unless a shrinkage is "auto" or None."""
    problems = Problems(title)
    problems.check(
        shrinkage is None or (isinstance(shrinkage, str) and shrinkage == "auto"),
        "shrinkage",
        shrinkage,
        "must be 'auto' or None",
        "leave it out",
    )
    problems.raise_if_any()
