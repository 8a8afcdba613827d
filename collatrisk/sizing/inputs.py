"""What every question of sizing checks first: mixes that the source knows, horizons that it reaches, fractions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.collateral import Mix, Terms
from collatrisk.simulation.source import PathSource

Value = TypeVar("Value")
MixLike = Mix | str | Mapping[str, float]


def collected(problems: Problems, call: Callable[..., Value], *args: Any) -> Value | None:
    """The result of a call; the problems of its InputError go to `problems` instead of up."""
    try:
        return call(*args)
    except InputError as error:
        problems.found.extend(error.problems)
        return None


def check_mixes(problems: Problems, source: PathSource, mixes: MixLike | Sequence[MixLike], currency: str) -> list[Mix]:
    """One mix or several as a list; their assets must be in the source and their labels must differ."""
    check_currency(problems, source, currency)
    unknown: object = mixes
    if not isinstance(unknown, Mix | Iterable):
        problems.add("mixes", mixes, "must be a mix or several", "give Mix({'ETH': 1.0})")
        return []
    given: Sequence[Any] = [mixes] if isinstance(mixes, Mix | str | Mapping) else list(mixes)
    problems.check(len(given) > 0, "mixes", given, "must hold at least one mix", "give Mix({'ETH': 1.0})")
    found = [mix for mix in (collected(problems, Mix.of, one) for one in given) if mix is not None]
    cash = currency if isinstance(currency, str) else ""
    for mix in found:
        problems.known(f"mix {mix.label}", [a for a in mix.assets if a != cash], source.assets)
    labels = [mix.label for mix in found]
    for label in sorted({label for label in labels if labels.count(label) > 1}):
        problems.add("mixes", label, "is the name of more than one mix", "give each mix its own name")
    return found


def check_currency(problems: Problems, source: PathSource, currency: object) -> None:
    """The name of cash at price 1; an asset of the source by this name must have that price."""
    named = isinstance(currency, str) and bool(currency.strip())
    problems.check(named, "currency", currency, "must be text that is not empty", "give 'USD'")
    if named and str(currency) in source.assets:
        price = float(source.spot[source.assets.index(str(currency))])
        rule = f"is cash at price 1, and the source has an asset of this name at {price:g}"
        problems.check(price == 1.0, "currency", currency, rule, "give the currency of the prices")


def check_thresholds(problems: Problems, mixes: Sequence[Mix], terms: object, currency: str) -> None:
    """Every asset of every mix must have a liquidation threshold."""
    if not isinstance(terms, Terms):
        problems.add("terms", terms, "must be Terms", "give Terms(liquidation_threshold=0.85)")
        return
    for asset in dict.fromkeys(asset for mix in mixes for asset in mix.assets):
        collected(problems, terms.threshold_of, asset, currency)


def check_horizon(problems: Problems, source: PathSource, days: float | None) -> int:
    """A horizon in days as a number of steps from 1 to the source's last; None means the last."""
    return source.n_steps if days is None else check_days(problems, source, days, "horizon_days")


def check_days(problems: Problems, source: PathSource, days: float, name: str) -> int:
    """A number of days as a number of steps from 1 to the source's last."""
    steps = collected(problems, source.clock.steps, days, name)
    if steps is None:
        return source.n_steps
    reach = source.clock.days(source.n_steps)
    rule = f"must be at least one step and at most the {reach:g} days that the paths of the source last"
    problems.check(1 <= steps <= source.n_steps, name, days, rule, "shorten it, or simulate longer paths")
    return steps


def check_fraction(problems: Problems, name: str, value: float, remedy: str) -> float:
    """A number in (0, 1)."""
    remedy = _percent(value, remedy)
    return problems.number(name, value, low=0.0, high=1.0, open_low=True, open_high=True, remedy=remedy)


def check_fractions(problems: Problems, name: str, values: float | Sequence[float], remedy: str) -> list[float]:
    """One number or several, each in (0, 1), as a list."""
    given = as_list(values)
    problems.check(len(given) > 0, name, values, "must not be empty", remedy)
    return [check_fraction(problems, name, value, remedy) for value in given]


def as_list(values: float | Iterable[float]) -> list[float]:
    """One number or several as a list."""
    return list(values) if isinstance(values, Iterable) else [values]


def _percent(value: object, remedy: str) -> str:
    if isinstance(value, int | float) and 1 < value < 100:
        return f"give {value / 100:g} for {value:g} %"
    return remedy


def shared_steps(source: PathSource, steps: int) -> int:
    """The overlap of neighbouring paths when only their first `steps` steps count."""
    return max(1, min(source.overlap, steps))
