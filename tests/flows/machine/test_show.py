"""What a command prints steers no terminal, whatever a store or a file name holds."""

import json
import shutil

import pytest

from flows.machine.settings import Settings
from flows.machine.show import results, say
from registry.home import Home
from registry.models.connection import configure

HOSTILE = "a\x1b[2J\x9b31m\u202eb\nversion  tiny 9"
SHOWN = r"a\u001b[2J\u009b31m\u202eb"


def test_what_is_printed_holds_no_control_and_keeps_its_lines(capsys):
    say("one\x1b]0;title\x07\ntwo\n")
    results({}, "three\u2067\rfour", as_json=False)
    results({"five": HOSTILE}, "", as_json=True)
    told = capsys.readouterr()
    assert told.err == "one\\u001b]0;title\\u0007\ntwo\n"
    first, second = told.out.splitlines()
    assert first == r"three\u2067\rfour"
    assert second.isprintable()
    assert json.loads(second) == {"five": HOSTILE}


@pytest.mark.parametrize("place", ["tag", "description"])
def test_a_foreign_registry_cannot_write_lines_of_its_own(tuni, registered, home, place):
    shutil.copytree(registered.home, home)
    client = configure(Home.open(home), Settings(home=home).runs_uri).client()
    if place == "tag":
        client.set_model_version_tag("tiny", str(registered.version), "reason", HOSTILE)
    else:
        client.update_model_version("tiny", str(registered.version), HOSTILE)
    done = tuni("models", "show", "tiny")
    assert done.code == 0, done
    assert SHOWN in done.out
    assert done.out.replace("\n", "").isprintable()
    assert [line for line in done.out.splitlines() if line.startswith("version ")] == [
        line for line in done.out.splitlines() if line.endswith(f" tiny {registered.version}")
    ]
    record = tuni("models", "show", "tiny", "--json").result()
    assert HOSTILE in (record["description"], *record["tags"].values())
