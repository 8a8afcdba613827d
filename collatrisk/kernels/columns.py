"""What stands where in the rows that the margin kernels read and write. Plain numbers: importing this is cheap."""

from __future__ import annotations

# Rules of an account (float64): levels, sizes, and how the bonus grows.
(
    CALL,
    RESTORE,
    FEE,  # share of the repaid value, on top, paid by the borrower
    CLOSE,  # share of the debt that a call repays
    CURE,
    GROWTH,
    TRIGGER,  # liquidated when the mark is strictly below; the next number after 1 where equality counts
    LEAST_BONUS,  # bonus at a health of 1 over the bonus of the asset
    MOST_AT,  # health at and below which the bonus is that of the asset
    DISCOUNT,  # at a health of 1, if the bonus is a discount
    BOOST,
    MOST_BOOST,
    MOST_DISCOUNT,
    FULL_HEALTH,  # health at and below which a call may repay everything
    FULL_VALUE,  # debt or collateral below which it may
    LEAST_LEFT,  # what a call leaves of debt and of collateral is nothing or at least this
    TARGET,  # health that a call restores; 0: the close factor sizes it
    DUST,  # with a target: a smaller rest is taken too
    LIQUIDATOR_FEE,  # share of the repaid value, out of the bonus
    WRITE_OFF_FROM,  # debt of an account without collateral is written off if it was at least this; inf: never
    POOL,
    SYSTEM_RATIO,
    CRITICAL_RATIO,
    MINIMUM_RATIO,
    GAS,
) = range(25)
N_RULES = 25

# Timing and switches of an account (int64).
CURE_STEPS, DELAY, UNCURED_SELLS, SALE_PRICE, BRIDGE, KIND, ROUNDS, BY_DISCOUNT, LEAST_COST, RESALE_STEPS = range(10)
N_SWITCHES = 10
# Values of SALE_PRICE and of KIND.
WORSE, END, BARRIER = range(3)
SALE, ABSORB, OFFSET = range(3)

# What a rule says of each slot (float64), besides its threshold and impact.
BONUS_OF, FEE_OF_BONUS, PRIORITY, CREDIT_OF, DISCOUNT_OF = range(5)
N_BY_SLOT = 5

# Amounts of a path (float64). The last five are kept only where a rule can write debt off or hand collateral over.
(
    SHORTFALL,
    REPAID,
    SEIZED,
    BONUS_PAID,
    FEE_PAID,
    SLIPPAGE,
    TOP_UP,
    INTEREST,
    OUTSTANDING,
    REMAINING,
    MIN_HEALTH,
    COLLATERAL_LOSS,
    WRITTEN_OFF,
    REDISTRIBUTED,
    ABSORBED,
    PROCEEDS,
    LOSS,
) = range(17)
N_AMOUNTS = 12
N_ALL_AMOUNTS = 17
N_COLUMNS = 5  # INTEREST to COLLATERAL_LOSS: what paths have on which nothing happens

# First steps of a path (int64, -1: never).
CALLED, CURED, LIQUIDATED, EXHAUSTED, SHORT = range(5)
N_EVENTS = 5
