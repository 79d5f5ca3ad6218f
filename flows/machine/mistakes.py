"""What is wrong with a request file, in words."""

import difflib

from pydantic import BaseModel, ValidationError


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
