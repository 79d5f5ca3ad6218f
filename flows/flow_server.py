"""A command's own Prefect server, started before the command's imports and ready when they are.

Prefect's embedded server starts with the first flow, when everything else waits for it, and loads
the server's code into the command as well. This one asks for a login besides, and it ends with its
command even where that is killed. As a script, with the number of a listening socket, it serves.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from flows.environment import prefect_access, prefect_login
from flows.ledger import open_home
from flows.settings import Settings
from registry.services import HOST, log_file
from tuni.errors import EnvironmentFault, HomeError

NAME = "flow-server"
ENDING_S = 5.0
_ANSWER_S = "120"  # the first request waits until the server is there; a busy machine needs long
_servers: list[tuple[subprocess.Popen[bytes], Path]] = []  # each with its log


def start_flow_server(settings: Settings) -> None:
    """Start one for the flows of this process, unless they have a server already.

    That is so where `prepare` found the server of `tuni up`, where the user named another, keeps
    Prefect's settings elsewhere or has a profile, and where Prefect has read its settings.

    Raises:
        HomeError: Its log cannot be written.
    """
    home = open_home(settings)
    chosen = os.environ.keys() & {"PREFECT_API_URL", "PREFECT_PROFILE"}
    elsewhere = ("PREFECT_HOME", str(home.prefect)) not in os.environ.items()
    if chosen or elsewhere or (home.prefect / "profiles.toml").exists() or "prefect" in sys.modules:
        return
    # The key and the ledger are none of the server's business.
    environment = {name: value for name, value in os.environ.items() if name[:5] != "TUNI_"} | {
        "PREFECT_SERVER_API_AUTH_STRING": prefect_login(home),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",  # its console is the log
        # As Prefect's embedded server: no pages, no services for schedules.
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    # It listens from here on, so nobody needs to ask whether it is ready, nor to guess a free port.
    with socket.create_server((HOST, 0)) as listening:
        try:
            home.logs.mkdir(mode=0o700, exist_ok=True)
            with log_file(home, NAME).open("ab") as log:
                server = subprocess.Popen(
                    [sys.executable, "-m", "flows.flow_server", str(listening.fileno())],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listening.fileno()],
                    start_new_session=True,  # Ctrl-C is the command's to answer
                )
        except OSError as error:
            raise HomeError(
                f"{NAME}: cannot be started in {home.root} ({error.strerror})",
                "make sure that you own the home and that the disk has room",
            ) from error
        os.environ |= prefect_access(home, f"http://{HOST}:{listening.getsockname()[1]}")
    os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", _ANSWER_S)
    _servers.append((server, log_file(home, NAME)))
    atexit.register(_end, server)


def ended_early() -> EnvironmentFault | None:
    """What to tell instead of the error that a flow met, if its server is gone."""
    for server, log in _servers:
        if server.poll() is not None:
            return EnvironmentFault(
                "Prefect's server of this command ended",
                f"read the last lines of {log}, then repeat the command: what is done is kept",
            )
    return None


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(ENDING_S)
    server.kill()
    server.wait()


def _serve(handle: int) -> None:
    """Answer on a listening socket until standard input ends, as it does with the command."""
    threading.Thread(target=_end_with_command, daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=handle)])


def _end_with_command() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock Python wants when it ends
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
