"""One audit of a small checkpoint with planted names, made once and read by all tests here.

Nothing may write into the shared home: a test that moves something takes `own_home`.
"""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.forked import TUNI, run
from tests.objects import read_csv
from tuni.texts.decoys import PartPool
from tuni.texts.text import canonical

MODEL = "e2e-clip"

# Last parts that no text holds by chance; a non-ASCII letter so that escapes differ from plain.
CANARIES = {
    "labelled": "Zyxandra Quørbleth",
    "list": "Vlorimax Drępzington",
    "decoys": "Ulfrexia Wázzlethorn",
    "scored": "Ixtorgrim Bløxenfrag",
    "refused at run": "Ombrizel Gnårkvittel",
    "refused at score": "Yazzmorta Krŭmpfeldrix",
}

# Where MLflow's tables hold absolute addresses of artifacts.
ARTIFACT_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)

REQUEST = f"""
[checkpoint]
name = "{MODEL}"
folder = "BED/checkpoint"
[subjects]
labelled = "labelled.csv"
list = "list.csv"
[nulls]
source = "file"
decoys = "decoys.csv"
gibberish = 500
decoy_fit = 200
decoy_search = 100
decoy_calibration = 200
decoy_check = 50
[features]
stability = false  # a job without labels, in test_without_labels, has it
inversion_texts = 50
inversion_steps = 2
[search]
trials = 6
[compute]
threads = 1
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit that ran to its end.

    Attributes:
        home: Everything that `tuni` wrote.
        lists: The auditor's own files, outside the home.
        request: The request file.
        watch: The file that was scored.
        verdicts: The verdicts, rows in order.
        result: What `tuni run --json` printed.
        scored: What `tuni score --json` printed.
        codes: Exit codes by step.
        printed: All that the commands wrote to the terminal.
    """

    home: Path
    lists: Path
    request: Path
    watch: Path
    verdicts: tuple[Mapping[str, str], ...]
    result: Mapping[str, object]
    scored: Mapping[str, object]
    codes: Mapping[str, int]
    printed: str

    @property
    def job(self) -> Path:
        """The job's own folder."""
        return Path(str(self.result["report"])).parent


def environment(home: Path, **more: str) -> dict[str, str]:
    """Variables for a command with a home of its own; its temporary files lie beside it."""
    temporary = home.parent / f"{home.name}-tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "PREFECT_", "TUNI_"))
    }
    ours = {
        "TUNI_HOME": str(home),
        "TMPDIR": str(temporary),
        "OMP_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Two workers that each start a server may have to wait for a busy machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    }
    return kept | ours | more


def call(home: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command `tuni`; variables ``more`` are set for it alone."""
    return run(TUNI, *arguments, environment=environment(home, **more))


def write_list(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a CSV with the columns of its first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder once for all workers of pytest-xdist; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "e2e"
    shared.mkdir(exist_ok=True)

    def make(name: str, build: Callable[[Path], None]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            folder, done = shared / name, shared / f"{name}.done"
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                build(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def bed(once: Callable[..., Path]) -> Path:
    """The testbed of size `test`, as `tuni testbed` makes it."""

    def build(folder: Path) -> None:
        out = folder / "bed"
        done = call(folder / "home", "testbed", "--size", "test", "--seed", "5", "--out", out)
        assert done.returncode == 0, done.stderr

    return once("testbed", build) / "bed"


@pytest.fixture(scope="session")
def truth(bed: Path) -> tuple[Mapping[str, str], ...]:
    """Who was trained, row by row; the background's own rows left out."""
    return tuple(row for row in read_csv(bed / "truth.csv") if row["group"] != "background")


@pytest.fixture(scope="session")
def audit(once: Callable[..., Path], bed: Path, truth: Sequence[Mapping[str, str]]) -> Audit:
    """`tuni run` and `tuni score` with a planted name in every list, and two refused inputs."""
    root = once("audit", lambda folder: _audit(folder, bed, truth))
    told = json.loads((root / "told.json").read_text(encoding="utf-8"))
    lists = root / "lists"
    return Audit(
        home=root / "home",
        lists=lists,
        request=lists / "request.toml",
        watch=lists / "watch.csv",
        verdicts=tuple(read_csv(lists / "verdicts.csv")),
        **told,
    )


def _audit(root: Path, bed: Path, truth: Sequence[Mapping[str, str]]) -> None:
    home, lists = root / "home", root / "lists"
    lists.mkdir()
    labelled, listed, watch = _people(truth)
    write_list(lists / "labelled.csv", labelled)
    write_list(lists / "list.csv", listed)
    write_list(lists / "watch.csv", watch)
    texts = [row["text"] for row in (*labelled, *listed, *watch)]
    pool = PartPool.of([row["text"] for row in truth]).enough_for(1000)
    decoys = pool.recombine(1000, 1, frozenset(canonical(text) for text in texts))
    write_list(lists / "decoys.csv", [{"text": t} for t in (*decoys, CANARIES["decoys"])])
    twice = [{"text": CANARIES["refused at run"], "member": member} for member in (0, 1)]
    write_list(lists / "both.csv", [*labelled, *twice])
    write_list(lists / "bad.csv", [*watch, {"text": f"{CANARIES['refused at score']}\u200b"}])
    asked = REQUEST.replace("BED", str(bed))
    (lists / "request.toml").write_text(asked, encoding="utf-8")
    (lists / "both.toml").write_text(asked.replace("labelled.csv", "both.csv"), encoding="utf-8")
    steps = {
        "run": ("run", lists / "request.toml", "--json"),
        "again": ("run", lists / "request.toml", "--json"),
        "refused at run": ("run", lists / "both.toml", "--json"),
    }
    done = {name: call(home, *arguments) for name, arguments in steps.items()}
    assert done["run"].returncode in (0, 3), done["run"].stderr
    result = json.loads(done["run"].stdout)
    scoring = ["score", "--checkpoint", MODEL, "--version", result["version"], "--json"]
    for name, file in (("score", "watch.csv"), ("refused at score", "bad.csv")):
        out = lists / ("verdicts.csv" if name == "score" else "none.csv")
        done[name] = call(home, *scoring, "--subjects", lists / file, "--out", out)
    assert done["score"].returncode in (0, 3), done["score"].stderr
    told = {
        "result": result,
        "scored": json.loads(done["score"].stdout),
        "codes": {name: one.returncode for name, one in done.items()},
        "printed": "".join(one.stdout + one.stderr for one in done.values()),
    }
    (root / "told.json").write_text(json.dumps(told), encoding="utf-8")
    (root / "again.json").write_text(done["again"].stdout, encoding="utf-8")


def _people(
    truth: Sequence[Mapping[str, str]],
) -> tuple[list[dict[str, object]], list[dict[str, object]], list[dict[str, object]]]:
    """Labelled, list and watch list; the first 20 strangers of the labels are also watched."""
    members = [row for row in truth if row["member"] == "1"]
    others = [row for row in truth if row["member"] == "0"]
    labelled: list[dict[str, object]] = [
        {"text": row["text"], "member": row["member"], "captions": row["captions"]}
        for row in (*members, *others[:50])
    ]
    labelled.append({"text": CANARIES["labelled"], "member": 1, "captions": ""})
    listed: list[dict[str, object]] = [{"text": row["text"]} for row in others[50:]]
    listed.append({"text": CANARIES["list"]})
    watch: list[dict[str, object]] = [{"text": row["text"]} for row in (*members, *others[:20])]
    watch.append({"text": CANARIES["scored"]})
    return labelled, listed, watch


@pytest.fixture(scope="session")
def planted() -> Mapping[str, str]:
    """The planted names by where they were planted."""
    return CANARIES


@pytest.fixture
def canaries() -> tuple[str, ...]:
    """The planted last parts."""
    return tuple(name.split()[1] for name in CANARIES.values())


@pytest.fixture
def own_home(audit: Audit, tmp_path: Path) -> Path:
    """A copy of the audit's home, in which MLflow looks for artifacts in the copy."""
    home = tmp_path / "home"
    shutil.copytree(audit.home, home)
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        for table, column in ARTIFACT_LOCATIONS:
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(change, (str(audit.home), str(home)))
    return home


@pytest.fixture
def empty_home(audit: Audit, tmp_path: Path, share_keys: Callable[[Path, Path], Path]) -> Path:
    """A fresh home with the audit's keys, so that the same lists are divided alike."""
    return share_keys(audit.home, tmp_path / "home")


@pytest.fixture(scope="session")
def tuni() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command: ``tuni(home, "models", "list")``."""
    return call


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process in a group of its own, and ends the group with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(home: Path, *command: object, log: Path, **more: str) -> subprocess.Popen[str]:
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=environment(home, **more),
                stdout=file,
                stderr=file,
                text=True,
                start_new_session=True,
                # Tests that run in the background may ignore Ctrl-C, and it would inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Waits until something holds, and fails when a process ends before that."""

    def wait(holds: Callable[[], bool], process: subprocess.Popen[str], what: str) -> None:
        deadline = time.monotonic() + 240
        while not holds():
            assert process.poll() is None, f"the process ended before {what}"
            assert time.monotonic() < deadline, f"waited too long for {what}"
            time.sleep(0.1)

    return wait
