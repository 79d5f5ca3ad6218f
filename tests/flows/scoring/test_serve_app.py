"""The served application alone: what a request may be, and how many."""

import json

import pytest

from flows.scoring.serve_app import RateLimit, parse_texts
from tuni.errors import RequestError


def body(content):
    return json.dumps(content).encode()


def test_texts_come_as_records_or_as_a_table():
    records = {"dataframe_records": [{"text": "Ada", "id": 1}, {"text": "Bea"}]}
    table = {"dataframe_split": {"columns": ["id", "text"], "data": [[1, "Ada"], [2, "Bea"]]}}
    assert parse_texts(body(records)) == parse_texts(body(table)) == ["Ada", "Bea"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[" * 100_000, b"[]", b"1", b"{}",
        b'{"dataframe_records": [{"name": "Zebulon"}]}', b'{"dataframe_records": 5}',
        b'{"dataframe_records": ["Zebulon"]}', b'{"dataframe_records": []}',
        b'{"dataframe_records": [{"text": ["Zebulon"]}]}', b'{"dataframe_records": {"text": 1}}',
        b'{"dataframe_split": {"columns": ["name"], "data": [["Zebulon"]]}}',
        b'{"dataframe_split": {"columns": ["a", "text"], "data": [["Zebulon"]]}}',
        b'{"inputs": ["Zebulon"]}',
    ],
)  # fmt: skip
def test_what_is_no_list_of_texts_is_refused_without_quoting_it(content):
    with pytest.raises(RequestError, match="request: ") as caught:
        parse_texts(content)
    assert "Zebulon" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_minutes_worth_of_texts_is_answered_and_then_as_many_as_time_allows():
    now = 0.0
    limit = RateLimit(60, lambda: now)
    assert limit.wait_s(40) == 0
    assert limit.wait_s(21) == 1
    assert limit.wait_s(20) == 0
    now = 5.0
    assert limit.wait_s(6) == 1
    assert limit.wait_s(5) == 0
    now = 1e6
    assert limit.wait_s(60) == 0
    assert limit.wait_s(1) == 1
