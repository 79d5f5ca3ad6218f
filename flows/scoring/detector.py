"""A registered detector with the checkpoint that it was made for, ready to judge."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flows.machine.settings import Settings
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from registry.models.versions import RegisteredVersion
from tuni.detectors.bundle import Bundle, read_bundle
from tuni.errors import CheckpointError
from tuni.judging.judge import require_checkpoint
from tuni.model.load import limit_threads, load_target
from tuni.model.target import Target


@dataclass(frozen=True)
class Detector:
    """A registered version.

    Attributes:
        version: What the registry says of it.
        bundle: Its bundle, checked.
        settings: Say where the checkpoint lies, where that is not known already.
        ledger: Knows where it lay when the detector was made.
    """

    version: RegisteredVersion
    bundle: Bundle
    settings: Settings
    ledger: Ledger

    @classmethod
    def open(
        cls, ledger: Ledger, settings: Settings, name: str, reference: str | int
    ) -> "Detector":
        """Pull a detector.

        Args:
            ledger: An open ledger.
            settings: Of this machine.
            name: Name of the registered checkpoint.
            reference: Alias or version number.

        Raises:
            ModelNotFound: There is no such detector.
            SignatureError: It is not signed with a trusted key.
            BundleError: It is not what was registered.
        """
        store = ModelStore(ledger.home, settings.runs_uri, ledger, settings.trusted_keys)
        version = store.show(name, reference)
        bundle = read_bundle(store.pull(name, version.version), version.digest)
        return cls(version, bundle, settings, ledger)

    @cached_property
    def target(self) -> Target:
        """The audited checkpoint, loaded once.

        Raises:
            CheckpointError: It is not found or cannot be loaded.
            FingerprintMismatch: It is not the one that the detector was made for.
        """
        given = self.settings.checkpoint
        known = None if given else self.ledger.find_checkpoint(self.bundle.fingerprint)
        source = {"folder": str(given)} if given else known
        if source is None:
            raise CheckpointError(
                f"checkpoint: this home knows none with fingerprint {self.bundle.fingerprint[:12]}",
                "name its folder: TUNI_CHECKPOINT, or --folder of tuni score",
            )
        folder, weights = source.get("folder"), source.get("weights")
        target = load_target(
            Path(folder) if folder else None,
            architecture=source.get("architecture"),
            weights=Path(weights) if weights else None,
            device=self.settings.device,
            precision=self.bundle.feature_spec.precision,
        )
        require_checkpoint(self.bundle, target)
        limit_threads(target)
        return target
