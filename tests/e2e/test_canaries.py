"""No text of a subject or decoy stands anywhere under the home, however it is encoded.

The search is registry/traces.py; its own tests plant a name in each form that it undoes.
"""

import html
import re
import unicodedata
from urllib.parse import unquote_plus

from registry.ledger.traces import find_traces

ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")


def plain(text: str) -> str:
    """One spelling of a text: accents composed, case folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def test_no_planted_name_stands_under_the_home_or_on_the_terminal(audit, canaries, tmp_path):
    written = {path.name for path in audit.home.rglob("*") if path.is_file()}
    expected = {"ledger.db", "mlflow.db", "optuna.db", "prefect.db", "tuni.log", "report.html"}
    assert expected <= written  # the search has something to search in
    (tmp_path / "printed").write_text(audit.printed, encoding="utf-8")
    assert find_traces(audit.home, canaries) == ()
    assert find_traces(tmp_path, canaries) == ()


def test_no_planted_name_is_left_in_temporary_files(audit, canaries):
    assert find_traces(audit.home.parent / "home-tmp", canaries) == ()


def test_the_lists_themselves_hold_every_planted_name(audit, canaries):
    for needle in canaries:
        assert find_traces(audit.lists, [needle])


def test_no_name_of_a_list_stands_in_the_bundle(audit):
    texts = {
        plain(text)
        for name in ("labelled.csv", "list.csv", "watch.csv", "decoys.csv")
        for text in re.findall(r"^([^,\n]+)", (audit.lists / name).read_text("utf-8"), re.M)[1:]
    }
    assert len(texts) > 1000
    for path in (audit.job / "bundle").iterdir():
        read = path.read_bytes().decode("utf-8", errors="ignore")
        unescaped = ESCAPED.sub(lambda found: chr(int(found[1], 16)), read)
        for form in (read, unescaped, unquote_plus(read), html.unescape(read)):
            flat = plain(form)
            assert not [text for text in texts if text in flat]
