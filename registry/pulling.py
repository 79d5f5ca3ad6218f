"""Fetching a registered bundle: its two data files and nothing else of what a registry holds.

The one law: a model in a registry may name any code as its loader, so nothing of it is loaded
here; and what was fetched gets its name only after it was checked.
"""

import shutil
import tempfile
from pathlib import Path

from registry.connection import Tracking
from registry.model_folder import BUNDLE_FILES, BUNDLE_PLACE
from tuni.bundle import read_bundle
from tuni.errors import BundleError


def fetch_bundle(tracking: Tracking, name: str, version: int, digest: str, place: Path) -> None:
    """Fetch a version's bundle and put it in place, whole and checked or not at all.

    Args:
        tracking: The store that holds it.
        name: Registered model.
        version: Its version, a number: an alias could move in between.
        digest: What the bundle's digest must be.
        place: The folder to make.

    Raises:
        BundleError: It is missing, too large or not what was registered.
        TrackingError: The store does not answer, or the disk is full.
    """
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    with tracking.errors("fetch the bundle"):
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".pull-", dir=place.parent))
    try:
        with tracking.errors("fetch the bundle"):
            store = ModelsArtifactRepository(
                f"models:/{name}/{version}", tracking.uri, tracking.uri
            )
            listed = store.list_artifacts(BUNDLE_PLACE)  # type: ignore[no-untyped-call]  # MLflow's
            sizes = {file.path: file.file_size for file in listed}
            for file, limit in BUNDLE_FILES.items():
                path = f"{BUNDLE_PLACE}/{file}"
                # No size: a store that does not tell; the reader has limits of its own.
                if path not in sizes or (sizes[path] or 0) > limit:
                    raise BundleError(
                        f"model {name} {version}: {file} is missing or larger than {limit} bytes",
                        "register the detector again",
                    )
                store.download_artifacts(path, str(scratch))  # type: ignore[no-untyped-call]
        read_bundle(scratch / BUNDLE_PLACE, digest)
        with tracking.errors("keep the bundle"):
            try:
                (scratch / BUNDLE_PLACE).rename(place)
            except OSError:
                # Another process may just have put the same bundle there.
                if not place.is_dir():
                    raise
                read_bundle(place, digest)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
