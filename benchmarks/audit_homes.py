"""Homes for `benchmarks/audits.py`: a light detector of a small testbed, a list of any length."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.machine.environment import log_to, prepare
from flows.machine.settings import Settings

NAME, LIST = "light", "everybody"
SEED = 5
BLOCK = 4000
NULLS = {"gibberish": 500, "decoy_fit": 250, "decoy_search": 150, "decoy_check": 50}


def environment(home: Path, url: str | None) -> dict[str, str]:
    """Variables of a process that works in a home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "PREFECT_", "TUNI_", "RAY_"))
    }
    ours = {
        "TUNI_HOME": str(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return kept | ours | ({"TUNI_LEDGER_URL": url} if url else {})


def make_home(home: Path, url: str | None, testbeds: Path) -> None:
    """A home with one champion: the norm of hidden states, of a testbed of size `test`."""
    home.mkdir(mode=0o700, parents=True)  # Prefect looks for it when it is imported
    prepare(Settings(home=home, ledger_url=url))
    from flows.job.calibration import make_bundle
    from flows.job.job import Job
    from flows.machine.settings import FeaturesTable, NullsTable, read_request
    from registry.models.store import ModelStore
    from tuni.bench.testbed.build import make_testbed
    from tuni.bench.testbed.settings import TestbedSettings
    from tuni.detectors.bundle import write_bundle
    from tuni.detectors.spec import DetectorSpec

    bed = make_testbed(TestbedSettings.of_size("test", SEED), testbeds)
    asked = read_request(bed.request)
    request = asked.model_copy(
        update={
            "checkpoint": asked.checkpoint.model_copy(update={"name": NAME}),
            "nulls": NullsTable(**NULLS, decoy_calibration=300),
            "features": FeaturesTable(inversion=False, geometry=False, stability=False),
        }
    )
    job = Job.open(request, Settings(home=home, ledger_url=url))
    try:
        bundle = make_bundle(job, DetectorSpec("feature", ("hidden.norm",)))
        folder = home.with_name(f"{home.name}-bundle")
        write_bundle(bundle, folder)
        store = ModelStore(job.home, None, job.ledger)
        made = store.register(NAME, folder, tags={"job": job.hash}, description="light")
        store.promote(NAME, made.version, "the only one")
    finally:
        job.close()


def import_list(home: Path, url: str | None, count: int) -> None:
    """A watch list of so many names, recombined from parts that the testbed's people have."""
    from flows.machine.home import open_ledger
    from registry.audits.watchlists import Member, Watchlists
    from tuni.lists.labelled import read_labelled
    from tuni.texts.decoys import PartPool

    (truth,) = (home.parent / "testbeds").rglob("truth.csv")
    people = read_labelled(truth).texts
    names = PartPool.of(people).enough_for(2 * count).recombine(count, SEED, frozenset())
    if len(names) < count:
        raise SystemExit(f"only {len(names)} names can be made")
    with open_ledger(Settings(home=home, ledger_url=url)) as ledger:
        Watchlists(ledger).add(LIST, [Member(one, {}) for one in names])


def audit_once(engine: str, shard: str) -> float:
    """Audit the list in this process, as the environment says; seconds, without the imports."""
    # Imports take seconds and are no part of what is measured.
    import mlflow  # noqa: F401

    import tuni.model.open_clip  # noqa: F401
    from flows.audit import audit

    settings = Settings()
    prepare(settings)
    log_to(settings.home / "logs")
    started = time.perf_counter()
    audit.fn(NAME, LIST, engine=engine, shard_size=int(shard))
    return time.perf_counter() - started


def score_from_memory() -> float:
    """Seconds for the verdicts of the list with every feature in memory."""
    from flows.machine.home import open_ledger
    from flows.scoring.detector import Detector
    from registry.audits.watchlists import Watchlists
    from registry.ledger.feature_cache import EncryptedFeatureCache
    from tuni.judging.null import JudgeOptions
    from tuni.judging.scores import KeptFeatures
    from tuni.judging.whole_list import judge_texts

    settings = Settings()
    with open_ledger(settings) as ledger:
        detector = Detector.open(ledger, settings, NAME, "champion")
        texts = [one.text for one in Watchlists(ledger).members(LIST)]
        judge = detector.judge(KeptFeatures(EncryptedFeatureCache(ledger)))
        seconds = 0.0
        for _ in range(2):  # the first time fills the memory
            started = time.perf_counter()
            judge_texts(judge, texts, JudgeOptions(), block=BLOCK)
            seconds = time.perf_counter() - started
    return seconds


@contextmanager
def postgres() -> Iterator[str]:
    """A Postgres server on a socket, for as long as it is needed: the URL of its database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise SystemExit("initdb is not there: install Postgres 15 or later")
    programs = found[-1].parent if found else Path(str(on_path)).parent
    as_root = os.geteuid() == 0
    user = "nobody" if as_root else os.environ.get("USER", "postgres")
    folder = Path(tempfile.mkdtemp(prefix="tuni-pg-"))
    if as_root:  # Postgres refuses to run as root
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        subprocess.run(
            command, check=True, capture_output=True, cwd=folder, user=user if as_root else None
        )

    data = str(folder / "data")
    call("initdb", "-D", data, "-U", user, "-A", "trust")
    options = f"-c listen_addresses='' -k {folder}"
    call("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")

    try:
        yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
