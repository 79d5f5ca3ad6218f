"""No foreign exception leaves a flow: its message could hold a name, and Prefect stores it."""

import functools
import logging
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tuni.errors import EnvironmentFault, TuniError

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def guarded(body: Callable[P, R]) -> Callable[P, R]:
    """Let our own errors through without their causes, and turn all others into one of ours.

    The log gets the type and the frames of a foreign exception, never its message.
    """

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return body(*args, **kwargs)
        except TuniError as error:
            raise type(error)(*error.args) from None
        except Exception as error:
            report_fault(error, body.__name__)
            raise EnvironmentFault(
                f"{body.__name__}: {type(error).__name__}, a fault of this program",
                "see the log in the home's folder logs/, and report it with the frames there",
            ) from None

    return wrapped


def report_fault(error: BaseException, place: str) -> None:
    """Log the type and the frames of a foreign exception, never its message."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s in %s\n%s", type(error).__name__, place, frames)
