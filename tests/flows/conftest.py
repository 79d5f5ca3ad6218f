"""The command run inside the test's process, and small checkpoints, lists and registries for it."""

import contextlib
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.cli.app import main
from flows.job.calibration import make_bundle
from flows.job.job import Job
from flows.job.search.space import default_detector
from flows.machine.settings import Request, Settings
from flows.pages.evidence import Evidence
from flows.pages.figures import render
from flows.pages.kinds.audit_facts import AuditFacts, PValueTable
from flows.pages.kinds.benchmark_facts import BenchmarkFacts, Figures, Lead
from flows.pages.kinds.comparison_facts import ChangeTable, ComparedAudit, ComparisonFacts
from flows.pages.kinds.job_facts import Chart, Gate, Power, ReportFacts, Search, Trial
from flows.pages.plots import draw_roc, roc_table
from flows.pages.words import SharedEvidence
from registry.models.store import ModelStore
from tuni.detectors.bundle import write_bundle
from tuni.statistics.intervals import Interval, rate

NAME = "tiny"
# The least that a request may ask for: what is tested here is not how good a detector is.
SMALL = {
    "nulls": {
        "gibberish": 500,
        "decoy_fit": 200,
        "decoy_search": 100,
        "decoy_calibration": 200,
        "decoy_check": 100,
    },
    "features": {"inversion": False, "geometry": False, "stability": False},
    "compute": {"threads": 1},
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def result(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Registered:
    """A home in which one detector of the tiny checkpoint is champion."""

    home: Path
    checkpoint: Path
    request: Request
    version: int


@contextlib.contextmanager
def untouched_process() -> Iterator[None]:
    """Put environment, arguments and log handlers back: a command owns its process, a test not."""
    environment, arguments = dict(os.environ), sys.argv
    umask = os.umask(0o022)
    os.umask(umask)
    loggers = [logging.getLogger(name) for name in ("tuni", "registry", "flows")]
    kept = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        os.umask(umask)
        for logger, handlers, level, propagate in kept:
            for handler in logger.handlers:
                if handler not in handlers:
                    handler.close()
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    with untouched_process():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a home may be made."""
    return tmp_path / "home"


@pytest.fixture
def tuni(home: Path) -> Callable[..., Ended]:
    """Runs `tuni` with some arguments in this process, in a home of the test's own."""

    def command(*arguments: object, home: Path = home, **environment: str) -> Ended:
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with (
            untouched_process(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in [name for name in os.environ if name.startswith("TUNI_")]:
                del os.environ[name]
            os.environ |= {"TUNI_HOME": str(home), **environment}
            sys.argv = ["tuni", *map(str, arguments)]
            code = 0
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out.flush()
        return Ended(code, out.buffer.getvalue().decode(), err.getvalue())

    return command


def toml(tables: Mapping[str, Any]) -> str:
    """A request file's text; JSON's strings, numbers and lists are TOML's too."""
    lines = [
        f"{key} = {json.dumps(value)}" for key, value in tables.items() if type(value) is not dict
    ]
    for name, table in tables.items():
        if type(table) is dict:
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def request_file(tmp_path: Path, tiny_folder: Path) -> Callable[..., Path]:
    """Writes a request about the tiny checkpoint; tables given are merged into the small one."""

    def write(**tables: Any) -> Path:
        content: dict[str, Any] = {"checkpoint": {"name": NAME, "folder": str(tiny_folder)}}
        for name, table in (SMALL | tables).items():
            merged = type(table) is dict and name in SMALL
            content[name] = SMALL[name] | table if merged else table
        path = tmp_path / "request.toml"
        path.write_text(toml(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a table below the test's folder."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def register_tiny(settings: Settings, folder: Path) -> Registered:
    """Make a detector of the tiny checkpoint and promote it, in the home of some settings."""
    request = Request.model_validate({"checkpoint": {"name": NAME, "folder": str(folder)}, **SMALL})
    job = Job.open(request, settings)
    bundle = make_bundle(job, default_detector(job.spec))
    made = settings.home.with_name("bundle")
    write_bundle(bundle, made)
    store = ModelStore(job.home, None, job.ledger)
    version = store.register(NAME, made, tags={"job": job.hash}, description="tiny")
    store.promote(NAME, version.version, "first")
    job.close()
    return Registered(settings.home, folder, request, version.version)


@pytest.fixture(scope="session")
def make_registered() -> Callable[[Settings, Path], Registered]:
    """Registers a detector of the tiny checkpoint where settings say."""
    return register_tiny


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Registered:
    """A champion of the tiny checkpoint, made by the rooms themselves, without Prefect."""
    home = tmp_path_factory.mktemp("registered") / "home"
    with untouched_process():
        return register_tiny(Settings(home=home), tiny_folder)


POWER = Power(
    members=60,
    nonmembers=60,
    auc=0.93,
    auc_interval=Interval(0.88, 0.97),
    found=rate(41, 60),
    accused=rate(2, 60),
    found_at=((0.05, rate(43, 60)), (0.001, None)),
    by_captions=(("1", rate(1, 12)), ("2 to 4", rate(5, 14)), ("20 or more", rate(15, 15))),
    groups=(("hard negatives", rate(4, 50), 0.9, Interval(0.85, 0.94)),),
    agreement=(("precision", rate(41, 43)),),
)


@pytest.fixture(scope="session")
def job_evidence() -> Evidence:
    """Evidence of a job with something in every place of the page."""
    roc = render(draw_roc, roc_table(np.linspace(-1, 4, 60), np.linspace(-3, 2, 60)))
    facts = ReportFacts(
        checkpoint="ours_vit <b>",
        fingerprint="ab" * 32,
        written="24 November 2026",
        detector="H: pair residual and Jacobian stability",
        operating_point=0.05,
        asked=(("Kind of text", "name"),),
        power=POWER,
        version="3 (champion)",
        search=Search(
            "the partial AUC up to 20 % of non-members",
            60,
            (Trial("H", 0.93, "chosen"), Trial("vote on S, D", 0.61, "paper"), Trial("x", None)),
            "The default stays.",
        ),
        gates=(Gate("blind gate", True, "better by 0.3"), Gate("control", None, "no source")),
        charts=(
            Chart("power", "Title one", "Caption one", "A curve", roc),
            Chart("search", "Title two", "Caption two", "Another", roc),
        ),
        evaluation={"auc": 0.1 + 0.2},
    )
    return Evidence(
        facts,
        command="tuni run request.toml",
        settings={"search.trials": "60", "compute.seed": "0"},
        versions={"tuni": "0.1.0"},
        inputs={"bundle": "cd" * 32},
    )


@pytest.fixture(scope="session")
def audit_evidence() -> Evidence:
    """Evidence of an audit whose list is long enough for a picture."""
    facts = AuditFacts(
        audit="0123456789ab", watchlist="staff", checkpoint="ours-vit", fingerprint="ab" * 32,
        version=3, state="done", ended="2026-11-24 10:00 UTC", subjects=400, judged=400, missing=0,
        operating_point=0.05, by_chance=20, smallest_findable=4, list_decoys=2000,
        measured_power="68 % (55 % to 80 %)", found=70, singled_out="fewer than 5",
        evidence=SharedEvidence(30, 0.07, 0, 0.16, 0.08, 0.25),
        p_values=PValueTable((0.17, *[0.04] * 18, None), 0.05),
    )  # fmt: skip
    return Evidence(
        facts,
        command="tuni audits verify 0123456789ab",
        settings={"dependence": "bh"},
        versions={"tuni": "0.1.0"},
        inputs={"bundle": "cd" * 32, "list (keyed)": "ef" * 32},
    )


@pytest.fixture(scope="session")
def comparison_evidence() -> Evidence:
    """Evidence of a comparison with a picture and hidden counts."""
    return sample_comparison()


def sample_comparison() -> Evidence:
    """The same for what is no test of pytest."""
    sides = [ComparedAudit(name * 12, f"vit-{name}", name * 64, 1, "staff") for name in "ab"]
    edges = np.linspace(-3, 3, 25)
    bell = np.exp(-(edges[:-1] ** 2) / 2)
    decoys = tuple((bell / bell.sum()).tolist())
    facts = ComparisonFacts(
        *sides, subjects=400, decoys=2000, operating_point=0.05, by_chance=20, more=24,
        more_singled_out="fewer than 5", less=90, less_singled_out=40, appeared="not told",
        vanished="not told", list_more=0.71, list_less=0.0005,
        changes=ChangeTable(tuple(edges.tolist()), (None, *decoys[1:]), decoys),
    )  # fmt: skip
    return Evidence(
        facts,
        command=f"tuni compare {'a' * 12} {'b' * 12}",
        settings={"decoys": "2000"},
        versions={"tuni": "0.1.0"},
        inputs={"bundle, first": "cd" * 32, "bundle, second": "ef" * 32},
    )


@pytest.fixture(scope="session")
def benchmark_evidence() -> Evidence:
    """Evidence of a benchmark of three methods on two testbeds."""
    rows = []
    for captions, shift in (("short", 0.0), ("described", -0.05)):
        for method, title, auc, ahead in (
            ("ours", "H (ours)", 0.95, None),
            ("csa", "CSA", 0.99, Lead(-0.04, -0.06, -0.02)),
            ("token-norm", "token norm", 0.51, Lead(0.44, 0.38, 0.5)),
        ):
            area = Interval(auc + shift - 0.02, auc + shift + 0.01)
            rows.append(
                Figures(
                    seed=21, captions=captions, method=method, title=title, source="a paper",
                    rule="p at most 5 %", members=120, strangers=200, part=False, auc=auc + shift,
                    auc_interval=area, auc_all_members=auc + shift - 0.1,
                    tpr=((0.05, rate(70, 120)), (0.01, None)), members_found=rate(60, 120),
                    strangers_accused=rate(9, 200), hard_accused=rate(4, 60), seconds=0.125,
                    pictures=4 if method == "csa" else 0, known_nonmembers=method == "csa",
                    shadow_models=0, lead_auc=ahead, lead_tpr_5=ahead, lead_pictured=None,
                )
            )  # fmt: skip
    return Evidence(
        BenchmarkFacts(tuple(rows), 4, ({"seed": 21},)),
        command="tuni benchmark --out FOLDER",
        settings={"pictures": "4"},
        versions={"tuni": "0.1.0"},
        inputs={"testbed, seed 21, short captions": "cd" * 32},
    )


@pytest.fixture(scope="session")
def every_evidence(
    job_evidence: Evidence,
    audit_evidence: Evidence,
    comparison_evidence: Evidence,
    benchmark_evidence: Evidence,
) -> dict[str, Evidence]:
    """One of each kind of page."""
    found = (job_evidence, audit_evidence, comparison_evidence, benchmark_evidence)
    return {one.facts.kind: one for one in found}


CANARY = "Zebulon Quartz"
# What a command may say before it refuses.
BEFORE = r"^(new home .*\n)?(loading the checkpoint, then measuring what the job will cost\n)?"


@pytest.fixture
def refused() -> Callable[..., None]:
    """Holds a refusal to what all of them promise: code, one sentence, a fix, and no subject."""

    def check(done: Ended, *words: str, code: int = 2) -> None:
        assert done.code == code, done
        assert done.out == ""
        assert re.sub(BEFORE, "", done.err).startswith("tuni: ")
        assert "\n  fix: " in done.err
        assert "Traceback" not in done.err
        assert CANARY.split()[0] not in done.err
        for word in words:
            assert word in done.err, done.err

    return check


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """A pipe whose other end never stops writing, until nobody reads it any more."""
    path = tmp_path / "endless"
    os.mkfifo(path)

    def fill() -> None:
        with contextlib.suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:
            while True:
                pipe.write(b" " * 65536)

    writer = threading.Thread(target=fill, daemon=True)
    writer.start()
    yield path
    writer.join(60)


@pytest.fixture
def nothing_made(home: Path) -> Callable[[], None]:
    """Says that the test's home holds no job, no run and no bundle."""

    def check() -> None:
        assert not [
            name for name in ("artifacts", "bundles", "mlflow.db") if (home / name).exists()
        ]
        assert not list((home / "jobs").glob("*"))

    return check
