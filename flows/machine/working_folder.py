"""What libraries read where a command is started, and obey: whoever writes it has code run.

Prefect takes settings from there, an address of a server among them, and matplotlib takes its own.
"""

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from registry.home import require_unshared

_OBEYED = (".env", "prefect.toml", "pyproject.toml", "matplotlibrc")


def require_own_folder() -> None:
    """Refuse a working folder where others may put what this process would obey.

    Also where nothing of it lies there yet: it is read when this has been looked at.

    Raises:
        HomeError: The folder, or such a file in it, is another account's, or others may write it.
    """
    with suppress(FileNotFoundError):  # it was removed: nothing can be read there
        folder = Path.cwd()
        elsewhere = "go to a folder where only you may write (cd ~), and give whole paths"
        require_unshared(folder, "working folder", fix=elsewhere, own_group=True)
        for name in _OBEYED:
            if (folder / name).exists():
                require_unshared(folder / name, "settings", own_group=True)


def names_server() -> bool:
    """Whether Prefect has been told of a server; else one is started, and asks for a login."""
    return any(_named_servers())


def _named_servers() -> Iterator[object]:
    """What stands where Prefect looks for a server's address: environment, files, profile."""
    yield os.environ.get("PREFECT_API_URL")
    given: dict[str, str | None] = {}
    if Path(".env").is_file():
        from dotenv import dotenv_values

        given = {name.upper(): value for name, value in dotenv_values(".env").items()}
    yield given.get("PREFECT_API_URL")
    tables = _toml("prefect.toml"), _at(_toml("pyproject.toml"), "tool", "prefect")
    for table in tables:
        yield _at(table, "api", "url")
    profiles = _toml(
        os.environ.get("PREFECT_PROFILES_PATH")
        or given.get("PREFECT_PROFILES_PATH")
        or next(filter(None, (_at(table, "profiles_path") for table in tables)), None)
        or Path(os.environ.get("PREFECT_HOME", ""), "profiles.toml")
    )
    active = os.environ.get("PREFECT_PROFILE") or _at(profiles, "active")
    yield _at(profiles, "profiles", active, "PREFECT_API_URL")


def _toml(path: object) -> object:
    """What a TOML file holds; None where it cannot be read, which Prefect itself will tell."""
    with suppress(OSError, ValueError):
        return tomllib.loads(Path(str(path)).read_text(encoding="utf-8"))
    return None


def _at(table: object, *names: object) -> object:
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    return table


NO_PROXY = ("no_proxy", "NO_PROXY")


def unproxied_hosts() -> str:
    """Hosts that are reached without a proxy, loopback among them, joined by commas."""
    told = ",".join(os.environ.get(name, "") for name in NO_PROXY).split(",")
    return ",".join(dict.fromkeys([*filter(None, told), "127.0.0.1", "localhost", "::1"]))
