"""A registered detector served on loopback, for those who hold its token."""

import hashlib
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flows.machine.home import open_home, open_ledger
from flows.machine.settings import Settings
from flows.machine.show import say
from registry.home import Home
from registry.keys import secret_file
from registry.models.store import ModelStore
from registry.serving import DEFAULTS, ServedDetector
from tuni.detectors.bundle import read_bundle
from tuni.errors import HomeError, RequestError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What `tuni serve` was asked.

    Attributes:
        checkpoint: Name of the registered checkpoint.
        version: Alias or version number; an alias is resolved once, at the start.
        port: On loopback.
        folder: Checkpoint folder; None takes the setting, then the one that the ledger knows.
        list_decoys: Also rank each text among decoys of the request's own parts.
        device: Torch device; None takes the setting.
        tell_selected: Whether answers may tell who is on the home's lists (`selected_on`).
    """

    checkpoint: str
    version: str = "champion"
    port: int = 5001
    folder: Path | None = None
    list_decoys: bool = True
    device: str | None = None
    tell_selected: bool = False


def serve_detector(request: ServeRequest, settings: Settings) -> None:
    """Serve until interrupted.

    Raises:
        RequestError: The port is taken.
        ModelNotFound: There is no such detector.
        SignatureError: It is not signed with a trusted key.
        CheckpointError: The audited checkpoint is not found or cannot be loaded.
        HomeError: The token's file cannot be used.
    """
    from flows.scoring.serve_app import RateLimit, Token, make_app
    from flows.scoring.serve_connections import OpenConnections, Server, connection_limits

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, request.port))
        except OSError as error:
            raise RequestError(
                f"--port: {request.port} is taken", "choose another with --port"
            ) from error
        home = open_home(settings)
        token = Token(hashlib.sha256(serve_token(home).encode()).digest())
        detector, version = load_served(request, settings)
        connections = OpenConnections(connection_limits(), token.is_in)
        app = make_app(detector, token, RateLimit(settings.serve_rate), connections)
        say(
            f"{request.checkpoint} version {version}: http://{HOST}:{request.port}/invocations "
            f"(Ctrl-C ends it)\n"
            f"  token: {home.serve_token}; at most {settings.serve_rate} texts a minute"
        )
        with suppress(KeyboardInterrupt):
            Server(listener, app, connections).run()


def load_served(request: ServeRequest, settings: Settings) -> tuple[ServedDetector, int]:
    """The detector with its checkpoint loaded, and its version."""
    with open_ledger(settings) as ledger:
        store = ModelStore(ledger.home, settings.runs_uri, ledger, settings.trusted_keys)
        version = store.show(request.checkpoint, request.version).version
        bundle = read_bundle(store.pull(request.checkpoint, version))
    checkpoint = request.folder or settings.checkpoint
    detector = ServedDetector(
        bundle,
        request.checkpoint,
        version,
        {
            **DEFAULTS,
            "home": str(settings.home),
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "device": request.device or settings.device,
            "list_decoys": request.list_decoys,
            "tell_selected": request.tell_selected,
        },
    )
    detector.prepare()
    return detector, version


def serve_token(home: Home) -> str:
    """The token, made at first use; delete its file for a new one.

    Raises:
        HomeError: Others may read it, it is too short, or it cannot be read or made.
    """
    path = home.serve_token
    fix = f"delete {path}, it is made anew"
    made = secret_file.read_or_make(
        home, path, lambda: f"{secrets.token_urlsafe(32)}\n".encode(), what="token", fix=fix
    )
    token = made.decode(errors="replace").strip()
    if len(token) < 32 or not token.isascii():
        raise HomeError(f"token {path}: shorter than 32 characters, or not plain ones", fix)
    return token
