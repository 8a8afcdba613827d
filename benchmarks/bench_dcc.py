"""Dynamic conditional correlation beside pymgarch on the same returns: GARCH margins and DCC, and the DCC alone.

pymgarch is not among the project's peers that `make bench` installs; without it the rows stand alone. It wants a newer
pandas than some environments have: install it in one of its own and put this project on its path.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from common import RUNS, Row, Times, race
from scipy.special import ndtr

from collatrisk.dependence import Dcc, DependenceFit, equicorrelation, fit_dependence
from collatrisk.volatility import Garch, fit_panel

DAYS = 2500
SPEC = Dcc(copula="gaussian", likelihood="full")
GARCH = Garch(p=1, o=0, q=1, dist="normal")
SIZES = (2, 5, 20)
EXECUTOR = ThreadPoolExecutor(2)
"""For the margins alone, of five assets and more (two are sooner done than handed over); the search for a and b is on
one thread."""


def simulated(size: int, seed: int = 1) -> pd.DataFrame:
    """Per cent returns of GARCH(1,1) assets under a DCC with a = 0.03, b = 0.95 and level 1/2."""
    rng = np.random.default_rng(seed)
    level = equicorrelation(size, 0.5)
    q, h, out = level.copy(), np.ones(size), np.empty((DAYS, size))
    for t in range(DAYS):
        sd = np.sqrt(np.diag(q))
        x = np.linalg.cholesky(q / np.outer(sd, sd)) @ rng.standard_normal(size)
        out[t] = np.sqrt(h) * x
        h = 0.05 + 0.07 * out[t] ** 2 + 0.88 * h
        q = 0.02 * level + 0.03 * np.outer(x, x) + 0.95 * q
    return pd.DataFrame(out, columns=[f"A{i}" for i in range(size)])


def both_steps(returns: pd.DataFrame) -> DependenceFit:
    """GARCH of every asset on the fast path, then the DCC of their residuals; no standard errors on either side."""
    executor = EXECUTOR if returns.shape[1] >= 5 else None
    panel = fit_panel(returns, GARCH, presample="backcast", executor=executor)
    return second_step(np.column_stack(list(panel.std_resid(returns).values())), list(returns))


def second_step(residuals: Any, names: list[str]) -> DependenceFit:
    """The DCC of standardised residuals."""
    return fit_dependence(ndtr(residuals), SPEC, assets=names, std_errors=False)


def run() -> list[Row]:
    """Both steps and the second alone, at 2, 5 and 20 assets; 100 assets by pairs."""
    peer = find_spec("pymgarch") is not None
    rows = []
    for size in SIZES:
        returns = simulated(size)
        scores = _residuals(returns)
        whole: dict[str, Any] = {"ours": lambda returns=returns: both_steps(returns)}
        alone: dict[str, Any] = {"ours": lambda scores=scores, returns=returns: second_step(scores, list(returns))}
        if peer:
            from pymgarch import DCC
            from pymgarch.estimation import ParamLayout, fit_stage2

            whole["pymgarch"] = lambda returns=returns: DCC().fit(returns, compute_se=False)
            alone["pymgarch"] = lambda scores=scores: fit_stage2(scores, ParamLayout(False, False))
        note = _agreement(scores, list(returns)) if peer else "pymgarch not installed"
        rows.append(_row(f"DCC, both steps, {size} assets, {DAYS} days", whole, "", ">= 40x pymgarch"))
        rows.append(_row(f"DCC, second step, {size} assets", alone, note, ""))
    names = [f"A{i}" for i in range(100)]
    scores = _residuals(simulated(100))
    pairs = Dcc(copula="gaussian")
    timed = {"ours": lambda: fit_dependence(ndtr(scores), pairs, assets=names)}
    rows.append(_row("DCC, second step, 100 assets, all 4 950 pairs", timed, "no peer is run: minutes", ""))
    return rows


def _residuals(returns: pd.DataFrame) -> Any:
    """Residuals of the true variances: the second step's input."""
    h, out = np.ones(returns.shape[1]), np.empty(returns.shape)
    for t, row in enumerate(returns.to_numpy()):
        out[t] = row / np.sqrt(h)
        h = 0.05 + 0.07 * row**2 + 0.88 * h
    return out


def _agreement(scores: Any, names: list[str]) -> str:
    from pymgarch.estimation import ParamLayout, fit_stage2

    theirs = fit_stage2(scores, ParamLayout(False, False)).params
    motion = second_step(scores, names).dynamics
    assert motion is not None
    gap = max(abs(motion.a - theirs[0]), abs(motion.b - theirs[1]))
    return f"a and b differ by {gap:.0e} at most"


def _row(work: str, contestants: dict[str, Any], note: str, target: str) -> Row:
    found = {name: times.scaled(1e3) for name, times in race(contestants, RUNS).items()}
    peers: dict[str, Times] = {name: times for name, times in found.items() if name != "ours"}
    return Row(work, "ms", found["ours"], peers, note=note, target=target)
