"""Logins of the servers that `tuni up` starts, each in a file of the home for its owner's eyes.

Who has Prefect's login runs code as the worker's account; who has MLflow's reads and changes runs
and registered models.
"""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Literal

from registry.home import Home
from registry.keys import secret_file
from tuni.errors import HomeError

USER = "tuni"

Server = Literal["mlflow", "prefect"]


@dataclass(frozen=True, slots=True)
class Login:
    """Who a server lets in.

    Attributes:
        user: Name of the account.
        password: Its password.
    """

    user: str
    password: str = field(repr=False)

    @property
    def line(self) -> str:
        """``user:password``, as basic authentication and Prefect take it."""
        return f"{self.user}:{self.password}"


def server_login(home: Home, server: Server) -> Login:
    """Login of a server, made at first use in ``SERVER.login``, one line ``user:password``.

    Raises:
        HomeError: The file cannot be read or made, others may know it, or it holds no login.
    """
    home.folder("services")
    path = login_file(home, server)
    anew = new_login(path)
    content = secret_file.read_or_make(
        home,
        path,
        lambda: f"{Login(USER, secrets.token_urlsafe(32)).line}\n".encode(),
        what=f"login of {server}",
        fix=anew,
    )
    user, _, password = content.decode(errors="replace").strip().partition(":")
    if not user or len(password) < 12:
        raise HomeError(f"login of {server} {path}: not a line user:password", anew)
    return Login(user, password)


def login_file(home: Home, server: str) -> Path:
    """Where a server's login is kept."""
    return home.services / f"{server}.login"


def new_login(file: Path) -> str:
    """The commands that make another login in place of that in a file."""
    return f"tuni down && rm {quote(str(file))} && tuni up"
