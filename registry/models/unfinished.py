"""What a killed registration left in MLflow: ended where its version was made, else deleted."""

from contextlib import suppress
from typing import TYPE_CHECKING

from registry.models.connection import Tracking, all_pages
from registry.models.lookup import all_versions
from tuni.errors import TrackingError

if TYPE_CHECKING:  # MLflow reads its environment while it is imported: `configure` comes first
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


def tidy(tracking: Tracking, client: "MlflowClient", name: str) -> None:
    """End or delete the models of a name that no process finished; nobody may be registering it.

    Raises:
        TrackingError: The store does not answer.
    """
    with tracking.errors("look for unfinished models"):
        pending = _pending(client, tracking.experiment(), name)
        if not pending:
            return
        used = {
            version.model_id or str(version.source).rpartition("/")[2]
            for version in all_versions(client, name)
        }
        for model in pending:
            if model.model_id in used:
                client.finalize_logged_model(model.model_id, "READY")
            else:
                _delete(tracking, client, model)


def _pending(client: "MlflowClient", experiment: str, name: str) -> "list[LoggedModel]":
    found: list[LoggedModel] = all_pages(
        lambda token: client.search_logged_models(
            [experiment], f"name = '{name}'", page_token=token
        )
    )
    return [model for model in found if str(model.status) == "PENDING"]


def _delete(tracking: Tracking, client: "MlflowClient", model: "LoggedModel") -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    # MLflow only marks a model as deleted. A store that lets nobody delete files keeps them.
    with suppress(TrackingError), tracking.errors("delete the files of an unfinished model"):
        files = get_artifact_repository(model.artifact_location, tracking.uri, tracking.uri)
        files.delete_artifacts()  # type: ignore[no-untyped-call]  # MLflow's
    client.delete_logged_model(model.model_id)
