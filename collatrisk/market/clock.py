"""Clocks: when a market is open, how long a step is, and how steps become years. Nothing else may annualise."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    import pandas as pd

ClockKind = Literal["24/7", "business"]
_DAYS_PER_YEAR: dict[str, float] = {"24/7": 365.0, "business": 252.0}
_MINUTES_PER_DAY = 1440


@dataclass(frozen=True, slots=True)
class Clock:
    """A trading clock.

    Parameters
    ----------
    kind : ``"24/7"`` (every calendar day) or ``"business"`` (Monday to Friday less `holidays`).
    steps_per_day : int >= 1; 1 for daily prices, 24 for hourly ones on a 24/7 clock, 7 for seven hourly bars a session.
    days_per_year : float; 365 on a 24/7 clock and 252 on a business clock unless given. It turns steps into years for
        annualised volatilities and interest, and appears in every report.
    holidays : dates on which a business clock is closed.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    kind: ClockKind = "24/7"
    steps_per_day: int = 1
    days_per_year: float = 0.0
    holidays: tuple[dt.date, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems("Clock")
        problems.choice("kind", self.kind, tuple(_DAYS_PER_YEAR))
        problems.integer(
            "steps_per_day", self.steps_per_day, low=1, high=_MINUTES_PER_DAY, remedy="1 daily, 24 hourly, 1440 minutes"
        )
        kind = self.kind if isinstance(self.kind, str) else "business"
        left_out = isinstance(self.days_per_year, (int, float)) and self.days_per_year == 0
        days = _DAYS_PER_YEAR.get(kind, 365.0) if left_out else self.days_per_year
        problems.number(
            "days_per_year", days, low=1, high=366, remedy="365 on a 24/7 clock, about 252 on business days"
        )
        listed = isinstance(self.holidays, Iterable) and all(type(day) is dt.date for day in self.holidays)
        remedy = "give (datetime.date(2024, 12, 25),), or use Clock.business(calendar)"
        problems.check(listed, "holidays", self.holidays, "must be dates without a time", remedy)
        none = not listed or kind == "business" or not tuple(self.holidays)
        remedy = "use kind='business' or leave them out"
        problems.check(none, "holidays", self.holidays, "a 24/7 clock has no holidays", remedy)
        problems.raise_if_any()
        object.__setattr__(self, "days_per_year", float(days))
        object.__setattr__(self, "holidays", tuple(self.holidays))

    @classmethod
    def of(cls, clock: Clock | str) -> Clock:
        """A clock from its short name: ``"24/7"`` or ``"business"`` (a `Clock` is returned as it is)."""
        if isinstance(clock, Clock):
            return clock
        problems = Problems("Clock")
        problems.choice("clock", clock, tuple(_DAYS_PER_YEAR))
        problems.raise_if_any()
        return cls(kind="business" if clock == "business" else "24/7")

    @classmethod
    def business(
        cls,
        calendar: Any = None,
        *,
        first: str = "1980-01-01",
        last: str = "2050-12-31",
        steps_per_day: int = 1,
        days_per_year: float = 252.0,
    ) -> Clock:
        """A business clock with the holidays of any pandas holiday calendar.

        Parameters
        ----------
        calendar : a pandas `AbstractHolidayCalendar` instance, or None for weekends only.
        first, last : ISO dates between which the calendar's holidays are taken.
        """
        problems = Problems("Clock.business")
        usable = calendar is None or callable(getattr(calendar, "holidays", None))
        remedy = "give USFederalHolidayCalendar(), say"
        problems.check(usable, "calendar", calendar, "must be a pandas holiday calendar", remedy)
        problems.raise_if_any()
        days = () if calendar is None else tuple(stamp.date() for stamp in calendar.holidays(first, last))
        return cls("business", steps_per_day, days_per_year, days)

    @property
    def step_years(self) -> float:
        """The length of a step in years."""
        return 1.0 / (self.days_per_year * self.steps_per_day)

    @property
    def step_days(self) -> float:
        """The length of a step in days of this clock."""
        return 1.0 / self.steps_per_day

    def with_steps_per_day(self, steps_per_day: int) -> Clock:
        """The same clock on another grid."""
        return Clock(self.kind, steps_per_day, self.days_per_year, self.holidays)

    def steps(self, days: float, name: str = "days") -> int:
        """The number of steps in `days` days of this clock (calendar days on 24/7, business days on business).

        Raises
        ------
        InputError : if `days` is negative or not a whole number of steps.
        """
        problems = Problems("Clock")
        days = problems.number(name, days, low=0, remedy="give a number of days of the clock")
        steps = round(days * self.steps_per_day) if math.isfinite(days) else 0
        if not problems.found:
            problems.check(
                math.isclose(steps, days * self.steps_per_day, rel_tol=0, abs_tol=1e-9),
                name,
                days,
                f"must be a whole number of steps of 1/{self.steps_per_day} day",
                "round it to the grid or use a finer clock",
            )
        problems.raise_if_any()
        return steps

    def days(self, steps: int) -> float:
        """The length of `steps` steps in days of this clock."""
        return steps / self.steps_per_day

    def annualise(self, per_step: float) -> float:
        """A standard deviation per step as one per year: times the root of the steps in a year."""
        return per_step * math.sqrt(self.days_per_year * self.steps_per_day)

    def per_step(self, annual: float) -> float:
        """A standard deviation per year as one per step."""
        return annual / math.sqrt(self.days_per_year * self.steps_per_day)

    def open_days(self, first: dt.date, last: dt.date) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        """The days from `first` to `last` (inclusive) on which the clock runs, as ``datetime64[D]``."""
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        if self.kind == "24/7":
            return days
        return days[np.is_busday(days, holidays=np.array(self.holidays, dtype="datetime64[D]"))]

    def expected_index(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """The stamps that prices from `first` to `last` should have.

        On a daily clock: one a day, at the time of day of `first`. On a finer 24/7 clock: every step. On a finer
        business clock: the session's hours are not known, so only the days can be expected, as on a daily clock.
        """
        import pandas as pd

        if self.kind == "24/7":
            return pd.date_range(first, last, freq=pd.Timedelta(minutes=_MINUTES_PER_DAY / self.steps_per_day))
        days = pd.DatetimeIndex(self.open_days(first.date(), last.date()))
        if first.tzinfo is not None:
            days = days.tz_localize(first.tzinfo)
        stamps = days + (first - first.normalize())
        return stamps[stamps <= last]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "kind": self.kind,
            "steps_per_day": self.steps_per_day,
            "days_per_year": self.days_per_year,
            "holidays": [day.isoformat() for day in self.holidays],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Clock:
        """The inverse of `to_dict`.

        Raises
        ------
        InputError : for entries that are missing or no clock's.
        """
        try:
            holidays = tuple(dt.date.fromisoformat(day) for day in data.get("holidays", ()))
            return cls(data["kind"], int(data["steps_per_day"]), float(data["days_per_year"]), holidays)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            problems = Problems("Clock")
            problems.add("clock", data, f"must be what Clock.to_dict gives ({error!r})", "write it with to_dict")
            raise InputError(problems.title, problems.found) from error

    def __str__(self) -> str:
        grid = "daily steps" if self.steps_per_day == 1 else f"{self.steps_per_day} steps a day"
        closed = f", {len(self.holidays)} holidays" if self.holidays else ""
        return f"{self.kind} clock, {grid}, {self.days_per_year:g} days a year{closed}"
