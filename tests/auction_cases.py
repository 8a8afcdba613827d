"""Shared by the auction tests: sources, random rules, and the twin run over one path."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from margin_cases import FakePaths, random_paths
from naive_auctions import NaiveAuctions, Vault

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Account
from collatrisk.liquidation import (
    AuctionTerms,
    BatchTerms,
    Depth,
    DutchTerms,
    EnglishTerms,
    ExponentialDecrease,
    Keepers,
    LinearDecrease,
    StairstepExponentialDecrease,
)
from collatrisk.liquidation.auctions.run import lower_triangle
from collatrisk.market.clock import Clock

HOURLY = Clock(steps_per_day=24)
UNITS = ("sold", "returned", "collateral", "lot")

curves = st.one_of(
    st.builds(LinearDecrease, st.floats(1000, 20_000)),
    st.builds(ExponentialDecrease, st.floats(0.9995, 0.99999)),
    st.builds(StairstepExponentialDecrease, st.floats(0.9, 0.995), st.sampled_from([90.0, 131.0, 600.0])),
)
limit = st.sampled_from([math.inf, math.inf, 30.7, 75.3])


def sizes(draw) -> dict[str, float]:
    """Settings that every kind of auction has."""
    return {
        "penalty": draw(st.sampled_from([0.0, 0.13])),
        "dust": draw(st.sampled_from([0.0, 9.1])),
        "collateral_capacity": draw(limit),
    }


@st.composite
def random_rule(draw, capacity: float, kinds=("dutch", "dutch", "english", "batch")):
    kind = draw(st.sampled_from(kinds))
    if kind == "english":
        terms = draw(st.sampled_from([1.03, 1.05])), draw(st.sampled_from([1500.0, 3600.0])), 7000.0
        return EnglishTerms(*terms, **sizes(draw), capacity=capacity)
    if kind == "batch":
        return BatchTerms(
            draw(st.sampled_from([900.0, 2000.0])),
            draw(st.sampled_from([0.0, 0.8, 0.97])),
            **sizes(draw),
            capacity=capacity,
        )
    return DutchTerms(
        draw(curves),
        draw(st.floats(0.95, 1.3)),
        tail_s=draw(st.sampled_from([math.inf, 2417.0, 5000.0])),
        cusp=draw(st.sampled_from([0.0, 0.41, 0.83])),
        tip=draw(st.sampled_from([0.0, 0.5])),
        chip=draw(st.sampled_from([0.0, 0.01])),
        breaker=draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3])),
        **sizes(draw),
        capacity=capacity,
    )


@st.composite
def random_terms(draw, assets, kinds=("dutch", "dutch", "english", "batch")) -> AuctionTerms:
    capacity = draw(limit)
    order = draw(st.sampled_from(["pro_rata", "pro_rata", tuple(reversed(assets)), (assets[0],)]))
    return AuctionTerms(
        {asset: draw(random_rule(capacity, kinds)) for asset in assets},
        liquidation_threshold={asset: draw(st.floats(0.5, 0.95)) for asset in assets},
        max_lot=draw(st.sampled_from([math.inf, math.inf, 23.3])),
        account_order=draw(st.sampled_from(["severity", "largest", "listed"])),
        asset_order=order,
        recourse=draw(st.booleans()),
        started_by=draw(st.sampled_from(["keeper", "lender"])),
        feed_delay_s=draw(st.sampled_from([0.0, 0.0, 600.0, 3600.0])),
        breaker_from_s=draw(st.sampled_from([0.0, 3600.0, 7200.0])),
        borrow_rate=draw(st.sampled_from([0.0, 0.5])),
        most_running=draw(st.sampled_from([64, 3])),
    )


keepers = st.builds(
    Keepers,
    number=st.integers(0, 4),
    margin=st.sampled_from([0.0, 0.021]),
    highest_margin=st.sampled_from([0.021, 0.07]),
    capital=st.sampled_from([math.inf, 17.9, 60.3]),
    turnaround_s=st.sampled_from([0.0, 1800.0, math.inf]),
    latency_s=st.sampled_from([0.0, 700.0]),
    gas=st.sampled_from([0.0, 0.13]),
    gas_stress=st.sampled_from([0.0, 5.0]),
    slippage_tolerance=st.sampled_from([1.0, 0.03]),
    scavenger=st.booleans(),
)
depths = st.builds(
    Depth,
    kind=st.sampled_from(["linear", "square_root", "constant_product"]),
    impact=st.sampled_from([0.0, 1e-4, 2e-3]),
    half_life_s=st.sampled_from([0.0, 1800.0, math.inf]),
    stress=st.sampled_from([0.0, 3.0]),
    stress_days=st.sampled_from([0.125, 1.0]),
)


@st.composite
def random_book(draw, n_paths: int = 3) -> tuple[FakePaths, list[Account]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_assets = draw(st.integers(1, 3))
    source = random_paths(rng, n_paths, draw(st.integers(2, 6)), n_assets, draw(st.floats(0.01, 0.1)))
    variance = source.variance if draw(st.booleans()) else None
    source = FakePaths(source.assets, source.prices, variance, source.correlation, source.seed, clock=HOURLY)
    accounts = []
    for a in range(draw(st.integers(1, 4))):
        values = rng.uniform(5, 100, n_assets) * (rng.uniform(size=n_assets) < 0.8)
        holdings = dict(zip(source.assets, values / source.spot, strict=True))
        holdings["USD"] = 7.3 * bool(rng.uniform() < 0.3)
        owed = (values.sum() + holdings["USD"]) * rng.uniform(0.4, 1.05) + 1.7
        accounts.append(Account(holdings, {"USD": owed}, name=f"vault {a}"))
    return source, accounts


def twin(source, accounts, terms, bidders, depth, n_ticks: int, path: int) -> NaiveAuctions:
    """The twin of a run on one path of a source whose assets are all in use."""
    assets = [asset for asset in source.assets if any(account.holdings.get(asset) for account in accounts)]
    used = [source.assets.index(asset) for asset in assets]
    clock = source.clock
    vaults = [
        Vault(
            {asset: account.holdings.get(asset, 0.0) for asset in assets},
            account.holdings.get("USD", 0.0),
            account.debts["USD"],
            {asset: terms.threshold_of(asset) for asset in assets},
            1.0,
            account.debts["USD"],
        )
        for account in accounts
    ]
    block = source.read(path, path + 1)
    variance = None if block.step_variance is None else block.step_variance[:, used, 0]
    factor = None if source.correlation is None else lower_triangle(source.correlation[np.ix_(used, used)])
    slow = NaiveAuctions(
        terms,
        bidders,
        depth,
        tuple(assets),
        vaults,
        86_400 / clock.steps_per_day,
        n_ticks,
        math.exp(terms.borrow_rate * clock.step_years),
        max(round(depth.stress_days * clock.steps_per_day), 1),
    )
    keys = stream_key(source.seed, Purpose.WITHIN_STEP), stream_key(source.seed, Purpose.AUCTIONS)
    return slow.run(block.prices[:, used, 0], variance, factor, *keys, path)
