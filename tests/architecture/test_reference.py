"""The pages say what the code says: options, keys, columns, modules, commands."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import typer

from flows.cli.app import app
from flows.machine.settings import Request
from tuni.judging.record import COLUMNS, SELECTED_ON

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _load(DOCS / "make_reference.py")


def _blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["cli.md", "guide.md", "performance.md", "evidence.schema.json"])
def test_generated_pages_are_not_stale(page):
    pages = {path.name: content for path, content in REFERENCE.pages().items()}
    written = (DOCS / page).read_text(encoding="utf-8")
    assert written == pages[page], "run: make docs"


def test_a_stale_table_would_be_noticed():
    guide = (DOCS / "guide.md").read_text(encoding="utf-8")
    stale = guide.replace("| `trials` | integer |", "| `trials` | number |")
    assert stale != guide
    parts = {"request tables": REFERENCE.request_tables(), "variables": REFERENCE.variables()}
    assert REFERENCE.filled(stale, parts) == guide
    with pytest.raises(SystemExit, match="nothing fills variables"):
        REFERENCE.filled(guide, {"request tables": ""})


def test_every_key_and_command_is_documented():
    tables = REFERENCE.request_tables()
    for name, field in Request.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        assert f"`[{name}]`" in tables if inner else f"| `{name}` |" in tables
        for key, entry in (inner or {}).items():
            assert f"| `{entry.alias or key}` |" in tables
    commands = typer.main.get_command(app).commands
    assert all(f"## tuni {name}\n" in REFERENCE.cli_page() for name in commands)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_of_the_verdicts_is_documented(name):
    assert f"| `{name}` |" in (DOCS / "guide.md").read_text(encoding="utf-8")


def test_every_flag_is_documented():
    source = (ROOT / "tuni" / "judging" / "judge.py").read_text(encoding="utf-8")
    told = "".join(re.findall(r"holds = \{(.*?)\}", source, re.DOTALL))
    flags = {*re.findall(r'"(\w+)": ', told), SELECTED_ON}
    assert {"common_name", "one_part"} < flags
    guide = (DOCS / "guide.md").read_text(encoding="utf-8")
    assert not [flag for flag in flags if f"| `{flag}` |" not in guide]


def test_the_architecture_page_says_what_each_module_of_each_room_is_for():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = page[page.index("## Rooms") : page.index("## Rules")]
    for section in rooms.split("\n### ")[1:]:
        package = ROOT / section.partition(":")[0]
        named = []
        for room, cell in re.findall(r"^\| ([\w()]+) \| ([^|]+) \|", section, re.MULTILINE)[1:]:
            inner = ""
            for word in re.findall(r"[\w.]+", cell):
                inner, _, name = word.rpartition(".") if word[0] != "." else (inner, "", word[1:])
                parts = [*([] if room == "(top)" else [room]), *([inner] if inner else []), name]
                named.append("/".join(parts))
        modules = [
            str(path.relative_to(package).with_suffix(""))
            for path in package.rglob("*.py")
            if path.stem != "__init__" and "migrations" not in path.parts
        ]
        assert sorted(name for name in named if not name.endswith("migrations")) == sorted(modules)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_request_files_on_pages_are_read_without_complaint(page):
    for block in _blocks(page, "toml"):
        content = tomllib.loads(block)
        content.setdefault("checkpoint", {"name": "x", "folder": "x"})
        Request.model_validate(content)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_pages_exist(page):
    commands = typer.main.get_command(app).commands
    text = page.read_text(encoding="utf-8")
    used = re.findall(r"(?:^|`|bin/)tuni ([a-z]+)(?: ([a-z]+))?(.*)", text, re.MULTILINE)
    for verb, second, rest in used:
        if verb == "computes":
            continue
        assert verb in commands, f"tuni {verb}"
        command = commands[verb]
        if getattr(command, "commands", None) and second:
            assert second in command.commands, f"tuni {verb} {second}"
            command = command.commands[second]
        known = {
            name for option in command.params for name in (*option.opts, *option.secondary_opts)
        }
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest.partition("`")[0]):
            assert option in known | {"--help"}, f"tuni {verb} {option}"
