"""What an import brings with it, seen from a fresh interpreter."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from flows.cli.app import app

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "sklearn", "mlflow", "prefect", "optuna", "open_clip", "sqlalchemy", "pandas")


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def _loaded_after(statement: str) -> set[str]:
    done = _run(f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))")
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


def _modules(package: str) -> list[str]:
    folder = ROOT / package
    return [found.name for found in pkgutil.walk_packages([str(folder)], f"{package}.")]


@pytest.mark.parametrize(
    "module",
    [
        "tuni.detectors.score",
        "tuni.statistics.p_values",
        "tuni.detectors.bundle",
        "tuni.features.spec",
    ],
)
def test_a_bundle_is_read_and_scored_without_the_heavy_libraries(module):
    assert not _loaded_after(f"import {module}") & set(HEAVY)


def test_the_help_of_every_verb_comes_without_the_heavy_libraries():
    commands = list(_helps(typer.main.get_command(app)))
    assert all(one in commands for one in (["--help"], ["score", "--help"]))
    assert ["models", "list", "--help"] in commands
    assert not _loaded_by(*commands) & {*HEAVY, "matplotlib", "scipy", "numpy", "pydantic", "rich"}


def test_the_first_line_of_a_run_comes_before_the_heavy_libraries(tmp_path):
    """Reading a request and saying so: what stands before the seconds that imports take."""
    request = tmp_path / "request.toml"
    request.write_text("[checkpoint]\nname = 7\n", encoding="utf-8")
    loaded = _loaded_by(["run", str(request)], TUNI_HOME=str(tmp_path / "home"))
    assert not loaded & (set(HEAVY) - {"sqlalchemy"})  # the ledger checks the home's key first


@pytest.mark.parametrize("content", [None, "{", '{"model_type": "flava"}'])
def test_a_folder_without_a_usable_checkpoint_is_refused_before_the_heavy_libraries(
    tmp_path, content
):
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / "folder" / "config.json").write_text(content, encoding="utf-8")
    request = tmp_path / "request.toml"
    request.write_text("[checkpoint]\nname = 'x'\nfolder = 'folder'\n", encoding="utf-8")
    loaded = _loaded_by(["run", str(request)], TUNI_HOME=str(tmp_path / "home"))
    assert not loaded & ({*HEAVY, "transformers"} - {"sqlalchemy"})


def test_the_check_for_heavy_libraries_can_fail():
    assert "sklearn" in _loaded_after("import tuni.detectors.fits.knn")


def _helps(command, *path):
    yield [*path, "--help"]
    for name, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, *path, name)


def _loaded_by(*commands: list[str], **environment: str) -> set[str]:
    return _loaded_after(
        "import contextlib, io, os, sys\n"
        f"os.environ |= {environment!r}\n"
        "from flows.cli import main\n"
        f"for command in {commands!r}:\n"
        "    sys.argv = ['tuni', *command]\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main()"
    )


def test_importing_does_nothing_but_define(tmp_path):
    """No output, no file, no global random state, no handler on the root logger."""
    modules = [name for package in ("tuni", "registry", "flows") for name in _modules(package)]
    code = (
        f"import importlib, logging, os, random, sys, warnings\n"
        f"import numpy\n"
        f"os.chdir({str(tmp_path)!r})\n"
        f"modules = {modules!r}\n"
        # Libraries draw random names while they are imported: only ours are imported anew.
        f"for name in modules: importlib.import_module(name)\n"
        f"for name in list(sys.modules):\n"
        f"    if name.partition('.')[0] in ('tuni', 'registry', 'flows'): del sys.modules[name]\n"
        f"random.seed(5); expected = random.getstate()\n"
        f"numpy.random.seed(5); drawn = numpy.random.get_state()[1].copy()\n"
        f"for name in modules: importlib.import_module(name)\n"
        f"assert random.getstate() == expected, 'random'\n"
        f"assert (numpy.random.get_state()[1] == drawn).all(), 'numpy.random'\n"
        f"assert not os.listdir('.'), os.listdir('.')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
