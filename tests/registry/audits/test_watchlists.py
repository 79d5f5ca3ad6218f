import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.audits.watchlists import Imported, Member, Watchlists
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from tuni.errors import RequestError, WatchlistNotFound


def people(*texts: str) -> list[Member]:
    return [Member(text, {}) for text in texts]


def test_importing_twice_is_importing_once(any_ledger: Ledger) -> None:
    lists = Watchlists(any_ledger)
    rows = people(*(f"Person Number{n}" for n in range(2500)))
    assert lists.add("staff", rows) == Imported(2500, 0, 0)
    assert lists.add("staff", [*rows, *people("New Person")]) == Imported(1, 2500, 0)
    assert lists.get("staff").subjects == 2501
    assert {member.text for member in lists.members("staff")} == {
        *(row.text for row in rows),
        "New Person",
    }


def test_a_person_spelled_twice_is_one_subject_with_the_first_spelling(any_ledger: Ledger) -> None:
    lists = Watchlists(any_ledger)
    assert lists.add("a", people("Ada Lovelace", "ADA  LOVELACE")) == Imported(1, 0, 1)
    assert lists.add("b", people("ada lovelace")) == Imported(1, 0, 0)
    assert [member.text for member in lists.members("b")] == ["Ada Lovelace"]


def test_other_columns_come_back_with_their_own_list(any_ledger: Ledger) -> None:
    lists = Watchlists(any_ledger)
    lists.add("a", [Member("Ada Lovelace", {"id": "7", "note": "é"})])
    lists.add("b", people("Ada Lovelace"))
    assert [member.columns for member in lists.members("a")] == [{"id": "7", "note": "é"}]
    assert [member.columns for member in lists.members("b")] == [{}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=20))
def test_any_texts_survive_and_repeat_nothing(ledger: Ledger, texts: list[str]) -> None:
    lists = Watchlists(ledger)
    rows = people(*texts)
    came = lists.add("any", rows)
    again = lists.add("any", rows)
    assert again == Imported(0, came.new + came.known, came.repeated)
    marks = {ledger.keys.pseudonym(member.text) for member in lists.members("any")}
    assert {ledger.keys.pseudonym(text) for text in texts} <= marks


def test_deleting_a_list_leaves_the_others(any_ledger: Ledger) -> None:
    lists = Watchlists(any_ledger)
    lists.add("a", people("Ada Lovelace"))
    lists.add("b", people("Ada Lovelace", "Grace Hopper"))
    lists.delete("a")
    assert [entry.name for entry in lists.list()] == ["b"]
    assert lists.get("b").subjects == 2
    with pytest.raises(WatchlistNotFound, match=r"'a': not in this ledger \(there: b\)"):
        lists.get("a")


@pytest.mark.parametrize("name", ["", "Ada Lovelace", "-x", "x" * 101, "a/b"])
def test_name_that_many_will_read_is_checked(ledger: Ledger, name: str) -> None:
    with pytest.raises(RequestError) as caught:
        Watchlists(ledger).add(name, people("Ada Lovelace"))
    assert not name or name not in str(caught.value).replace("--name", "")


def test_trail_counts_and_names_nobody(ledger: Ledger) -> None:
    Watchlists(ledger).add("staff", people("Ada Lovelace"))
    (entry,) = Trail(ledger).entries()
    assert entry.details == {"watchlist": "staff", "new": 1, "known": 0}
