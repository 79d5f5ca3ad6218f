"""The detector bundle: a folder with canonical JSON and plain arrays, and nothing that runs.

The one law: bytes are bounded before they are read and checked before they are believed. A
bundle that someone altered, cut or made up is refused with a `BundleError`.

Format 1: ``bundle.json`` (canonical JSON; ``digest`` is the SHA-256 of the canonical JSON of all
other keys, among them the SHA-256 of the arrays) and ``arrays.safetensors`` (float64 and int32).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tuni.detectors.bundle_files import check_header, read_bounded, refuse_pickles, write_files
from tuni.detectors.kind import Floats
from tuni.detectors.model import ArrayModel, check_model, read_only
from tuni.errors import BundleError, SpecMismatch
from tuni.features.spec import FeatureSpec
from tuni.hashing import canonical_json

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]

FORMAT = 1
DESCRIPTION, ARRAYS = "bundle.json", "arrays.safetensors"
MAX_DESCRIPTION = 4 * 2**20  # bytes; ours: neighbour parts of all locales take .2 MiB
MAX_ARRAYS = 256 * 2**20
_REFETCH = "fetch or register the bundle again"


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A fitted detector with what turns its scores into p-values.

    Attributes:
        model: The detector.
        decoy_scores: Scores of the calibration decoys, quantised and ascending, shape (m,).
        gibberish_scores: Of the calibration gibberish, likewise.
        quantum: Step to which scores are rounded before they are ranked, > 0.
        less_parts: Scores are ranked less what the parts of their texts add to them.
    """

    model: ArrayModel
    decoy_scores: Floats
    gibberish_scores: Floats
    quantum: float
    less_parts: bool = False

    @property
    def corrects(self) -> bool:
        """Whether it needs the effects of name parts, and so decoys of the list."""
        return self.less_parts or bool(self.model.corrected)

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        object.__setattr__(self, "decoy_scores", read_only(self.decoy_scores))
        object.__setattr__(self, "gibberish_scores", read_only(self.gibberish_scores))


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """All that a verdict needs, apart from the checkpoint and the list.

    Attributes:
        checkpoint: Name of the audited checkpoint.
        fingerprint: Of its weights and settings; another checkpoint is refused.
        kind: Kind of the subjects' texts, e.g. ``"name"``.
        feature_spec: What has to be extracted.
        pair: Scores texts of two parts and more.
        single: Scores texts of one part; None where they get no verdict.
        operating_point: The p at and below which a verdict says "evidence", in (0, 1).
        seed: Seed of the job that made the bundle.
        settings: What was asked for; JSON, without any text of a subject.
        evidence: Measured power, gates and the like; JSON, without any text of a subject.
        versions: Of the libraries that made it.
        bank: Unit embeddings of the generic pictures that the detector's features need, shape
            ``(count, embed_dim)``, float64; None where they need none.
    """

    checkpoint: str
    fingerprint: str
    kind: str
    feature_spec: FeatureSpec
    pair: Scorer
    single: Scorer | None
    operating_point: float
    seed: int
    settings: Mapping[str, JSON]
    evidence: Mapping[str, JSON]
    versions: Mapping[str, str]
    bank: Floats | None = None

    @property
    def corrects(self) -> bool:
        """Whether a list's verdicts need the effects of name parts."""
        return any(scorer.corrects for scorer in (self.pair, self.single) if scorer)

    def __post_init__(self) -> None:
        """Make the bank read-only."""
        if self.bank is not None:
            object.__setattr__(self, "bank", read_only(self.bank))


def write_bundle(bundle: Bundle, folder: Path) -> str:
    """Write a bundle as a new folder, whole or not at all.

    Args:
        bundle: Equal bundles give equal bytes.
        folder: Must not exist, be empty, or already hold this very bundle.

    Returns:
        The bundle's digest, 64 hexadecimal digits.

    Raises:
        BundleError: The bundle could not be read back: a bad model, a value that is not JSON,
            too large; or the folder holds something else.
        HomeError: The disk is full or the folder's parent cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}  # Any: float64 and int32
    body: dict[str, Any] = {  # Any: JSON
        "format": FORMAT,
        "checkpoint": bundle.checkpoint,
        "fingerprint": bundle.fingerprint,
        "kind": bundle.kind,
        "feature_spec": json.loads(bundle.feature_spec.to_json()),
        "pair": _describe(bundle.pair, "pair", arrays),
        "single": None if bundle.single is None else _describe(bundle.single, "single", arrays),
        "operating_point": float(bundle.operating_point),
        "seed": bundle.seed,
        "bank": bundle.bank is not None,
    }
    if bundle.bank is not None:
        arrays["bank"] = _contiguous(bundle.bank)
    for name in ("settings", "evidence", "versions"):
        body[name] = _plain_json(getattr(bundle, name), name)
    payload = save(arrays)
    body["arrays"] = {"sha256": hashlib.sha256(payload).hexdigest(), "bytes": len(payload)}
    digest = _digest(body)
    description = _encode(body | {"digest": digest})
    if len(description) > MAX_DESCRIPTION or len(payload) > MAX_ARRAYS:
        _refuse("it is too large to be read back", "fit on fewer texts, or state less evidence")
    _parse(description, payload, digest)  # what we write, we can read
    write_files(folder, {DESCRIPTION: description, ARRAYS: payload})
    return digest


def read_bundle(folder: Path, digest: str | None = None) -> Bundle:
    """Read and check a bundle. Files besides its two are ignored, pickles are refused.

    Args:
        folder: As `write_bundle` left it.
        digest: The digest that a registry remembers; None trusts the folder's own.

    Raises:
        BundleError: Missing, too large, altered, of an unknown format, beside a pickle, or
            holding a model that could not be scored safely.
    """
    refuse_pickles(folder)
    description = read_bounded(folder / DESCRIPTION, MAX_DESCRIPTION)
    return _parse(description, read_bounded(folder / ARRAYS, MAX_ARRAYS), digest)


def bundle_digest(folder: Path) -> str:
    """Digest of a bundle, 64 hexadecimal digits; it covers every byte of both files.

    Raises:
        BundleError: As `read_bundle`.
    """
    description = read_bounded(folder / DESCRIPTION, MAX_DESCRIPTION)
    return str(_open_body(description, read_bounded(folder / ARRAYS, MAX_ARRAYS))[1])


def _refuse(problem: str, fix: str = _REFETCH) -> NoReturn:
    raise BundleError(f"bundle: {problem}", fix)


# Writing


def _describe(scorer: Scorer, path: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """JSON of a scorer; its arrays go into ``arrays`` under names that tell their place."""
    arrays[f"{path}.decoy_scores"] = _contiguous(scorer.decoy_scores)
    arrays[f"{path}.gibberish_scores"] = _contiguous(scorer.gibberish_scores)
    model = _describe_model(scorer.model, f"{path}.model", arrays)
    younger = {"less_parts": True} if scorer.less_parts else {}
    return {"model": model, "quantum": float(scorer.quantum), **younger}


def _describe_model(model: ArrayModel, path: str, arrays: dict[str, NDArray[Any]]) -> JSON:
    for name, array in model.arrays.items():
        arrays[f"{path}.{name}"] = _contiguous(array)
    return {
        "kind": model.kind,
        "columns": list(model.columns),
        "params": {name: float(value) for name, value in model.params.items()},
        "arrays": sorted(model.arrays),
        "parts": [
            _describe_model(part, f"{path}.{place}", arrays)
            for place, part in enumerate(model.parts)
        ],
    }


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:  # Any: both types
    return np.array(array, order="C")  # safetensors writes the buffer, whatever its strides say


def _plain_json(value: object, where: str) -> JSON:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item, f"{where}[{place}]") for place, item in enumerate(value)]
    _refuse(f"{where} holds a {type(value).__name__}", "give JSON values only")


def _encode(value: object) -> bytes:
    try:
        return canonical_json(value).encode()
    except (ValueError, RecursionError) as error:  # not-a-number, lone surrogate, a loop
        raise BundleError(
            f"bundle: a value has no canonical JSON ({type(error).__name__})",
            "give finite numbers and well-formed text only",
        ) from error


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_encode(body)).hexdigest()


# Reading


def _open_body(description: bytes, payload: bytes) -> tuple[dict[str, Any], str]:
    """The description, once its format is known and both digests fit, and its digest."""
    try:
        body = json.loads(description)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"bundle: {DESCRIPTION} is not JSON", _REFETCH) from error
    if not isinstance(body, dict):
        _refuse(f"{DESCRIPTION} is not a JSON object")
    found = body.get("format")
    if type(found) is not int or found != FORMAT:
        shown = str(found)[:20] if isinstance(found, int | float | str) else "none"
        _refuse(
            f"format {shown}, this version of tuni reads format {FORMAT}",
            "use the version of tuni that wrote the bundle, or calibrate again",
        )
    if description != _encode(body):
        _refuse(f"{DESCRIPTION} was altered (it is not canonical)")
    digest = body.pop("digest", None)
    if not isinstance(digest, str) or digest != _digest(body):
        _refuse(f"{DESCRIPTION} was altered (its digest differs)")
    if body.get("arrays") != {"sha256": hashlib.sha256(payload).hexdigest(), "bytes": len(payload)}:
        _refuse(f"{ARRAYS} was altered (its digest differs)")
    return body, digest


def _parse(description: bytes, payload: bytes, expected: str | None) -> Bundle:
    body, digest = _open_body(description, payload)
    if expected is not None and digest != expected:
        _refuse("its digest is not the one that was registered")
    check_header(payload, ARRAYS)
    try:
        arrays = load(payload)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"bundle: {ARRAYS} cannot be read", _REFETCH) from error
    del body["format"], body["arrays"]
    try:
        return _build(body, arrays)
    except SpecMismatch as error:
        raise BundleError(f"bundle: {error.problem}", error.fix) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"bundle: {DESCRIPTION} lacks a key or holds a wrong type ({type(error).__name__})",
            _REFETCH,
        ) from error


def _build(body: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> Bundle:
    """A bundle of checked parts; every key and every array must be used."""
    if set(body) != set(Bundle.__dataclass_fields__):
        raise KeyError
    single = body["single"]
    bundle = Bundle(
        checkpoint=_of(body["checkpoint"], str),
        fingerprint=_of(body["fingerprint"], str),
        kind=_of(body["kind"], str),
        feature_spec=FeatureSpec.from_json(canonical_json(_of(body["feature_spec"], dict))),
        pair=_build_scorer(body["pair"], "pair", arrays),
        single=None if single is None else _build_scorer(single, "single", arrays),
        operating_point=_of(body["operating_point"], float),
        seed=_of(body["seed"], int),
        settings=MappingProxyType(_of(body["settings"], dict)),
        evidence=MappingProxyType(_of(body["evidence"], dict)),
        versions=MappingProxyType(_of(body["versions"], dict)),
        bank=_bank(arrays) if _of(body["bank"], bool) else None,
    )
    if bundle.kind != bundle.feature_spec.kind:
        _refuse("kind is not that of its feature spec")
    if not 0 < bundle.operating_point < 1:
        _refuse("operating_point is outside (0, 1)")
    if not all(isinstance(value, str) for value in bundle.versions.values()):
        raise TypeError
    if arrays:
        _refuse(f"{len(arrays)} arrays belong to nothing")
    return bundle


def _bank(arrays: dict[str, NDArray[Any]]) -> Floats:
    values: Floats = arrays.pop("bank")
    if values.dtype != np.float64 or values.ndim != 2 or not np.isfinite(values).all():
        _refuse("bank is not a finite table of float64 embeddings")
    return values


def _build_scorer(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Scorer:
    if set(_of(value, dict)) - {"less_parts"} != {"model", "quantum"}:
        raise KeyError
    quantum = _of(value["quantum"], float)
    if not quantum > 0:
        _refuse(f"{path}.quantum is not above 0")
    scores = [_calibration(arrays, f"{path}.{null}_scores") for null in ("decoy", "gibberish")]
    model = _build_model(value["model"], f"{path}.model", arrays)
    check_model(model)
    less_parts = _of(value.get("less_parts", False), bool)
    return Scorer(model, scores[0], scores[1], quantum, less_parts)


def _calibration(arrays: dict[str, NDArray[Any]], name: str) -> Floats:
    values: Floats = arrays.pop(name)
    if values.dtype != np.float64 or values.ndim != 1 or not len(values):
        _refuse(f"{name} is not a list of float64 scores")
    if not np.isfinite(values).all() or (values[1:] < values[:-1]).any():
        _refuse(f"{name} is not finite or not ascending")
    return values


def _build_model(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> ArrayModel:
    if set(_of(value, dict)) != {"kind", "columns", "params", "arrays", "parts"}:
        raise KeyError
    params = _of(value["params"], dict)
    return ArrayModel(
        kind=_of(value["kind"], str),
        columns=tuple(_of(name, str) for name in _of(value["columns"], list)),
        params={name: _of(number, float) for name, number in params.items()},
        arrays={name: arrays.pop(f"{path}.{_of(name, str)}") for name in value["arrays"]},
        parts=tuple(
            _build_model(part, f"{path}.{place}", arrays)
            for place, part in enumerate(_of(value["parts"], list))
        ),
    )


def _of(value: Any, kind: Any) -> Any:  # Any: JSON in, the asked type out
    if type(value) is not kind:
        raise TypeError(kind)
    return value
