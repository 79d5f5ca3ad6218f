"""What MLflow's registry holds, as values; and what there is where something is not."""

from typing import TYPE_CHECKING

from registry.models.connection import Tracking, all_pages
from registry.models.versions import ALIASES, RegisteredVersion, moment
from tuni.errors import ModelNotFound

if TYPE_CHECKING:  # MLflow reads its environment while it is imported: `configure` comes first
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_TOLD = 10  # names or versions in a message


def all_versions(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    """All versions of a model, newest first; none where it does not exist."""
    query = f"name='{name}'"
    found: list[ModelVersion] = all_pages(
        lambda token: client.search_model_versions(query, max_results=1000, page_token=token)
    )
    return sorted(found, key=lambda version: -int(version.version))


def plain(version: "ModelVersion") -> RegisteredVersion:
    """A version as a value; its aliases in our order."""
    order: dict[str, int] = {alias: rank for rank, alias in enumerate(ALIASES)}
    return RegisteredVersion(
        name=version.name,
        version=int(version.version),
        aliases=tuple(sorted(version.aliases, key=lambda one: order.get(one, len(order)))),
        tags=dict(version.tags),
        description=version.description or "",
        run_id=version.run_id or None,
        created_at=moment(version.creation_timestamp),
    )


def absent(tracking: Tracking, client: "MlflowClient", name: str, reference: str) -> ModelNotFound:
    """The error about a model, version or alias that is not there, with what is.

    Raises:
        TrackingError: The store does not answer.
    """
    with tracking.errors("list the models"):
        versions = [int(one.version) for one in all_versions(client, name)]
        others = sorted(model.name for model in client.search_registered_models())
    where = f"in {tracking.address}"
    if not versions:
        more = ", …" if len(others) > _TOLD else ""
        there = f"there are: {', '.join(others[:_TOLD])}{more}; or " if others else ""
        return ModelNotFound(
            f"model {name}: not registered {where}",
            f"{there}make it with: tuni run (`tuni models list` shows all)",
        )
    if reference == "champion":
        return ModelNotFound(
            f"model {name}: no champion {where}",
            f"make one: tuni models promote {name}@{versions[0]} --reason …",
        )
    return ModelNotFound(
        f"model {name}: no version or alias {reference} {where}",
        f"there are versions {', '.join(map(str, versions[:_TOLD]))}: tuni models list",
    )
