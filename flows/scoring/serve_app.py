"""The served detector's web application: a token, a limit, verdicts as JSON.

Nobody without the token learns anything but that the server is up, and no answer quotes a text
that cannot be scored.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from flows.machine.guard import guard
from flows.scoring.serve_connections import Headers, OpenConnections
from registry.serving import ServedDetector
from tuni import __version__
from tuni.errors import InputError, ProgramFault, RequestError, TuniError

MAX_BODY = 8 * 2**20  # bytes
_ASK = 'send {"dataframe_records": [{"text": …}, …]}'

log = logging.getLogger(__name__)


class RateLimit:
    """So many texts a minute, not more at once than a minute's worth."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a minute's worth.

        Args:
            per_minute: Texts.
            clock: Seconds, never backwards.
        """
        self.per_minute = per_minute
        self._clock = clock
        self._left, self._at = float(per_minute), clock()

    def wait_s(self, texts: int) -> float:
        """0 and the texts are counted, or the seconds until they would be allowed."""
        now = self._clock()
        filled = self._left + (now - self._at) * self.per_minute / 60
        self._left, self._at = min(float(self.per_minute), filled), now
        if texts <= self._left:
            self._left -= texts
            return 0.0
        return (texts - self._left) * 60 / self.per_minute


@dataclass(frozen=True, slots=True)
class Token:
    """What those who ask must hold.

    Attributes:
        digest: SHA-256 of it.
    """

    digest: bytes

    def is_in(self, headers: Headers) -> bool:
        """Whether the headers of a request hold it."""
        given = next((value for name, value in headers if name == b"authorization"), b"")
        kind, _, token = given.partition(b" ")
        same = hmac.compare_digest(hashlib.sha256(token.strip()).digest(), self.digest)
        return same and kind.lower() == b"bearer"


class Strangers:
    """Counts who was turned away, and writes it down now and then: never one line for each."""

    def __init__(self, detector: ServedDetector, connections: OpenConnections) -> None:
        """Begin to count.

        Args:
            detector: Whose audit trail takes the counts.
            connections: Counts those that it closed.
        """
        self.refused = 0
        self._detector, self._connections = detector, connections
        self._written = (0, 0)

    def write_down(self) -> None:
        """Write what was counted since the last time to log and audit trail, where it is any."""
        # The counts only grow, so that none is lost between this thread and the one that counts.
        counts = self.refused, self._connections.closed
        refused, closed = (now - before for now, before in zip(counts, self._written, strict=True))
        self._written = counts
        if not (refused or closed):
            return
        log.warning("refused %d requests without the token, closed %d connections", refused, closed)
        try:
            self._detector.note_refusals(refused, closed)
        except TuniError as error:
            log.error("%s", error)

    async def every(self, seconds: float) -> None:
        """Write them down again and again."""
        while True:
            await asyncio.sleep(seconds)
            await run_in_threadpool(self.write_down)


def make_app(
    detector: ServedDetector,
    token: Token,
    limit: RateLimit,
    connections: OpenConnections,
    every_s: float = 60.0,
) -> Starlette:
    """The application.

    Args:
        detector: Ready to answer.
        token: What those who ask must hold.
        limit: Of the token's holder.
        connections: Those of the server that runs the application.
        every_s: Seconds between two notes of who was turned away.
    """
    strangers = Strangers(detector, connections)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        notes = asyncio.create_task(strangers.every(every_s))
        try:
            yield
        finally:
            notes.cancel()
            with suppress(asyncio.CancelledError):
                await notes
            strangers.write_down()

    async def alive(request: Request) -> Response:
        return PlainTextResponse("\n")

    async def version(request: Request) -> Response:
        return PlainTextResponse(__version__)

    async def invocations(request: Request) -> Response:
        if not token.is_in(request.headers.raw):
            strangers.refused += 1
            return _refusal(
                401,
                "token: missing or wrong",
                "send the header Authorization: Bearer TOKEN, with what stands in serve.token",
                # Nobody reads the rest of such a request.
                {"WWW-Authenticate": "Bearer", "Connection": "close"},
            )
        try:
            with guard("serve"):
                return await _answer(request, detector, limit)
        except ProgramFault as fault:  # the server goes on
            return _refusal(500, fault.problem, fault.fix)
        except TuniError as error:
            return _refusal(400 if isinstance(error, InputError) else 503, error.problem, error.fix)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/ping", alive),
            Route("/health", alive),
            Route("/version", version),
            Route("/invocations", invocations, methods=["POST"]),
        ],
    )


async def _answer(request: Request, detector: ServedDetector, limit: RateLimit) -> Response:
    texts = parse_texts(await _body(request))
    if len(texts) > limit.per_minute:
        return _refusal(
            413,
            f"texts: {len(texts)}, more than the {limit.per_minute} of a minute",
            "send fewer, use `tuni score`, or raise TUNI_SERVE_RATE",
        )
    wait = limit.wait_s(len(texts))
    if wait:
        log.warning("refused %d texts: over the limit", len(texts))
        return _refusal(
            429,
            f"texts: more than {limit.per_minute} a minute",
            f"ask again in {math.ceil(wait)} s",
            {"Retry-After": str(math.ceil(wait))},
        )
    rows = await run_in_threadpool(_verdicts, detector, texts)
    log.info("answered %d texts", len(texts))
    return JSONResponse({"predictions": rows})


def parse_texts(body: bytes) -> list[str]:
    """Texts of a request as MLflow's server takes it: records, or columns with rows.

    Raises:
        RequestError: It is none, or names no text.
    """
    try:
        content = json.loads(body)
        if "dataframe_records" in content:
            texts = [record["text"] for record in content["dataframe_records"]]
        else:
            table = content["dataframe_split"]
            place = table["columns"].index("text")
            texts = [row[place] for row in table["data"]]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise RequestError("request: not a table with a column text", _ASK) from None
    for row, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise RequestError(f"request: row {row}: text is not a string", _ASK)
    if not texts:
        raise RequestError("request: no text", _ASK)
    return texts


async def _body(request: Request) -> bytes:
    """The body, as far as it is bounded."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise RequestError(f"request: larger than {MAX_BODY} bytes", "send fewer texts")
        parts.append(part)
    return b"".join(parts)


def _verdicts(detector: ServedDetector, texts: list[str]) -> list[dict[str, Any]]:  # Any: JSON
    rows = detector.predict(pd.DataFrame({"text": texts})).to_dict("records")
    # Not-a-number is no JSON: a withheld verdict has neither p nor q.
    return [{key: None if value != value else value for key, value in row.items()} for row in rows]


def _refusal(
    status: int, problem: str, fix: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"error": problem, "fix": fix}, status, headers)
