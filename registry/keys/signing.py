"""Whose bundle is this: it is signed when it is registered and checked before it is believed.

Nothing of a bundle is read before its signature fits, and the signature must be of
this home's key or of one that its owner put among the trusted ones.

The format is OpenSSF's model signature (in-toto statement, DSSE envelope), made by the library
`model-signing` with an EC P-256 key. Nothing is asked over the network. The key signs the statement
alone, so the file around it must be the one that the library writes, to the last byte.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from registry.home import Home, require_unshared
from registry.keys import secret_file
from tuni.detectors.bundle import ARRAYS, DESCRIPTION, MAX_ARRAYS, MAX_DESCRIPTION
from tuni.detectors.bundle_files import read_bounded
from tuni.errors import BundleError, HomeError, RequestError, SignatureError
from tuni.files import write_whole

if TYPE_CHECKING:
    from model_signing.hashing import Config

SIGNATURE = "bundle.sig"
MAX_SIGNATURE = 64 * 2**10  # bytes; ours take 2 KiB
_MAX_KEY = 16 * 2**10
_SUFFIXES = (".pub", ".pem")


def public_key(home: Home) -> Path:
    """The home's public key, to be handed to others; the pair is made at first use.

    Raises:
        HomeError: The private key is readable by others, unreadable, or lost.
    """
    try:
        private = secret_file.read_or_make(
            home, home.signing_key, lambda: _fresh(home), what="signing key"
        )
        key = load_pem_private_key(private, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError
        if not home.public_key.exists():
            write_whole(home.public_key, _pem(key.public_key()), 0o644)
    except OSError as error:
        raise HomeError(
            f"public key {home.public_key}: cannot be written ({error.strerror})",
            f"make sure that you own {home.root} and that the disk has room",
        ) from error
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise HomeError(
            f"signing key {home.signing_key}: not an elliptic key in PEM without a password",
            "put the original file back from a backup; nothing was overwritten",
        ) from error
    return home.public_key


def sign_bundle(folder: Path, home: Home) -> None:
    """Write the signature of a bundle into its folder, which holds nothing else.

    Raises:
        HomeError: The home's key cannot be used.
    """
    from model_signing import signing

    public_key(home)
    config = signing.Config()  # type: ignore[no-untyped-call]  # the library's
    config.use_elliptic_key_signer(private_key=home.signing_key)
    config.set_hashing_config(_hashing()).sign(folder, folder / SIGNATURE)


def verify_bundle(folder: Path, home: Home, trusted: Sequence[Path], of: str) -> None:
    """Check that a bundle is what the holder of a trusted key signed.

    Args:
        folder: Holds the bundle's two files and the signature, and nothing else.
        home: Its public key and those in its folder ``trusted`` are believed.
        trusted: Further public keys: files, or folders of them.
        of: Whose bundle it is, ``NAME@VERSION``, for messages.

    Raises:
        SignatureError: There is no signature, of no trusted key, or it does not fit the files.
        BundleError: A file is missing, no plain file, or too large to be a bundle's.
        RequestError: A trusted key cannot be read.
        HomeError: Others may replace one.
    """
    from model_signing import verifying

    path = folder / SIGNATURE
    if not path.exists():
        raise SignatureError(
            f"model {of}: is not signed",
            f"if you registered it, sign it: tuni models sign {of}; else ask its owner to do so",
        )
    unfit = SignatureError(
        f"model {of}: the signature does not fit, so the bundle or the signature was altered",
        "register the detector again, or restore the registry from a backup",
    )
    try:
        hint, covered = _parts(read_bounded(path, MAX_SIGNATURE))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise unfit from error
    keys = trusted_keys(home, trusted)
    if hint not in keys:
        raise SignatureError(
            f"model {of}: is signed with a key that this home does not trust",
            f"ask its owner for signing.pub and put it into {home.trusted}, if you trust it",
        )
    # The library reads whatever a name leads to, however long it is.
    for name, limit in ((DESCRIPTION, MAX_DESCRIPTION), (ARRAYS, MAX_ARRAYS)):
        read_bounded(folder / name, limit)
    config = verifying.Config()  # type: ignore[no-untyped-call]  # the library's
    try:
        config.use_elliptic_key_verifier(public_key=keys[hint])
        config.set_hashing_config(_hashing()).verify(folder, path)
    except (InvalidSignature, ValueError, TypeError, LookupError, AttributeError) as error:
        raise unfit from error
    if covered != {DESCRIPTION, ARRAYS}:  # a signer may have left files out
        raise unfit


def trusted_keys(home: Home, more: Sequence[Path]) -> dict[str, Path]:
    """Files of the public keys whose bundles are believed, by the keys' digests.

    Raises:
        RequestError: One cannot be read, or is no public elliptic key.
        HomeError: Another account owns one or a folder of them, or may write to it.
    """
    places = [home.public_key, home.trusted]
    files = []
    for place in [*(place for place in places if place.exists()), *more]:
        if place.is_dir():
            require_unshared(place, "folder of trusted keys")
            files += sorted(file for file in place.iterdir() if file.suffix in _SUFFIXES)
        else:
            files.append(place)
    found: dict[str, Path] = {}
    for file in files:
        if file.exists():
            require_unshared(file, "trusted key")
        try:
            key = load_pem_public_key(read_bounded(file, _MAX_KEY))
            if not isinstance(key, ec.EllipticCurvePublicKey):
                raise ValueError
        except (BundleError, ValueError) as error:
            raise RequestError(
                f"trusted key {file}: not a file with a public elliptic key in PEM",
                "remove it, or put the owner's signing.pub in its place",
            ) from error
        found.setdefault(hashlib.sha256(_pem(key)).hexdigest(), file)
    return found


def _hashing() -> "Config":
    from model_signing.hashing import Config

    config = Config()  # type: ignore[no-untyped-call]  # the library's
    return config.set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _parts(content: bytes) -> tuple[str, set[str]]:
    """What a signature says, unproven: digest of its key (which to try), names of its files.

    Raises:
        ValueError: There is more in it, or it is written otherwise than the library does.
    """
    parsed = json.loads(content)
    hint = str(parsed["verificationMaterial"]["publicKey"]["hint"])
    payload = parsed["dsseEnvelope"]["payload"]
    signature = parsed["dsseEnvelope"]["signatures"][0]["sig"]
    statement, raw = (base64.b64decode(part, validate=True) for part in (payload, signature))
    as_written = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(statement).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": base64.b64encode(raw).decode(), "keyid": ""}],
        },
    }
    if json.dumps(as_written, separators=(",", ":")).encode() != content:
        raise ValueError
    return hint, {one["name"] for one in json.loads(statement)["predicate"]["resources"]}


def _fresh(home: Home) -> bytes:
    """A new private key; refused where the one of the public key was lost."""
    if home.public_key.exists():
        trusted = quote(str(home.trusted))
        raise HomeError(
            f"signing key {home.signing_key}: missing, but {home.public_key} is there",
            "put it back from a backup; to begin with a new one and still believe what the old "
            f"one signed: mkdir -p {trusted} && mv {quote(str(home.public_key))} {trusted}/old.pub",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
