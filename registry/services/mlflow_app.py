"""MLflow's server as `tuni up` and the containers start it: with a login, on its own folder alone.

MLflow's own basic-auth app asks for the login. What it lets pass is narrowed here:

- An artifact location is a folder of the server's own artifact store, reached without a link.
  Otherwise whoever may make an experiment reads and writes every file of the server's account.
- Runs, models, artifacts and accounts are served, and nothing else of MLflow: its assistant runs
  shell commands for every account, its gateway, jobs and webhooks call other servers.
"""

import json
import os
import re
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR
from mlflow.store.artifact.artifact_repository_registry import get_registered_artifact_repositories
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

_LOCAL = ("", "file")
# Names that lead to one of the above, or to the proxy of this server.
_NAMES = ("mlflow-artifacts", "runs", "models")
# Everything below MLflow's interfaces that this project and MLflow's pages for it need.
SERVED = re.compile(
    r"/(?:$|(?:health|version|signup|graphql|get-artifact|model-versions/get-artifact)$|static-files/|"
    r"(?:ajax-)?api/\d\.\d/(?:mlflow-artifacts/|mlflow/(?:artifacts|datasets|experiments|"
    r"get-artifact|logged-models|metrics|model-versions|registered-models|roles|runs|server-info|"
    r"traces|upload-artifact|users)(?:/|$)))"
)
NOT_SERVED = {"error_code": "FEATURE_DISABLED", "message": "tuni serves no such part of MLflow"}


class ServedAlone:
    """An ASGI application of which only the paths of `SERVED` answer; the others are 404."""

    def __init__(self, app: Any) -> None:  # Any: ASGI, here and below
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "lifespan" or SERVED.match(scope["path"]):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            body = json.dumps(NOT_SERVED).encode()
            await send({"type": "http.response.body", "body": body})


class OwnArtifacts(LocalArtifactRepository):
    """Artifacts in a folder of the server's artifact store, and nowhere else."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        """Open a folder of the store.

        Raises:
            MlflowException: The folder lies elsewhere, or a link leads to it.
        """
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        require_own(self.artifact_dir)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete below the folder; MLflow itself would follow a link out of it."""
        require_own(str(Path(self.artifact_dir, artifact_path or "")))
        super().delete_artifacts(artifact_path)  # type: ignore[no-untyped-call]  # MLflow's


def require_own(path: str) -> None:
    """Refuse a path that is not in the server's artifact store, or that a link leads to.

    Raises:
        MlflowException: It is such a path; answered as a bad request.
    """
    store = _local_path(os.environ[ARTIFACTS_DESTINATION_ENV_VAR]).resolve()
    asked = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
    try:
        inside = asked.resolve() == store / asked.relative_to(store)
    except (ValueError, OSError, RuntimeError):
        inside = False
    if not inside:
        raise MlflowException(
            "artifacts: only folders of this server's artifact store can be used, and no links; "
            "leave the location out",
            INVALID_PARAMETER_VALUE,
        )


def require_own_location(uri: str) -> None:
    """Refuse the location of an experiment that is neither in the store nor behind the proxy.

    Raises:
        MlflowException: It is such a location.
    """
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts" and not parts.netloc and ".." not in uri:
        return
    # What is no path of this machine, such as s3://..., is no path of the store either.
    require_own(str(_local_path(uri)) if parts.scheme in _LOCAL else f"/{uri}")


def _local_path(uri: str) -> Path:
    return Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]  # MLflow's


def create_app() -> ServedAlone:
    """MLflow's application with a login, for ``mlflow server --app-name tuni``."""
    from mlflow.server.auth import auth_config, store
    from mlflow.server.auth import create_app as with_login
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # MLflow's type says instances; they are what makes them.
    repositories: dict[str, Any] = get_registered_artifact_repositories()
    for scheme in [scheme for scheme in repositories if scheme not in _NAMES]:
        del repositories[scheme]
    repositories.update(dict.fromkeys(_LOCAL, OwnArtifacts))
    create_experiment = SqlAlchemyStore.create_experiment

    @wraps(create_experiment)
    def create_own_experiment(
        self: SqlAlchemyStore, name: str, artifact_location: str | None = None, tags: Any = None
    ) -> Any:  # Any: as in MLflow
        if artifact_location:
            require_own_location(artifact_location)
        return create_experiment(self, name, artifact_location, tags)  # type: ignore[no-untyped-call]

    # In the store, since a request can spell the same location in many ways.
    SqlAlchemyStore.create_experiment = create_own_experiment  # type: ignore[method-assign]
    app = with_login()
    # The file with the password is what counts: a new one replaces that of MLflow's database.
    name, password = auth_config.admin_username, auth_config.admin_password
    if name and password and not store.authenticate_user(name, password):
        store.update_user(name, password=password)
    return ServedAlone(app)
