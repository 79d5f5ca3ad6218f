"""Keyed pseudonyms and digests: what may stand for a text where the text may not stand.

The one law: one key per purpose, all derived from the ledger's root secret, so that what is made
for one purpose says nothing for another. The root secret outlives every rotation of the home's
key, which wraps it: pseudonyms and splits stay what they are.
"""

import hashlib
import hmac
from functools import lru_cache

from registry.keys.home_key import derive
from tuni.texts.text import canonical


class Keys:
    """The keys derived from a ledger's root secret; `Ledger.keys` holds them."""

    def __init__(self, root: bytes) -> None:
        """Derive the keys.

        Args:
            root: The root secret, 32 bytes.
        """
        key = derive(root, "pseudonym")
        # A block of texts is asked for several times: by the cache, the list, the trail.
        self._pseudonym = lru_cache(maxsize=1 << 15)(
            lambda text: hmac.new(key, _bytes(canonical(text)), hashlib.sha256).hexdigest()
        )
        self._variant = derive(root, "variant")
        self._content = derive(root, "content")
        self._split = derive(root, "split")
        self._trail = derive(root, "trail")

    @property
    def split_key(self) -> bytes:
        """Key of `tuni.lists.split.Split`, 32 bytes."""
        return self._split

    def pseudonym(self, text: str) -> str:
        """What stands for a subject: HMAC-SHA256 of the canonical text, 64 hexadecimal digits."""
        return self._pseudonym(text)

    def variant(self, text: str) -> str:
        """Tells spellings of one subject apart, 16 hexadecimal digits.

        A model that reads case sees other tokens in another spelling, so features belong to the
        spelling, not to the subject.
        """
        return hmac.new(self._variant, _bytes(text), hashlib.sha256).hexdigest()[:16]

    def content_digest(self, content: bytes) -> str:
        """Keyed digest of content that may hold names, 64 hexadecimal digits."""
        return hmac.new(self._content, content, hashlib.sha256).hexdigest()

    def chain(self, before: str, entry: str) -> str:
        """Keyed digest that chains an entry of the audit trail to the one before it."""
        return hmac.new(self._trail, f"{before}\n{entry}".encode(), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
