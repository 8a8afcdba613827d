"""A moderate battery on the streams: moments, distribution, and no correlation along any word of the counter.

Tolerances are 4.5 standard errors (about 70 statistics on fixed seeds).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels.random import fill_normals, fill_uniforms

N = 400_000
SIGMAS = 4.5


def normals(seed=0, first=0, pair=0, slot=0, n=N, purpose=Purpose.PATHS):
    out = np.empty((2, n))
    fill_normals(stream_key(seed, purpose), first, pair, slot, out[0], out[1])
    return out


def uniforms(seed=0, first=0, step=0, slot=0, n=N, purpose=Purpose.BRIDGE):
    out = np.empty(n)
    fill_uniforms(stream_key(seed, purpose), first, step, slot, out)
    return out


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize(("seed", "pair", "slot"), [(0, 0, 0), (7, 3, 2), (2**64 - 1, 1000, 1 << 16)])
def test_normal_moments_and_distribution(seed, pair, slot, half):
    z = normals(seed, pair=pair, slot=slot)[half]
    # Variances of the sample moments 1 to 4: 1, 2, 15 and 96 over n.
    for power, mean, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs(np.mean(z**power) - mean) < SIGMAS * math.sqrt(variance / N)
    assert stats.kstest(z, "norm").pvalue > 1e-5
    for level in (2.0, 3.0, 4.0):
        expected = 2 * stats.norm.sf(level)
        assert abs(np.mean(np.abs(z) > level) - expected) < SIGMAS * math.sqrt(expected / N)


def test_uniform_cells_are_filled_evenly():
    u = uniforms(seed=1)
    for bins in (10, 256):
        assert stats.chisquare(np.bincount((u * bins).astype(int), minlength=bins)).pvalue > 1e-5
    pairs = np.bincount((u[:-1:2] * 32).astype(int) * 32 + (u[1::2] * 32).astype(int), minlength=1024)
    assert stats.chisquare(pairs).pvalue > 1e-5


def test_no_correlation_between_neighbouring_paths():
    z = normals(seed=2)[0]
    for lag in (1, 2, 8, 64, 1024):
        for f in (lambda x: x, lambda x: (x * x - 1) / math.sqrt(2)):
            assert abs(np.mean(f(z[:-lag]) * f(z[lag:]))) < SIGMAS / math.sqrt(N - lag)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"pair": 1},
        {"slot": 1},
        {"slot": 1 << 16},
        {"first": 2**32},
        {"purpose": Purpose.JUMPS},
    ],
)
def test_no_correlation_between_streams(other):
    a, b = normals(seed=3), normals(**({"seed": 3} | other))
    streams = np.vstack([a, b])
    for f in (lambda x: x, lambda x: (x * x - 1) / math.sqrt(2)):
        correlation = f(streams) @ f(streams).T / N
        assert np.max(np.abs(correlation[~np.eye(4, dtype=bool)])) < SIGMAS / math.sqrt(N)


def test_the_two_normals_of_a_counter_are_independent():
    a, b = normals(seed=9)
    angle = np.arctan2(a, b) / (2 * math.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > 1e-5
    assert stats.kstest((a * a + b * b) / 2, "expon").pvalue > 1e-5


@pytest.mark.parametrize("along", ["path", "step", "slot", "seed"])
def test_birthday_spacings(along):
    """Marsaglia (1985): among m birthdays in a year of n days, equal spacings are Poisson with mean m^3 / (4 n)."""
    birthdays, days, years = 512, 2**24, 400
    draw = {
        "path": lambda year: uniforms(seed=5, first=year * birthdays, n=birthdays),
        "step": lambda year: np.concatenate([uniforms(seed=6, first=year, step=k, n=1) for k in range(birthdays)]),
        "slot": lambda year: np.concatenate([uniforms(seed=7, first=year, slot=k, n=1) for k in range(birthdays)]),
        "seed": lambda year: np.concatenate([uniforms(seed=k, first=year, n=1) for k in range(birthdays)]),
    }[along]
    repeats = np.empty(years, dtype=int)
    for year in range(years):
        spacings = np.diff(np.sort((draw(year) * days).astype(int)), prepend=0)
        repeats[year] = birthdays - np.unique(spacings).size
    mean = birthdays**3 / (4 * days)
    expected = years * stats.poisson.pmf(np.arange(7), mean)
    expected[-1] = years * stats.poisson.sf(5, mean)
    assert stats.chisquare(np.bincount(np.minimum(repeats, 6), minlength=7), expected).pvalue > 1e-5


@pytest.mark.parametrize("lag", [1, 2, 3, 30])
def test_no_serial_correlation_along_the_steps_of_a_path(lag):
    steps, paths = 64, 20_000
    z = np.empty((steps, paths))
    for pair in range(steps // 2):
        z[2 * pair : 2 * pair + 2] = normals(seed=11, pair=pair, n=paths)
    for f in (lambda x: x, lambda x: (x * x - 1) / math.sqrt(2)):
        products = f(z[:-lag]) * f(z[lag:])
        assert abs(products.mean()) < SIGMAS / math.sqrt(products.size)
