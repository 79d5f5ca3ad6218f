import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from model_signing import signing
from model_signing.hashing import Config

from registry.home import Home
from registry.keys.signing import SIGNATURE, public_key, sign_bundle, trusted_keys, verify_bundle
from tests.forked import run_all
from tuni.errors import BundleError, HomeError, RequestError, SignatureError

MakeBundle = Callable[..., Path]


@pytest.fixture
def signed(home: Home, make_bundle: MakeBundle) -> Path:
    bundle = make_bundle()
    sign_bundle(bundle, home)
    return bundle


def test_pair_is_made_once_and_the_private_key_is_for_its_owner_alone(home: Home) -> None:
    place = public_key(home)
    content = home.signing_key.read_bytes()
    assert place == home.public_key
    assert b"PUBLIC KEY" in place.read_bytes()
    assert home.signing_key.stat().st_mode & 0o777 == 0o600
    assert public_key(home).read_bytes() == place.read_bytes()
    assert home.signing_key.read_bytes() == content
    assert not list(home.root.glob(".signing*"))


def test_processes_that_start_together_share_one_pair(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.keys.signing import public_key;"
        "print(public_key(Home.open(Path(sys.argv[1]))).read_text())"
    )
    keys = {done.stdout.strip() for done in run_all(code, [[home.root]] * 3)}
    assert keys == {home.public_key.read_text().strip()}


def test_private_key_that_others_may_read_is_refused(home: Home, make_bundle: MakeBundle) -> None:
    public_key(home)
    home.signing_key.chmod(0o644)
    with pytest.raises(HomeError, match=f"chmod 600 {home.signing_key}"):
        sign_bundle(make_bundle(), home)


def test_damaged_private_key_is_refused_and_left_alone(home: Home) -> None:
    public_key(home)
    home.signing_key.write_text("no key")
    with pytest.raises(HomeError, match="from a backup"):
        public_key(home)
    assert home.signing_key.read_text() == "no key"


def test_lost_private_key_is_not_replaced_without_a_word_and_the_fix_works(
    home: Home, signed: Path
) -> None:
    home.signing_key.unlink()
    with pytest.raises(HomeError, match="missing, but") as caught:
        public_key(home)
    verify_bundle(signed, home, (), "m@1")  # what it signed is still believed
    subprocess.run(caught.value.fix.rpartition(": ")[2], shell=True, check=True)
    public_key(home)
    verify_bundle(signed, home, (), "m@1")
    assert len(trusted_keys(home, ())) == 2


def test_signature_of_the_own_key_fits(home: Home, signed: Path) -> None:
    verify_bundle(signed, home, (), "m@1")


def test_file_that_nobody_signed_beside_the_bundle_is_refused(home: Home, signed: Path) -> None:
    (signed / "loader.py").write_text("")
    with pytest.raises(SignatureError, match="does not fit"):
        verify_bundle(signed, home, (), "m@1")


def test_link_in_the_bundles_place_is_refused(home: Home, signed: Path) -> None:
    (signed / "bundle.json").rename(signed.parent / "elsewhere.json")
    (signed / "bundle.json").symlink_to(signed.parent / "elsewhere.json")
    with pytest.raises(SignatureError, match="does not fit"):
        verify_bundle(signed, home, (), "m@1")


@pytest.mark.parametrize("file", ["bundle.json", "arrays.safetensors"])
def test_missing_file_is_refused(home: Home, signed: Path, file: str) -> None:
    (signed / file).unlink()
    with pytest.raises(BundleError, match=file):
        verify_bundle(signed, home, (), "m@1")


def test_statement_rewritten_for_other_files_without_the_key_is_refused(
    home: Home, signed: Path
) -> None:
    def digest(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    signature = json.loads((signed / SIGNATURE).read_text())
    statement = json.loads(base64.b64decode(signature["dsseEnvelope"]["payload"]))
    (signed / "bundle.json").write_bytes(b"{}")
    resources = statement["predicate"]["resources"]
    for resource in resources:
        resource["digest"] = digest((signed / resource["name"]).read_bytes())
    root = b"".join(bytes.fromhex(resource["digest"]) for resource in resources)
    statement["subject"][0]["digest"]["sha256"] = digest(root)
    payload = json.dumps(statement, indent=2).encode()
    signature["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (signed / SIGNATURE).write_text(json.dumps(signature))
    with pytest.raises(SignatureError, match="does not fit"):
        verify_bundle(signed, home, (), "m@1")


def test_signature_of_which_any_byte_is_changed_is_refused(home: Home, signed: Path) -> None:
    content = (signed / SIGNATURE).read_bytes()
    dice = random.Random(0)
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= dice.randrange(1, 256)
        (signed / SIGNATURE).write_bytes(bytes(changed))
        with pytest.raises(SignatureError):
            verify_bundle(signed, home, (), "m@1")


def changed_fields(value: Any) -> Iterator[Any]:
    """Each copy of some JSON in which one field is changed, removed or added."""
    if isinstance(value, dict):
        yield {**value, "extra": 1}
        yield {name: value[name] for name in reversed(value)}
        for name, inner in value.items():
            yield {other: value[other] for other in value if other != name}
            for changed in changed_fields(inner):
                yield {**value, name: changed}
    elif isinstance(value, list):
        yield [*value, {}]
        yield [*value, *value, 0]
        for row, inner in enumerate(value):
            for changed in changed_fields(inner):
                yield [*value[:row], changed, *value[row + 1 :]]
    else:
        yield from (None, 1, f"{value} ", f"{value}=", [value])


def test_signature_of_which_any_field_is_changed_is_refused(home: Home, signed: Path) -> None:
    content = (signed / SIGNATURE).read_bytes()
    parsed = json.loads(content)
    variants = [json.dumps(one, separators=(",", ":")) for one in changed_fields(parsed)]
    same = [
        json.dumps(parsed),
        content.decode() + "\n",
        content.decode().replace('{"media', '{"mediaType":"x","media', 1),
    ]
    for changed in (*variants, *same):
        if changed.encode() != content:
            (signed / SIGNATURE).write_text(changed)
            with pytest.raises(SignatureError):
                verify_bundle(signed, home, (), "m@1")
    assert len(variants) > 50


def test_other_form_of_the_same_signature_covers_the_same(home: Home, signed: Path) -> None:
    parsed = json.loads((signed / SIGNATURE).read_text())
    envelope = parsed["dsseEnvelope"]
    r, s = decode_dss_signature(base64.b64decode(envelope["signatures"][0]["sig"]))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    mirrored = base64.b64encode(encode_dss_signature(r, order - s)).decode()
    envelope["signatures"][0]["sig"] = mirrored
    (signed / SIGNATURE).write_text(json.dumps(parsed, separators=(",", ":")))
    verify_bundle(signed, home, (), "m@1")
    (signed / "bundle.json").write_bytes((signed / "bundle.json").read_bytes() + b" ")
    with pytest.raises(SignatureError, match="does not fit"):
        verify_bundle(signed, home, (), "m@1")


@pytest.mark.parametrize("file", ["bundle.json", "arrays.safetensors"])
def test_bundle_of_which_any_byte_is_changed_is_refused(
    home: Home, signed: Path, file: str
) -> None:
    content = (signed / file).read_bytes()
    dice = random.Random(0)
    for number in range(100):
        changed = bytearray(content)
        changed[dice.randrange(len(content))] ^= dice.randrange(1, 256)
        cut = content[: dice.randrange(len(content))]
        (signed / file).write_bytes((bytes(changed), cut, content + b"\0")[number % 3])
        with pytest.raises(SignatureError, match="does not fit"):
            verify_bundle(signed, home, (), "m@1")


def test_signature_that_leaves_a_file_out_is_refused(home: Home, signed: Path) -> None:
    (signed / SIGNATURE).unlink()
    config = signing.Config()
    config.use_elliptic_key_signer(private_key=home.signing_key)
    hashing = Config().set_ignored_paths(paths=[SIGNATURE, "bundle.json"], ignore_git_paths=False)
    config.set_hashing_config(hashing).sign(signed, signed / SIGNATURE)
    with pytest.raises(SignatureError, match="does not fit"):
        verify_bundle(signed, home, (), "m@1")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"a":', b"[" * 60_000])
def test_signature_that_is_none_is_refused(home: Home, signed: Path, content: bytes) -> None:
    (signed / SIGNATURE).write_bytes(content)
    with pytest.raises(SignatureError):
        verify_bundle(signed, home, (), "m@1")


def test_signature_without_end_is_not_read(home: Home, signed: Path) -> None:
    (signed / SIGNATURE).write_bytes(b" " * 100_000)
    with pytest.raises(BundleError, match="larger than"):
        verify_bundle(signed, home, (), "m@1")


def test_trusted_keys_that_others_may_replace_are_refused_and_the_fix_works(
    home: Home, signed: Path, tmp_path: Path
) -> None:
    given = tmp_path / "given keys"
    for folder in (home.trusted, given):
        folder.mkdir()
        shutil.copy(home.public_key, folder / "a.pub")
    for place in (home.trusted, home.trusted / "a.pub", given, given / "a.pub"):
        before = place.stat().st_mode
        for mode in (0o777, 0o775):
            place.chmod(mode)
            with pytest.raises(HomeError, match="others may write to it") as caught:
                verify_bundle(signed, home, [given], "m@1")
            subprocess.run(caught.value.fix.rpartition("then ")[2], shell=True, check=True)
            verify_bundle(signed, home, [given], "m@1")
        place.chmod(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="another account: only root gives a file away")
def test_trusted_keys_of_another_account_are_refused(home: Home, signed: Path) -> None:
    home.trusted.mkdir()
    shutil.copy(home.public_key, home.trusted / "a.pub")
    for place in (home.trusted, home.trusted / "a.pub"):
        os.chown(place, 12345, 12345)
        with pytest.raises(HomeError, match="another account"):
            verify_bundle(signed, home, (), "m@1")
        os.chown(place, 0, 0)


def test_trusted_key_that_is_none_is_named(home: Home, signed: Path, tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    (tmp_path / "rsa.pub").write_bytes(
        other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "text.pub").write_text("no key")
    for name in ("rsa.pub", "text.pub", "none.pub"):
        with pytest.raises(RequestError, match=name):
            verify_bundle(signed, home, [tmp_path / name], "m@1")
