"""Specs, their numeric form, and what it implies: published figures, closed forms, simulation."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import InputError
from collatrisk.volatility import (
    ConstantVolatility,
    Ewma,
    Garch,
    GarchCoefficients,
    distributions as laws,
    recursion_of,
    spec_from_dict,
    variance_forecast,
)
from collatrisk.volatility.forecast import half_life, long_run_volatility, persistence

VECTORS = {row["name"]: row for row in json.loads((Path(__file__).parent / "vectors" / "garch.json").read_text())}


def test_long_run_volatility_vector():
    vector = VECTORS["garch.long_run_volatility"]
    expected = vector["expected"]["annual_volatility"]
    for (omega, alpha, beta, gamma, periods), annual in zip(vector["inputs"]["rows"], expected, strict=True):
        found = long_run_volatility(GarchCoefficients(omega, (alpha,), (gamma,), (beta,)))
        assert found * math.sqrt(periods) == pytest.approx(annual, rel=1e-8)


def test_variance_term_structure_vector():
    vector = VECTORS["garch.variance_term_structure"]
    given_, expected = vector["inputs"], vector["expected"]
    found = GarchCoefficients(given_["omega"], (given_["alpha"],), (), (given_["beta"],))
    # any past that makes the next variance the stated one
    last_variance = 5e-4
    shock = (given_["one_step_variance"] - given_["omega"] - given_["beta"] * last_variance) / given_["alpha"]
    ahead = variance_forecast(found, [math.sqrt(shock)], [last_variance], max(given_["steps_ahead"]))
    for step, variance in zip(given_["steps_ahead"], expected["variance"], strict=True):
        assert ahead[step - 1] == pytest.approx(variance, rel=1e-9)
    assert ahead[:10].sum() == pytest.approx(expected["cumulative_10"], rel=1e-9)


@given(
    alpha=st.floats(0.0, 0.2),
    gamma=st.floats(0.0, 0.2),
    beta=st.floats(0.0, 0.69),
    shock=st.floats(-0.2, 0.2),
    below=st.floats(0.3, 0.7),
)
def test_first_order_forecast_is_the_closed_form(alpha, gamma, beta, shock, below):
    found = GarchCoefficients(1e-5, (alpha,), (gamma,), (beta,))
    r, long_run = persistence(found, below), long_run_volatility(found, below) ** 2
    ahead = variance_forecast(found, [shock], [4e-4], 40, below)
    h1 = 1e-5 + (alpha + gamma * (shock < 0.0)) * shock**2 + beta * 4e-4
    np.testing.assert_allclose(ahead, long_run + r ** np.arange(40.0) * (h1 - long_run), rtol=1e-10)
    if r > 1e-3:
        assert r ** half_life(found, below) == pytest.approx(0.5, rel=1e-9)


def test_forecast_of_higher_orders_is_the_mean_of_simulated_variances():
    """GJR(2, 2, 2) with a skewed law: the exact recursion against 200 000 paths, within four standard errors."""
    found = GarchCoefficients(2e-5, (0.03, 0.04), (0.10, 0.05), (0.4, 0.3))
    nu, lam, paths, horizon = 12.0, -0.3, 200_000, 12
    residuals, variances = [-0.05, 0.02], [6e-4, 9e-4]
    below = laws.second_moment_below_zero("skewt", nu, lam)
    expected = variance_forecast(found, residuals, variances, horizon, below)
    rng = np.random.default_rng(5)
    e = [np.full(paths, value) for value in residuals]
    h = [np.full(paths, value) for value in variances]
    for step in range(horizon):
        new = np.full(paths, found.omega)
        for lag in (1, 2):
            weight = found.alpha[lag - 1] + found.gamma[lag - 1] * (e[-lag] < 0.0)
            new = new + weight * e[-lag] ** 2 + found.beta[lag - 1] * h[-lag]
        error = new.std() / math.sqrt(paths)
        assert abs(new.mean() - expected[step]) <= 4.0 * error + 1e-15
        h.append(new)
        e.append(np.sqrt(new) * laws.ppf("skewt", rng.random(paths), nu, lam))
    # the wrong weight 1/2 would be seen
    wrong = variance_forecast(found, residuals, variances, horizon)
    assert abs(h[-1].mean() - wrong[-1]) > 4.0 * h[-1].std() / math.sqrt(paths)


def test_integrated_and_empty_recursions():
    ewma = recursion_of(Ewma(0.94), {})
    assert (ewma.omega, ewma.beta) == (0.0, (0.94,))
    assert ewma.alpha[0] == pytest.approx(0.06)
    assert persistence(ewma) == pytest.approx(1.0, abs=1e-15)
    assert math.isnan(long_run_volatility(ewma))
    assert half_life(ewma) == math.inf
    np.testing.assert_allclose(variance_forecast(ewma, [0.02], [1e-4], 5), 0.06 * 4e-4 + 0.94e-4, rtol=1e-12)
    assert long_run_volatility(GarchCoefficients(1e-6, (0.1,), (), (0.9,))) == math.inf
    assert half_life(GarchCoefficients(1e-6, (0.1,), (), (0.95,))) == math.inf
    assert half_life(GarchCoefficients(1e-6, (), (), ())) == 0.0
    # two lags: the dominant root of x^2 = 0.1 x + 0.6, not the sum 0.7
    root = (0.1 + math.sqrt(0.01 + 2.4)) / 2.0
    assert half_life(GarchCoefficients(1e-6, (0.1,), (), (0.0, 0.6))) == pytest.approx(math.log(0.5) / math.log(root))


def test_forecast_refuses_a_short_past_and_a_bad_horizon():
    with pytest.raises(InputError) as caught:
        variance_forecast(GarchCoefficients(1e-6, (0.1, 0.1), (), (0.5,)), [0.01], [], 0)
    assert [problem.name for problem in caught.value.problems] == ["horizon", "last_residuals", "last_variances"]


def test_coefficients_read_every_order_and_refuse_gaps():
    spec = Garch(p=2, o=1, q=2)
    names = ("omega", "alpha[1]", "alpha[2]", "gamma[1]", "beta[1]", "beta[2]")
    params = dict(zip(names, (1e-6, 0.01, 0.02, 0.05, 0.6, 0.3), strict=True))
    assert recursion_of(spec, params) == GarchCoefficients(1e-6, (0.01, 0.02), (0.05,), (0.6, 0.3))
    assert recursion_of(ConstantVolatility(), {"omega": 4e-4}) == GarchCoefficients(4e-4, (), (), ())
    with pytest.raises(InputError) as caught:
        recursion_of(spec, {"omega": math.nan, "alpha[1]": 0.1, "alpha[2]": 0.1, "gamma[1]": 0.0, "beta[1]": 0.5})
    assert {problem.name for problem in caught.value.problems} == {"omega", "beta[2]"}


SPECS = [
    Garch(),
    Garch(p=2, o=0, q=3, dist="skewt", mean="zero"),
    Ewma(0.97, mean="constant", dist="t"),
    ConstantVolatility(),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_specs_travel_as_json(spec):
    assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Garch(p=-1, o=0.5, dist="tt", mean="const"), ["p", "o", "dist", "mean"]),
        (lambda: Garch(p=0, o=0), ["p"]),
        (lambda: Garch(p=True), ["p"]),
        (lambda: Garch(q=11), ["q"]),
        (lambda: Ewma(1.0, dist="gauss"), ["decay", "dist"]),
        (lambda: Ewma(math.nan), ["decay"]),
        (lambda: ConstantVolatility(mean=None), ["mean"]),
        (lambda: spec_from_dict({"kind": "garhc"}), ["kind"]),
        (lambda: spec_from_dict({"kind": "ewma", "decai": 0.9, "p": 1}), ["field", "field"]),
        (lambda: spec_from_dict("garch"), ["volatility"]),
        (lambda: spec_from_dict({"kind": ["garch"]}), ["kind"]),
    ],
)
def test_bad_specs_name_every_problem(make, names):
    with pytest.raises(InputError) as caught:
        make()
    assert [problem.name for problem in caught.value.problems] == names
    assert all(problem.rule and problem.remedy for problem in caught.value.problems)


def test_importing_the_room_is_light():
    code = (
        "import sys, collatrisk.volatility;"
        "heavy = {'arch', 'statsmodels', 'matplotlib', 'scipy.stats', 'scipy.signal', 'numba'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
