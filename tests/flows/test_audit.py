"""Audits of a tiny checkpoint, run by the flows' own bodies: Prefect is not what is tested here."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text, update

from flows.audit import audit, resume
from flows.auditing import shards
from flows.auditing.conduct import conduct
from flows.auditing.engines.engine import LocalEngine
from flows.auditing.null import null_of_audit
from flows.auditing.outcome import AuditOutcome
from flows.auditing.shards import ShardWorker, judge_subjects
from flows.auditing.verify import verify_audit
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.scoring.detector import Detector
from flows.scoring.score import ScoreRequest, score_file
from registry.audits.audits import Audits
from registry.audits.rows import AuditRows, KeptVerdict, Listed
from registry.audits.watchlists import Member, Watchlists
from registry.ledger import schema
from registry.ledger.erasure import forget
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.store import ModelStore
from tests.flows.audits import LIST, interrupted, verdicts
from tuni.errors import (
    FingerprintMismatch,
    HomeError,
    ModelNotFound,
    RequestError,
    RowAltered,
    SpecMismatch,
    TextError,
    ValueAltered,
    WatchlistNotFound,
)
from tuni.hashing import canonical_json
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_texts
from tuni.lists.csv_rows import CsvRows

FIRSTS = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Radia", "Tim")
LASTS = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth")
PEOPLE = tuple(f"{first} {last}" for first in FIRSTS for last in LASTS[:4])
LONE = "Hypatia"
TOO_LONG = " ".join(["Wolfeschlegelsteinhausenbergerdorff"] * 3)


@pytest.fixture
def settings(registered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the registered home, with a watch list in it."""
    shutil.copytree(registered.home, tmp_path / "home")
    monkeypatch.setenv("TUNI_HOME", str(tmp_path / "home"))
    found = Settings()
    with open_ledger(found) as ledger:
        Watchlists(ledger).add(LIST, [Member(text, {}) for text in (*PEOPLE, LONE, TOO_LONG)])
    return found


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with open_ledger(settings) as opened:
        yield opened


def audited(**more: object) -> str:
    """An audit with few decoys, which is fast; its id."""
    return audit.fn("tiny", LIST, decoys=200, **more)


def test_an_audit_gives_the_verdicts_of_tuni_score(
    settings: Settings, registered, ledger: Ledger, csv_file: Callable[..., Path], tmp_path: Path
) -> None:
    done = audited(shard_size=7)
    outcome = AuditOutcome.of(Audits(ledger).get(done))
    assert outcome.audit.state == "done"
    assert outcome.summary is not None
    assert sum(outcome.summary.refused.values()) == 1
    file = csv_file("people.csv", "text\n" + "\n".join((*PEOPLE, LONE)) + "\n")
    out = tmp_path / "out.csv"
    score_file(ScoreRequest("tiny", file, out, decoys=200), settings)
    # Withheld verdicts leave p and q empty in the file: they are compared with the list in memory.
    detector = Detector.open(ledger, settings, "tiny", "champion")
    alone = judge_texts(detector.judge(), [*PEOPLE, LONE], JudgeOptions(decoy_count=200))
    expected = {
        text: (
            alone.score[person],
            alone.p_decoy[person],
            alone.q_value[person],
            " ".join(alone.flag_words[alone.flags[person]]),
        )
        for person, text in enumerate(alone.index.texts)
    }
    written = {row["text"]: (float(row["score"]), row["flags"]) for _, row in CsvRows(out).rows()}
    assert written == {text: (row[0], row[3]) for text, row in expected.items()}
    found = verdicts(ledger, done)
    refused = found.pop(TOO_LONG)
    assert found == expected
    assert refused == (None, None, None, "")


def test_the_same_list_on_another_night_gets_the_same_verdicts(
    settings: Settings, ledger: Ledger
) -> None:
    one, two = audited(), audited(shard_size=5)
    assert one != two
    assert verdicts(ledger, one) == verdicts(ledger, two)
    assert Audits(ledger).list_null(one) == Audits(ledger).list_null(two)


def test_an_interrupted_audit_goes_on_and_writes_nothing_twice(
    settings: Settings, ledger: Ledger
) -> None:
    whole = audited(shard_size=5)
    part = interrupted(settings, ledger)
    assert 0 < AuditRows(ledger, part.id).counts()[1] < 42
    assert audited(shard_size=5) == part.id
    assert verdicts(ledger, part.id) == verdicts(ledger, whole)


def test_an_audit_keeps_the_version_that_it_began_with(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    store = ModelStore(ledger.home, None, ledger)
    bundle = store.pull("tiny", part.version)
    newer = store.register("tiny", bundle, tags={}, description="newer")
    store.promote("tiny", newer.version, "newer")
    assert resume.fn(part.id) == part.id
    ended = Audits(ledger).get(part.id)
    assert (ended.state, ended.version) == ("done", part.version)


def test_an_interrupted_audit_outlives_its_watch_list(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    Watchlists(ledger).delete(LIST)
    assert resume.fn(part.id) == part.id
    assert Audits(ledger).get(part.id).state == "done"


def test_two_processes_do_not_work_on_one_audit(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    detector = Detector.open(ledger, settings, "tiny", "champion")
    with (
        open_ledger(settings) as other,
        other.exclusive(f"audit-{part.id}"),
        pytest.raises(HomeError, match="another tuni process"),
    ):
        conduct(ledger, settings, part, detector, "local")


def test_two_audits_of_one_list_at_once_do_not_disturb_each_other(
    settings: Settings, ledger: Ledger
) -> None:
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(lambda size: audited(shard_size=size), (3, 4))
    assert one != other
    assert [Audits(ledger).get(each).state for each in (one, other)] == ["done", "done"]
    assert verdicts(ledger, one) == verdicts(ledger, other)
    Trail(ledger).verify()


def test_a_shard_that_always_fails_makes_the_audit_partial_until_it_is_mended(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = interrupted(settings, ledger)
    rows = AuditRows(ledger, part.id)
    shard = rows.shard(rows.shards_left()[0])  # 4 where the text that is too long lies in it

    def broken(judge: Judge, listed: Sequence[Listed], *others: Any) -> list[KeptVerdict]:
        if listed[0].id == shard[0].id:
            raise RuntimeError("a fault of the program")
        return judge_subjects(judge, listed, *others)

    with monkeypatch.context() as patched:
        patched.setattr(shards, "judge_subjects", broken)
        assert resume.fn(part.id) == part.id
    ended = AuditOutcome.of(Audits(ledger).get(part.id))
    assert ended.audit.state == "partial"
    assert ended.summary is not None
    assert ended.summary.missing == len(shard)
    assert f"NO VERDICT: {len(shard)} subjects" in ended.text()
    assert resume.fn(part.id) == part.id
    assert Audits(ledger).get(part.id).state == "done"


def test_an_audit_whose_list_was_damaged_does_not_go_on(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    people = schema.subjects
    rows = AuditRows(ledger, part.id)
    broken = rows.shard(rows.shards_left()[0])
    with ledger.engine.begin() as connection:
        altered = update(people).where(people.c.id == broken[0].id).values(sealed=b"x" * 40)
        connection.execute(altered)
    with pytest.raises(ValueAltered, match="was altered"):
        resume.fn(part.id)


def test_an_audit_that_would_need_decoys_is_not_begun_without(
    settings: Settings, ledger: Ledger
) -> None:
    with pytest.raises(RequestError, match="list decoys: turned off"):
        audited(list_decoys=False)
    assert Audits(ledger).list() == ()


def change_audit(ledger: Ledger, name: str, **values: object) -> None:
    """Change an audit's row as tuni would, with its seal."""
    table = schema.audits
    with ledger.engine.begin() as connection:
        row = ledger.seals.find(connection, table, table.c.id == name, to_change=True)
        assert row is not None
        ledger.seals.change(connection, table, row, **values)


def test_another_version_of_tuni_does_not_go_on(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    changed = canonical_json({**part.options, "tuni": "0.0.1"})
    change_audit(ledger, part.id, options=changed)
    with pytest.raises(SpecMismatch, match="begun with tuni"):
        resume.fn(part.id)


def test_another_detector_or_checkpoint_does_not_go_on(
    settings: Settings, ledger: Ledger, retrained_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = interrupted(settings, ledger)
    before = AuditRows(ledger, part.id).counts()
    with monkeypatch.context() as other:
        other.setenv("TUNI_CHECKPOINT", str(retrained_folder))
        with pytest.raises(FingerprintMismatch):
            resume.fn(part.id)
    change_audit(ledger, part.id, digest="0" * 64)
    with pytest.raises(SpecMismatch, match="another detector than the one it began with"):
        resume.fn(part.id)
    assert Audits(ledger).get(part.id).state == "running"
    assert AuditRows(ledger, part.id).counts() == before


def test_a_clock_that_went_back_changes_nothing(settings: Settings, ledger: Ledger) -> None:
    part = interrupted(settings, ledger)
    change_audit(ledger, part.id, created_at=part.created_at + timedelta(days=1))
    assert audited(shard_size=5) == part.id
    ended = Audits(ledger).get(part.id)
    assert ended.ended_at is not None
    assert ended.ended_at < ended.created_at
    assert ended.state == "done"


@contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """No room for another page in a SQLite file, whoever opens it."""

    def limit(raw: Any, _: object) -> None:  # Any: the driver's connection
        if raw.execute("PRAGMA database_list").fetchone()[2] == str(file):
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


def test_a_full_disk_ends_the_audit_and_the_same_call_goes_on(
    settings: Settings, ledger: Ledger
) -> None:
    part = interrupted(settings, ledger)
    rows = AuditRows(ledger, part.id)
    before = {shard: rows.shard(shard) for shard in rows.shards_left()}
    assert ledger.home.ledger_file.exists()
    with full_disk(ledger.home.ledger_file), pytest.raises(HomeError, match="make room"):
        audited(shard_size=5)
    left = rows.shards_left()
    assert left  # pages that were free may hold some shards, never a part of one
    assert {shard: rows.shard(shard) for shard in left} == {shard: before[shard] for shard in left}
    assert Audits(ledger).get(part.id).state == "running"
    Trail(ledger).verify()
    assert audited(shard_size=5) == part.id
    assert verdicts(ledger, part.id) == verdicts(ledger, audited(shard_size=6))


def test_an_old_audit_comes_out_the_same(settings: Settings, ledger: Ledger) -> None:
    done = audited()
    found = verify_audit(done, settings)
    assert found.same, found.text()
    assert (found.subjects, found.null_same) == (41, True)


def test_a_changed_verdict_is_refused_and_once_it_fits_its_seal_told(
    settings: Settings, ledger: Ledger
) -> None:
    done = audited()
    table = schema.verdicts
    with ledger.engine.begin() as connection:
        some = connection.execute(table.select().where(table.c.score.is_not(None))).first()
        assert some is not None
        mine = table.c.subject == some.subject
        connection.execute(update(table).where(mine).values(score=some.score + 1e-9))
    with pytest.raises(RowAltered, match="its table verdicts"):
        verify_audit(done, settings)
    with ledger.engine.begin() as connection:
        connection.execute(update(table).where(mine).values(score=some.score))
        row = ledger.seals.find(connection, table, mine)
        assert row is not None
        ledger.seals.change(connection, table, row, score=some.score + 1e-9)
    found = verify_audit(done, settings)
    assert not found.same
    assert found.differing == {"score": 1}
    assert "NOT the same" in found.text()


def test_an_erased_subject_leaves_the_others_as_they_were(
    settings: Settings, ledger: Ledger
) -> None:
    done = audited()
    before = verdicts(ledger, done)
    assert forget(ledger, PEOPLE[:1]) == 1
    after = verdicts(ledger, done)
    del before[PEOPLE[0]]
    assert after == before
    found = verify_audit(done, settings)
    assert found.same, found.text()
    assert (found.erased, found.null_same) == (1, None)


def test_nothing_to_audit_is_bad_input(settings: Settings, ledger: Ledger) -> None:
    with pytest.raises(WatchlistNotFound):
        audit.fn("tiny", "nobody")
    with pytest.raises(ModelNotFound):
        audit.fn("huge", LIST)
    Watchlists(ledger).add("long", [Member(TOO_LONG, {})])
    with pytest.raises(TextError, match="nobody on it can be scored"):
        audit.fn("tiny", "long")


class _Outage:
    """A worker whose database is cut off after its first shard."""

    def __init__(self, worker: ShardWorker, cut: Callable[[bool], None]) -> None:
        self._worker, self._cut, self.shards = worker, cut, 0

    def attempt(self, shard: int) -> int | None:
        written = self._worker.attempt(shard)
        self.shards += 1
        self._cut(True)
        return written


def test_a_database_that_goes_away_ends_the_audit_and_nothing_is_lost(
    settings: Settings, ledger: Ledger, postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgres())
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")

    def cut(off: bool) -> None:
        with admin.connect() as connection:
            allowed = "false" if off else "true"
            connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {allowed}"))
            if off:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=:n"),
                    {"n": url.database},
                )

    monkeypatch.setenv("TUNI_LEDGER_URL", url.render_as_string(hide_password=False))
    away = Settings()
    with open_ledger(away) as far:
        checkpoint = ledger.find_checkpoint(
            Detector.open(ledger, settings, "tiny", "champion").bundle.fingerprint
        )
        assert checkpoint is not None
        Watchlists(far).add(LIST, [Member(one, {}) for one in PEOPLE])
        fingerprint = Detector.open(far, away, "tiny", "champion").bundle.fingerprint
        far.bind_checkpoint("tiny", fingerprint, checkpoint)
        part = interrupted(away, far)
        detector = Detector.open(far, away, "tiny", "champion")
        worker = _Outage(ShardWorker(far, part, detector, null_of_audit(far, part, detector)), cut)
        left = AuditRows(far, part.id).shards_left()
        with pytest.raises(HomeError, match="OperationalError"):
            LocalEngine(worker).run(left, lambda _: None)
        assert worker.shards == 1
        cut(False)
        assert resume.fn(part.id) == part.id
        ended = Audits(far).get(part.id)
        assert (ended.state, AuditRows(far, part.id).counts()) == ("done", (40, 40))
        assert verdicts(far, part.id)
    admin.dispose()
