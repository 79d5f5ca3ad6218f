"""A command's own Prefect server: it asks for a login, and nothing of it outlives the command."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from flows.machine.environment import prepare
from flows.machine.services import flow_server
from flows.machine.services.flow_server import ended_early, start_flow_server
from flows.machine.settings import Settings
from flows.machine.working_folder import names_server
from registry.home import Home
from tests.serving import answers

PROFILE = """
active = "theirs"
[profiles.theirs]
PREFECT_API_URL = "http://theirs/api"
"""
COMMAND = """
import json, sys, time
from pathlib import Path
from flows.machine.environment import prepare
from flows.machine.services.flow_server import start_flow_server
from flows.machine.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
prepare(settings)
start_flow_server(settings)
import os
from prefect.client.orchestration import get_client

with get_client(sync_client=True) as client:
    version = client.api_version()
told = {"url": os.environ["PREFECT_API_URL"], "version": version}
told["loads the server"] = "prefect.server" in sys.modules
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def empty_environment(monkeypatch):
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    monkeypatch.setattr(flow_server, "_servers", [])
    monkeypatch.delitem(sys.modules, "prefect", raising=False)
    yield
    os.environ.clear()
    os.environ.update(before)


def _project_of_somebody(folder):
    """A working folder with a package of the name of ours."""
    (folder / "project" / "flows").mkdir(parents=True)
    (folder / "project" / "flows" / "__init__.py").touch()
    return folder / "project"


@pytest.fixture(scope="module")
def served_home(tmp_path_factory):
    """A home in which Prefect's tables are made once."""
    return tmp_path_factory.mktemp("flow-server") / "home"


@pytest.fixture
def command(served_home, tmp_path, empty_environment):
    with subprocess.Popen(
        [sys.executable, "-P", "-c", COMMAND, str(served_home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_project_of_somebody(tmp_path),
    ) as process:
        yield process
        process.kill()


def waited_for(what):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("by_force", [False, True])
def test_flows_reach_it_strangers_do_not_and_it_ends_with_the_command(command, by_force):
    import prefect

    told = json.loads(command.stdout.readline())
    assert told["version"] == prefect.__version__
    assert not told["loads the server"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{told['url']}/admin/version", timeout=60)
    if by_force:
        command.kill()
    else:
        command.stdin.close()
        assert command.wait(60) == 0
        assert not answers(f"{told['url']}/health")  # the command has waited for it
    assert waited_for(lambda: not answers(f"{told['url']}/health"))


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize(
    ("chosen", "content"),
    [
        ("PREFECT_API_URL", None),
        ("home/prefect/profiles.toml", PROFILE),
        (".env", "export prefect_api_url = 'http://theirs/api'"),
        (".env", "PREFECT_PROFILES_PATH=profiles.toml"),
        ("prefect.toml", "profiles_path = 'profiles.toml'"),
        ("prefect.toml", "api.url = 'http://theirs/api'"),
        ("pyproject.toml", "[tool.prefect.api]\nurl = 'http://theirs/api'"),
    ],
)
def test_a_server_of_the_users_choice_is_left_alone(chosen, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=Home.open(tmp_path / "home").root)
    (tmp_path / "profiles.toml").write_text(PROFILE, encoding="utf-8")
    if content is None:
        os.environ[chosen] = "theirs"
    else:
        (tmp_path / chosen).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / chosen).write_text(content, encoding="utf-8")
    prepare(settings)
    before = dict(os.environ)
    start_flow_server(settings)
    assert os.environ == before
    assert flow_server._servers == []
    assert "PREFECT_API_AUTH_STRING" not in before  # it would hide the login of the chosen server


@pytest.mark.usefixtures("empty_environment")
@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".env", "PREFECT_LOGGING_LEVEL=INFO"),
        (".env", "PREFECT_API_URL=\n# PREFECT_API_URL=http://theirs/api"),
        ("prefect.toml", "[api]"),
        ("prefect.toml", "api = [1]"),
        ("pyproject.toml", "[tool.prefect.logging]\nlevel = 'INFO'"),
        ("home/prefect/profiles.toml", PROFILE.replace("active", "#")),
        ("PREFECT_API_URL", ""),
        ("PREFECT_PROFILE", "theirs"),
        ("PREFECT_SERVER_API_AUTH_STRING", "their:own login"),
    ],
)
def test_other_settings_of_prefect_open_no_server_to_strangers(
    file, content, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Home.open(tmp_path / "home")
    if file.isupper():
        os.environ[file] = content
    else:
        (tmp_path / file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    prepare(Settings(home=tmp_path / "home"))
    assert not names_server()  # so ours is started, and if it were Prefect's own:
    login = os.environ["PREFECT_SERVER_API_AUTH_STRING"]
    assert len(login) >= 12
    assert os.environ["PREFECT_API_AUTH_STRING"] == login


@pytest.mark.usefixtures("empty_environment")
def test_one_that_cannot_start_is_told_with_its_log(tmp_path):
    settings = Settings(home=tmp_path / "home")
    prepare(settings)
    missing = f"sqlite+aiosqlite:///{tmp_path}/missing/prefect.db"
    os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = missing
    assert ended_early() is None
    start_flow_server(settings)
    assert waited_for(lambda: ended_early() is not None)
    error = ended_early()
    assert str(tmp_path / "home" / "logs" / "flow-server.log") in error.fix
    assert "unable to open database file" in (tmp_path / "home/logs/flow-server.log").read_text()
