"""A home whose services run, and another account of the machine that looks at it."""

import base64
import encodings.idna  # noqa: F401 (another account may not be able to read it when it is needed)
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.home import Home
from registry.services.logins import server_login

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Served:
    """A home whose services run.

    Attributes:
        home: The home.
        addresses: Where its servers answer, by name.
        tuni: Runs a command in it.
    """

    home: Home
    addresses: Mapping[str, str]
    tuni: Callable[..., subprocess.CompletedProcess[str]]

    def ask(
        self,
        server: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        login: str | None = None,
        kind: str = "application/json",
    ) -> tuple[int, bytes]:
        """Status and beginning of an answer."""
        headers = {"Content-Type": kind}
        if login:
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        url = self.addresses[server] + path
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status), answer.read(1000)
        except urllib.error.HTTPError as error:
            return error.code, error.read(1000)

    def contents(self) -> dict[str, bytes]:
        """What stands in the home's files that servers at rest leave alone."""
        names = ("key", "signing.key", "services/mlflow.login", "services/prefect.login")
        listed = {
            str(path.relative_to(self.home.root)): b""
            for path in self.home.root.rglob("*")
            if "prefect" not in path.parts and path.suffix not in (".log", ".lock")
        }
        return listed | {name: (self.home.root / name).read_bytes() for name in names}

    def flow_runs(self) -> Any:
        """How many runs Prefect knows."""
        login = server_login(self.home, "prefect").line
        return self.ask("prefect", "/api/flow_runs/count", method="POST", body=b"{}", login=login)


def as_nobody(attack: Any) -> list[str]:
    """What an attack achieves as another account, a line each; empty where it achieves nothing."""
    return begin_as_nobody(attack)()


def begin_as_nobody(attack: Any) -> Callable[[], list[str]]:
    """Begin an attack as another account; what is returned waits for its end, as `as_nobody`.

    The account's process is made before this returns: one that is made later, by a thread, would
    hold the pipes of whatever command the test is starting then.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(writing, json.dumps(list(attack())).encode())
        finally:
            os._exit(0)
    os.close(writing)

    def achieved() -> list[str]:
        with os.fdopen(reading, "rb") as answers:
            content = answers.read()
        os.waitpid(child, 0)
        return list(json.loads(content))

    return achieved
