"""No foreign exception leaves a flow, a worker or a command: its message could hold a name.

Prefect stores messages, Ray and the terminal show them. This is the one place that catches all.
"""

import functools
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from tuni.errors import ProgramFault, TuniError

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


@contextmanager
def guard(place: str) -> Iterator[None]:
    """Let our own errors through without their causes, and turn all others into one of ours.

    The log gets the type and the frames of a foreign exception, never its message.

    Args:
        place: What is done inside, for the message.

    Raises:
        ProgramFault: In place of a foreign exception.
    """
    try:
        yield
    except TuniError as error:
        raise type(error)(*error.args).with_traceback(error.__traceback__) from None
    except Exception as error:
        report_fault(error, place)
        raise ProgramFault(
            f"{place}: {type(error).__name__}, a fault of this program",
            "see logs/tuni.log in the home, and report it with the frames there",
        ) from None


def guarded(body: Callable[P, R]) -> Callable[P, R]:
    """A function under `guard`."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with guard(body.__name__):
            return body(*args, **kwargs)

    return wrapped


def report_fault(error: BaseException, place: str) -> None:
    """Log the type and the frames of a foreign exception, never its message."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s in %s\n%s", type(error).__name__, place, frames)
