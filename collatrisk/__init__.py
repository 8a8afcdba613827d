"""collatrisk: VaR/ES stress testing of collateral, from prices to a signed-off report.

>>> import collatrisk as cr
>>> prices = cr.load_prices("prices.csv")  # doctest: +SKIP
>>> loan = cr.Loan(cr.Mix({"SP500": 1.0}), collateral_value=1_000_000, ltv=0.6)
>>> cr.assess(prices, loan).report("report.html")  # doctest: +SKIP

Names are loaded on first use (PEP 562), so that importing the package costs little: `arch` alone takes over a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collatrisk.base.version import __version__
from collatrisk.public import HOME

if TYPE_CHECKING:
    from collatrisk import backtest as backtest, liquidation as liquidation
    from collatrisk.assessment import (
        Assessment as Assessment,
        assess as assess,
    )
    from collatrisk.base.errors import (
        CollatriskError as CollatriskError,
        DataError as DataError,
        FitError as FitError,
        InputError as InputError,
        Problem as Problem,
    )
    from collatrisk.base.findings import (
        Finding as Finding,
    )
    from collatrisk.collateral import (
        AbsorbRule as AbsorbRule,
        Account as Account,
        Book as Book,
        CloseFactor as CloseFactor,
        FixedBonus as FixedBonus,
        GrowingBonus as GrowingBonus,
        GrowingDiscount as GrowingDiscount,
        Loan as Loan,
        Mix as Mix,
        PoolRule as PoolRule,
        SaleRule as SaleRule,
        TargetHealth as TargetHealth,
        Terms as Terms,
        health_factor as health_factor,
        loan_to_value as loan_to_value,
        margin_ratio as margin_ratio,
    )
    from collatrisk.dependence import (
        Dcc as Dcc,
        DependenceFit as DependenceFit,
        EwmaCorrelation as EwmaCorrelation,
        FilteredHistorical as FilteredHistorical,
        GaussianCopula as GaussianCopula,
        GroupedTCopula as GroupedTCopula,
        Independent as Independent,
        StudentTCopula as StudentTCopula,
        fit_dependence as fit_dependence,
        nearest_correlation as nearest_correlation,
    )
    from collatrisk.liquidation import (
        liquidate_book as liquidate_book,
        venues as venues,
    )
    from collatrisk.liquidation.auctions import (
        AuctionOutcomes as AuctionOutcomes,
        AuctionTargets as AuctionTargets,
        AuctionTerms as AuctionTerms,
        CalibratedAuction as CalibratedAuction,
        Depth as Depth,
        Keepers as Keepers,
        run_auctions as run_auctions,
    )
    from collatrisk.liquidation.bands import (
        BandPosition as BandPosition,
        BandTerms as BandTerms,
    )
    from collatrisk.liquidation.bands_run import (
        BandOutcomes as BandOutcomes,
        run_bands as run_bands,
    )
    from collatrisk.liquidation.csa import (
        CsaTerms as CsaTerms,
    )
    from collatrisk.liquidation.csa_run import (
        run_csa as run_csa,
    )
    from collatrisk.liquidation.curves import (
        ExponentialDecrease as ExponentialDecrease,
        LinearDecrease as LinearDecrease,
        StairstepExponentialDecrease as StairstepExponentialDecrease,
    )
    from collatrisk.liquidation.dutch_terms import (
        DutchTerms as DutchTerms,
    )
    from collatrisk.liquidation.english import (
        BatchTerms as BatchTerms,
        EnglishTerms as EnglishTerms,
    )
    from collatrisk.liquidation.impact_fit import (
        ImpactFit as ImpactFit,
        calibrate_impact as calibrate_impact,
    )
    from collatrisk.liquidation.perpetual_accounts import (
        PerpetualPositions as PerpetualPositions,
    )
    from collatrisk.liquidation.perpetual_outcomes import (
        PerpetualOutcomes as PerpetualOutcomes,
    )
    from collatrisk.liquidation.perpetual_run import (
        run_perpetuals as run_perpetuals,
    )
    from collatrisk.liquidation.perpetual_terms import (
        PerpetualMarket as PerpetualMarket,
        PerpetualTerms as PerpetualTerms,
    )
    from collatrisk.liquidation.selling import (
        AlmgrenChriss as AlmgrenChriss,
        BlockTrade as BlockTrade,
        ConstantProductPool as ConstantProductPool,
        MarketState as MarketState,
        OrderBook as OrderBook,
        PriceImpact as PriceImpact,
        Splitting as Splitting,
        run_sale as run_sale,
        sell_over as sell_over,
    )
    from collatrisk.margining import (
        Outcomes as Outcomes,
        book_margin_calls as book_margin_calls,
        compare_orders as compare_orders,
        run_margin as run_margin,
    )
    from collatrisk.market import (
        Clock as Clock,
        DataQualityReport as DataQualityReport,
        align_prices as align_prices,
        check_prices as check_prices,
        infer_clock as infer_clock,
        load_prices as load_prices,
        log_returns as log_returns,
        simple_returns as simple_returns,
    )
    from collatrisk.pricing import (
        BlackGreeks as BlackGreeks,
        black_greeks as black_greeks,
        black_price as black_price,
        implied_volatility as implied_volatility,
    )
    from collatrisk.rare import (
        rare_probability as rare_probability,
    )
    from collatrisk.report import (
        write_report as write_report,
    )
    from collatrisk.risk import (
        Estimate as Estimate,
        TailSketch as TailSketch,
        estimate_controlled_mean as estimate_controlled_mean,
        estimate_expected_shortfall as estimate_expected_shortfall,
        estimate_mean as estimate_mean,
        estimate_value_at_risk as estimate_value_at_risk,
        expected_shortfall as expected_shortfall,
        probability as probability,
        value_at_risk as value_at_risk,
    )
    from collatrisk.scenarios import (
        Scenario as Scenario,
        ScenarioPaths as ScenarioPaths,
        load_catalogue as load_catalogue,
        load_scenario as load_scenario,
        replay as replay,
    )
    from collatrisk.simulation import (
        HistoricalWindows as HistoricalWindows,
        Jump as Jump,
        JumpFit as JumpFit,
        Jumps as Jumps,
        JumpSize as JumpSize,
        Marginal as Marginal,
        MarketModel as MarketModel,
        PathBlock as PathBlock,
        PathPlan as PathPlan,
        PathSource as PathSource,
        PegMarginal as PegMarginal,
        PricePaths as PricePaths,
        draw_models as draw_models,
        fit_jumps as fit_jumps,
        fit_market as fit_market,
        parameter_uncertainty as parameter_uncertainty,
        simulate as simulate,
        stress_model as stress_model,
    )
    from collatrisk.sizing import (
        compare_mixes as compare_mixes,
        haircut as haircut,
        liquidation_threshold as liquidation_threshold,
        max_ltv as max_ltv,
    )
    from collatrisk.study import (
        Study as Study,
        StudyResult as StudyResult,
        load_study as load_study,
        run_study as run_study,
        stress as stress,
    )
    from collatrisk.volatility import (
        Aparch as Aparch,
        ConstantVolatility as ConstantVolatility,
        Egarch as Egarch,
        Ewma as Ewma,
        Figarch as Figarch,
        Garch as Garch,
        GpdTails as GpdTails,
        Har as Har,
        HourOfWeek as HourOfWeek,
        PanelFit as PanelFit,
        Peg as Peg,
        PegFit as PegFit,
        RealizedFit as RealizedFit,
        RealizedGarch as RealizedGarch,
        RiskMetrics2006 as RiskMetrics2006,
        RollingFit as RollingFit,
        TailFit as TailFit,
        VolatilityFit as VolatilityFit,
        VolatilitySelection as VolatilitySelection,
        fit_panel as fit_panel,
        fit_peg as fit_peg,
        fit_realized as fit_realized,
        fit_season as fit_season,
        fit_tails as fit_tails,
        fit_volatility as fit_volatility,
        range_variance as range_variance,
        rolling_fit as rolling_fit,
        select_volatility as select_volatility,
    )
    from collatrisk.warming import (
        warmup as warmup,
    )

_MODULE_OF = {name: f"collatrisk.{module}" for module, names in HOME.items() for name in names}

_ROOMS = ("backtest", "liquidation")  # rooms whose functions are called by the room's name: cr.backtest.auctions(...)

__all__ = ["__version__", *sorted([*_MODULE_OF, *_ROOMS])]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"collatrisk.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'collatrisk' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
