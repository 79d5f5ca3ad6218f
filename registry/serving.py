"""The registered detector as MLflow loads it: `mlflow.pyfunc.load_model`, `mlflow models serve`.

The verdicts are those of `tuni score` for the same list, and no query is answered that does not
stand in the audit trail, for a served detector is a membership oracle. Of whom the home's own lists
hold, an answer tells nothing unless its owner wants it: neither by the flag `selected_on` nor, by
features that are known already, by the time it takes. This module is named as the loader in every
registered model: its `_load_pyfunc` must stay importable under this name.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from registry.home import Home
from registry.keys.signing import verify_bundle
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.detectors.bundle import Bundle, read_bundle
from tuni.errors import CheckpointError, RequestError

if TYPE_CHECKING:
    import pandas as pd

    from tuni.judging.judge import JudgeOptions
    from tuni.model.target import Target

# Columns of a verdict and MLflow's names of their types, in order.
VERDICT_COLUMNS: Mapping[str, str] = {
    "text": "string",
    "score": "double",
    "p_decoy": "double",
    "p_gibberish": "double",
    "q_value": "double",
    "verdict": "string",
    "operating_point": "double",
    "flags": "string",
    "model_version": "string",
    "fingerprint": "string",
}
# What `model_config` may override; MLflow drops keys that a model does not name.
DEFAULTS: Mapping[str, str | int | bool | None] = {
    "checkpoint": None,
    "architecture": None,
    "weights": None,
    "home": None,
    "device": "cpu",
    "list_decoys": True,
    "decoys": None,
    "dependence": "bh",
    "tell_selected": False,
}


class ServedDetector:
    """A bundle that gives verdicts; the checkpoint is loaded at the first request."""

    def __init__(
        self, bundle: Bundle, name: str, version: int | None, config: Mapping[str, object]
    ) -> None:
        """Hold a bundle.

        Args:
            bundle: What was registered.
            name: Registered model, or ``""``.
            version: Registered version, or None where it was loaded past the registry.
            config: See `DEFAULTS`.
        """
        self.bundle = bundle
        self._name = name
        self._version = version
        self._config = config
        self._target: Target | None = None
        self._turn = threading.Lock()  # a server calls from many threads

    def predict(
        self, model_input: "pd.DataFrame", params: Mapping[str, object] | None = None
    ) -> "pd.DataFrame":
        """Verdicts for the texts of a list.

        Args:
            model_input: A frame with a column ``text``; the list is judged as a whole.
            params: Not used; MLflow hands it over.

        Returns:
            One row per text, in order, with the columns of `VERDICT_COLUMNS`.

        Raises:
            RequestError: There is no column ``text``, or `model_config` holds a wrong value.
            TextError: A text cannot be scored; rows are named, texts are not.
            CheckpointError: The audited checkpoint is not found.
            FingerprintMismatch: The given checkpoint is not the bundle's.
        """
        import pandas as pd

        from tuni.judging.judge import judge

        if "text" not in model_input:
            raise RequestError("input: no column text", 'send {"dataframe_records": [{"text": …}]}')
        texts = ["" if pd.isna(value) else str(value) for value in model_input["text"]]
        options, telling = self._options(), bool(self._config["tell_selected"])
        with self._turn, Ledger.open(_home(self._config)) as ledger:
            if self._target is None:
                self._target = self._load(ledger)
            Trail(ledger).append(
                "served query", checkpoint=self._name, version=self._version, texts=len(texts)
            )
            selected: frozenset[int] = frozenset()
            if telling and self._version is not None:
                selected = ledger.selected_on(self._name, self._version, texts)
            verdicts = judge(
                self.bundle,
                self._target,
                texts,
                options,
                model_version="" if self._version is None else str(self._version),
                selected_on=selected,
                cache=EncryptedFeatureCache(ledger) if telling else None,
            )
        frame = pd.DataFrame(verdicts.records(), columns=list(VERDICT_COLUMNS))
        numbers = [name for name, kind in VERDICT_COLUMNS.items() if kind == "double"]
        return frame.astype(dict.fromkeys(numbers, "float64"))  # withheld: None

    def prepare(self) -> None:
        """Load the checkpoint now, not at the first request.

        Raises:
            CheckpointError: The audited checkpoint is not found.
            FingerprintMismatch: The given checkpoint is not the bundle's.
        """
        from tuni.judging.judge import require_checkpoint

        with self._turn, Ledger.open(_home(self._config)) as ledger:
            if self._target is None:
                self._target = self._load(ledger)
        require_checkpoint(self.bundle, self._target)

    def note_refusals(self, requests: int, connections: int) -> None:
        """Write to the audit trail how many were turned away, as counts alone.

        Args:
            requests: Asked without the token.
            connections: Closed because they sent no request in time, or for others.

        Raises:
            HomeError: The ledger does not answer.
        """
        with Ledger.open(_home(self._config)) as ledger:
            Trail(ledger).append(
                "served refusals",
                checkpoint=self._name,
                version=self._version,
                requests=requests,
                connections=connections,
            )

    def _options(self) -> "JudgeOptions":
        from tuni.judging.judge import JudgeOptions

        count, dependence = self._config["decoys"], self._config["dependence"]
        if not (count is None or (isinstance(count, int) and count > 0)):
            raise RequestError("model_config.decoys: not a number of texts", "give 2000, or None")
        if dependence not in ("bh", "by"):
            raise RequestError("model_config.dependence: neither bh nor by", "give bh or by")
        return JudgeOptions(
            list_decoys=bool(self._config["list_decoys"]),
            decoy_count=count,
            dependence="bh" if dependence == "bh" else "by",
        )

    def _load(self, ledger: Ledger) -> "Target":
        from tuni.model.load import load_target

        given = {
            "folder": self._config["checkpoint"] or os.environ.get("TUNI_CHECKPOINT"),
            "architecture": self._config["architecture"],
            "weights": self._config["weights"],
        }
        source = given if any(given.values()) else ledger.find_checkpoint(self.bundle.fingerprint)
        if source is None:
            raise CheckpointError(
                f"checkpoint: this home knows none with fingerprint {self.bundle.fingerprint[:12]}",
                "name its folder: model_config={'checkpoint': FOLDER}, or the variable "
                "TUNI_CHECKPOINT",
            )
        folder, weights = source.get("folder"), source.get("weights")
        architecture = source.get("architecture")
        return load_target(
            Path(str(folder)) if folder else None,
            architecture=str(architecture) if architecture else None,
            weights=Path(str(weights)) if weights else None,
            device=str(self._config["device"]),
            precision=self.bundle.feature_spec.precision,
        )


def _load_pyfunc(path: str, model_config: Mapping[str, object] | None = None) -> ServedDetector:
    """Load a registered detector; MLflow calls this.

    Args:
        path: Folder of the bundle.
        model_config: See `DEFAULTS`.

    Raises:
        SignatureError: The bundle is not signed, or not with a key that the home trusts.
        BundleError: The bundle is damaged.
    """
    folder = Path(path)
    config = {**DEFAULTS, **(model_config or {})}
    name, version = _registered(folder)
    of = f"{name}@{version}" if version else "NAME@VERSION"
    trusted = os.environ.get("TUNI_TRUSTED_KEYS", "").split(os.pathsep)
    verify_bundle(folder, _home(config), [Path(key).expanduser() for key in trusted if key], of)
    return ServedDetector(read_bundle(folder), name, version, config)


def _home(config: Mapping[str, object]) -> Home:
    # The one place outside flows/settings.py that reads the environment: MLflow's server starts
    # this module, and nobody builds settings for it.
    key_path = os.environ.get("TUNI_KEY_FILE")
    return Home.open(
        Path(str(config["home"] or os.environ.get("TUNI_HOME", "~/.tuni"))),
        database=os.environ.get("TUNI_LEDGER_URL") or None,
        key_path=Path(key_path).expanduser() if key_path else None,
        key_text=os.environ.get("TUNI_KEY") or None,
    )


def _registered(folder: Path) -> tuple[str, int | None]:
    """Name and version that MLflow writes beside a model which it fetched from a registry."""
    import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

    note = folder.parent.parent / "registered_model_meta"
    if not note.is_file():
        return "", None
    content = yaml.safe_load(note.read_text(encoding="utf-8"))
    return str(content["model_name"]), int(content["model_version"])
