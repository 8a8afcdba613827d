"""Venue presets: read strictly, with their sources and gaps; they build rules, and every figure can be overridden."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation import AuctionBook, DutchAuction, StabilityPool, TroveBook, venues
from collatrisk.liquidation.curves import LinearDecrease, StairstepExponentialDecrease
from collatrisk.liquidation.venue import BASES, QUALITIES
from collatrisk.liquidation.venue_terms import BUILDERS, settings_of

NAMES = venues.names()
MISSING = {
    "aave-v4": {
        "max_bonus": 0.1,
        "target_health": 1.1,
        "collateral_factor": 0.8,
        "bonus_factor": 0.5,
        "health_for_max_bonus": 0.9,
        "fee_rate": 0.1,
        "dust_value": 1000,
    },
    "compound-v2": {"incentive": 1.08, "close_factor": 0.5},
    "compound-v3": {"liquidation_factor": 0.93, "store_front_factor": 0.5, "liquidate_factor": 0.85},
    "morpho-blue": {"lltv": 0.86},
    "synthetix-v3": {"skew_scale": 100.0, "initial_fraction": 2.0, "minimum_initial_ratio": 0.01},
}


def text_of(name: str) -> str:
    return (files("collatrisk.liquidation") / "venues" / f"{name}.toml").read_text(encoding="utf-8")


def test_every_file_is_a_venue_and_every_venue_has_a_file() -> None:
    folder = files("collatrisk.liquidation") / "venues"
    files_there = [item.name for item in folder.iterdir() if item.name.endswith(".toml")]
    assert sorted(name.removesuffix(".toml") for name in files_there) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_where_it_is_from_and_what_it_leaves_out(name: str) -> None:
    venue = venues.load(name)
    assert venue.name == name
    assert venue.title
    assert venue.version
    assert venue.boundary
    assert len(venue.sources) >= 1
    assert len(venue.unmodelled) >= 3
    assert venue.read >= dt.date(2026, 1, 1)
    assert venue.archetype in "ABCDE"
    assert all(value.quality in QUALITIES and value.basis in BASES for value in venue.values.values())
    assert venue.title in venue._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_named_and_once_given_builds_the_rules(name: str) -> None:
    venue = venues.load(name)
    assert set(venue.missing) == set(MISSING.get(name, {}))
    if venue.missing:
        with pytest.raises(InputError, match=f"{venue.missing[0]} = 'nothing': has no published figure"):
            venue.terms()
        assert "missing-settings" in {finding.code for finding in venue.findings}
    whole = venues.load(name, **MISSING.get(name, {}))
    assert whole.missing == ()
    for part in whole.parts:
        assert type(whole.terms(part)).__name__.endswith(("Terms", "Market"))
    assert venue.missing == venues.load(name).missing  # nothing given stays behind


def test_venues_pools_and_books_travel_to_workers_unchanged() -> None:
    pool = StabilityPool().deposit("A", 5.0).offset(1.0, 2.0)
    book = TroveBook().open("A", 1.0, 10.0).open("B", 2.0).close("B").redistribute(2.0, 3.0)
    auction = DutchAuction.start(venues.load("maker").terms(), collateral=1, debt=2, feed=3)
    for thing in (venues.load("aave-v3", bonus=0.1), pool, book, auction, AuctionBook({"ETH": 3.0})):
        again = pickle.loads(pickle.dumps(thing))
        assert again == thing
        assert hash(again) == hash(thing)


def test_figures_of_tests_are_a_loud_finding_until_they_are_given() -> None:
    assert [finding.code for finding in venues.load("aave-v3").findings] == ["test-settings"]
    own = venues.load("aave-v3", bonus=0.075, protocol_fee=0.2)
    assert own.findings == ()
    assert (own.terms().bonus, own.terms().protocol_fee, own.terms().close_factor) == (0.075, 0.2, 0.5)
    assert (own.values["bonus"].quality, own.values["bonus"].basis) == ("own", "own")


def test_a_maker_auction_with_another_curve() -> None:
    assert venues.load("maker").terms().curve == LinearDecrease(3600)
    stairs = venues.load("maker", curve="stairstep", cut=0.99, step_s=90, buffer=1.2, cusp=0.4, tail_s=8400)
    assert stairs.terms().curve == StairstepExponentialDecrease(0.99, 90)
    assert stairs.terms().time_until_taken(0.03) == 1980


def test_presets_agree_with_the_figures_of_the_vectors() -> None:
    folder = Path(__file__).parent / "vectors"
    files = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    vectors = {case["name"]: case for found in files if isinstance(found, list) for case in found}
    maker, redo = venues.load("maker").terms(), vectors["maker.clip.redo_by_cusp"]["inputs"]
    assert (maker.buffer, maker.cusp, maker.tail_s) == (redo["buf"], redo["cusp"], redo["tail_s"])
    assert maker.chip == vectors["maker.clip.kick_top_and_incentive"]["inputs"]["chip"]
    aave, full = venues.load("aave-v3").terms(), vectors["aave.v3.full_repay_900_at_1800"]["inputs"]
    assert (1 + aave.bonus, aave.protocol_fee) == (full["liquidation_bonus"], full["protocol_fee"])
    table = vectors["liquity.mode_table"]["inputs"]
    liquity = venues.load("liquity-v1").terms()
    assert (liquity.minimum_ratio, liquity.critical_ratio) == (table["mcr"], table["ccr"])
    keeper, paid = venues.load("synthetix-v3").terms("keeper"), vectors["synthetix.keeper_reward_margin_only"]["inputs"]
    assert keeper.max_reward == paid["max_keeper_reward"]
    assert keeper.cost(paid["updated_feeds"]) == 55
    assert venues.load("gmx-v2").terms().min_collateral_factor == 0.01
    assert venues.load("euler-v2").terms().max_discount == vectors["euler.v2.all_collateral"]["inputs"]["max_discount"]
    caps = vectors["binance.bracket_amounts_first_seven"]
    brackets = venues.load("exchange").terms().brackets
    assert [cap for cap, _ in brackets] == caps["inputs"]["notional_cap"]
    assert [rate for _, rate in brackets] == caps["inputs"]["mm_rate"]
    dydx = venues.load("dydx-v4")
    assert dydx.terms().spread_to_maintenance == vectors["dydx.fillable.long"]["inputs"]["spread_to_mm_ratio"]
    assert dydx.values["initial_margin_small"].value == 0.1


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: venues.load("aave-v33"), "is not a venue here.*did you mean 'aave-v3'"),
        (lambda: venues.load("aave-v3", bonos=0.1), "setting = 'bonos'.*did you mean 'bonus'"),
        (lambda: venues.load("aave-v3", bonus=1.5), "bonus = 1.5: must be a number in"),
        (lambda: venues.load("maker", curve="stairs"), "curve = 'stairs'.*did you mean 'stairstep'"),
        (lambda: venues.load("maker", curve="stairstep"), "cut = 'nothing': is needed by a stairstep curve"),
        (lambda: venues.load("synthetix-v3").terms("keepers"), "did you mean 'keeper'"),
        (lambda: venues.parse("format = ", "x.toml"), "x.toml: file = .*must be valid TOML"),
        (lambda: venues.parse("format = 1\nnom = 2", "x.toml"), "10 problems"),
        (lambda: venues.parse(text_of("maker").replace("format = 1", "format = 2")), "must be 1, the format"),
        (lambda: venues.parse(text_of("maker").replace('name = "maker"', 'name = "makr"')), "did you mean 'maker'"),
        (lambda: venues.parse(text_of("maker").replace('quality = "V"', 'quality = "U"', 1)), "values.curve.quality"),
        (lambda: venues.parse(text_of("maker").replace("{ value = 0.5,", "{ valu = 0.5,")), "did you mean 'value'"),
        (
            lambda: venues.parse(text_of("gmx-v2").replace("value = 1.0", "value = true")),
            "must be a number, a text or a list",
        ),
    ],
)
def test_what_is_refused(action, said) -> None:
    with pytest.raises(InputError, match=said):
        action()


def test_every_setting_that_a_file_names_is_known_to_its_rules_or_is_data_only() -> None:
    only_data = {
        "dydx-v4": ("initial_margin_", "maintenance_fraction_", "lower_cap_", "upper_cap_"),
        "gmx-v2": ("del",),
    }
    for name in NAMES:
        known = {setting for build in BUILDERS[name].values() for setting in settings_of(build)[1]}
        rest = {value for value in venues.load(name).values if value not in known}
        assert all(value.startswith(only_data.get(name, ())) for value in rest), (name, rest)


def test_a_lombard_lender_is_terms_of_the_margin_engine() -> None:
    terms = venues.load("lombard").terms()
    assert (terms.liquidation_threshold, terms.close_factor, terms.cure_days) == (0.9, 1.0, 3.0)
    assert terms.margin_call == pytest.approx(0.9 / 0.8)
    assert terms.restore_to == pytest.approx(0.9 / 0.6)
    loan = cr.Loan("A", 100.0, 0.6)
    falls = np.array([[100.0, 76, 74, 74, 74, 74], [100, 65, 65, 65, 65, 65], [100, 76, 74, 76, 76, 76]])
    source = cr.PricePaths.from_array(falls[:, :, None], ["A"], "24/7")
    out = cr.run_margin(source, loan, terms, keep="paths")
    # A call above 80 % (a price of 75) is closed out after three days, 90 % (66.67) at once.
    assert out[0].steps("margin_called").tolist() == [2, 1, 2]
    assert out[0].steps("liquidated").tolist() == [5, 1, 5]
    with pytest.raises(InputError, match=r"2 problems(?s:.*)margin_call_ltv = 0.5(?s:.*)close_out_ltv = 0.4"):
        venues.load("lombard", margin_call_ltv=0.5, close_out_ltv=0.4)
    assert [finding.code for finding in venues.load("lombard").findings] == ["example-settings"]


def test_lists_are_figures_too() -> None:
    own = venues.load("exchange", brackets=[[1e6, 0.01], [math.inf, 0.02]])
    assert own.terms().brackets == ((1e6, 0.01), (math.inf, 0.02))
    assert hash(own) == hash(pickle.loads(pickle.dumps(own)))
    with pytest.raises(InputError, match=r"rows\[1\] rate"):
        venues.load("exchange", brackets=[[1e6, 0.02], [math.inf, 0.01]])
