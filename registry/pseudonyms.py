"""Keyed pseudonyms and encryption: what may stand for a text where the text may not stand.

The one law: one key per purpose, all derived from the home's key, so that what is made for one
purpose says nothing for another.
"""

import hashlib
import hmac
import os
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.home import Home
from tuni.errors import HomeError
from tuni.texts import canonical

_NONCE_BYTES = 12


class Keys:
    """The keys derived from one home's key (HKDF-SHA256, RFC 5869)."""

    def __init__(self, master: bytes) -> None:
        """Derive the keys.

        Args:
            master: The home's key, 32 bytes.
        """
        self._pseudonym = _derive(master, "pseudonym")
        self._variant = _derive(master, "variant")
        self._content = _derive(master, "content")
        self._split = _derive(master, "split")
        self._check = _derive(master, "check")
        self._cipher = AESGCM(_derive(master, "encryption"))

    @classmethod
    def load(cls, home: Home) -> Self:
        """The keys of a home, whose key file is made at first use.

        Raises:
            HomeError: The key file cannot be used, see `Home.key`.
        """
        return cls(home.key)

    @property
    def split_key(self) -> bytes:
        """Key of `tuni.split.Split`, 32 bytes."""
        return self._split

    @property
    def check(self) -> str:
        """A value that tells two keys apart and reveals neither, 64 hexadecimal digits."""
        return hmac.new(self._check, b"tuni", hashlib.sha256).hexdigest()

    def pseudonym(self, text: str) -> str:
        """What stands for a subject: HMAC-SHA256 of the canonical text, 64 hexadecimal digits."""
        return hmac.new(self._pseudonym, _bytes(canonical(text)), hashlib.sha256).hexdigest()

    def variant(self, text: str) -> str:
        """Tells spellings of one subject apart, 16 hexadecimal digits.

        A model that reads case sees other tokens in another spelling, so features belong to the
        spelling, not to the subject.
        """
        return hmac.new(self._variant, _bytes(text), hashlib.sha256).hexdigest()[:16]

    def content_digest(self, content: bytes) -> str:
        """Keyed digest of content that may hold names, 64 hexadecimal digits."""
        return hmac.new(self._content, content, hashlib.sha256).hexdigest()

    def encrypt(self, content: bytes, associated: str) -> bytes:
        """AES-256-GCM: nonce, then ciphertext and tag.

        Args:
            content: What is hidden.
            associated: Where it belongs; the same value is needed to decrypt.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, associated.encode())

    def decrypt(self, sealed: bytes, associated: str) -> bytes:
        """What `encrypt` was given.

        Raises:
            HomeError: Altered, moved from another place, or encrypted with another key.
        """
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise HomeError(
                "ledger: an encrypted value was altered, or written with another key",
                "restore the ledger together with its key from a backup",
            ) from error


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"tuni {purpose} 1".encode()).derive(master)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
