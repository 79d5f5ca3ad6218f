"""Writes docs/cli.md and the tables of other pages; `make docs` calls it.

The one law: what a page says of an option or a key is what the code says, and what it says of a
measured time is what the committed run says. tests/architecture fails where a page is stale.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.cli.app import app
from flows.machine.settings import Request, Settings
from flows.pages.evidence import evidence_schema

DOCS = Path(__file__).parent
BEGIN, END = "<!-- {}: written by make docs -->", "<!-- end of {} -->"
WIDTH = 88
KEY_WIDTH = 60  # a default longer than this is told in words by its description


def cli_page() -> str:
    """The whole of docs/cli.md."""
    root = typer.main.get_command(app)
    parts = [
        "# Commands",
        "",
        "Written from `--help` by `make docs`; do not edit. The [guide](guide.md) explains them.",
        "Results go to stdout, everything else to stderr. Exit codes are in the"
        " [guide](guide.md#exit-codes).",
    ]
    for name, text in _helps(root, "tuni"):
        parts += ["", f"## {name}", "", "```text", text, "```"]
    return "\n".join(parts) + "\n"


def request_tables() -> str:
    """A Markdown table for every table of a request."""
    parts = []
    top = {name: field for name, field in Request.model_fields.items() if not _table(field)}
    parts += ["**Top of the file**, before the first table", "", *_rows(top)]
    for name, field in Request.model_fields.items():
        table = _table(field)
        if table is not None:
            summary = (table.__doc__ or "").strip().splitlines()[0]
            parts += ["", f"**`[{name}]`** {summary}", "", *_rows(table.model_fields)]
    return "\n".join(parts)


def variables() -> str:
    """A Markdown table of the environment variables that settings are read from."""
    prefix = str(Settings.model_config["env_prefix"])
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "`~/.tuni`" if name == "home" else _default(field)
        lines.append(
            f"| `{prefix}{name.upper()}` | {_kind(field.annotation)} | {default} "
            f"| {_cell(field.description or '')} |"
        )
    return "\n".join(lines)


def speed_tables() -> dict[str, str]:
    """A Markdown table for each subject of the run that docs/performance.json keeps."""
    run = json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))
    machine = ", ".join(f"{key} {value}" for key, value in run["machine"].items() if value)
    made = {"machine": f"Machine: {machine}."}
    for subject, told in run["subjects"].items():
        lines = [
            f"`python benchmarks/speed --only {subject}`, {told['date']}:",
            "",
            "| measured | figure | wanted | beside it |",
            "|---|---|---|---|",
        ]
        for row in told["rows"]:
            spread = f" ({row['low']:.3g} to {row['high']:.3g})"
            figure = f"{row['value']:.3g}{spread if row['low'] < row['high'] else ''}"
            beside = ", ".join(f"{key} {_number(value)}" for key, value in row["more"].items())
            cells = (row["name"], f"{figure} {row['unit']}", row["wanted"], beside)
            lines.append(f"| {' | '.join(cell.strip() for cell in cells)} |")
        made[subject] = "\n".join(lines)
    return made


def filled(page: str, parts: dict[str, str]) -> str:
    """A page with its generated parts written anew.

    A part that the page marks and nothing fills would stay as it is unnoticed.
    """
    marked = set(re.findall(BEGIN.format("(.+)"), page))
    if unknown := sorted(marked - parts.keys()):
        raise SystemExit(f"docs: nothing fills {', '.join(unknown)}")
    for name, content in parts.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"docs: the marks of {name} are missing")
        page = f"{before}{begin}\n{content}\n{end}{after}"
    return page


def pages() -> dict[Path, str]:
    """What every generated page should hold."""
    tables = {"request tables": request_tables(), "variables": variables()}
    filled_pages = {"guide.md": tables, "performance.md": speed_tables()}
    return {
        DOCS / "cli.md": cli_page(),
        **{
            DOCS / name: filled((DOCS / name).read_text(encoding="utf-8"), parts)
            for name, parts in filled_pages.items()
        },
        DOCS / "evidence.schema.json": json.dumps(evidence_schema(), indent=1) + "\n",
    }


def main() -> None:
    """Write the pages that are stale, and name them."""
    for path, content in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            sys.stdout.write(f"wrote docs/{path.name}\n")


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"


def _helps(command: Any, name: str) -> Iterator[tuple[str, str]]:  # Any: Typer's own click
    context = command.context_class(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield name, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    for inner, child in getattr(command, "commands", {}).items():
        yield from _helps(child, f"{name} {inner}")


def _table(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _rows(fields: dict[str, FieldInfo]) -> list[str]:
    lines = ["| key | type | default | bounds | meaning |", "|---|---|---|---|---|"]
    for name, field in fields.items():
        key = field.alias or name
        lines.append(
            f"| `{key}` | {_kind(field.annotation)} | {_default(field)} | {_bounds(field)} "
            f"| {_cell(field.description or '')} |"
        )
    return lines


def _kind(annotation: Any) -> str:  # Any: walks over annotations
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_kind(arg) for arg in get_args(annotation) if arg is not NoneType)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is tuple:
        if get_args(annotation)[-1] is Ellipsis:
            return f"{_kind(get_args(annotation)[0])}s"
        return f"list of {len(get_args(annotation))} integers"
    names = {str: "text", int: "integer", float: "number", bool: "`true`, `false`", Path: "path"}
    return names.get(annotation) or _kind(get_args(annotation)[0])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    found = []
    for rule in field.metadata:
        if isinstance(rule, Ge):
            found.append(f"≥ {rule.ge:,}")
        elif isinstance(rule, Gt):
            found.append(f"> {rule.gt:,}")
        elif isinstance(rule, Le):
            found.append(f"≤ {rule.le:,}")
        elif isinstance(rule, Lt):
            found.append(f"< {rule.lt:,}")
        elif isinstance(rule, MinLen):
            found.append(f"at least {rule.min_length} characters")
        elif isinstance(rule, MaxLen):
            found.append(f"at most {rule.max_length} characters")
        elif pattern := getattr(rule, "pattern", None):
            found.append(f"matches `{_cell(pattern)}`")
    return ", ".join(found)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
