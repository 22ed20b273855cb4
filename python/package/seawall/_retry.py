"""The attempts that follow a failed one, and the decorator.

What is decided, and how long is waited, is the native `RetryCall`'s. A function that succeeds at its first attempt never
comes here; a coroutine does, as somebody has to await it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ._native import Decorated
from ._protect import is_async

if TYPE_CHECKING:
    from ._native import RetryAttempt, RetryCall, RetryStrategy

_T = TypeVar("_T")


def again(
    call: RetryCall,
    error: Exception | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
) -> Any:
    """Goes on after the first attempt of a function has raised `error`."""
    kwargs = kwargs or {}
    while True:
        try:
            if error is not None:
                raise error
            answer = function(*args, **kwargs)
        except Exception as failed:
            # Without a name in this frame, which its traceback holds.
            error = None
            if not call._pause_blocking(failed):
                call._explain(failed)
                raise
        else:
            if hasattr(type(answer), "__await__"):
                return execute(call, answer, function, args, kwargs)
            call.succeeded()
            return answer


async def execute(
    call: RetryCall,
    awaitable: Awaitable[Any] | None,
    function: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
) -> Any:
    """Awaits the first attempt of a function, which was called, and those that follow."""
    while True:
        try:
            if awaitable is None:
                awaitable = function(*args, **(kwargs or {}))
            answer = await awaitable
        except Exception as failed:
            awaitable = None
            if not await call._pause(failed):
                call._explain(failed)
                raise
        else:
            call.succeeded()
            return answer


async def next_attempt(waiting: Coroutine[Any, Any, RetryAttempt | None]) -> RetryAttempt:
    """The attempt that was waited for."""
    attempt = await waiting
    if attempt is None:
        raise StopAsyncIteration
    return attempt


def decorate(strategy: RetryStrategy, function: Callable[..., Any]) -> Any:
    """The function with the retries of the strategy; what it is called, takes and returns stays."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorate(strategy, function.__func__))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is a generator: what it has yielded cannot be taken back. Retry what it calls")
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"a RetryStrategy decorates functions and methods, not {function!r}")
    if is_async(function):
        return functools.wraps(function)(_coroutine_function(strategy, function))
    return functools.update_wrapper(Decorated(strategy, function), function)


def _coroutine_function(
    strategy: RetryStrategy, function: Callable[..., Awaitable[_T]]
) -> Callable[..., Coroutine[Any, Any, _T]]:
    begin = strategy.begin

    async def retried(*args: Any, **kwargs: Any) -> _T:
        # As `execute` above, in a coroutine less.
        call = begin()
        while True:
            try:
                answer = await function(*args, **kwargs)
            except Exception as failed:
                if not await call._pause(failed):
                    call._explain(failed)
                    raise
            else:
                call.succeeded()
                return answer

    return retried
