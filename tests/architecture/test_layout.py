"""The rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tuni", "registry", "flows")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in SOURCES + TESTS}
EXECUTABLE_FORMATS = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_file_is_short_enough_to_be_read():
    lengths = {_name(path): len(TEXTS[path].splitlines()) for path in TEXTS}
    assert not {name: lines for name, lines in lengths.items() if lines > 400}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_has_few_enough_entries_to_be_seen(package):
    for folder in [ROOT / package, *(ROOT / package).rglob("*")]:
        if folder.is_dir() and folder.name != "__pycache__":
            entries = {path.name for path in folder.iterdir()} - {
                "__init__.py", "__pycache__", "py.typed",
            }  # fmt: skip
            assert len(entries) <= 14, f"{_name(folder)} holds {len(entries)}"


def test_readme_can_be_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("folder", ["docker", "tests", "benchmarks"])
def test_folders_that_would_shadow_other_packages_are_none(folder):
    """docker/ would shadow the Docker SDK that MLflow and Prefect import, tests/ anybody's."""
    assert not list((ROOT / folder).rglob("__init__.py"))


def test_modules_are_named_for_what_they_hold():
    assert not [_name(path) for path in SOURCES if path.stem in VAGUE]


def test_nothing_is_loaded_from_a_format_that_can_run_code():
    for path in SOURCES:
        for node in ast.walk(ast.parse(TEXTS[path])):
            where = f"{_name(path)}:{getattr(node, 'lineno', '')}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                # To catch the error of a refused pickle is the one use of the module there is.
                safe = node.value.id not in EXECUTABLE_FORMATS or node.attr == "UnpicklingError"
                assert safe, where
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.partition(".")[0] not in EXECUTABLE_FORMATS, where
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert options.get("weights_only") == "True", where
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", where


# The second alone around a call of another library, whose parsers raise plain exceptions.
CATCHES_ALL = {"flows/machine/guard.py", "tuni/model/hooks/tokenizer.py"}


def test_functions_are_short_and_take_few_arguments():
    """Options of a verb are its parameters, and so are not counted."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(TEXTS[path])):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{_name(path)}:{node.lineno} {node.name}"
            assert (node.end_lineno or 0) - node.lineno + 1 < 80, f"{where} is too long"
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            given = [one for one in parameters if one.arg not in ("self", "cls")]
            is_verb = any(ast.unparse(mark).startswith("verb(") for mark in node.decorator_list)
            assert len(given) <= 8 or is_verb, f"{where} takes {len(given)} arguments"


def test_one_place_catches_all_exceptions():
    """What is caught elsewhere is named: a fault of ours must not look like bad input."""
    catches = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(TEXTS[path])):
            if isinstance(node, ast.ExceptHandler):
                kinds = "" if node.type is None else ast.unparse(node.type)
                if not kinds or re.search(r"\b(Base)?Exception\b", kinds):
                    catches.add(_name(path))
    assert catches == CATCHES_ALL


READERS = {
    "flows/machine/settings.py", "flows/machine/working_folder.py",
    "registry/services/mlflow_app.py", "registry/serving.py",
}  # fmt: skip


def test_only_the_settings_read_the_environment():
    """Besides them only what tells what Prefect will read, and what MLflow's servers call."""
    reads = re.compile(r"os\.(?:environ\.get|getenv)\(|os\.environ\[[^]]+\](?!\s*=)")
    assert {_name(path) for path in SOURCES if reads.search(TEXTS[path])} <= READERS


def test_no_unfinished_business():
    words = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|X" + "XX" + r")\b")
    assert not [_name(path) for path in TEXTS if words.search(TEXTS[path])]


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_packages(package):
    """tests/tuni/detectors/test_score.py tests tuni/detectors/score.py, or a part of it."""
    for path in (ROOT / "tests" / package).rglob("test_*.py"):
        room = ROOT / package / path.parent.relative_to(ROOT / "tests" / package)
        words = path.stem.removeprefix("test_").split("_")
        names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
        tested = any((room / f"{name}.py").exists() for name in names)
        assert tested, f"{_name(path)} tests no module of its room"
