"""What is installed is what was pinned, and the wheel holds all that runs."""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HASHED = (ROOT / "constraints.txt").read_text(encoding="utf-8")
TORCH = ("torch", "torchvision")
PIN = re.compile(r"^([\w.-]+)==([\w.+]+)", re.MULTILINE)
PINS = dict(PIN.findall(HASHED + (ROOT / "constraints-torch.txt").read_text(encoding="utf-8")))


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


def test_everything_but_torch_is_pinned_with_the_hashes_of_its_wheels():
    one = r"[\w.-]+==[\w.+]+( \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert re.fullmatch(rf"((#.*)?\n|{one}\n)*", HASHED)
    assert {_normal(name) for name in PINS} - {
        _normal(name) for name, _ in PIN.findall(HASHED)
    } == set(TORCH)


def test_what_the_image_installs_is_what_running_needs():
    running, _, developers = HASHED.partition("# For developers alone\n")
    run, develop = (
        {_normal(name) for name, _ in PIN.findall(part)} for part in (running, developers)
    )
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["postgres"], "hatchling"]
    assert {_normal(re.match(r"[\w.-]+", line).group()) for line in asked} <= run | set(TORCH)
    assert {"pytest", "ray", "mypy", "ruff"} <= develop
    recipe = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert "'/^# For developers alone/,$d' constraints.txt" in recipe


@pytest.mark.parametrize("place", ["Makefile", "docker/Dockerfile"])
def test_no_installation_takes_another_file_than_the_pinned_one(place):
    text = (ROOT / place).read_text(encoding="utf-8").replace("\\\n", " ")
    parts = re.split(r"&&|;|\n", text)
    calls = [one for one in parts if re.search(r"pip install |\$\$pip ", one) and "pip=" not in one]
    assert len(calls) == 3
    hashed, torch, project = calls
    for option in ("--require-hashes", "--only-binary=:all:", "--no-deps"):
        assert option in hashed
    assert "-r constraints-torch.txt" in torch
    for option in ("--no-deps", "--no-build-isolation"):
        assert option in project


def test_a_file_of_another_hash_is_not_installed(built, tmp_path):
    name, version = built.name.split("-")[:2]
    right = hashlib.sha256(built.read_bytes()).hexdigest()
    asked = tmp_path / "asked.txt"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--no-index", f"--find-links={built.parent}", "--require-hashes", "--no-deps"]
    for digest, code in ((right, 0), (right[::-1], 1)):
        asked.write_text(f"{name}=={version} --hash=sha256:{digest}\n", encoding="utf-8")
        done = subprocess.run([*command, "-r", str(asked)], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def wheel(built):
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
    assert {"flows/pages/templates/page.html", "tuni/py.typed"} <= wheel


def test_the_wheel_holds_nothing_else(wheel):
    assert {name.partition("/")[0] for name in wheel} == {
        "tuni",
        "registry",
        "flows",
        f"tuni_audit-{metadata.version('tuni-audit')}.dist-info",
    }


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demonstration(built, tmp_path):
    """In an environment that holds it and its libraries, and in an empty home and folder."""
    environment, home, nothing = (tmp_path / name for name in ("environment", "home", "nothing"))
    venv.create(environment, with_pip=False)
    place = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # The libraries' folder, without what its own .pth files add: the tree of an editable install.
    (place / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    install = [sys.executable, "-m", "pip", "--python", environment, "install", "--no-index"]
    subprocess.run([*install, "--no-deps", "--ignore-installed", built], check=True)
    home.mkdir()
    nothing.mkdir()
    alone = {"HOME": str(home), "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [environment / "bin" / "tuni", "demo", "--size", "test", "--json"],
        cwd=nothing,
        env=alone,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 3), done.stderr
    result = json.loads(done.stdout)
    assert result["watch_members_found"]["n"] == 24
    assert not list(nothing.iterdir())
    where = [environment / "bin" / "python", "-c", "import flows; print(flows.__file__)"]
    found = subprocess.run(where, cwd=nothing, env=alone, capture_output=True, text=True)
    assert str(place) in found.stdout


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
