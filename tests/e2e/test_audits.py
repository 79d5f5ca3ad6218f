"""Watch lists and audits from the command line, what goes wrong with them, and what is left of it.

All of it happens once, in one home: audits, a comparison, an erasure, and faults on purpose. Then
everything below the home is searched for the planted names and their pseudonyms.
"""

import csv
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from registry.home import Home
from registry.ledger import schema
from registry.ledger.ledger import Ledger
from registry.ledger.traces import Trace, find_traces
from tests.e2e.conftest import environment
from tests.objects import free_port, read_csv
from tuni.lists.csv_rows import CsvRows
from tuni.texts.text import clean_text

TUNI = Path(sys.executable).with_name("tuni")

# A fault of judging with the text in its message, put in where the module is imported.
FAULTY = """
import importlib.util
import sys

def judge(sound):
    def judge(self, texts, *others):
        for text in texts:
            if {needle!r} in text:
                raise ValueError("cannot judge " + text)
        return sound(self, texts, *others)
    return judge

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "tuni.judging.judge":
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            module.Judge.judge = judge(module.Judge.judge)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder)
"""


@dataclass(frozen=True, slots=True)
class Audited:
    """What was done in the home, step by step.

    Attributes:
        home: A copy of the audit's home.
        own: The auditor's own files.
        codes: Exit codes.
        out: What was printed on stdout.
        err: What was printed on stderr.
        marks: Pseudonyms of the planted names in this home.
    """

    home: Path
    own: Path
    codes: Mapping[str, int]
    out: Mapping[str, str]
    err: Mapping[str, str]
    marks: Sequence[str]


@pytest.fixture(scope="session")
def audited(once, audit, bed, planted, tuni) -> Audited:
    """The watched people in a watch list: audited, compared, and one of them forgotten."""

    def build(root: Path) -> None:
        home, own = root / "home", root / "own"
        shutil.copytree(audit.home, home)
        own.mkdir()
        watched = planted["scored"]
        write(own / "staff.csv", audit.verdicts, f"{planted['refused at score']}\u200b")
        (own / "forget.csv").write_text(f"text\n{watched}\n", encoding="utf-8")
        (own / "fault").mkdir()
        faulty = FAULTY.format(needle=watched)
        (own / "fault" / "sitecustomize.py").write_text(faulty, encoding="utf-8")
        shutil.copytree(bed / "checkpoint", own / "cut")
        weights = own / "cut" / "open_clip_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])

        done = {}

        def step(name, *arguments, **more):
            done[name] = tuni(home, *arguments, **more)
            return done[name].stdout

        model, version = audit.result["model"], audit.result["version"]
        staff = ("--watchlist", "staff")
        file = ("watchlist", "import", own / "staff.csv", "--name", "staff")
        step("import", *file, "--json")
        step("import again", *file)
        asked = ("audit", *staff, "--checkpoint", model, "--version", version, "--json")
        first = json.loads(step("audit", *asked))["id"]
        page = ("--report", own / "report.html", "--evidence", own / "report.json")
        step("export", "audits", "export", first, "--out", own / "verdicts.csv", *page)
        step("verify", "audits", "verify", first, "--json")
        step("promote", "models", "promote", f"{model}@{version}", "--reason", "for the fleet")
        second = json.loads(step("audit every", "audit", *staff, "--every", "--json"))["id"]
        page = ("--report", own / "compared.html", "--evidence", own / "compared.json")
        step("compare", "compare", first, second, "--out", own / "changes.csv", *page)
        step("show", "audits", "show", first)
        step("show list", "watchlist", "show", "staff")
        step("export list", "watchlist", "export", "staff", "--out", own / "again.csv")
        with Ledger.open(Home.open(home)) as ledger:
            marks = {name: ledger.keys.pseudonym(name) for name in planted.values()}
            lose_verdict(ledger, marks[watched])
        path = os.pathsep.join([str(own / "fault"), os.environ.get("PYTHONPATH", "")])
        done["shard with a fault"] = subprocess.run(  # a new process: it patches a library first
            [TUNI, "audits", "resume", first, "--json"],
            env=environment(home, PYTHONPATH=path),
            capture_output=True,
            text=True,
        )
        step("bad checkpoint", "audits", "resume", first, TUNI_CHECKPOINT=str(own / "cut"))
        away = "postgresql://nobody:secret@127.0.0.1:1/none"
        step("database away", *file, TUNI_LEDGER_URL=away)
        step("forget", "forget", "--subjects", own / "forget.csv", "--json")
        step("delete", "watchlist", "delete", "staff", "--yes")
        step("show after", "audits", "show", first)
        told = {
            "codes": {name: one.returncode for name, one in done.items()},
            "out": {name: one.stdout for name, one in done.items()},
            "err": {name: one.stderr for name, one in done.items()},
            "marks": list(marks.values()),
        }
        (root / "told.json").write_text(json.dumps(told), encoding="utf-8")

    root = once("audited", build)
    told = json.loads((root / "told.json").read_text(encoding="utf-8"))
    return Audited(home=root / "home", own=root / "own", **told)


def write(path: Path, rows: Sequence[Mapping[str, str]], refused: str) -> None:
    """A list with a column of the auditor's own, and a row that is refused."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "id"])
        writer.writerows([clean_text(row["text"]), number] for number, row in enumerate(rows))
        writer.writerow([refused, ""])


def lose_verdict(ledger: Ledger, mark: str) -> None:
    """Take a person's verdicts and features away, as if that shard had never been reached."""
    people, audits = schema.subjects, schema.audits
    who = select(people.c.id).where(people.c.pseudonym == mark).scalar_subquery()
    with ledger.engine.begin() as connection:
        lost = delete(schema.verdicts).where(schema.verdicts.c.subject == who)
        assert connection.execute(lost).rowcount == 2
        connection.execute(delete(schema.features).where(schema.features.c.subject == who))
        for name in connection.scalars(select(audits.c.id)).all():
            row = ledger.seals.find(connection, audits, audits.c.id == name, to_change=True)
            assert row is not None
            changed = {"state": "partial", "written": row.written - 1}
            ledger.seals.change(connection, audits, row, **changed)


def rows_of(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Rows of a CSV by their text."""
    return {row["text"]: row for row in read_csv(path)}


def outside_the_ledger(traces: Sequence[Trace]) -> list[Trace]:
    return [trace for trace in traces if not trace.place.startswith("ledger.db")]


def test_a_watch_list_is_imported_once_and_comes_back(audit, audited):
    people = len(audit.verdicts)
    assert audited.codes["import"] == 0, audited.err["import"]
    told = json.loads(audited.out["import"])
    assert (told["new"], list(told["refused"])) == (people, [str(people + 2)])
    assert audited.out["import again"].startswith(f"staff: 0 new, {people} known, 0 repeated")
    assert CsvRows(audited.own / "again.csv").columns == ("text", "id")


def test_an_audit_gives_the_verdicts_of_tuni_score_and_comes_out_the_same(audit, audited):
    assert audited.codes["audit"] == audit.codes["score"], audited.err["audit"]
    told = json.loads(audited.out["audit"])
    assert (told["state"], told["subjects"]) == ("done", len(audit.verdicts))
    mine = rows_of(audited.own / "verdicts.csv")
    for row in audit.verdicts:
        for name in ("score", "verdict", "flags"):
            assert mine[row["text"]][name] == row[name]
    assert audited.codes["verify"] == 0, audited.out["verify"]
    assert json.loads(audited.out["verify"])["null_same"] is True


def test_every_checkpoint_with_a_champion_is_audited_and_two_audits_are_compared(audit, audited):
    assert audited.codes["audit every"] == audit.codes["score"], audited.err["audit every"]
    assert json.loads(audited.out["audit every"])["checkpoint"] == audit.result["model"]
    assert audited.codes["compare"] == 0, audited.err["compare"]
    assert rows_of(audited.own / "changes.csv").keys() <= {row["text"] for row in audit.verdicts}


def test_what_is_shown_to_others_names_nobody(audit, audited):
    names = [f"{name}.{kind}" for name in ("report", "compared") for kind in ("html", "json")]
    shown = [(audited.own / name).read_text(encoding="utf-8") for name in names]
    for text in (*shown, audited.out["show"], audited.out["show list"]):
        assert text
        assert not [row["text"] for row in audit.verdicts if row["text"] in text]


def test_a_shard_that_fails_with_the_text_in_its_message_leaves_the_audit_partial(audited):
    assert audited.codes["shard with a fault"] == 1, audited.err["shard with a fault"]
    assert json.loads(audited.out["shard with a fault"])["state"] == "partial"
    log = (audited.home / "logs" / "tuni.log").read_text(encoding="utf-8")
    assert "ValueError in shard 0" in log


def test_a_bad_checkpoint_and_a_database_that_is_away_are_told(audited):
    assert (audited.codes["bad checkpoint"], audited.codes["database away"]) == (2, 1)
    for step in ("bad checkpoint", "database away"):
        assert "\n  fix: " in audited.err[step]
        assert "Traceback" not in audited.err[step]
    assert "secret" not in audited.err["database away"]


def test_a_forgotten_person_is_found_nowhere_and_the_audit_outlives_its_list(audited):
    told = json.loads(audited.out["forget"])
    assert (told["known"], told["traces"]) == (1, [])
    assert (audited.codes["delete"], audited.codes["show after"]) == (0, 0)


def test_no_pseudonym_of_a_run_stands_outside_the_ledger(audit, audited, tmp_path):
    traces = find_traces(audit.home, audited.marks)
    assert traces  # the copy's key is the same: they are there
    assert outside_the_ledger(traces) == []
    (tmp_path / "printed").write_text(audit.printed, encoding="utf-8")
    assert find_traces(tmp_path, audited.marks) == ()


def test_neither_name_nor_pseudonym_stands_outside_the_ledger_after_audits_faults_and_queries(
    audit, audited, planted, canaries, start, wait_for, tmp_path
):
    port, told = free_port(), []
    asked = (TUNI, "serve", "--checkpoint", audit.result["model"], "--port", port)
    server = start(audited.home, *asked, log=tmp_path / "served.log")

    def open_port() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(open_port, server, "the port was open")
    token = (audited.home / "serve.token").read_text(encoding="ascii").strip()
    for text, code in ((planted["scored"], 200), (f"{planted['refused at score']}\u200b", 400)):
        body = json.dumps({"dataframe_records": [{"text": text}]}).encode()
        query = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
        query.request("POST", "/invocations", body, {"Authorization": f"Bearer {token}"})
        answer = query.getresponse()
        assert answer.status == code
        told.append(answer.read().decode() if code != 200 else "")
        query.close()
    server.send_signal(signal.SIGINT)
    server.wait(timeout=60)

    told += [*audited.out.values(), *audited.err.values()]
    (tmp_path / "printed").write_text("".join(told), encoding="utf-8")
    needles = [*canaries, *audited.marks]
    for place in (tmp_path, audited.home.parent / "home-tmp", audit.home / "artifacts"):
        assert find_traces(place, needles) == ()
    assert find_traces(audited.home, canaries) == ()
    # The search finds them where they are: pseudonyms in the ledger, names in the auditor's files.
    traces = find_traces(audited.home, audited.marks)
    assert traces
    assert outside_the_ledger(traces) == []
    found = {one.place for one in find_traces(audited.own, canaries)}
    assert found >= {"staff.csv", "verdicts.csv", "changes.csv", "again.csv"}
