"""A registered detector with the checkpoint that it was made for, ready to judge."""

from dataclasses import dataclass
from functools import cached_property

from flows.machine.console import current_progress
from flows.machine.settings import Settings
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from registry.models.versions import RegisteredVersion
from registry.serving import load_audited
from tuni.detectors.bundle import Bundle, read_bundle
from tuni.features.extract import FeatureCache
from tuni.judging.judge import Judge, require_checkpoint
from tuni.model.load import limit_threads
from tuni.model.target import Target
from tuni.texts.kind import text_kind


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
        """
        folder = self.settings.checkpoint
        target = load_audited(
            self.ledger,
            self.bundle,
            {"folder": None if folder is None else str(folder)},
            device=self.settings.device,
            fix="TUNI_CHECKPOINT, or --folder of tuni score",
        )
        require_checkpoint(self.bundle, target)
        limit_threads(target)
        return target

    def judge(self, cache: FeatureCache | None = None) -> Judge:
        """What judges lists with it.

        Args:
            cache: Keeps features between calls, of kinds of text that may be kept.

        Raises:
            CheckpointError: The checkpoint is not found or cannot be loaded.
            FingerprintMismatch: It is not the one that the detector was made for.
        """
        kept = cache if text_kind(self.bundle.kind).kept else None
        return Judge(self.bundle, self.target, kept, current_progress.get())
