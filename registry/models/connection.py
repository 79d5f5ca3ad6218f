"""The way to MLflow: which store, how patient, and whose errors.

The one law: MLflow's environment is set before MLflow is imported, and an error of MLflow, its
database or the network leaves this room as one of ours.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from registry.home import Home
from registry.services.logins import server_login
from registry.services.processes import served
from tuni.errors import RequestError, TrackingError

if TYPE_CHECKING:  # MLflow takes seconds to import, and reads its environment while doing so
    from mlflow import MlflowClient

EXPERIMENT = "tuni"

_SCHEMES = ("http", "https", "sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Tracking:
    """An MLflow store that `configure` prepared.

    Attributes:
        uri: Tracking and registry URI.
        home: Artifacts of the home's own store lie here, with its server and without.
        foreign: Whether somebody else's server answers, and decides where artifacts lie.
    """

    uri: str
    home: Home
    foreign: bool = False

    @property
    def served(self) -> bool:
        """Whether a server stands between us and the database."""
        return self.uri.startswith(("http:", "https:"))

    @property
    def address(self) -> str:
        """The URI without user, password and query, fit for messages."""
        # Not put together again from its parts: that loses slashes of sqlite:////folder/file.
        place = self.uri.partition("?")[0]
        netloc = urlsplit(place).netloc
        return place.replace(netloc, netloc.rpartition("@")[2], 1) if "@" in netloc else place

    def client(self) -> "MlflowClient":
        """A client of this store, whatever MLflow was told in this process before.

        Its registry looks up ``models:/...`` by the process-wide URI, so that is set as well.
        """
        from mlflow import MlflowClient, set_registry_uri, set_tracking_uri

        set_tracking_uri(self.uri)
        set_registry_uri(self.uri)
        with self.errors("open the store"):
            if self.served:
                return MlflowClient(self.uri, self.uri)
            # At first use MLflow makes its tables, and two processes may not do so at once.
            with self.home.lock("mlflow"):
                return MlflowClient(self.uri, self.uri)

    def experiment(self, name: str = EXPERIMENT) -> str:
        """Id of an experiment, made where it is missing.

        Raises:
            TrackingError: The store does not answer, the experiment lies in its bin, or a foreign
                server would have us write into a folder of this machine.
        """
        from mlflow.exceptions import MlflowException

        client = self.client()
        location = None if self.foreign else self.home.artifacts.as_uri()
        with self.errors("open the experiment"):
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                try:
                    return str(client.create_experiment(name, artifact_location=location))
                except MlflowException:  # another process may just have made it
                    experiment = client.get_experiment_by_name(name)
                    if experiment is None:
                        raise
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow {self.address}: experiment {name!r} was deleted",
                "restore it: mlflow experiments restore --experiment-id "
                f"{experiment.experiment_id}",
            )
        if self.foreign and urlsplit(experiment.artifact_location).scheme in ("", "file"):
            raise TrackingError(
                f"MLflow {self.address}: experiment {name!r} keeps its artifacts in a folder of "
                "whoever writes them",
                "start that server with --serve-artifacts, and rename the experiment so that it is "
                "made anew",
            )
        return str(experiment.experiment_id)

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn what MLflow, its database and the network raise into `TrackingError`.

        Args:
            doing: What was tried, for the message, e.g. ``"log metrics"``.
        """
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            code = getattr(error, "error_code", None) or getattr(error, "strerror", None)
            what = f"{type(error).__name__}: {code}" if code else type(error).__name__
            fix = (
                f"see that the server {self.address} runs (the home's own: `tuni status`), then "
                "repeat the command: it goes on where it stopped"
                if self.served
                else f"see that {self.home.root} has room and is yours, then repeat the command"
            )
            raise TrackingError(f"MLflow {self.address}: cannot {doing} ({what})", fix) from error


def all_pages(search: Callable[[str | None], Any]) -> list[Any]:  # Any: MLflow's lists have no type
    """Everything that a search of MLflow gives, page by page.

    Args:
        search: Gives the page that begins at a token, or the first one for None.
    """
    page = search(None)
    entries = list(page)
    while page.token:
        page = search(page.token)
        entries += page
    return entries


def mlflow_access(home: Home, address: str) -> dict[str, str]:
    """What a client of the home's own MLflow server must be told."""
    login = server_login(home, "mlflow")
    return {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_TRACKING_USERNAME": login.user,
        "MLFLOW_TRACKING_PASSWORD": login.password,
    }


def configure(home: Home, uri: str | None = None) -> Tracking:
    """Prepare MLflow for this process. Call it before anything imports MLflow.

    It sets MLflow's environment: our store as the default one, no telemetry, no progress bars,
    and a dead server noticed in seconds (MLflow's own default takes four minutes).

    Args:
        home: Keeps the embedded store and its artifacts.
        uri: Tracking server or database; None is a SQLite file in the home. A database that
            `tuni up` serves is reached through its server.

    Raises:
        RequestError: Not such a URI.
    """
    uri = uri or home.mlflow_uri
    if urlsplit(uri).scheme not in _SCHEMES:
        raise RequestError(
            "TUNI_TRACKING_URI: neither the address of an MLflow server nor of a database",
            "give http://HOST:PORT, or leave it out to keep runs in the home",
        )
    address = served(home, "mlflow", uri)
    uri = address or uri
    os.environ |= mlflow_access(home, address) if address else {"MLFLOW_TRACKING_URI": uri}
    os.environ |= {
        "MLFLOW_REGISTRY_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # Else it writes to stdout, where a command's JSON goes.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
        # Else a uv.lock in the working directory ends up in the model.
        "MLFLOW_UV_AUTO_DETECT": "false",
    }
    for name, value in (
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "30"),
        ("MLFLOW_LOGGING_LEVEL", "WARNING"),
        ("GIT_PYTHON_REFRESH", "quiet"),
    ):
        os.environ.setdefault(name, value)
    return Tracking(uri, home, foreign=address is None and uri.startswith("http"))
