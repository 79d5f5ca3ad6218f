"""The served application alone: what a request may be, and how many."""

import hashlib
import json

import pytest
from starlette.testclient import TestClient

from flows.machine.settings import Settings
from flows.scoring.serve import ServeRequest, load_served
from flows.scoring.serve_app import RateLimit, Token, make_app, parse_texts
from flows.scoring.serve_connections import ConnectionLimits, OpenConnections
from registry.home import Home
from registry.models.store import ModelStore
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


def test_mlflows_server_of_the_same_model_gives_the_same_answers(registered):
    """One way to ask and one to answer; ours adds the token, the limit and the trail."""
    import mlflow  # first by the store, which keeps it quiet
    from mlflow.pyfunc.scoring_server import init

    ModelStore(Home.open(registered.home)).tracking.client()  # points MLflow at this home
    config = {"home": str(registered.home), "checkpoint": str(registered.checkpoint)}
    theirs = init(mlflow.pyfunc.load_model("models:/tiny@champion", model_config=config))
    detector, _ = load_served(ServeRequest("tiny"), Settings(home=registered.home))
    token = Token(hashlib.sha256(b"token").digest())
    ours = make_app(detector, token, RateLimit(60), OpenConnections(ConnectionLimits(8, 4), bool))
    requests = (
        {"dataframe_records": [{"text": "Ada"}, {"text": "Boris Brown"}]},
        {"dataframe_split": {"columns": ["id", "text"], "data": [[1, "Ada"], [2, "Boris Brown"]]}},
    )
    answers = []
    for app in (theirs, ours):
        client = TestClient(app, headers={"Authorization": "Bearer token"})
        told = [client.post("/invocations", json=content).json() for content in requests]
        answers.append((told, client.get("/ping").text, client.get("/health").text))
    assert answers[0] == answers[1]
    assert len(answers[0][0][0]["predictions"]) == 2
