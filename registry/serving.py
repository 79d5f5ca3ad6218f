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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from registry.home import Home
from registry.keys.signing import verify_bundle
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.detectors.bundle import Bundle, read_bundle
from tuni.errors import CheckpointError, RequestError
from tuni.judging.record import COLUMNS, NUMBERS
from tuni.texts.kind import text_kind

if TYPE_CHECKING:
    import pandas as pd

    from tuni.judging.null import JudgeOptions
    from tuni.model.target import Target

# Columns of an answer and MLflow's names of their types, in order; a list that cannot be judged
# whole is refused, and what was measured stands in the registry.
SERVED_COLUMNS: Mapping[str, str] = {
    name: kind for name, kind in COLUMNS.items() if name not in ("measured_power", "error")
}
# What `model_config` may override; MLflow drops keys that a model does not name.
DEFAULTS: Mapping[str, str | int | bool | None] = {
    "checkpoint": None,
    "architecture": None,
    "weights": None,
    "preprocess": None,
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
            One row per text, in order, with the columns of `SERVED_COLUMNS`.

        Raises:
            RequestError: There is no column ``text``, or `model_config` holds a wrong value.
            TextError: A text cannot be scored; rows are named, texts are not.
            CheckpointError: The audited checkpoint is not found.
            FingerprintMismatch: The given checkpoint is not the bundle's.
        """
        import pandas as pd

        from tuni.judging.judge import Judge
        from tuni.judging.whole_list import judge_texts

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
            kept = telling and text_kind(self.bundle.kind).kept
            cache = EncryptedFeatureCache(ledger) if kept else None
            judge = Judge(self.bundle, self._target, cache)
            name, version = self._name, self._version
            if version is None:
                verdicts = judge_texts(judge, texts, options)
            elif telling:
                selected = partial(ledger.selected_on, name, version)
                verdicts = judge_texts(judge, texts, options, str(version), selected)
            else:
                verdicts = judge_texts(judge, texts, options, str(version))
        frame = pd.DataFrame(verdicts.records(), columns=list(SERVED_COLUMNS))
        return frame.astype(dict.fromkeys(NUMBERS, "float64"))  # withheld: None

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
        from tuni.judging.null import JudgeOptions

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
        given = {name: self._config[name] for name in ("architecture", "weights", "preprocess")}
        given["folder"] = self._config["checkpoint"] or os.environ.get("TUNI_CHECKPOINT")
        return load_audited(
            ledger,
            self.bundle,
            {key: None if value is None else str(value) for key, value in given.items()},
            device=str(self._config["device"]),
            fix="model_config={'checkpoint': FOLDER}, or the variable TUNI_CHECKPOINT",
        )


def load_audited(
    ledger: Ledger, bundle: Bundle, given: Mapping[str, str | None], *, device: str, fix: str
) -> "Target":
    """Load the checkpoint that a detector was made for.

    Args:
        ledger: Knows where it lay when the detector was made.
        bundle: The detector.
        given: Where it lies, by ``folder``, ``architecture``, ``weights`` and ``preprocess``; the
            ledger is asked where all are None or empty.
        device: Torch device.
        fix: How to name its folder.

    Raises:
        CheckpointError: It is not found or cannot be loaded.
    """
    from tuni.model.load import load_target

    source = given if any(given.values()) else ledger.find_checkpoint(bundle.fingerprint)
    if source is None:
        raise CheckpointError(
            f"checkpoint: this home knows none with fingerprint {bundle.fingerprint[:12]}",
            f"name its folder: {fix}",
        )
    folder, weights = source.get("folder"), source.get("weights")
    return load_target(
        Path(folder) if folder else None,
        architecture=source.get("architecture"),
        weights=Path(weights) if weights else None,
        preprocess=source.get("preprocess"),
        device=device,
        precision=bundle.feature_spec.precision,
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
