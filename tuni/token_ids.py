"""Token ids of texts by open_clip's tokenizer, each word's worked out once.

The one law: the ids are the tokenizer's own. It cleans a text with ftfy before it looks at the
words, which takes longer than the forward pass of a small tower. In printable ASCII without "&"
there is nothing to clean but white space and case, and no token crosses white space: such a text
is the sum of its words. All others, and tokenizers that clean otherwise, take a text whole.
"""

from functools import lru_cache

from open_clip.tokenizer import SimpleTokenizer, get_clean_fn

_KEPT = 1 << 15  # words, and whole texts of the second kind: a block of texts is asked for twice


class TokenIds:
    """Ids of a text without start and end, never cut."""

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        """Take a tokenizer; its settings decide whether words may be taken one by one."""
        self._by_words = tokenizer.clean_fn is get_clean_fn("lower")
        self._part = lru_cache(maxsize=_KEPT)(tokenizer.encode)

    def __call__(self, text: str) -> list[int]:
        """Ids of one text."""
        if self._by_words and text.isascii() and text.isprintable() and "&" not in text:
            return [token for word in text.split() for token in self._part(word)]
        return list(self._part(text))
