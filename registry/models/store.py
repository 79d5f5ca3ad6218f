"""The registry of detectors: register, pull, promote, roll back. One model per checkpoint.

The one law: once a model has a champion it always has exactly one. An alias is moved in one
transaction and never removed to be set again; ``previous`` is written before ``champion``.

What a crash or another machine can do in between: MLflow itself keeps an alias on one version, so
two simultaneous promotions end with one champion, one of the two. A lock that everybody with this
ledger respects keeps ``previous`` right as well. A promotion that was cut short leaves the old
champion, at worst as its own ``previous``; the same command completes it. What a registration that
was cut short left is ended or deleted when the next version is registered or an alias is moved.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from registry.home import Home
from registry.keys.signing import SIGNATURE, verify_bundle
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.connection import all_pages, configure
from registry.models.folder import write_model_folder
from registry.models.lookup import absent, all_versions, plain
from registry.models.pulling import fetch_bundle, sign_stored
from registry.models.unfinished import tidy
from registry.models.versions import Alias, RegisteredModel, RegisteredVersion, check_model_name
from tuni.detectors.bundle import bundle_digest, read_bundle
from tuni.errors import BundleError, ModelNotFound, RequestError, SignatureError
from tuni.files import scratch_folder

if TYPE_CHECKING:  # MLflow reads its environment while it is imported: `configure` comes first
    from mlflow import MlflowClient

_TOLD = 200  # characters of a reason in the trail
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow uses both for it


class ModelStore:
    """Registered detectors of one tracking store."""

    def __init__(
        self,
        home: Home,
        tracking_uri: str | None = None,
        ledger: Ledger | None = None,
        trusted: Sequence[Path] = (),
    ) -> None:
        """Prepare the store; nothing is connected yet.

        Args:
            home: Keeps the embedded store, pulled bundles, locks and the key that signs.
            tracking_uri: A remote tracking server; None is the store in the home.
            ledger: Where promotions are recorded; None opens the home's own when one happens.
            trusted: Public keys, or folders of them, whose bundles are pulled beside our own.
        """
        self.tracking = configure(home, tracking_uri)
        self._home = home
        self._ledger = ledger
        self._trusted = trusted

    def list(self) -> tuple[RegisteredModel, ...]:
        """All registered models, by name."""
        client = self.tracking.client()
        with self.tracking.errors("list the models"):
            models = [
                RegisteredModel(
                    model.name,
                    len(all_versions(client, model.name)),
                    {alias: int(version) for alias, version in model.aliases.items()},
                )
                for model in all_pages(
                    lambda token: client.search_registered_models(page_token=token)
                )
            ]
        return tuple(sorted(models, key=lambda model: model.name))

    def versions(self, name: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, newest first; none where the model does not exist."""
        client = self.tracking.client()
        with self.tracking.errors("list the versions"):
            found = all_versions(client, check_model_name(name))
        return tuple(plain(version) for version in found)

    def show(self, name: str, reference: str | int = "champion") -> RegisteredVersion:
        """One version, by number or alias.

        Raises:
            ModelNotFound: There is no such model, version or alias.
        """
        return self._find(self.tracking.client(), name, reference)

    def champion(self, name: str) -> RegisteredVersion | None:
        """The champion, or None where the model has none or does not exist."""
        try:
            return self.show(name, "champion")
        except ModelNotFound:
            return None

    def champions(self) -> tuple[str, ...]:
        """Names of the models that have a champion, sorted."""
        return tuple(model.name for model in self.list() if "champion" in model.aliases)

    def find_version(self, name: str, tag: str, value: str) -> RegisteredVersion | None:
        """The newest version whose tag has this value, or None."""
        same = (version for version in self.versions(name) if version.tags.get(tag) == value)
        return next(same, None)

    def register(
        self,
        name: str,
        bundle: Path,
        *,
        tags: Mapping[str, str],
        description: str = "",
        run_id: str | None = None,
    ) -> RegisteredVersion:
        """Sign a bundle, store it as a model and make it the next version; no alias moves.

        Args:
            name: Checkpoint's name.
            bundle: Folder that `tuni.detectors.bundle.write_bundle` wrote.
            tags: On the version; ``digest`` and ``fingerprint`` are added.
            description: For people.
            run_id: The run that made it; the model stands on that run's page.

        Raises:
            BundleError: The bundle is damaged.
            TrackingError: The store did not take it; no version was made.
        """
        from mlflow.entities import LoggedModelOutput
        from mlflow.exceptions import MlflowException

        check_model_name(name)
        content = read_bundle(bundle)
        marks = {
            **tags,
            "digest": bundle_digest(bundle),
            "fingerprint": content.fingerprint,
        }
        with (
            self._moving(name) as (client, ledger),
            self.tracking.errors("register the detector"),
            scratch_folder(self._home.root) as scratch,
        ):
            experiment = (
                client.get_run(run_id).info.experiment_id if run_id else self.tracking.experiment()
            )
            model = client.create_logged_model(experiment, name, run_id, tags=marks)
            folder = write_model_folder(bundle, scratch, self._home, model.model_id, run_id)
            client.log_model_artifacts(model.model_id, str(folder))
            if run_id:
                client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
            try:
                client.create_registered_model(name, description=f"Detector for {name}")
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            version = client.create_model_version(
                name,
                source=f"models:/{model.model_id}",
                run_id=run_id,
                tags=marks,
                description=description,
                model_id=model.model_id,
            )
            # Last, so that `tidy` knows by it what a process that was killed left behind.
            client.finalize_logged_model(model.model_id, "READY")
            Trail(ledger).append(
                "detector registered",
                checkpoint=name,
                version=int(version.version),
                digest=marks["digest"],
                operating_point=content.operating_point,
            )
        return plain(version)

    def pull(
        self, name: str, reference: str | int = "champion", folder: Path | None = None
    ) -> Path:
        """Fetch a version's bundle; only its data files, nothing that could run.

        Args:
            name: Registered model.
            reference: Version or alias; an alias is resolved once.
            folder: A folder to make; None keeps it in the home, where it is found again.

        Returns:
            The folder with the bundle, its signature and digest checked.

        Raises:
            ModelNotFound: There is no such version.
            SignatureError: It is not signed, or not with a trusted key, or was altered.
            BundleError: It is not what was registered, or the folder is there already.
        """
        version = self.show(name, reference)
        place = folder or self._home.bundles / name / str(version.version)
        if folder is None and place.is_dir():
            if (place / SIGNATURE).is_file():
                try:
                    self._check(place, version)
                except (BundleError, SignatureError) as error:
                    fix = f"delete {place}, it is fetched anew"
                    raise type(error)(error.problem, fix) from error
                return place
            shutil.rmtree(place)  # kept before it was signed
        if place.exists():
            raise BundleError(f"folder {place}: is there already", "name a new folder")
        fetch_bundle(self.tracking, version, place, lambda fetched: self._check(fetched, version))
        return place

    def sign(self, name: str, reference: str | int) -> RegisteredVersion:
        """Sign a registered version with the home's key: its owner's decision to trust it.

        For versions that were registered before bundles were signed, or by somebody else.

        Raises:
            ModelNotFound: There is no such version.
            BundleError: The bundle is not what was registered.
        """
        version = self.show(name, reference)
        sign_stored(self.tracking, version, self._home)
        return version

    def _check(self, folder: Path, version: RegisteredVersion) -> None:
        verify_bundle(folder, self._home, self._trusted, f"{version.name}@{version.version}")
        read_bundle(folder, version.digest)

    def promote(self, name: str, reference: str | int, reason: str) -> RegisteredVersion:
        """Make a version champion; the champion so far becomes ``previous``.

        Args:
            name: Registered model.
            reference: Version or alias.
            reason: Why; a tag on both versions.
        """
        with self._moving(name) as (client, ledger):
            version = self._find(client, name, reference).version
            old = self._alias(client, name, "champion")
            if old is not None and old.version != version:
                self._move(client, ledger, name, "previous", old.version, f"replaced: {reason}")
            if old is None or old.version != version:
                self._move(client, ledger, name, "champion", version, reason)
            else:
                client.set_model_version_tag(name, str(version), "reason", reason)
            self._clear(client, name, "challenger", version)
            return self._told(client, ledger, name, version, old, reason)

    def challenge(self, name: str, reference: str | int, reason: str) -> RegisteredVersion:
        """Make a version ``challenger``: kept beside the champion, which stays.

        Raises:
            RequestError: It is the champion.
        """
        with self._moving(name) as (client, ledger):
            version = self._find(client, name, reference)
            if "champion" in version.aliases:
                raise RequestError(
                    f"model {name} {version.version}: is the champion, not a challenger",
                    "promote another version first: tuni models promote",
                )
            self._move(client, ledger, name, "challenger", version.version, reason)
            return self._find(client, name, version.version)

    def rollback(self, name: str, reason: str) -> RegisteredVersion:
        """Make ``previous`` champion again; the champion becomes ``challenger``.

        Nothing is ``previous`` afterwards, so that a second rollback, or one of two at once, is
        refused instead of bringing back what was just rolled back.

        Raises:
            ModelNotFound: There is no champion, or nothing to go back to.
        """
        with self._moving(name) as (client, ledger):
            bad = self._find(client, name, "champion")
            good = self._alias(client, name, "previous")
            if good is None or good.version == bad.version:
                raise ModelNotFound(
                    f"model {name}: no previous champion to go back to",
                    f"name the version: tuni models promote {name}@VERSION --reason …",
                )
            self._move(client, ledger, name, "champion", good.version, reason)
            self._move(client, ledger, name, "challenger", bad.version, f"rolled back: {reason}")
            self._clear(client, name, "previous", good.version)
            return self._told(client, ledger, name, good.version, bad, reason)

    @contextmanager
    def _moving(self, name: str) -> "Iterator[tuple[MlflowClient, Ledger]]":
        check_model_name(name)
        client = self.tracking.client()
        ledger = self._ledger or Ledger.open(self._home)
        try:
            with ledger.exclusive(f"model-{name}"), self.tracking.errors("move an alias"):
                tidy(self.tracking, client, name)
                yield client, ledger
        finally:
            if self._ledger is None:
                ledger.close()

    def _told(
        self,
        client: "MlflowClient",
        ledger: Ledger,
        name: str,
        version: int,
        old: RegisteredVersion | None,
        reason: str,
    ) -> RegisteredVersion:
        """The champion, once the audit trail holds what it is and what it replaced."""
        champion = self._find(client, name, version)
        Trail(ledger).append(
            "champion chosen",
            checkpoint=name,
            version=version,
            digest=champion.tags.get("digest"),
            replaced=None if old is None else old.version,
            reason=reason[:_TOLD],
        )
        return champion

    def _move(
        self,
        client: "MlflowClient",
        ledger: Ledger,
        name: str,
        alias: Alias,
        version: int,
        reason: str,
    ) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.set_registered_model_alias(name, alias, str(version))
        except MlflowException:
            # Two processes that make the same alias: one gets an IntegrityError (MLflow 3.17).
            time.sleep(0.1)
            client.set_registered_model_alias(name, alias, str(version))
        client.set_model_version_tag(name, str(version), "reason", reason)
        ledger.record_move(name, version, alias, reason)

    def _clear(self, client: "MlflowClient", name: str, alias: Alias, version: int) -> None:
        found = self._alias(client, name, alias)
        if found is not None and found.version == version:
            client.delete_registered_model_alias(name, alias)

    def _alias(self, client: "MlflowClient", name: str, alias: Alias) -> RegisteredVersion | None:
        try:
            return self._find(client, name, alias)
        except ModelNotFound:
            return None

    def _find(self, client: "MlflowClient", name: str, reference: str | int) -> RegisteredVersion:
        from mlflow.exceptions import MlflowException

        check_model_name(name)
        with self.tracking.errors("look up the model"):
            try:
                if str(reference).isdecimal():
                    return plain(client.get_model_version(name, str(reference)))
                if reference != "latest":  # the newest one is nobody's choice
                    return plain(client.get_model_version_by_alias(name, str(reference)))
            except MlflowException as error:
                if error.error_code not in _ABSENT:
                    raise
        raise absent(self.tracking, client, name, str(reference))
