"""Clocks: steps, years and the days on which prices are expected."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pandas.tseries.holiday import USFederalHolidayCalendar

from collatrisk.base.errors import InputError
from collatrisk.market.clock import Clock


def test_annualisation_follows_the_clock_and_not_a_silent_252() -> None:
    assert Clock.of("24/7").annualise(0.01) == pytest.approx(0.01 * math.sqrt(365), rel=1e-15)
    assert Clock.of("business").annualise(0.01) == pytest.approx(0.01 * math.sqrt(252), rel=1e-15)
    assert Clock("24/7", steps_per_day=24).annualise(0.01) == pytest.approx(0.01 * math.sqrt(8760), rel=1e-15)


@given(st.floats(1e-6, 10), st.sampled_from(["24/7", "business"]), st.integers(1, 1440))
def test_annualise_and_per_step_are_inverse(volatility: float, kind: str, steps: int) -> None:
    clock = Clock.of(kind).with_steps_per_day(steps)
    assert clock.per_step(clock.annualise(volatility)) == pytest.approx(volatility, rel=1e-14)


def test_days_become_whole_steps_or_are_refused() -> None:
    hourly = Clock("24/7", steps_per_day=24)
    assert hourly.steps(0.5) == 12
    assert hourly.days(36) == 1.5
    with pytest.raises(InputError, match="whole number of steps"):
        Clock.of("24/7").steps(0.5, "cure_days")


def test_business_days_skip_weekends_and_the_given_holidays() -> None:
    clock = Clock.business(USFederalHolidayCalendar())
    days = clock.open_days(dt.date(2018, 12, 21), dt.date(2018, 12, 27))
    assert [str(day) for day in days] == ["2018-12-21", "2018-12-24", "2018-12-26", "2018-12-27"]
    stamps = clock.expected_index(pd.Timestamp("2018-12-21", tz="UTC"), pd.Timestamp("2018-12-27", tz="UTC"))
    assert len(stamps) == 4
    assert str(stamps.tz) == "UTC"


def test_a_24_7_hourly_clock_expects_every_hour() -> None:
    first, last = pd.Timestamp("2024-03-09", tz="UTC"), pd.Timestamp("2024-03-10 05:00", tz="UTC")
    assert len(Clock("24/7", steps_per_day=24).expected_index(first, last)) == 30


def test_all_mistakes_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        Clock("bussiness", steps_per_day=0, days_per_year=400, holidays=(dt.date(2024, 1, 1),))  # type: ignore[arg-type]
    assert {problem.name for problem in caught.value.problems} == {
        "kind",
        "steps_per_day",
        "days_per_year",
        "holidays",
    }
    with pytest.raises(InputError, match="did you mean 'business'"):
        Clock.of("busines")


def test_round_trip_and_text() -> None:
    clock = Clock.business(USFederalHolidayCalendar(), first="2020-01-01", last="2020-12-31")
    assert Clock.from_dict(clock.to_dict()) == clock
    assert "252 days a year" in str(clock)
