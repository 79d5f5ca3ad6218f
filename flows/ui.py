"""MLflow's pages over the home's own store, on loopback."""

import os
import socket
import subprocess
import sys

from flows.ledger import open_home
from flows.settings import Settings
from flows.show import say
from tuni.errors import EnvironmentFault, RequestError

HOST = "127.0.0.1"


def serve_ui(settings: Settings, port: int) -> None:
    """Serve until interrupted.

    Raises:
        RequestError: The port is taken, or a remote server is configured (it has its own pages).
        EnvironmentFault: The server ended by itself.
    """
    if settings.tracking_uri:
        raise RequestError(
            f"TUNI_TRACKING_URI: runs are kept on {settings.tracking_uri}",
            "open that address in a browser; `tuni ui` is for a store in the home",
        )
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise RequestError(f"--port: {port} is taken", "choose another with --port")
    home = open_home(settings)
    say(f"MLflow pages: http://{HOST}:{port} (Ctrl-C ends them)")
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port),
        "--workers", "1", "--backend-store-uri", home.mlflow_uri,
        "--default-artifact-root", home.artifacts.as_uri(),
    ]  # fmt: skip
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    # A group of its own would outlive Ctrl-C: the server shares the terminal's group instead.
    with subprocess.Popen(command, env=os.environ | quiet) as server:
        try:
            code = server.wait()
        except KeyboardInterrupt:
            server.wait(timeout=15)
            return
    if code:
        raise EnvironmentFault(
            f"MLflow's server ended with code {code}", "read its lines above; `tuni doctor` helps"
        )
