import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from tuni.detectors.bundle import Bundle, Scorer, bundle_digest, read_bundle, write_bundle
from tuni.detectors.model import ArrayModel
from tuni.detectors.score import score
from tuni.errors import BundleError, HomeError, UnusableScores
from tuni.features.spec import FeatureSpec
from tuni.hashing import canonical_json, digest
from tuni.texts.kind import NeighbourParts


def scorer(shift: float = 0.0) -> Scorer:
    points = np.arange(12.0).reshape(6, 2) + shift
    arrays = {"points": points, "center": np.zeros(2), "scale": np.ones(2)}
    parts = (
        ArrayModel("knn", ("hidden.0",), {"neighbours": 2.0}, arrays),
        ArrayModel("feature", ("jacobian_relative~0.375",), {"sign": 1.0}),
    )
    joined = ArrayModel("sum", arrays={"means": np.zeros(2), "scales": np.ones(2)}, parts=parts)
    return Scorer(joined, np.array([0.5, 1.0, 2.5]), np.array([0.0, 0.25]), 1e-6)


def bundle(**changed: object) -> Bundle:
    spec = FeatureSpec((NeighbourParts("*", ("Ada", "Żaneta"), ("Byron", "李")),))
    whole = Bundle(
        checkpoint="ours",
        fingerprint="ab" * 32,
        kind="name",
        feature_spec=spec,
        pair=scorer(),
        single=scorer(1.0),
        operating_point=0.05,
        seed=7,
        settings={"search": {"trials": 60, "objective": None}},
        evidence={"power": [0.1, 0.25], "gates": {"blind": True}},
        versions={"numpy": "2"},
    )
    return dataclasses.replace(whole, **changed)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_bundle(bundle(), tmp_path / "bundle")
    return tmp_path / "bundle"


def forge(folder: Path, change: dict[str, object]) -> None:
    """Alter the description and mend every digest, as an attacker would."""
    body = json.loads((folder / "bundle.json").read_bytes())
    del body["digest"]
    body |= change
    body["digest"] = digest(body)
    (folder / "bundle.json").write_bytes(canonical_json(body).encode())


def forge_arrays(folder: Path, payload: bytes) -> None:
    (folder / "arrays.safetensors").write_bytes(payload)
    forge(
        folder, {"arrays": {"sha256": hashlib.sha256(payload).hexdigest(), "bytes": len(payload)}}
    )


def test_a_bundle_comes_back_as_it_was_written(written: Path) -> None:
    read, whole = read_bundle(written), bundle()
    for name in ("checkpoint", "fingerprint", "kind", "feature_spec", "operating_point", "seed"):
        assert getattr(read, name) == getattr(whole, name)
    for name in ("settings", "evidence", "versions"):
        assert dict(getattr(read, name)) == getattr(whole, name)
    assert read.single is not None
    table = {
        "hidden.0": np.random.default_rng(0).normal(size=(5, 2)),
        "jacobian_relative": np.ones((5, 1)),
        "jacobian_relative.other_lasts": np.ones((5, 1)),
        "jacobian_relative.other_firsts": np.ones((5, 1)),
    }
    for ours, theirs in ((whole.pair, read.pair), (scorer(1.0), read.single)):
        assert ours.quantum == theirs.quantum
        np.testing.assert_array_equal(ours.decoy_scores, theirs.decoy_scores)
        np.testing.assert_array_equal(ours.gibberish_scores, theirs.gibberish_scores)
        np.testing.assert_array_equal(score(ours.model, table), score(theirs.model, table))


def test_equal_bundles_are_equal_bytes(written: Path, tmp_path: Path) -> None:
    again = write_bundle(bundle(), tmp_path / "again")
    assert again == bundle_digest(written)
    for name in ("bundle.json", "arrays.safetensors"):
        assert (written / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_other_content_has_another_digest(written: Path, tmp_path: Path) -> None:
    other = write_bundle(bundle(pair=scorer(1e-9)), tmp_path / "other")
    assert other != bundle_digest(written)


def test_a_bundle_without_a_detector_for_single_parts_is_legal(tmp_path: Path) -> None:
    write_bundle(bundle(single=None), tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").single is None


def test_writing_the_same_bundle_again_changes_nothing(written: Path) -> None:
    before = (written / "bundle.json").stat().st_mtime_ns
    write_bundle(bundle(), written)
    assert (written / "bundle.json").stat().st_mtime_ns == before


def test_another_bundle_is_never_written_over(written: Path) -> None:
    with pytest.raises(BundleError, match="something else"):
        write_bundle(bundle(seed=8), written)
    assert read_bundle(written).seed == 7


def test_nothing_but_the_two_files_is_left(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["bundle"]
    assert sorted(path.name for path in written.iterdir()) == ["arrays.safetensors", "bundle.json"]


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path: Path) -> None:
    code = (
        "import resource, runpy, sys, pathlib\n"
        f"made = runpy.run_path({__file__!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"  # as a disk with 600 bytes left
        f"folder = pathlib.Path({str(tmp_path)!r}, 'bundle')\n"
        "try:\n    made['write_bundle'](made['bundle'](), folder)\n"
        "except made['HomeError'] as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert "fix: free disk space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_no_folder_is_the_homes_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be written"):
        write_bundle(bundle(), tmp_path / "file" / "bundle")


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"folder": Path("x")}},
        {"settings": {"numbers": np.arange(3)}},
        {"settings": {1: "a"}},
        {"evidence": {"auc": float("nan")}},
        {"evidence": {"note": "\ud800"}},
        {"versions": {"numpy": 2}},
        {"operating_point": 1.0},
        {"evidence": {"note": "x" * 5_000_000}},
        {"pair": dataclasses.replace(scorer(), decoy_scores=np.array([2.0, 1.0]))},
        {"pair": dataclasses.replace(scorer(), decoy_scores=np.array([np.nan]))},
        {"pair": dataclasses.replace(scorer(), decoy_scores=np.empty(0))},
        {"pair": dataclasses.replace(scorer(), quantum=0.0)},
        {"pair": dataclasses.replace(scorer(), model=ArrayModel("magic"))},
    ],
)
def test_a_bundle_that_could_not_be_read_back_is_not_written(
    changed: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(BundleError):
        write_bundle(bundle(**changed), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_strided_arrays_are_kept_right(tmp_path: Path) -> None:
    strided = dataclasses.replace(scorer(), decoy_scores=np.arange(10.0)[::2])
    write_bundle(bundle(pair=strided), tmp_path / "bundle")
    assert list(read_bundle(tmp_path / "bundle").pair.decoy_scores) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("found", [2, 0, "1", None, True, 1.0, [1]])
def test_an_unknown_format_is_refused_naming_both(written: Path, found: object) -> None:
    forge(written, {"format": found})
    with pytest.raises(BundleError, match=r"format .*, this version of tuni reads format 1"):
        read_bundle(written)


def test_a_missing_file_is_named(written: Path) -> None:
    (written / "arrays.safetensors").unlink()
    with pytest.raises(BundleError, match=r"arrays\.safetensors cannot be read"):
        read_bundle(written)
    with pytest.raises(BundleError, match="folder cannot be read"):
        read_bundle(written / "nowhere")


def test_other_files_are_ignored_but_a_pickle_is_refused(written: Path) -> None:
    (written / "README.md").write_text("hello")
    read_bundle(written)
    (written / "model.PKL").write_bytes(b"")
    with pytest.raises(BundleError, match="pickle"):
        read_bundle(written)


def test_a_digest_that_a_registry_remembers_is_compared(written: Path) -> None:
    read_bundle(written, bundle_digest(written))
    forge(written, {"checkpoint": "theirs"})
    with pytest.raises(BundleError, match="registered"):
        read_bundle(written, digest("ours"))


@pytest.mark.parametrize(("name", "size"), [("bundle.json", 2**23), ("arrays.safetensors", 2**29)])
def test_a_huge_file_is_refused_before_it_is_read(written: Path, name: str, size: int) -> None:
    os.truncate(written / name, size)  # sparse: takes no disk, and would take memory if read
    with pytest.raises(BundleError, match="larger than"):
        read_bundle(written)


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(written: Path) -> None:
    (written / "bundle.json").unlink()
    os.mkfifo(written / "bundle.json")
    with pytest.raises(BundleError, match="plain file"):
        read_bundle(written)


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_altered_byte_is_refused(written: Path, data: st.DataObject) -> None:
    copy = written.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(written, copy)
    path = copy / data.draw(st.sampled_from(["bundle.json", "arrays.safetensors"]))
    content = bytearray(path.read_bytes())
    match data.draw(st.sampled_from(["flip", "cut", "add"])):
        case "flip":
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= data.draw(st.integers(1, 255))
        case "cut":
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        case "add":
            content += data.draw(st.binary(min_size=1, max_size=9))
    path.write_bytes(content)
    for read in (read_bundle, bundle_digest):
        with pytest.raises(BundleError):
            read(copy)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    (),
    ("pair",),
    ("pair", "quantum"),
    ("pair", "model"),
    ("pair", "model", "kind"),
    ("pair", "model", "columns"),
    ("pair", "model", "params"),
    ("pair", "model", "arrays"),
    ("pair", "model", "parts"),
    ("pair", "model", "parts", 0),
    ("pair", "model", "parts", 0, "arrays"),
    ("pair", "model", "parts", 0, "params", "neighbours"),
    ("pair", "model", "parts", 1, "columns", 0),
    ("pair", "model", "parts", 1, "params"),
    ("feature_spec",),
    ("feature_spec", "parts"),
    ("feature_spec", "hidden"),
    ("fingerprint",),
    ("operating_point",),
    ("seed",),
    ("settings",),
    ("versions",),
    ("single",),
]


@given(place=st.sampled_from(PLACES), value=JSON)
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_forged_description_is_refused_or_safe(
    written: Path, place: tuple[str | int, ...], value: object
) -> None:
    body = json.loads((written / "bundle.json").read_bytes())
    kept = (written / "bundle.json").read_bytes()
    if place:
        inner = body
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
    try:
        if place:
            forge(written, {place[0]: body[place[0]]})
        else:
            (written / "bundle.json").write_bytes(canonical_json(value).encode())
        _refused_or_safe(written)
    finally:
        (written / "bundle.json").write_bytes(kept)


def _refused_or_safe(folder: Path) -> None:
    try:
        read = read_bundle(folder)
    except BundleError:
        return
    table = {name: np.ones((3, 2 if name == "hidden.0" else 1)) for name in read.pair.model.needed}
    with contextlib.suppress(UnusableScores):  # numbers that overflow are refused, not ranked
        assert np.isfinite(score(read.pair.model, table)).all()


@given(
    name=st.sampled_from(["pair.decoy_scores", "pair.model.0.points", "pair.model.scales"]),
    shape=st.lists(st.integers(0, 3), max_size=3),
    dtype=st.sampled_from([np.float64, np.float32, np.int32, np.uint8, np.bool_]),
    fill=st.sampled_from([0, 1, -1, np.nan, np.inf, 1e308]),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_forged_array_is_refused_or_safe(
    written: Path, name: str, shape: list[int], dtype: type, fill: float
) -> None:
    payload = (written / "arrays.safetensors").read_bytes()
    kept = (written / "bundle.json").read_bytes()
    arrays = load(payload)
    with np.errstate(all="ignore"):
        arrays[name] = np.full(shape, fill).astype(dtype)
    try:
        forge_arrays(written, save(arrays))
        _refused_or_safe(written)
    finally:
        (written / "arrays.safetensors").write_bytes(payload)
        (written / "bundle.json").write_bytes(kept)


@given(header=JSON | st.binary(max_size=40), tail=st.binary(max_size=40))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_forged_arrays_header_is_refused(written: Path, header: object, tail: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    kept = {path: path.read_bytes() for path in written.iterdir()}
    try:
        forge_arrays(written, len(text).to_bytes(8, "little") + text + tail)
        with pytest.raises(BundleError):
            read_bundle(written)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


@pytest.mark.parametrize(
    "entries",
    [
        {"a": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}},
        {"a": {"dtype": "F64", "shape": [-1], "data_offsets": [8, 0]}},
        {"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}},
        {
            "a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
            "b": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
        },
        {"a": {"dtype": "F64", "shape": [1.0], "data_offsets": [0, 8]}},
        {"a": {"dtype": "U8", "shape": [16], "data_offsets": [0, 16]}},
        {"__metadata__": {"a": "b"}},
    ],
)
def test_offsets_that_do_not_describe_the_bytes_are_refused(
    written: Path, entries: dict[str, object]
) -> None:
    text = json.dumps(entries).encode()
    forge_arrays(written, len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(BundleError):
        read_bundle(written)


@pytest.mark.parametrize("depth", [900, 100_000])
def test_json_nested_without_end_is_refused(written: Path, depth: int) -> None:
    nested = '{"kind":"sum","columns":[],"params":{},"arrays":[],"parts":[' * depth
    (written / "bundle.json").write_text(nested + "]}" * depth)
    with pytest.raises(BundleError):
        read_bundle(written)


def test_parts_nested_deeper_than_any_model_are_refused(written: Path) -> None:
    part: dict[str, object] = {"kind": "sum", "columns": [], "params": {}, "arrays": []}
    for _ in range(300):
        part = {"kind": "sum", "columns": [], "params": {}, "arrays": [], "parts": [part]}
    forge(written, {"pair": {"model": part, "quantum": 1.0}})
    with pytest.raises(BundleError):
        read_bundle(written)
