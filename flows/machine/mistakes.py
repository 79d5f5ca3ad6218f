"""What is wrong with a request file, in words, all of it at once."""

import difflib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from tuni.errors import RequestError

_FOLDERS = ("checkpoint.folder", "bank.images")


def problems(error: ValidationError, asked: type[BaseModel]) -> str:
    """All mistakes of a file that is no such request, unknown keys with the nearest known one."""
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key" + _nearest(item["loc"], asked)
        lines.append(f"{place or 'request'}: {message}")
    return "request: " + "; ".join(lines)


def _nearest(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return ""
        model = field.annotation
    known = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"


def require_paths(request: BaseModel) -> None:
    """Refuse a request whose files are not there, before anything is loaded for it.

    Raises:
        RequestError: Names every path that leads nowhere, and its field.
    """
    wrong = []
    for table in type(request).model_fields:
        asked = getattr(request, table)
        if not isinstance(asked, BaseModel):
            continue
        for key, field in type(asked).model_fields.items():
            path, name = getattr(asked, key), f"{table}.{field.alias or key}"
            if not isinstance(path, Path):
                continue
            if name in _FOLDERS and not path.is_dir():
                wrong.append(f"{name}: {path.name!r} is not a folder")
            elif not path.exists():
                wrong.append(f"{name}: no file {path.name!r}")
    if wrong:
        raise RequestError(
            f"request: {'; '.join(wrong)}", "paths are relative to the request file: mend them"
        )
