"""What Prefect must be told before it is imported: our home, no telemetry, a quiet terminal."""

import json
import logging
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tuni.errors import HomeError


def prepare(home: Path) -> None:
    """Set Prefect's environment for this process, where the user has not set it himself.

    Without PREFECT_API_URL a flow starts an embedded server, whose database lies in the home.
    """
    defaults = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        # On a busy machine its embedded server needs more than the 20 s that Prefect allows.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "DO_NOT_TRACK": "1",
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


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

    Args:
        folder: Where the file ``tuni.log`` lies.
        form: Lines for people, or a JSON object a line.

    Raises:
        HomeError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "tuni.log", encoding="utf-8")
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
    """Set Ray's environment for this process and the cluster that it may start.

    Args:
        own: A cluster of this process's own is started: it asks for a token that nobody else
            knows. Without one Ray would make a token in ~/.ray and use it for every cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if own:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
