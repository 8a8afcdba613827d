"""The engine of perpetual venues: against its twin, conservation, order, workers, limits and bad input."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import naive_perpetual
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation.perpetual_exchange import Brackets, ExchangeTerms
from collatrisk.liquidation.perpetual_outcomes import UNITS
from collatrisk.liquidation.perpetual_synthetix import KeeperTerms
from collatrisk.liquidation.perpetual_terms import PerpetualMarket, PerpetualTerms

ASSETS = ("A", "B", "C")
P = cr.PerpetualPositions


def paths_of(prices: np.ndarray) -> cr.PricePaths:
    return cr.PricePaths.from_array(prices, ASSETS[: prices.shape[2]], "24/7")


markets = st.builds(
    PerpetualMarket,
    brackets=st.sampled_from([Brackets.flat(0.05), Brackets(((800.0, 0.01), (2000.0, 0.03), (5000.0, 0.1)))]),
    slope=st.sampled_from([0.0, 1e-3]),
    floor=st.sampled_from([0.0, 3.1]),
    on_entry=st.booleans(),
    reward_ratio=st.sampled_from([0.0, 0.011]),
    impact=st.sampled_from([0.0, 3e-6, 1e-4]),
    skew_scale=st.sampled_from([math.inf, math.inf, 5000.0]),
    outside_skew=st.sampled_from([0.0, 7.7]),
    impact_exponent=st.sampled_from([1.0, 1.5]),
    positive_factor=st.sampled_from([0.0, 1e-5]),
    negative_factor=st.sampled_from([0.0, 2e-5]),
    closing_fee=st.sampled_from([0.0, 1e-3]),
    funding_rate=st.sampled_from([0.0, 0.013, -0.02]),
    largest_step=st.sampled_from([math.inf, math.inf, 3.3]),
)
keepers = st.sampled_from([None, KeeperTerms(1.0, 30.0, 0.1, 0.5, 0.3, 0.7)])
rules = st.builds(
    PerpetualTerms,
    markets=st.fixed_dictionaries({"A": markets, "*": markets}),
    limit_spread=st.sampled_from([None, None, 0.1, 1.0]),
    bankruptcy_adjustment=st.sampled_from([1.0, 2.5]),
    most_fee=st.sampled_from([math.inf, 0.0, 0.005]),
    close_share=st.sampled_from([1.0, 0.5, 0.3]),
    equality_liquidates=st.booleans(),
    zero_liquidates=st.booleans(),
    deleveraging=st.sampled_from(["none", "profit_leverage", "pro_rata"]),
    least_requirement=st.sampled_from([0.0, 9.3]),
    fund=st.sampled_from([0.0, 17.3, 1e6]),
    keeper=keepers,
    haircuts=st.sampled_from([{}, {"B": 0.2, "C": (2.0, 100.0, 0.03, 0.08)}]),
)


@st.composite
def books(draw) -> tuple[list[P], np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_assets, n_steps = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    moves = rng.normal(0, draw(st.sampled_from([0.02, 0.1, 0.3])), (2, n_steps, n_assets))
    prices = 101.3 * np.exp(np.cumsum(np.concatenate([np.zeros((2, 1, n_assets)), moves], axis=1), axis=1))
    accounts = []
    for _ in range(draw(st.integers(1, 6))):
        sizes = {asset: float(rng.normal(0, 9)) for asset in ASSETS[:n_assets] if rng.uniform() < 0.7}
        entries = {asset: float(101.3 * np.exp(rng.normal(0, 0.05))) for asset in sizes}
        held = {ASSETS[n_assets - 1]: float(rng.uniform(0, 2))} if rng.uniform() < 0.3 else {}
        margin = float(sum(abs(size) * 101.3 for size in sizes.values()) * rng.uniform(-0.05, 0.4)) + 1.7
        accounts.append(P(margin, sizes, entries, held))
    if not any(account.sizes for account in accounts):
        accounts.append(P(40.0, {"A": 5.3}, {"A": 101.3}))
    return accounts, prices


@settings(max_examples=250)
@given(books(), rules)
def test_the_engine_against_its_twin_and_money_is_conserved(book, terms) -> None:
    accounts, prices = book
    out = cr.run_perpetuals(paths_of(prices), accounts, terms, keep="events")
    events = out.events()
    for p in range(2):
        path = [dict(zip(ASSETS, row, strict=False)) for row in prices[p].tolist()]
        slow, happened = naive_perpetual.run(accounts, terms, path)
        scale = 1e-9 * (1.0 + slow["liquidated"] + abs(slow["traders_profit"]))
        for metric in UNITS:
            assert out.values(metric)[p] == pytest.approx(slow[metric], rel=1e-9, abs=scale), metric
        mine = events[(events["path"] == p) & (events["kind"] != "counterparty")]
        assert [(e.step, e.kind) for e in mine.itertuples()] == [(e[0], e[-1]) for e in happened]
        np.testing.assert_allclose(mine["delta"], [e[3] for e in happened], rtol=1e-9)
        np.testing.assert_allclose(mine["price"], [e[5] for e in happened], rtol=1e-9)
    value = out.columns
    money = value["traders_profit"] + value["outside_profit"] + value["fund_left"] - terms.fund + value["rewards"]
    assert money == pytest.approx(value["uncovered"], abs=1e-7)
    assert value["fund_received"] - value["fund_paid"] == pytest.approx(value["fund_left"] - terms.fund, abs=1e-7)
    assert (value["fund_left"] >= 0).all()
    sold = events[events["kind"] == "deleveraged"]["delta"].sum()
    taken = events[events["kind"] == "counterparty"]["delta"].sum()
    assert sold + taken == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=60)
@given(books(), st.randoms(use_true_random=False))
def test_the_order_of_accounts_does_not_matter(book, random) -> None:
    """Severity decides who is first; only exact ties go by place, and random numbers have none."""
    accounts, prices = book
    terms = ExchangeTerms(((math.inf, 0.05),), fund=50.0, impact=1e-5)
    mixed = list(accounts)
    random.shuffle(mixed)
    one, other = (cr.run_perpetuals(paths_of(prices), some, terms) for some in (accounts, mixed))
    for metric in UNITS:
        np.testing.assert_allclose(one.values(metric), other.values(metric), rtol=1e-9, atol=1e-7)


def one_path(*rows: float) -> cr.PricePaths:
    return paths_of(np.array(rows, dtype=float)[None, :, None])


def test_the_fund_pays_before_anybody_is_deleveraged() -> None:
    """A gap of 20 % through a bankruptcy price of 90: ten units lose 100 beyond the margin."""
    long, short = P(100.0, {"A": 10.0}, {"A": 100.0}, name="long"), P(900.0, {"A": -10.0}, {"A": 100.0}, name="short")
    rich, poor = (
        cr.run_perpetuals(
            one_path(100, 80), [long, short], ExchangeTerms(((math.inf, 0.01),), fund=fund), keep="events"
        )
        for fund in (150.0, 20.0)
    )
    assert rich.values("fund_paid")[0] == pytest.approx(100.0)
    assert rich.values("deleveraged")[0] == 0.0
    assert poor.values("fund_paid")[0] == 0.0
    assert poor.values("deleveraged")[0] == pytest.approx(800.0)
    assert poor.values("deleverage_cost")[0] == pytest.approx(100.0)
    event = poor.events().set_index("kind").loc["deleveraged"]
    assert (event.account, event.delta, event.bankruptcy_price, event.price) == ("long", -10.0, 90.0, 90.0)
    alone = cr.run_perpetuals(one_path(100, 80), long, ExchangeTerms(((math.inf, 0.01),), fund=20.0))
    assert alone.values("uncovered")[0] == pytest.approx(80.0)
    assert [finding.code for finding in alone.findings] == ["uncovered-losses"]


def test_the_most_profitable_and_leveraged_counterparty_is_first() -> None:
    long = P(100.0, {"A": 10.0}, {"A": 100.0})
    safe, bold, late = (
        P(m, {"A": -6.0}, {"A": e}, name=n) for m, e, n in ((900, 100, "safe"), (90, 100, "bold"), (90, 95, "late"))
    )
    for kind, expected in (
        ("profit_leverage", {"bold": 6.0, "late": 4.0}),
        ("pro_rata", dict.fromkeys(("safe", "bold", "late"), 10 / 3)),
    ):
        out = cr.run_perpetuals(
            one_path(100, 80),
            [long, safe, bold, late],
            ExchangeTerms(((math.inf, 0.01),), deleveraging=kind),
            keep="events",
        )
        taken = out.events().query("kind == 'counterparty'").set_index("account")["delta"]
        assert taken.to_dict() == pytest.approx(expected)


def test_limits_of_depth_and_of_many_small_closes() -> None:
    """Without impact a close at the mark beyond bankruptcy leaves the owner what the fund does not take."""
    long = P(100.0, {"A": 10.0}, {"A": 100.0})
    take, leave = (
        cr.run_perpetuals(one_path(100, 90.5), long, ExchangeTerms(((math.inf, 0.01),), fund_takes_rest=takes))
        for takes in (True, False)
    )
    assert take.values("fund_received")[0] == pytest.approx(5.0)
    assert leave.values("traders_profit")[0] == pytest.approx(-95.0)
    parts = ExchangeTerms(((math.inf, 0.01),), fund_takes_rest=False, close_share=0.1)
    partial = cr.run_perpetuals(one_path(100, 90.5), long, parts, keep="events")
    # Equity 5 supports a notional of 500 at 1 %: half of the position is closed, at equality one clip more.
    assert partial.events()["delta"].sum() == pytest.approx(-5.0, abs=1.01)


def test_longs_pay_shorts_and_a_window_limits_each_step() -> None:
    terms = PerpetualTerms({"A": PerpetualMarket(Brackets.flat(0.01), funding_rate=0.02, largest_step=4.0)})
    pair = [P(1e4, {"A": 10.0}, {"A": 100.0}), P(1e4, {"A": -10.0}, {"A": 100.0})]
    paid = cr.run_perpetuals(one_path(100, 100, 100), pair, terms, keep="states")
    assert paid.states.equity[0, 2].tolist() == [1e4 - 40.0, 1e4 + 40.0]
    assert paid.values("traders_profit")[0] == paid.values("outside_profit")[0] == 0.0
    slow = cr.run_perpetuals(
        one_path(100, 90.5, 90.5, 90.5, 90.5), P(100.0, {"A": 10.0}, {"A": 100.0}), terms, keep="events"
    )
    assert slow.events()["delta"].tolist() == [-4.0, -4.0, -2.0]
    assert slow.events()["step"].tolist() == [1, 2, 3]


def test_results_depend_on_neither_workers_nor_blocks_and_travel() -> None:
    rng = np.random.default_rng(4)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, (3000, 9, 2)), axis=1))
    prices[:, 0] = 100.0
    accounts = [P(100.0, {"A": 10.0, "B": -4.0}, {"A": 100.0, "B": 100.0}), P(300.0, {"A": -12.0}, {"A": 100.0})]
    terms = ExchangeTerms(((500.0, 0.01), (math.inf, 0.05)), fund=10.0, impact=1e-6)
    one = cr.run_perpetuals(paths_of(prices), accounts, terms, keep="events")
    with ThreadPoolExecutor(2) as pool:
        two = cr.run_perpetuals(paths_of(prices), accounts, terms, keep="events", executor=pool, block_size=1024)
    for metric in UNITS:
        np.testing.assert_array_equal(one.values(metric), two.values(metric))
    assert one.events().equals(two.events())
    again = pickle.loads(pickle.dumps(one))
    assert again.events().equals(one.events())
    low, high = one.probability("liquidated").ci()
    assert 0 < low < high < 1
    assert one.expected_shortfall("uncovered").value >= one.mean("uncovered").value
    assert "perpetual" in one._repr_html_()


def test_a_mark_price_that_never_moves_is_said_loudly() -> None:
    out = cr.run_perpetuals(one_path(100, 100), P(500.0, {"A": 1.0}, {"A": 100.0}), ExchangeTerms(((math.inf, 0.01),)))
    assert [finding.code for finding in out.findings] == ["stale-price"]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: P(math.nan, {"A": math.inf}, {"B": -1.0}), r"4 problems(?s:.*)margin(?s:.*)sizes"),
        (
            lambda: cr.run_perpetuals(one_path(1, 2), P(1, {"Z": 1.0}), ExchangeTerms(((1.0, 0.1),))),
            "without a price = 'Z'",
        ),
        (lambda: cr.run_perpetuals(one_path(1, 2), [], ExchangeTerms(((1.0, 0.1),))), "at least one"),
        (lambda: cr.run_perpetuals(one_path(1, 2), P(1, {}), ExchangeTerms(((1.0, 0.1),))), "at least one position"),
        (
            lambda: cr.run_perpetuals(
                one_path(1, 2), P(1, {"A": 1}), PerpetualTerms({"B": PerpetualMarket(Brackets.flat(0.1))})
            ),
            "has no market",
        ),
        (lambda: cr.run_perpetuals(one_path(1, 2), P(1, {"A": 1}), "dydx"), "must be terms of a perpetual venue"),
        (lambda: cr.run_perpetuals(one_path(1, 2), P(1, {"A": 1}), ExchangeTerms(((1.0, 0.1),))).events(), "not kept"),
        (lambda: Brackets(((100.0, 0.1), (50.0, 0.05))), "2 problems"),
        (lambda: ExchangeTerms(((1.0, 0.1),), 0.0, True, -1.0, "leverage", -1.0), "4 problems"),
        (lambda: PerpetualTerms({}, 2.0, 0.5, -1.0, 0.0, deleveraging="x", fund=-1.0), "7 problems"),
        (lambda: PerpetualMarket(Brackets.flat(0.1), slope=-1.0, closing_fee=2.0, largest_step=0.0), "3 problems"),
    ],
)
def test_bad_input_is_refused_with_all_its_problems(action, message) -> None:
    with pytest.raises(InputError, match=message):
        action()
