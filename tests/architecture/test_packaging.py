"""What is installed is what was pinned, and the wheel holds all that runs."""

import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = dict(line.split("==") for line in LINES if line and not line.startswith("#"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_environment_is_the_pinned_one():
    pins = {_normal(name): version for name, version in PINS.items()}
    installed = {_normal(dist.name): dist.version for dist in metadata.distributions()}
    assert {n: v for n, v in installed.items() if n in pins} == {
        n: v for n, v in pins.items() if n in installed
    }


def test_every_direct_dependency_is_pinned():
    pinned = {_normal(name) for name in PINS}
    extras = PROJECT["optional-dependencies"].values()
    wanted = itertools.chain(PROJECT["dependencies"], *extras)
    names = {_normal(re.match(r"[A-Za-z0-9_.-]+", line).group()) for line in wanted}
    assert names - pinned == {"tuni-audit"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_tracked_file_of_the_packages(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "tuni", "registry", "flows"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= wheel
    assert {"flows/templates/page.html", "tuni/py.typed"} <= wheel


def test_the_wheel_holds_nothing_else(wheel):
    assert {name.partition("/")[0] for name in wheel} == {
        "tuni",
        "registry",
        "flows",
        f"tuni_audit-{metadata.version('tuni-audit')}.dist-info",
    }


def test_deployments_name_flows_that_exist():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert deployments
    for deployment in deployments:
        package, module, flow = deployment["entrypoint"].split(".")
        source = (ROOT / package / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^def {flow}\(", source, re.MULTILINE)


def test_the_image_has_no_default_base():
    recipe = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG BASE$", recipe, re.MULTILINE)
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", recipe, re.MULTILINE)
    assert len(stages) == len(re.findall(r"^FROM", recipe, re.MULTILINE))
    assert {base for base, _ in stages} <= {"${BASE}", *(name for _, name in stages)}


def test_the_image_runs_as_no_root():
    recipe = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", recipe, re.MULTILINE) == ["${UID}:${GID}"]
    assert not re.search(r"^ARG UID=0", recipe, re.MULTILINE)
