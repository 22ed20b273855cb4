"""Stops retry storms where they start: in the client.

>>> import seawall
>>> bucket = seawall.TokenBucket(10)
>>> bucket.try_take()
True
"""

from ._errors import (
    CircuitOpen,
    ConcurrencyLimited,
    DeadlineExceeded,
    Paused,
    RateLimited,
    Refused,
    RetryBudgetSpent,
    SeawallError,
)
from ._native import (
    AIMDController,
    Attempt,
    BreakerPermit,
    Call,
    CircuitBreaker,
    ConcurrencyLimit,
    Counts,
    Guard,
    KeyedBuckets,
    LimitPermit,
    ManualClock,
    RateCheck,
    Reservation,
    RetryAttempt,
    RetryBudget,
    RetryCall,
    RetryStrategy,
    SlidingWindow,
    Snapshot,
    TokenBucket,
    WarmUp,
    WindowMetrics,
    __version__,
)

__all__ = [
    "AIMDController",
    "Attempt",
    "BreakerPermit",
    "Call",
    "CircuitBreaker",
    "CircuitOpen",
    "ConcurrencyLimit",
    "ConcurrencyLimited",
    "Counts",
    "DeadlineExceeded",
    "Guard",
    "KeyedBuckets",
    "LimitPermit",
    "ManualClock",
    "Paused",
    "RateCheck",
    "RateLimited",
    "Refused",
    "Reservation",
    "RetryAttempt",
    "RetryBudget",
    "RetryBudgetSpent",
    "RetryCall",
    "RetryStrategy",
    "SeawallError",
    "SlidingWindow",
    "Snapshot",
    "TokenBucket",
    "WarmUp",
    "WindowMetrics",
    "__version__",
]
