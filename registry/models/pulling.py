"""Fetching a registered bundle: its data files and nothing else of what a registry holds.

The one law: a model in a registry may name any code as its loader, so nothing of it is loaded
here; and what was fetched gets its name only after its signature and its digest were checked.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from registry.home import Home
from registry.keys.signing import SIGNATURE, sign_bundle
from registry.models.connection import Tracking
from registry.models.folder import BUNDLE_FILES, BUNDLE_PLACE, STORED_FILES
from registry.models.versions import RegisteredVersion
from tuni.detectors.bundle import read_bundle
from tuni.errors import BundleError
from tuni.files import scratch_folder


def fetch_bundle(
    tracking: Tracking, version: RegisteredVersion, place: Path, check: Callable[[Path], None]
) -> None:
    """Fetch a version's bundle and put it in place, whole and checked or not at all.

    Args:
        tracking: The store that holds it.
        version: What to fetch.
        place: The folder to make.
        check: Called with the fetched folder; raises where it must not be used.

    Raises:
        BundleError: It is missing, too large or not what was registered.
        TrackingError: The store does not answer, or the disk is full.
    """
    with tracking.errors("keep the bundle"):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch_folder(place.parent) as scratch:
            fetched = _download(tracking, version, STORED_FILES, scratch)
            check(fetched)
            try:
                fetched.rename(place)
            except OSError:
                # Another process may just have put the same bundle there.
                if not place.is_dir():
                    raise
                check(place)


def sign_stored(tracking: Tracking, version: RegisteredVersion, home: Home) -> None:
    """Sign a bundle that lies in the store, and put the signature beside it.

    Raises:
        BundleError: It is missing, too large or not what was registered.
        TrackingError: The store does not answer, or does not take the signature.
    """
    with scratch_folder(home.root) as scratch:
        fetched = _download(tracking, version, BUNDLE_FILES, scratch)
        read_bundle(fetched, version.digest)
        sign_bundle(fetched, home)
        client = tracking.client()
        with tracking.errors("store the signature"):
            found = client.get_model_version(version.name, str(version.version))
            model = found.model_id or str(found.source).rpartition("/")[2]
            client.log_model_artifact(model, str(fetched / SIGNATURE), BUNDLE_PLACE)


def _download(
    tracking: Tracking, version: RegisteredVersion, files: Mapping[str, int], scratch: Path
) -> Path:
    """Fetch these files, none larger than the given size; a signature may be missing."""
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    with tracking.errors("fetch the bundle"):
        store = ModelsArtifactRepository(
            f"models:/{version.name}/{version.version}", tracking.uri, tracking.uri
        )
        listed = store.list_artifacts(BUNDLE_PLACE)  # type: ignore[no-untyped-call]  # MLflow's
        sizes = {file.path: file.file_size for file in listed}
        for file, limit in files.items():
            path = f"{BUNDLE_PLACE}/{file}"
            if file == SIGNATURE and path not in sizes:
                continue
            # No size: a store that does not tell; the reader has limits of its own.
            if path not in sizes or (sizes[path] or 0) > limit:
                raise BundleError(
                    f"model {version.name} {version.version}: {file} is missing or larger than "
                    f"{limit} bytes",
                    "register the detector again",
                )
            store.download_artifacts(path, str(scratch))  # type: ignore[no-untyped-call]
    return scratch / BUNDLE_PLACE
