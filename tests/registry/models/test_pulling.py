import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.home import Home
from registry.keys.signing import sign_bundle
from registry.models.store import ModelStore
from tuni.errors import BundleError, SignatureError

MakeBundle = Callable[..., Path]


def registered(store: ModelStore, name: str, make_bundle: MakeBundle, count: int) -> None:
    for seed in range(count):
        store.register(name, make_bundle(seed), tags={"job": f"j{seed}"})


def stored_bundle(store: ModelStore, name: str, version: int) -> Path:
    """Where the embedded store keeps a version's bundle."""
    source = store.tracking.client().get_model_version(name, str(version)).source
    model = str(source).rpartition("/")[2]
    home = store.tracking.home
    return next(home.artifacts.rglob(f"{model}/**/bundle.json")).parent


def altered_by_a_byte(bundle: Path, other: Path) -> None:
    content = (bundle / "arrays.safetensors").read_bytes()
    (bundle / "arrays.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def another_sound_bundle(bundle: Path, other: Path) -> None:
    for file in ("bundle.json", "arrays.safetensors"):
        shutil.copy(other / file, bundle / file)


def signature_of_another_version(bundle: Path, other: Path) -> None:
    shutil.copy(other / "bundle.sig", bundle / "bundle.sig")


def no_signature(bundle: Path, other: Path) -> None:
    (bundle / "bundle.sig").unlink()


def signature_of_no_meaning(bundle: Path, other: Path) -> None:
    (bundle / "bundle.sig").write_text("{}")


def signed_by_a_stranger(bundle: Path, other: Path) -> None:
    (bundle / "bundle.sig").unlink()
    sign_bundle(bundle, Home.open(bundle / ".." / "stranger"))


@pytest.mark.parametrize(
    ("attack", "word"),
    [
        (altered_by_a_byte, "altered"),
        (another_sound_bundle, "altered"),
        (signature_of_another_version, "altered"),
        (no_signature, "is not signed"),
        (signature_of_no_meaning, "altered"),
        (signed_by_a_stranger, "does not trust"),
    ],
)
def test_bundle_that_its_owner_did_not_sign_as_it_is_is_refused(
    shared_home: Home,
    name: str,
    make_bundle: MakeBundle,
    tmp_path: Path,
    attack: Callable[[Path, Path], None],
    word: str,
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 2)
    attack(stored_bundle(store, name, 1), stored_bundle(store, name, 2))
    with pytest.raises(SignatureError, match=word):
        store.pull(name, 1, tmp_path / "pulled")
    with pytest.raises(SignatureError, match=word):
        store.pull(name, 1)
    assert not (tmp_path / "pulled").exists()
    assert not list(tmp_path.glob(".pull-*"))
    assert store.pull(name, 2).is_dir()


def test_version_swapped_for_another_one_of_the_same_owner_is_refused(
    shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 2)
    for file in stored_bundle(store, name, 2).iterdir():
        shutil.copy(file, stored_bundle(store, name, 1) / file.name)
    with pytest.raises(BundleError, match="digest is not the one that was registered"):
        store.pull(name, 1)


def test_bundle_of_another_home_is_used_once_its_key_is_trusted(
    store: ModelStore, name: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    registered(store, name, make_bundle, 1)
    public = store.tracking.home.public_key
    mine = Home.open(tmp_path / "mine")
    with pytest.raises(SignatureError, match=f"put it into {mine.trusted}"):
        ModelStore(mine, store.tracking.uri).pull(name, 1)
    for place, trusted in ((tmp_path / "a", [public]), (tmp_path / "b", [public.parent])):
        ModelStore(mine, store.tracking.uri, trusted=trusted).pull(name, 1, place)
    mine.trusted.mkdir()
    shutil.copy(public, mine.trusted / "theirs.pub")
    ModelStore(mine, store.tracking.uri).pull(name, 1)
    assert not mine.signing_key.exists()


def test_version_registered_before_bundles_were_signed_is_used_once_its_owner_signs_it(
    store: ModelStore, name: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    elsewhere = Home.open(tmp_path / "elsewhere")  # unsigned and signed by others: the same way
    registered(ModelStore(elsewhere, store.tracking.uri), name, make_bundle, 1)
    with pytest.raises(SignatureError):
        store.pull(name, 1)
    assert store.sign(name, 1).version == 1
    assert sorted(path.name for path in store.pull(name, 1).iterdir()) == [
        "arrays.safetensors",
        "bundle.json",
        "bundle.sig",
    ]


def test_unsigned_bundle_kept_in_the_home_is_fetched_anew_and_refused_until_it_is_signed(
    shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 1)
    kept = store.pull(name, 1)
    (kept / "bundle.sig").unlink()
    no_signature(stored_bundle(store, name, 1), kept)
    with pytest.raises(SignatureError, match=f"tuni models sign {name}@1"):
        store.pull(name, 1)
    store.sign(name, 1)
    assert (store.pull(name, 1) / "bundle.sig").is_file()


def test_altered_bundle_is_not_signed(
    shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 1)
    stored = stored_bundle(store, name, 1)
    no_signature(stored, stored)
    another_sound_bundle(stored, make_bundle(9))
    with pytest.raises(BundleError, match="not the one that was registered"):
        store.sign(name, 1)
    assert not (stored / "bundle.sig").exists()
