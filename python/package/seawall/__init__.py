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
    BreakerPermit,
    CircuitBreaker,
    ConcurrencyLimit,
    KeyedBuckets,
    LimitPermit,
    ManualClock,
    RateCheck,
    Reservation,
    TokenBucket,
    WarmUp,
    __version__,
)

__all__ = [
    "BreakerPermit",
    "CircuitBreaker",
    "CircuitOpen",
    "ConcurrencyLimit",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "KeyedBuckets",
    "LimitPermit",
    "ManualClock",
    "Paused",
    "RateCheck",
    "RateLimited",
    "Refused",
    "Reservation",
    "RetryBudgetSpent",
    "SeawallError",
    "TokenBucket",
    "WarmUp",
    "__version__",
]
