"""Where the numbers of the auction engine lie: columns of its rules, of a running auction and of what comes out.

Money is in the account's currency, prices in it per unit, times in seconds since the start of the path.
"""

from __future__ import annotations

# Kinds of auction.
DUTCH, ENGLISH, BATCH = range(3)
# Columns of the rules of an asset's auctions (float64). The last six depend on the kind: see `asset_rule`.
KIND, PENALTY, DUST, TIP, CHIP, ROOM, LARGEST, BREAKER, R0, R1, R2, R3, R4, R5 = range(14)
N_RULES = 14
CURVE, FIRST, STAIR, BUFFER, TAIL, CUSP = R0, R1, R2, R3, R4, R5  # Dutch
RAISE, BID_LENGTH, LENGTH = R0, R1, R2  # English; a batch has LENGTH too
RESERVE = R0  # batch

# The book's numbers (float64).
(
    CAPACITY,
    GROWTH,
    TICK,
    LOOK,
    GAS,
    GAS_STRESS,
    TOLERANCE,
    CAPITAL,
    TIED_KEEP,
    DEPTH_STRESS,
    PRESSURE_KEEP,
    BREAKER_FROM,
) = range(12)
N_BOOK = 12
# Its switches (int64).
RECOURSE, LENDER_STARTS, DELAY, ORDER, DEPTH_KIND, SCAVENGER, STRESS_STEPS, IN_TURN = range(8)
N_SWITCHES = 8
SEVERITY, LARGEST_FIRST, AS_LISTED = range(3)
LINEAR_DEPTH, ROOT_DEPTH, POOL_DEPTH = range(3)

# A running auction (float64).
(
    FIRST_S,
    START_S,
    TOP,
    LOT,
    TAB,
    COLLATERAL,
    DEBT,
    TARGET,
    SOLD,
    RAISED,
    RETURNED,
    GIVEN_UP,
    REWARDS,
    WORTH,
    RESOLD,
    GAS_PAID,
    FEED,
    BID,
    BID_S,
    END_S,
) = range(20)
N_RUNNING = 20
# Its whole numbers (int64).
ACCOUNT, ASSET, RESETS, PURCHASES, BIDDER, SEEN, OPEN = range(7)
N_WHO = 7

# The market at a tick, by asset.
PRICE, FEED_PRICE, DEPTH, GAS_NOW = range(4)
# Keepers' money.
TIED, ESCROW = range(2)

# What comes out for an account and path (float64).
(
    SHORTFALL,
    AUCTIONED_DEBT,
    AUCTIONED_VALUE,
    SOLD_VALUE,
    RAISED_MONEY,
    REPAID,
    PENALTY_PAID,
    WRITTEN_OFF,
    BORROWER_COST,
    LENDER_REWARDS,
    SLIPPAGE,
    KEEPER_PROFIT,
    OUTSTANDING,
    REMAINING,
    INTEREST,
    CASH_USED,
    AUCTIONS,
    FAILED_AUCTIONS,
    RESETS_MADE,
    ZERO_AUCTIONS,
    CLEARING_DAYS,
) = range(21)
N_AMOUNTS = 21
# First steps (int32, -1: never).
TRIGGERED, AUCTIONED, RESET, FAILED, ZERO_BID, SHORT = range(6)
N_EVENTS = 6
NEVER = -1

# Records of auctions: path; ACCOUNT to PURCHASES; FIRST_S to FEED; END_S.
N_RECORD = 23

TRIFLE = 1e-9  # of a lot: less is not worth a transaction
