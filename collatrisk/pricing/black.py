"""Black's formula for options on forwards and futures: values, derivatives, implied volatility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]
_KINDS = {"call": 1.0, "put": -1.0}
_MOST = 1e300


@dataclass(frozen=True, slots=True)
class BlackGreeks:
    """The value of options and its derivatives; floats, or arrays of the shape of the inputs.

    Attributes
    ----------
    price : currency per unit of the underlying.
    delta : to the forward price; a position in the forward of this size hedges, discounted.
    gamma : of delta to the forward price.
    vega : to the volatility, for a change of 1 (100 percentage points).
    theta : to calendar time with forward, volatility and rate held, a year: the loss of a call in a day is about
        theta / 365.
    """

    price: float | FloatArray
    delta: float | FloatArray
    gamma: float | FloatArray
    vega: float | FloatArray
    theta: float | FloatArray


def black_price(
    forward: ArrayLike,
    strike: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
    *,
    kind: str | Sequence[str] | NDArray[np.str_] = "call",
    rate: ArrayLike = 0.0,
    out: FloatArray | None = None,
) -> float | FloatArray:
    """The value of European options on a forward: exp(-rate T) (F N(d1) - K N(d2)) for a call.

    d1, d2 = ln(F / K) / s +- s / 2, s = volatility x sqrt(T); a put by exp(-rate T) (K N(-d2) - F N(-d1)). Within 1e-12
    of the forward. Where volatility or T is 0, or F or K, the option is worth its payoff, discounted.

    Parameters
    ----------
    forward, strike : price of the forward at expiry and of the exercise, >= 0, in one currency.
    volatility : a year, >= 0. years : to expiry, >= 0. rate : a year, continuous, any sign.
    kind : ``"call"`` or ``"put"``.
    out : where the values go, float64 of the common shape, C-contiguous; None: into a new array, a fifth of the time.
    All but `out` broadcast against each other.

    Returns
    -------
    float if all inputs are, a float64 array of their common shape otherwise.

    Raises
    ------
    InputError : with all broken rules at once: shapes, text, NaN, infinite or negative numbers, unknown kinds.

    References
    ----------
    F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976) 167-179.
    """
    # numba is slow to import: only those who price need it.
    from collatrisk.kernels.black import black_prices

    names = ("forward", "strike", "volatility", "years")
    inputs, shape = _checked("black_price", names, (forward, strike, volatility, years), rate, kind)
    values = np.empty(shape) if out is None else _writeable(out, shape)
    if black_prices(*inputs, values.reshape(-1)):
        _refuse("black_price", names, inputs)
    return values if out is not None else _shaped(values)


def _writeable(out: object, shape: tuple[int, ...]) -> FloatArray:
    problems = Problems("black_price")
    fits = isinstance(out, np.ndarray) and out.shape == shape and out.dtype == np.float64
    usable = fits and out.flags.c_contiguous and out.flags.writeable  # type: ignore[attr-defined]
    rule = f"must be a writeable C-contiguous float64 array of shape {shape}"
    problems.check(usable, "out", out, rule, "leave it out for a new array")
    problems.raise_if_any()
    return out  # type: ignore[return-value]


def black_greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
    *,
    kind: str | Sequence[str] | NDArray[np.str_] = "call",
    rate: ArrayLike = 0.0,
) -> BlackGreeks:
    """`black_price` with its delta, gamma, vega and theta.

    Where volatility or T is 0, or F or K: delta is that of the payoff (half of it at F = K), gamma and vega are 0.

    Parameters and raises as `black_price`.
    """
    from collatrisk.kernels.black import N_GREEKS, black_derivatives

    names = ("forward", "strike", "volatility", "years")
    inputs, shape = _checked("black_greeks", names, (forward, strike, volatility, years), rate, kind)
    out = np.empty((N_GREEKS, *shape))
    if black_derivatives(*inputs, out.reshape(N_GREEKS, -1)):
        _refuse("black_greeks", names, inputs)
    return BlackGreeks(*(_shaped(row) for row in out))


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    *,
    kind: str | Sequence[str] | NDArray[np.str_] = "call",
    rate: ArrayLike = 0.0,
) -> float | FloatArray:
    """The volatility at which `black_price` is a price.

    Halley's method on the logarithm of the time value, inside a bracket that every step narrows: it always ends. The
    error is that of the price: where an option hardly depends on its volatility, neither does the price on the answer.

    Parameters
    ----------
    price : of the option, >= 0, in the currency of the forward. The others as in `black_price`.

    Returns
    -------
    As `black_price`: 0 where the price is the discounted payoff at the forward; NaN where no volatility gives the price
    (below the payoff, at or above the discounted forward of a call or strike of a put, no time left, F or K of 0).

    Raises
    ------
    InputError : as `black_price`.
    """
    from collatrisk.kernels.black import implied_volatilities

    names = ("price", "forward", "strike", "years")
    inputs, shape = _checked("implied_volatility", names, (price, forward, strike, years), rate, kind)
    _refuse("implied_volatility", names, inputs)
    out = np.empty(shape)
    implied_volatilities(*inputs, out.reshape(-1))
    return _shaped(out)


def _checked(
    title: str, names: tuple[str, ...], values: tuple[ArrayLike, ...], rate: ArrayLike, kind: object
) -> tuple[list[FloatArray], tuple[int, ...]]:
    """Flat float64 arrays of one value or of all, in the order of the kernels, and the common shape."""
    problems = Problems(title)
    arrays = [_as_floats(problems, name, value) for name, value in zip((*names, "rate"), (*values, rate), strict=True)]
    arrays.append(_signs(problems, kind))
    problems.raise_if_any()
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = [array.shape for array in arrays]
        problems.add("inputs", shapes, "must broadcast against each other", "give arrays of one shape, or numbers")
        problems.raise_if_any()
        raise
    return [_flat(array, shape) for array in arrays], shape


def _signs(problems: Problems, kind: object) -> FloatArray:
    """1 for calls, -1 for puts."""
    if isinstance(kind, str) and kind in _KINDS:
        return np.array(_KINDS[kind])
    kinds = np.asarray(kind)
    known = kinds.dtype.kind in "UO" and bool(np.isin(kinds, list(_KINDS)).all())
    problems.check(known, "kind", kind, "must be 'call' or 'put', one or an array of them", "use one of them")
    return np.where(kinds == "call", _KINDS["call"], _KINDS["put"])


def _as_floats(problems: Problems, name: str, value: ArrayLike) -> FloatArray:
    try:
        given = np.asarray(value)
        if given.dtype.kind in "iuf" or (given.dtype.kind == "O" and given.size):
            return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    problems.add(name, value, "must be numbers", "give a number or an array of them")
    return np.zeros(())


def _flat(array: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """One value as it is; several as many as there are options."""
    if array.size == 1:
        return np.array(array).reshape(1)
    if array.shape != shape:
        return np.array(np.broadcast_to(array, shape)).reshape(-1)
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat if flat.flags.writeable else np.asarray(_Unlocked(flat))


class _Unlocked:
    """A read-only array (pandas gives them) as one that may be written to, which nobody does: to the compiler they are
    different types, and six inputs of two types each would be compiled 64 times."""

    def __init__(self, array: FloatArray) -> None:
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = array.__array_interface__ | {"data": (address, False)}
        self.array = array  # which holds the memory


def _refuse(title: str, names: tuple[str, ...], inputs: list[FloatArray]) -> None:
    """Name every input that holds NaN, infinite or negative numbers."""
    problems = Problems(title)
    for name, values in zip((*names, "rate"), inputs[:5], strict=True):
        bad = ~np.isfinite(values) if name == "rate" else ~((values >= 0.0) & (values <= _MOST))
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            shown = f"{int(bad.sum())} such as {values[place]:g}"
            rule = "must be finite" + ("" if name == "rate" else f", not negative, at most {_MOST:g}")
            problems.add(name, shown, rule, "leave such options out")
    problems.raise_if_any()


def _shaped(values: FloatArray) -> float | FloatArray:
    return values if values.ndim else float(values)
