"""What Prefect must be told before it is imported: our home, no telemetry, a quiet terminal."""

import json
import logging
import os
import secrets
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from flows.machine.home import open_home
from flows.machine.settings import Settings, read_settings
from flows.machine.working_folder import (
    NO_PROXY,
    names_server,
    require_own_folder,
    unproxied_hosts,
)
from registry.home import Home
from registry.services.databases import prefect_database
from registry.services.logins import USER, server_login
from registry.services.processes import served
from tuni.errors import HomeError


def begin_command() -> Settings:
    """What every command does first: settings, home, Prefect's environment, log, progress."""
    from flows.machine.console import ConsoleProgress, current_progress
    from flows.machine.show import say

    settings = read_settings()
    new = not os.path.exists(settings.home.expanduser())  # noqa: PTH110  # False on any error
    prepare(settings)
    if new:
        say(f"new home {settings.home}; if another was meant, correct TUNI_HOME and remove it")
    log_to(settings.home / "logs", settings.log_format)
    current_progress.set(ConsoleProgress())
    return settings


def prepare(settings: Settings) -> None:
    """Set Prefect's environment for this process, where the user has not set it himself.

    Flows go to the server of `tuni up` where it runs; else to the command's own (flow_server),
    whose database is the same. Whichever is started for this process asks for a login.

    Raises:
        HomeError: The home cannot be used, or others may change the working folder.
    """
    require_own_folder()
    home = open_home(settings)
    defaults = {
        **quiet(home),
        # Prefect would print a flow's error with its frames; we tell it, in one sentence.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        # On a busy machine its embedded server needs more than the 20 s that Prefect allows.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "MPLCONFIGDIR": str(home.root / "matplotlib"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    database = prefect_database(home, settings.database_url)
    if database != f"sqlite+aiosqlite:///{home.prefect / 'prefect.db'}":  # Prefect's own default
        defaults["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    address = served(home, "prefect", database)
    if address:
        defaults |= prefect_access(home, address)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # Our servers listen on loopback, which no proxy reaches. Libraries read one of the two names.
    os.environ.update(dict.fromkeys(NO_PROXY, unproxied_hosts()))
    if "prefect" not in sys.modules and not names_server():
        login = f"{USER}:{secrets.token_urlsafe(32)}"  # of this process alone, and in no file
        login = os.environ.setdefault("PREFECT_SERVER_API_AUTH_STRING", login)
        os.environ["PREFECT_API_AUTH_STRING"] = login


def quiet(home: Home) -> dict[str, str]:
    """Prefect in the home, nothing of it or of MLflow phones home, no code of a working folder."""
    return {
        # Children would import what has the name of a package of ours where they are started.
        "PYTHONSAFEPATH": "1",
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def prefect_access(home: Home, address: str) -> dict[str, str]:
    """What a client of the home's own Prefect server must be told."""
    return {
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_API_AUTH_STRING": server_login(home, "prefect").line,
    }


class JsonLines(logging.Formatter):
    """A line of the log as one JSON object: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(told, ensure_ascii=False)


def log_to(folder: Path, form: Literal["text", "json"] = "text") -> None:
    """Write the project's own log lines to one file of the home; nothing goes to the terminal.

    Beyond 10 MB the file is put aside as ``tuni.log.1``, of which three are kept.

    Args:
        folder: Where the file ``tuni.log`` lies.
        form: Lines for people, or a JSON object a line.

    Raises:
        HomeError: It cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            folder / "tuni.log", maxBytes=10_000_000, backupCount=3, encoding="utf-8"
        )
    except OSError as error:
        raise HomeError(
            f"home: {folder} cannot be written ({error.strerror})",
            "check rights and free space, or set TUNI_HOME to another folder",
        ) from error
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else plain)
    for package in ("tuni", "registry", "flows"):
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)


def prepare_ray(*, own: bool) -> None:
    """Set Ray's environment for this process and the cluster that it may start; before its import.

    Args:
        own: A cluster of this process's own is started: it asks for a token that nobody else
            knows. Without one Ray would make a token in ~/.ray and use it for every cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if own:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Whether other machines may join. Without them all its processes listen on loopback alone,
        # else on every address of the machine; a node's address that is given changes nothing.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
