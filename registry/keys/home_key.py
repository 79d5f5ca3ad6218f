"""The home's key, and the keys that it wraps.

The one law: the home's key encrypts keys and nothing else, so it can be replaced without touching
what they encrypt. It is written whole or not at all, and never replaced but by `rotate`: a missing
key beside a ledger is an error, never a reason to make another.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.home import Home
from registry.keys import secret_file
from tuni.errors import HomeError, RequestError

KEY_BYTES = 32
NONCE_BYTES = 12


class WrongKey(Exception):  # caught inside this package alone
    """A value was sealed with another key, altered, or moved from another place."""


class Wrapper:
    """Wraps and unwraps keys with one home key (AES-256-GCM under an HKDF-SHA256 key)."""

    def __init__(self, home_key: bytes) -> None:
        """Derive the wrapping key.

        Args:
            home_key: 32 bytes.
        """
        self._cipher = AESGCM(derive(home_key, "wrap"))

    def wrap(self, key: bytes, owner: str) -> bytes:
        """Nonce, then ciphertext and tag; ``owner`` is needed again to unwrap."""
        return seal(self._cipher, key, owner)

    def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        """What was wrapped.

        Raises:
            WrongKey: Wrapped with another key or for another owner, or altered.
        """
        return unseal(self._cipher, wrapped, owner)


def seal(cipher: AESGCM, content: bytes, place: str) -> bytes:
    """Encrypt and bind to a place: nonce, then ciphertext and tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, place.encode())


def unseal(cipher: AESGCM, sealed: bytes, place: str) -> bytes:
    """What `seal` was given.

    Raises:
        WrongKey: Altered, moved from another place, or sealed with another key.
    """
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except (InvalidTag, ValueError, TypeError) as error:  # TypeError: no bytes at all
        raise WrongKey from error


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, 32 bytes (HKDF-SHA256, RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"tuni {purpose} 1".encode()).derive(secret)


def home_key(home: Home) -> bytes:
    """The home's key, 32 bytes; a file in the home itself is made at first use.

    Raises:
        RequestError: TUNI_KEY is not a key.
        HomeError: The file is readable by others, of another length, unreadable, missing where it
            lies outside the home, or beside a ledger that was written with it.
    """
    if home.key_text is not None:
        return _from_text(home.key_text)
    if home.key_path is None:
        make_key(home)
    elif not secret_file.exists(home.key_path, "key"):
        raise HomeError(
            f"TUNI_KEY_FILE: no file {home.key_path}",
            "name the file of the home's key; `tuni init` makes one there for a new home",
        )
    return read_key(home.key_file)


def next_key(home: Home) -> bytes | None:
    """The key that a rotation is replacing the home's key with, or None."""
    path = next_file(home)
    if home.key_text is not None or not secret_file.exists(path, "key"):
        return None
    try:
        return read_key(path)
    except HomeError:
        if not secret_file.exists(path, "key"):  # another process has just ended the rotation
            return None
        raise


def adopt_next(home: Home, key: bytes) -> None:
    """Put the key that a rotation ends with into its place, unless another process has done so.

    Raises:
        HomeError: It cannot be moved.
    """
    path = next_file(home)
    with secret_file.alone(home, home.key_file):
        # Another process may have done so, and a later rotation may have begun: its key opens
        # nothing yet and must not replace one that does.
        if next_key(home) != key:
            return
        secret_file.move(path, home.key_file, what="key")


def next_file(home: Home) -> Path:
    """Where the new key lies until a rotation has ended."""
    return home.key_file.with_name(f"{home.key_file.name}.next")


def read_key(path: Path) -> bytes:
    """A key from its file.

    Raises:
        HomeError: Others may know it, of another length, or unreadable.
    """
    key = secret_file.read(path, what="key")
    if len(key) != KEY_BYTES:
        raise HomeError(
            f"key {path}: {len(key)} bytes, expected {KEY_BYTES}",
            "put the original key file back from a backup; nothing was overwritten",
        )
    return key


def write_key(path: Path) -> None:
    """Write a fresh key whole or not at all, mode 0600.

    Raises:
        HomeError: It cannot be written.
    """
    secret_file.write(path, os.urandom(KEY_BYTES), what="key")


def make_key(home: Home) -> None:
    """Make the home's key where it is missing, however many processes try at once.

    Raises:
        HomeError: It cannot be made or used, or is missing beside a ledger that was written with
            it.
    """
    if home.key_text is None:
        secret_file.read_or_make(home, home.key_file, lambda: _fresh(home), what="key")


def _fresh(home: Home) -> bytes:
    if home.database is None and home.ledger_file.exists():
        raise HomeError(
            f"key {home.key_file}: missing, but {home.ledger_file} was written with one",
            "put the key file back from a backup; without it the ledger cannot be read "
            "(to begin anew, set TUNI_HOME to another folder)",
        )
    return os.urandom(KEY_BYTES)


def _from_text(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise RequestError(
            f"TUNI_KEY: not {2 * KEY_BYTES} hexadecimal digits",
            "give the key so (`xxd -p -c 64 FILE` prints a key file's), or name its file with "
            "TUNI_KEY_FILE",
        )
    return key
