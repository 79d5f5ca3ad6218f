"""Which connections a served detector keeps open: a stranger who waits makes room for the next.

uvicorn alone lets a connection that never ends its request stay for good, and its limit answers
503 to everybody, so that a thousand of them shut out who holds the token.
"""

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

Headers = Sequence[tuple[bytes, bytes]]

_FILES = 8192  # open files that are asked for; a system may allow fewer


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How much of a server connections may take.

    Attributes:
        most: Open at once.
        at_once: Taken between two looks at those that are open; well below ``most``, so that a
            flood cannot push out who has just come.
        request_s: Seconds for sending a whole request, from the opening or from the last answer.
    """

    most: int
    at_once: int
    request_s: float = 20.0


def connection_limits() -> ConnectionLimits:
    """Limits that fit the open files which this process may have, raised as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft == resource.RLIM_INFINITY or soft >= files:
        files = _FILES if soft == resource.RLIM_INFINITY else min(soft, _FILES)
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    most = min(1024, files // 4)
    return ConnectionLimits(most, most // 4)


class OpenConnections:
    """The open connections, oldest first, and how many were closed for others."""

    def __init__(self, limits: ConnectionLimits, may_ask: Callable[[Headers], bool]) -> None:
        """Begin without any.

        Args:
            limits: What is allowed.
            may_ask: Whether headers hold the token.
        """
        self.limits = limits
        self.closed = 0
        self._may_ask = may_ask
        self._open: dict[ServedConnection, None] = {}

    def admit(self, connection: "ServedConnection") -> None:
        """Take one more; where there are too many, the oldest goes that asks without a token."""
        self._open[connection] = None
        if len(self._open) > self.limits.most:
            waiting = (one for one in self._open if not self._may_ask(one.asks_with()))
            self.close(next(waiting, connection))

    def close(self, connection: "ServedConnection") -> None:
        """Close a connection at once."""
        self.closed += 1
        self.release(connection)
        connection.transport.abort()

    def release(self, connection: "ServedConnection") -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)


class ServedConnection(H11Protocol):
    """A connection that sends its request in time, or is closed; a subclass names the others."""

    others: ClassVar[OpenConnections]
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()
        self.others.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        self.others.release(self)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._wait()
        super().on_response_complete()

    def asks_with(self) -> Headers:
        """Headers of the request that is not answered yet; none before they are whole."""
        asking = self.cycle is not None and not self.cycle.response_complete
        return self.headers if asking else ()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(self.others.limits.request_s, self._end_of_wait)

    def _end_of_wait(self) -> None:
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.others.close(self)


class Server(uvicorn.Server):
    """uvicorn's server on one socket of its own, behind which as many may queue as is possible."""

    def __init__(self, listener: socket.socket, app: Any, others: OpenConnections) -> None:
        """Prepare.

        Args:
            listener: Bound, not yet listening.
            app: An ASGI application (Any: its type is uvicorn's own).
            others: Holds the connections.
        """
        kind = type("Connection", (ServedConnection,), {"others": others})
        super().__init__(
            uvicorn.Config(
                app,
                http=kind,
                ws="none",
                log_level="warning",
                access_log=False,
                backlog=others.limits.at_once,
            )
        )
        self._listener = listener
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).addFilter(OncePerMinute())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup([self._listener])
        # What asyncio calls the backlog is also how many it takes at once.
        self._listener.listen(socket.SOMAXCONN)


class OncePerMinute(logging.Filter):
    """Lets each kind of line through once a minute, with the number of those it kept back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            clock: Seconds, never backwards.
        """
        super().__init__()
        self._clock = clock
        self._kept_back: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now = self._clock()
        kind = record.pathname, record.lineno
        last, kept_back = self._kept_back.get(kind, (now - 60, 0))
        written = now - last >= 60
        if written and kept_back:
            record.msg = f"{record.getMessage()} ({kept_back:,} more of this kind before)"
            record.args = None
        self._kept_back[kind] = (now, 0) if written else (last, kept_back + 1)
        return written
