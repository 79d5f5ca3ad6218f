"""The rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tuni", "registry", "flows")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EXECUTABLE_FORMATS = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=_name)
def test_a_file_is_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_readme_can_be_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("folder", ["docker", "tests", "benchmarks"])
def test_folders_that_would_shadow_other_packages_are_none(folder):
    """docker/ would shadow the Docker SDK that MLflow and Prefect import, tests/ anybody's."""
    assert not list((ROOT / folder).rglob("__init__.py"))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_modules_are_named_for_what_they_hold(path):
    assert path.stem not in VAGUE


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_nothing_is_loaded_from_a_format_that_can_run_code(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            # To catch the error of a refused pickle is the one use of the module there is.
            assert node.value.id not in EXECUTABLE_FORMATS or node.attr == "UnpicklingError"
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.partition(".")[0] not in EXECUTABLE_FORMATS
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert options.get("weights_only") == "True"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"


READERS = {
    "flows/machine/settings.py", "flows/machine/working_folder.py",
    "registry/services/mlflow_app.py", "registry/serving.py",
}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_only_the_settings_read_the_environment(path):
    """Besides them only what tells what Prefect will read, and what MLflow's servers call."""
    text = path.read_text(encoding="utf-8")
    reads = re.findall(r"os\.(?:environ\.get|getenv)\(|os\.environ\[[^]]+\](?!\s*=)", text)
    assert not reads or _name(path) in READERS


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=_name)
def test_no_unfinished_business(path):
    words = "TO" + "DO|FIX" + "ME|X" + "XX"
    assert not re.search(rf"\b({words})\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_packages(package):
    """tests/tuni/test_scoring.py tests tuni/scoring.py; a test of nothing is a leftover."""
    modules = {path.stem for path in SOURCES if path.is_relative_to(ROOT / package)}
    folders = {path.name for path in (ROOT / package).rglob("*") if path.is_dir()}
    for path in (ROOT / "tests" / package).rglob("test_*.py"):
        subject = path.stem.removeprefix("test_")
        parts = [subject.rsplit("_", count)[0] for count in range(subject.count("_") + 1)]
        assert set(parts) & (modules | folders | {package}), f"{_name(path)} tests no module"
