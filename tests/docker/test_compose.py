"""docker/compose.yaml fits the specification, and its commands do what the pages say."""

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from compose_spec.models import ComposeSpecification

from flows.machine.environment import quiet
from flows.machine.services.deployments import POOL
from registry.home import Home

DOCKER = Path(__file__).parents[2] / "docker"
TEXT = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
DEPLOYMENTS = (DOCKER.parent / "prefect.yaml").read_text(encoding="utf-8")
STAYING = {"postgres", "mlflow", "prefect", "worker"}
LOG_A_RUN = """
import os, mlflow, pathlib
mlflow.set_tracking_uri(os.environ["TUNI_TRACKING_URI"])
mlflow.set_experiment("audits")
with mlflow.start_run() as run:
    mlflow.log_metric("findings", 7)
    mlflow.log_text("kept", "report.txt")
client = mlflow.MlflowClient()
assert client.get_run(run.info.run_id).data.metrics == {"findings": 7}
assert run.info.artifact_uri.startswith("mlflow-artifacts:"), run.info.artifact_uri
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.txt") == "kept"
"""


def test_it_fits_the_compose_specification():
    ComposeSpecification.model_validate(COMPOSE)


def test_docker_itself_reads_it(tmp_path):
    asked = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(asked, capture_output=True).returncode:
        pytest.skip("Docker: its compose plugin is not installed")
    variables = "BASE=a@sha256:0\nPOSTGRES_IMAGE=b@sha256:0\nTUNI_UID=1\nTUNI_GID=1\n"
    (tmp_path / "env").write_text(variables, encoding="utf-8")
    command = ["docker", "compose", "-f", str(DOCKER / "compose.yaml"), "--env-file"]
    subprocess.run([*command, str(tmp_path / "env"), "config", "--quiet"], check=True)


def test_images_and_bases_have_no_default():
    assert re.findall(r"\$\{(?:BASE|POSTGRES_IMAGE|TUNI_UID|TUNI_GID)(?!:\?)", TEXT) == []
    assert {one["image"].partition(":")[0] for one in COMPOSE["services"].values()} == {
        "tuni",
        "${POSTGRES_IMAGE",
    }


def test_pages_are_published_on_loopback_alone():
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_has_no_page_has_no_way_out():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for one in COMPOSE["services"].values():
        assert one["networks"] == (["inside", "pages"] if "ports" in one else ["inside"])


def test_every_container_has_its_share_and_writes_into_its_volumes_alone():
    for name, one in COMPOSE["services"].items():
        assert one["read_only"] is True
        assert "/tmp:size=1g" in one["tmpfs"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["mem_limit"]
        assert one["pids_limit"]
        assert one["cpus"]
        assert "privileged" not in one
        # Postgres' image begins as root and becomes another; nothing else begins as root.
        assert ("cap_add" in one) == (name == "postgres")


def test_services_that_stay_have_health_checks_and_wait_for_what_they_need():
    services = COMPOSE["services"]
    assert {name for name, one in services.items() if "healthcheck" in one} == STAYING
    for one in services.values():
        for needed, how in one.get("depends_on", {}).items():
            wait = "service_healthy" if needed in STAYING else "service_completed_successfully"
            assert how == {"condition": wait}


def test_services_are_told_what_tuni_up_tells_its_own(tmp_path):
    told = quiet(Home(tmp_path)).items() - {("PREFECT_HOME", str(tmp_path / "prefect"))}
    ours = [one for one in COMPOSE["services"].values() if one["image"].startswith("tuni:")]
    assert all(told <= one["environment"].items() for one in ours)
    assert f"--pool={POOL}" in COMPOSE["services"]["worker"]["command"]


def test_no_secret_stands_in_the_file():
    for one in COMPOSE["services"].values():
        names = set(one.get("environment", {}))
        assert not {name for name in names if re.search("PASSWORD|SECRET|AUTH_STRING", name)}
    assert not re.search(r"://[^/@\s]+:[^/@\s]+@", TEXT)


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path):
    make = ["bash", str(DOCKER / "make-secrets"), str(tmp_path)]
    subprocess.run(make, check=True, capture_output=True)
    made = {path: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{path.name}" for path in made} == {
        one["file"] for one in COMPOSE["secrets"].values()
    }
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    again = subprocess.run(make, check=True, capture_output=True, text=True)
    assert "nothing changed" in again.stdout
    assert {path: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == made


def _ask(address, login=None, body=None, **headers):
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    data = None if body is None else json.dumps(body).encode()
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(address, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def _secret(stack, file, name):
    content = (stack.folder / "secrets" / file).read_text(encoding="utf-8")
    return re.search(rf"^export {name}='(.+)'$", content, re.MULTILINE)[1]


def test_what_it_starts_works_is_guarded_and_can_be_restored(stack):
    """One test: the servers take long to start, and each worker of pytest would start its own."""
    stack.wait("postgres")
    stack.start("mlflow", "prefect")
    upgraded = stack.call("ledger")
    assert upgraded.returncode == 0, upgraded.stderr
    stack.start("worker")
    mlflow, prefect = (f"http://127.0.0.1:{stack.ports[name]}" for name in ("mlflow", "prefect"))

    # MLflow: nobody without a login, none of the known ones, no foreign name.
    page = f"{mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    admin = f"tuni:{_secret(stack, 'mlflow.env', 'MLFLOW_AUTH_ADMIN_PASSWORD')}"
    assert _ask(page)[0] == 401
    for known in ("admin:password", "admin:password1234", "tuni:password1234", "tuni:"):
        assert _ask(page, known)[0] == 401
    assert _ask(page, admin)[0] == 200
    assert _ask(page, admin, Host="mlflow:5000")[0] == 200
    assert _ask(page, admin, Host="elsewhere.example")[0] == 403

    # Whoever has an account reaches the artifact store alone: no other folder, by no link.
    colleague = "ada:a long enough password"
    name, _, password = colleague.partition(":")
    account = {"username": name, "password": password}
    assert _ask(f"{mlflow}/api/2.0/mlflow/users/create", admin, account)[0] == 200
    (stack.folder / "artifacts" / "link").symlink_to(stack.folder / "secrets")
    create = f"{mlflow}/api/2.0/mlflow/experiments/create"
    for location in ("secrets", "artifacts/../secrets", "artifacts/link"):
        asked = {"name": location, "artifact_location": f"file://{stack.folder}/{location}"}
        assert _ask(create, colleague, asked)[0] == 400, location
    assert _ask(create, colleague, {"name": "mine"})[0] == 200
    through = f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/link/key"
    assert _ask(through, colleague)[0] >= 400
    assert _ask(through, admin)[0] >= 400
    (stack.folder / "artifacts" / "link").unlink()

    # Prefect: the same. Its pages lie in its own folder, since a container's root is read-only.
    assert {path.name for path in (stack.folder / "prefect" / "pages").iterdir()} >= {"v2"}
    login = _secret(stack, "prefect.env", "PREFECT_SERVER_API_AUTH_STRING")
    pools = f"{prefect}/api/work_pools/filter"
    assert _ask(pools, body={})[0] == 401
    assert _ask(pools, "admin:pass", body={})[0] == 401
    code, answer = _ask(pools, login, body={})
    assert code == 200
    assert [(one["name"], one["type"]) for one in json.loads(answer)] == [("tuni", "process")]

    shutil.copy(DOCKER.parent / "prefect.yaml", stack.folder)  # as the image does
    deployed = stack.call("worker", "prefect", "--no-prompt", "deploy", "--all")
    assert deployed.returncode == 0, deployed.stderr
    code, answer = _ask(f"{prefect}/api/deployments/filter", login, body={})
    there = {one["name"] for one in json.loads(answer)}
    assert there == set(re.findall(r"- name: (tuni-\S+)", DEPLOYMENTS))

    # The worker's account logs a run, and its artifact goes through the server.
    logged = stack.call("worker", "python", "-c", LOG_A_RUN)
    assert logged.returncode == 0, logged.stderr

    # The ledger is made on Postgres; its account enters no other database.
    (stack.folder / "people.csv").write_text("text\nAda Lovelace\nAlan Turing\n", encoding="utf-8")
    imported = stack.call("tuni", "watchlist", "import", "people.csv", "--name", "first")
    assert imported.returncode == 0, imported.stderr
    assert not list((stack.folder / "home").glob("ledger.db"))
    others = "import psycopg, sys; psycopg.connect(sys.argv[1])"
    for database in ("mlflow", "prefect"):
        url = f"postgresql://ledger@127.0.0.1:{stack.ports['postgres']}/{database}"
        refused = stack.call("worker", "python", "-c", others, url)
        assert "permission denied for database" in refused.stderr

    # A backup while all runs; what was lost since is as before once restored, whom we forgot too.
    saved = stack.call("backup", "save", "/backups/one")
    assert saved.returncode == 0, saved.stderr
    assert stack.call("backup", "save", "/backups/one").returncode == 2  # never over another
    listed = stack.call("tuni", "watchlist", "list")
    forgotten = stack.call("tuni", "forget", "--subjects", "people.csv")
    assert forgotten.returncode == 0, forgotten.stderr
    assert "key was NOT replaced" in forgotten.stdout
    assert stack.call("tuni", "watchlist", "list").stdout != listed.stdout
    stack.stop()
    (report,) = (stack.folder / "artifacts").rglob("report.txt")
    report.unlink()
    restored = stack.call("backup", "restore", "/backups/one")
    assert restored.returncode == 0, restored.stderr
    assert report.read_text(encoding="utf-8") == "kept"
    kept = {path.name for path in (stack.folder / "backups" / "one").iterdir()}
    assert kept == {
        "artifacts.tar.gz", "home.tar.gz", "ledger.dump", "mlflow.dump", "prefect.dump"
    }  # fmt: skip
    again = stack.call("tuni", "watchlist", "list")
    assert (again.returncode, again.stdout) == (0, listed.stdout), again.stderr

    # Nothing was written where a container's root is read-only: into the home of its user.
    written = {path.name for path in stack.folder.iterdir()}
    assert not {name for name in written if name.startswith(".")} - {".env"}

    # With a new key the ledger of that backup opens no more.
    rotated = stack.call("keys", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    assert stack.call("tuni", "watchlist", "list").stdout == listed.stdout
    assert stack.call("backup", "restore", "/backups/one").returncode == 0
    refused = stack.call("tuni", "watchlist", "list")
    assert refused.returncode == 1
    assert "key" in refused.stderr
    assert stack.used == set(COMPOSE["services"])
