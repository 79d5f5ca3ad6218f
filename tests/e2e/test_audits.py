"""Watch lists and audits from the command line, through Prefect and MLflow."""

import csv
import json

import pytest

from tuni.tables import read_subjects


@pytest.fixture
def staff(audit, own_home, tuni, tmp_path):
    """The watched people in a watch list, with a column of the auditor's own."""
    file = tmp_path / "staff.csv"
    texts = read_subjects(audit.watch).texts
    rows = [{"text": text, "id": str(number)} for number, text in enumerate(texts)]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["text", "id"])
        writer.writeheader()
        writer.writerows([*rows, {"text": "bad\u200b", "id": ""}])
    done = tuni(own_home, "watchlist", "import", file, "--name", "staff", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["new"], list(told["refused"])) == (len(rows), [str(len(rows) + 2)])
    return file


def test_a_watch_list_is_audited_shown_exported_and_verified(
    audit, own_home, staff, tuni, tmp_path
):
    again = tuni(own_home, "watchlist", "import", staff, "--name", "staff")
    assert again.stdout.startswith(f"staff: 0 new, {len(audit.verdicts)} known, 0 repeated")

    version = ("--version", audit.result["version"])
    names = ("--watchlist", "staff", "--checkpoint", audit.result["model"])
    done = tuni(own_home, "audit", *names, *version, "--json")
    assert done.returncode == audit.codes["score"], done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["subjects"]) == ("done", len(audit.verdicts))

    out, page = tmp_path / "verdicts.csv", tmp_path / "report.html"
    done = tuni(own_home, "audits", "export", told["id"], "--out", out, "--report", page)
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8", newline="") as file:
        exported = {row["text"]: row for row in csv.DictReader(file)}
    # The same list and detector: the verdicts of `tuni score`.
    for row in audit.verdicts:
        mine = exported[row["text"]]
        assert {key: mine[key] for key in ("score", "verdict", "flags")} == {
            key: row[key] for key in ("score", "verdict", "flags")
        }

    verified = tuni(own_home, "audits", "verify", told["id"], "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["null_same"] is True

    shown = tuni(own_home, "audits", "show", told["id"]).stdout
    listed = tuni(own_home, "watchlist", "show", "staff").stdout
    for text in (page.read_text(encoding="utf-8"), shown, listed):
        assert not [row["text"] for row in audit.verdicts if row["text"] in text]

    people = tmp_path / "again.csv"
    assert tuni(own_home, "watchlist", "export", "staff", "--out", people).returncode == 0
    assert read_subjects(people).columns == ("text", "id")
    assert tuni(own_home, "watchlist", "delete", "staff", "--yes").returncode == 0
    assert tuni(own_home, "audits", "show", told["id"]).stdout == shown


def test_every_checkpoint_with_a_champion_is_audited(audit, own_home, staff, tuni):
    name = f"{audit.result['model']}@{audit.result['version']}"
    done = tuni(own_home, "models", "promote", name, "--reason", "for the fleet")
    assert done.returncode == 0, done.stderr
    done = tuni(own_home, "audit", "--watchlist", "staff", "--every", "--json")
    assert done.returncode == audit.codes["score"], done.stderr
    assert json.loads(done.stdout)["checkpoint"] == audit.result["model"]
