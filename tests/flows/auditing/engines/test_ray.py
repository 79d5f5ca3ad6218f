"""Audits on real Ray clusters: whatever dies in the middle, the verdicts are the local engine's."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from flows.audit import audit
from flows.auditing.engines.ray import RayEngine
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.audits.audits import Audits
from registry.audits.rows import AuditRows
from registry.audits.watchlists import Member, Watchlists
from registry.ledger import schema
from tests.flows.audits import LIST, verdicts
from tuni.errors import AuditNotFound

FIRSTS = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Radia", "Tim")
PEOPLE = tuple(f"{one} {two}" for one in FIRSTS for two in ("Lovelace", "Hopper", "Turing"))
PATIENCE_S = 120


@dataclass(frozen=True)
class Place:
    """A ledger on Postgres with a detector and a list, and the nodes of a cluster that knows it."""

    settings: Settings
    cluster: Any
    nodes: tuple[Any, Any]
    folder: Path

    @property
    def engine(self) -> str:
        return f"ray://{self.cluster.address}"


@pytest.fixture
def place(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_folder: Path,
    postgres: Callable[[], str],
    make_registered: Callable[..., Any],
) -> Iterator[Place]:
    """A head without cores and two nodes with one each: three raylets."""
    # Ray puts its sockets there, whose paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    (folder / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        patch.setenv("TUNI_HOME", str(tmp_path_factory.mktemp("ray") / "home"))
        patch.setenv("TUNI_LEDGER_URL", postgres())
        patch.setenv("RAY_TMPDIR", str(folder))  # where Cluster notes its address
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else a busy machine starves the workers
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        from ray.cluster_utils import Cluster  # reads the mode when it is imported

        settings = Settings()
        make_registered(settings, tiny_folder)
        with open_ledger(settings) as ledger:
            Watchlists(ledger).add(LIST, [Member(one, {}) for one in PEOPLE])
        options = {"object_store_memory": 80 * 2**20, "temp_dir": str(folder)}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
        stack.callback(cluster.shutdown)
        nodes = tuple(cluster.add_node(num_cpus=1, **options) for _ in range(2))
        yield Place(settings, cluster, nodes, folder)


def working(node: Any) -> list[int]:
    """Processes of a node that are judging a shard now."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == raylet and b"RayWorker.run" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has just ended
            continue
    return found


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.05)


def disturb(place: Place) -> None:
    """Kill a worker while it judges, then a node whose worker judges."""
    one, other = place.nodes
    with open_ledger(place.settings) as ledger:
        lists = schema.audits

        def prepared() -> object:
            with ledger.engine.connect() as connection:
                running = (lists.c.state == "running") & lists.c.list_null.is_not(None)
                return connection.scalar(select(lists.c.id).where(running))

        until(prepared, "the list's null")
        with ledger.engine.begin() as connection:
            # Nobody can write a verdict now, so whoever judges is in the middle of it.
            connection.execute(text("LOCK TABLE verdicts IN EXCLUSIVE MODE"))
            until(lambda: working(one) and working(other), "a shard on both nodes")
            (killed,) = working(one)
            os.kill(killed, signal.SIGKILL)
            until(lambda: working(one) and killed not in working(one), "another worker")
            place.cluster.remove_node(other, allow_graceful=False)


def test_a_killed_worker_and_a_lost_node_cost_nothing(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"decoys": 200, "shard_size": 4}
    undisturbed = audit.fn("tiny", LIST, **options)
    with ThreadPoolExecutor(1) as pool:
        disturbed = pool.submit(disturb, place)
        done = audit.fn("tiny", LIST, engine=place.engine, **options)
        disturbed.result()
    assert done != undisturbed
    with open_ledger(place.settings) as ledger:
        assert Audits(ledger).get(done).state == "done"
        assert AuditRows(ledger, done).counts() == (len(PEOPLE), len(PEOPLE))
        assert verdicts(ledger, done) == verdicts(ledger, undisturbed)
    # What ends an audit comes through Ray as it was.
    with pytest.raises(AuditNotFound):
        RayEngine("0" * 12, place.settings, place.cluster.address).run([0], lambda _: None)
    assert capfd.readouterr().out == ""
    kept = b"".join(file.read_bytes() for file in place.folder.rglob("*") if file.is_file())
    assert b"RayWorker" in kept
    assert not [name for name in (*FIRSTS, "Lovelace", "Hopper") if f"{name} ".encode() in kept]


def listening() -> dict[str, str]:
    """Addresses of this machine's listening sockets, by the socket's number."""
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[9]: row[1].partition(":")[0] for row in rows if row[3] == "0A"}


def addresses(folder: Path) -> Iterator[str]:
    """Where the processes with files in a folder listen."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() not in (process / "environ").read_bytes():
                continue
            names = [str(file.readlink()) for file in (process / "fd").iterdir()]
        except OSError:  # it has just ended
            continue
        known = listening()
        yield from (known[name[8:-1]] for name in names if name[8:-1] in known)


def test_a_cluster_of_ones_own_listens_on_loopback_alone(registered: Any, tmp_path: Path) -> None:
    shutil.copytree(registered.home, tmp_path / "home")
    with open_ledger(Settings(home=tmp_path / "home")) as ledger:
        Watchlists(ledger).add(LIST, [Member(one, {}) for one in PEOPLE])
    theirs = tmp_path / "project" / "flows"  # a package of somebody else with the name of ours
    theirs.mkdir(parents=True)
    (theirs / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    code = "from flows.audit import audit; audit.fn('tiny', 'staff', decoys=200, engine='ray')"
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RAY_"}
    environment |= {"TUNI_HOME": str(tmp_path / "home"), "TUNI_WORKERS": "1"}
    found: set[str] = set()
    command = [sys.executable, "-P", "-c", code]
    with subprocess.Popen(command, env=environment, cwd=theirs.parent) as process:
        while process.poll() is None:
            found.update(addresses(tmp_path))
            time.sleep(0.2)
    assert process.returncode == 0
    assert found  # loopback of both families, as the kernel spells them
    assert found <= {"0100007F", "0000000000000000FFFF00000100007F", f"{0:024X}01000000"}
    assert not list((tmp_path / "home").glob(".tuni-draft-*"))
