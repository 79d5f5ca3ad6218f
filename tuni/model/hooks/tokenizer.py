"""Tokenizers that are no part of open_clip, from the files beside a checkpoint."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuni.errors import CheckpointError
from tuni.model.reading.json_table import read_json, refuse_pointer

# All that a tokenizer may be read from; each moves what a text is to the model.
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
    "tokenizer.model",
)  # fmt: skip
_KEPT = 1 << 15  # texts: a block of them is asked for twice


class FolderTokenizer:
    """A tokenizer of transformers, from a folder's files alone. See `RowTokenizer`."""

    def __init__(
        self,
        folder: Path,
        vocabulary: int,
        *,
        clean: Callable[[str], str] = str,
        strip_separator: bool = False,
    ) -> None:
        """Read it.

        Args:
            folder: Holds `TOKENIZER_FILES`, or some of them.
            vocabulary: Token embeddings of the model, more than any id.
            clean: What is done to a text first.
            strip_separator: Whether the mark after a text is replaced by 0.

        Raises:
            CheckpointError: The files are missing, damaged, or another model's.
        """
        self.tokenizer = _read(folder)
        if self.tokenizer.padding_side != "right":
            raise CheckpointError(
                "tokenizer_config.json: padding_side is left, so that no text would begin its row",
                "set it to right, as the model was trained",
            )
        self._clean, self._strip = clean, strip_separator
        self._ids = lru_cache(maxsize=_KEPT)(self._encode)
        known = self.tokenizer
        ids, unknown = set(known.all_special_ids), known.unk_token_id
        marks = [known.bos_token_id, known.eos_token_id, known.pad_token_id,
                 known.cls_token_id, known.sep_token_id, known.mask_token_id]  # fmt: skip
        # What stands for unknown letters may stand in a text, unless it is a mark too.
        self.specials = frozenset(ids - ({unknown} if unknown not in marks else set()))
        rows = [self._encode(text) for text in ("a", "a b", "c")]
        before, after = (_leading(rows, self.specials, step) for step in (1, -1))
        self.marks = (before, after)
        self.end = rows[0][-after] if after else None
        self.padding = int(known.pad_token_id if known.pad_token_id is not None else 0)
        # Where a text is cleaned of punctuation, no word is taken for a mark.
        self.special_words = frozenset(
            word
            for word in known.convert_ids_to_tokens(sorted(self.specials))
            if self.specials.intersection(self._encode(f"a {word} b")[before : -after or None])
        )
        usual = set(known.get_vocab().values()) - ids
        largest = max(usual | {self.padding, *rows[0]})
        if largest >= vocabulary:
            raise CheckpointError(
                f"tokenizer: has ids up to {largest}, the model embeds {vocabulary} tokens",
                "copy the tokenizer of this model into the folder",
            )

    def row(self, text: str) -> list[int]:
        """Ids of a text with its marks."""
        return list(self._ids(text))

    def _encode(self, text: str) -> list[int]:
        given = self.tokenizer(self._clean(text), truncation=False, verbose=False)["input_ids"]
        separator = self.tokenizer.sep_token_id
        return [0 if self._strip and token == separator else int(token) for token in given]


def tokenizer_digest(folder: Path) -> str:
    """SHA-256 over a folder's tokenizer files, 64 hexadecimal digits.

    Raises:
        CheckpointError: There are none, or a git-lfs pointer stands in the place of one.
    """
    sha = hashlib.sha256()
    present = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not present:
        raise CheckpointError(
            "checkpoint.folder: no tokenizer in it (tokenizer.json, tokenizer_config.json)",
            "save the model's tokenizer there: tokenizer.save_pretrained(folder)",
        )
    for path in present:
        refuse_pointer(path)
        sha.update(f"\n{path.name} {path.stat().st_size}\n".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()


def _read(folder: Path) -> Any:  # Any: the libraries' own classes
    tokenizer_digest(folder)  # refuses what is missing
    settings, fix = folder / "tokenizer_config.json", "save the model's tokenizer there again"
    if settings.is_file() and "auto_map" in read_json(settings, fix):
        raise CheckpointError(
            "tokenizer_config.json: auto_map names code that would have to run",
            "use a tokenizer that transformers has itself, and save it without auto_map",
        )
    transformers = imported_transformers()
    try:
        return transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise CheckpointError(
            f"checkpoint.folder: transformers cannot read its tokenizer ({type(error).__name__})",
            fix,
        ) from error


def imported_transformers() -> Any:  # Any: an optional library
    """The library transformers, which from now on draws no bars and logs errors alone.

    Raises:
        CheckpointError: It is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise CheckpointError(
            "checkpoint: reading it needs transformers, which is not installed",
            "install the extra hf: pip install 'tuni-audit[hf]'",
        ) from error
    library: Any = transformers
    library.logging.disable_progress_bar()
    library.logging.set_verbosity_error()
    return library


def _leading(rows: list[list[int]], specials: frozenset[int], step: int) -> int:
    """How many ids at the beginning of all rows, or the end, are marks."""
    columns = zip(*(row[::step] for row in rows), strict=False)
    count = 0
    for column in columns:
        if len(set(column)) > 1 or (column[0] not in specials and column[0] != 0):
            break
        count += 1
    return count
