"""Prefect's REST API, as far as the services of a home need it, without importing Prefect."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuni.errors import EnvironmentFault

TIMEOUT_S = 30
# What the server says while SQLite is locked by another request; Prefect's own client waits, too.
BUSY = 503
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """A Prefect server that asks for a login.

    Attributes:
        address: Without a path.
        login: ``user:password``.
    """

    address: str
    login: str = field(repr=False)

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # Any: JSON values
        """What the server answers: to a POST with a body, or to a GET where there is none.

        None where the answer is empty.

        Raises:
            EnvironmentFault: It does not answer, or refuses.
        """
        credentials = base64.b64encode(self.login.encode()).decode()
        request = urllib.request.Request(
            f"{self.address}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Basic {credentials}"},
        )
        waits = iter(WAITS_S)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    content = answer.read()
                    return json.loads(content) if content else None
            except (urllib.error.URLError, OSError, ValueError) as error:
                code: int | str = type(error).__name__
                if isinstance(error, urllib.error.HTTPError):
                    code = error.code
                    error.close()
                wait_s = next(waits, None) if code == BUSY else None
                if wait_s is None:
                    raise EnvironmentFault(
                        f"Prefect's server {self.address} cannot be asked for {path} ({code})",
                        "see `tuni status` and its log, then repeat `tuni up`",
                    ) from error
            time.sleep(wait_s)
