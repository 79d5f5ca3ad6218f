"""A command's own Prefect server, started before the command's imports and ready when they are.

Prefect's embedded server starts with the first flow, when everything else waits for it, and loads
the server's code into the command as well. This one asks for a login besides, and it ends with its
command even where that is killed. As a script it serves on the listening socket of a number; where
that is standard input, as `tuni up` starts it, for as long as it is let.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from flows.machine.home import open_home
from flows.machine.settings import Settings
from flows.machine.working_folder import names_server
from registry.services.processes import HOST, keep_port, listen, log_file
from tuni.errors import EnvironmentFault, HomeError

NAME = "flow-server"
ENDING_S, PATIENCE_S = 5.0, 30.0  # that the command waits; that a server which ends may take
_ANSWER_S = 120  # the first request waits until the server is there; a busy machine needs long
_servers: list[tuple[subprocess.Popen[bytes], Path]] = []  # each with its log


def start_flow_server(settings: Settings) -> None:
    """Start one for the flows of this process, unless they have a server already.

    That is so where `prepare`, which comes before, found the server of `tuni up`, where the user
    named another, and where Prefect has read its settings.

    Raises:
        HomeError: Its log cannot be written.
    """
    home = open_home(settings)
    if "prefect" in sys.modules or names_server():
        return
    # The key and the ledger are none of the server's business.
    environment = {name: value for name, value in os.environ.items() if name[:5] != "TUNI_"} | {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",  # its console is the log
        # As Prefect's embedded server: no pages, no services for schedules.
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    # It listens from here on, so nobody needs to ask whether it is ready, nor to guess a free port.
    with listen(0) as listening:
        port = listening.getsockname()[1]
        keep_port(port)
        arguments = [str(listening.fileno()), str(home.prefect / "start.lock")]
        try:
            for folder in (home.logs, home.prefect):
                folder.mkdir(mode=0o700, exist_ok=True)
            with log_file(home, NAME).open("ab") as log:
                server = subprocess.Popen(
                    # -P: a package of the same name in the working folder is not ours.
                    [sys.executable, "-P", "-m", "flows.machine.services.flow_server", *arguments],
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
        os.environ["PREFECT_API_URL"] = f"http://{HOST}:{port}/api"
    os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", str(_ANSWER_S))
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
    """Ask it to end. It is not killed: in its start it may be changing the database."""
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        if server.stdin is not None:
            server.stdin.close()
        server.wait(ENDING_S)
    server.returncode = server.poll() or 0  # it ends by itself: no warning when this is collected


def _serve(handle: int, lock: str) -> None:
    """Answer on a listening socket; until standard input ends, as it does with the command."""
    if handle:
        threading.Thread(target=_end_with_command, daemon=True).start()
    import uvicorn
    from filelock import FileLock
    from prefect.server.api.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            # Two that make the tables of a new home side by side would stumble over each other.
            with FileLock(lock, timeout=_ANSWER_S):
                await super().startup(sockets)

    level = "error" if handle else "warning"
    config = uvicorn.Config(create_app, factory=True, log_level=level, lifespan="on")
    Server(config).run(sockets=[socket.socket(fileno=handle)])


def _end_with_command() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock Python wants when it ends
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2])
