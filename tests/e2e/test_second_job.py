"""A second job on the same checkpoint: what Prefect keeps of it; challenger, champion, rollback."""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.ledger.traces import find_traces


@dataclass(frozen=True, slots=True)
class Second:
    """The second job.

    Attributes:
        home: The home; read only.
        result: What `tuni run` printed as JSON.
    """

    home: Path
    result: Mapping[str, Any]

    def kept(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of Prefect's database."""
        with closing(sqlite3.connect(self.home / "prefect" / "prefect.db")) as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def second(once, audit, tuni) -> Second:
    """`tuni run` with another operating point, the first version made champion by hand."""

    def build(root: Path) -> None:
        shutil.copytree(audit.home, root / "home")
        shutil.copytree(audit.lists, root / "lists")
        text = audit.request.read_text(encoding="utf-8").replace("trials = 6", "trials = 3")
        request = root / "lists" / "second.toml"
        request.write_text(f"operating_point = 0.1\n{text}", encoding="utf-8")
        promoted = tuni(
            root / "home", "models", "promote", "e2e-clip@1", "--reason", "checked by hand"
        )
        assert promoted.returncode == 0, promoted.stderr
        done = tuni(root / "home", "run", request, "--json")
        assert done.returncode in (0, 3), done.stderr
        (root / "result.json").write_text(done.stdout, encoding="utf-8")

    root = once("second", build)
    return Second(root / "home", json.loads((root / "result.json").read_text(encoding="utf-8")))


MINE = "json_extract(parameters, '$.request.operating_point') = 0.1"


def test_prefect_shows_flows_and_tasks_under_names_for_people(second):
    assert dict(second.kept(f"SELECT name, state_type FROM flow_run WHERE {MINE}")) == {
        f"{stage} e2e-clip": "COMPLETED" for stage in ("run", "search", "calibrate", "evaluate")
    }
    mine = f"flow_run_id IN (SELECT id FROM flow_run WHERE {MINE})"
    tasks = " ".join(name for (name,) in second.kept(f"SELECT name FROM task_run WHERE {mine}"))
    for words in (
        "extract what the default detector reads",
        "try detectors",
        "calibrate on decoys",
        "register",
    ):
        assert words in tasks
    assert second.kept(f"SELECT 1 FROM log WHERE {mine}")


def test_prefect_keeps_paths_and_settings_and_no_planted_name(second, canaries):
    database = (second.home / "prefect" / "prefect.db").read_bytes()
    assert b"labelled.csv" in database  # the search looks at what was kept
    assert find_traces(second.home / "prefect", canaries) == ()


def test_looks_at_the_labels_are_counted_over_both_jobs(second, tuni):
    tags = [
        json.loads(tuni(second.home, "models", "show", f"e2e-clip@{number}", "--json").stdout)[
            "tags"
        ]
        for number in (1, 2)
    ]
    assert [float(one["test_looks"]) for one in tags] == [1, 2]
    assert float(tags[0]["test_auc_optimism"]) == 0 < float(tags[1]["test_auc_optimism"])


def test_a_version_that_is_not_better_stays_challenger_and_says_why(second, tuni):
    assert second.result["version"] == 2
    assert second.result["unchanged"] is False
    shown = json.loads(tuni(second.home, "models", "show", "e2e-clip@2", "--json").stdout)
    assert shown["tags"]["reason"] == second.result["reason"]
    (listed,) = json.loads(tuni(second.home, "models", "list", "--json").stdout)["models"]
    assert listed["versions"] == 2
    if second.result["alias"] == "challenger":
        assert listed["aliases"] == {"champion": 1, "challenger": 2}
        failed = [name for name, passed in second.result["gates"].items() if passed is False]
        for name in failed:
            assert name in second.result["reason"]
        assert failed or "version 1" in second.result["reason"]
    else:
        assert listed["aliases"] == {"champion": 2, "previous": 1}
        assert "not inferior to version 1" in second.result["reason"]


def test_promotion_and_rollback_move_champion_and_previous(second, tuni, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(second.home, home)

    def aliases() -> dict[str, int]:
        (entry,) = json.loads(tuni(home, "models", "list", "--json").stdout)["models"]
        return entry["aliases"]

    done = tuni(home, "models", "promote", "e2e-clip@2", "--reason", "by hand", "--json")
    assert done.returncode == 0, done.stderr
    assert aliases() == {"champion": 2, "previous": 1}
    done = tuni(home, "models", "rollback", "e2e-clip", "--reason", "alarms", "--json")
    assert done.returncode == 0, done.stderr
    back = aliases()
    assert back["champion"] == 1
    assert back.get("previous") != 1
    pulled = tmp_path / "pulled"
    done = tuni(home, "models", "pull", "e2e-clip@champion", pulled)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in pulled.iterdir()} == {
        "bundle.json",
        "arrays.safetensors",
        "bundle.sig",
    }


def test_an_alias_that_nobody_holds_is_bad_input(audit, tuni):
    done = tuni(audit.home, "models", "show", "e2e-clip@previous", "--json")
    assert done.returncode == 2
    assert "no version or alias previous" in json.loads(done.stdout)["error"]
