"""Tables in JSON that stand beside the weights; read without torch, before anything is started."""

import json
from pathlib import Path
from typing import Any

from tuni.errors import CheckpointError

MAX_JSON_BYTES = 20_000_000  # tokenizers of 250,000 words have some 17 MB


def read_json(path: Path, fix: str) -> dict[str, Any]:  # Any: JSON values
    """The table in a JSON file.

    Args:
        path: An existing file.
        fix: What to do about a file that is none.

    Raises:
        CheckpointError: The file is too large, or no table in JSON.
    """
    refuse_pointer(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        raise CheckpointError(f"{path.name}: larger than {MAX_JSON_BYTES} bytes", fix)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        # Not-a-number and half surrogates are no JSON, and could not be hashed.
        json.dumps(table, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: not JSON in UTF-8", fix) from error
    if not isinstance(table, dict):
        raise CheckpointError(f"{path.name}: not a table", fix)
    return table


def refuse_pointer(path: Path) -> None:
    """Refuse what git-lfs leaves in the place of a file that it did not fetch.

    Raises:
        CheckpointError: The file is such a pointer.
    """
    with path.open("rb") as file:
        if file.read(32).startswith(b"version https://git-lfs"):
            raise CheckpointError(
                f"{path.name}: a git-lfs pointer, which stands in the place of the file",
                "fetch the file itself: git lfs pull",
            )
