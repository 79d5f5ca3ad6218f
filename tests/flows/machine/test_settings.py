"""Requests: every key checked, every path absolute; settings come from the environment alone."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.machine.settings import Request, absolute, read_request, read_settings
from tuni.errors import RequestError

LEAST = '[checkpoint]\nname = "ours"\nfolder = "model"\n'


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: str) -> Request:
        path = tmp_path / "audit.toml"
        path.write_text(content, encoding="utf-8")
        return read_request(path)

    return write_and_read


def test_a_name_and_a_folder_are_a_request(read, tmp_path):
    request = read(LEAST)
    assert request.checkpoint.folder == tmp_path / "model"
    assert request == absolute(
        Request.model_validate({"checkpoint": {"name": "ours", "folder": "model"}}), tmp_path
    )


def test_relative_paths_start_at_the_request_and_a_tilde_at_the_user(read, tmp_path):
    request = read(
        LEAST.replace('"model"', '"~/model"')
        + '[subjects]\nlabelled = "lists/known.csv"\nlist = "/srv/list.csv"\n'
        + '[bank]\nimages = "bank"\n'
        + '[nulls]\nsource = "file"\ndecoys = "own.csv"\n'
    )
    assert request.checkpoint.folder == Path("~/model").expanduser()
    assert request.subjects.labelled == tmp_path / "lists" / "known.csv"
    assert request.subjects.list_ == Path("/srv/list.csv")
    assert request.bank.images == tmp_path / "bank"
    assert request.nulls.decoys == tmp_path / "own.csv"


def test_a_request_survives_json_as_prefect_stores_it(read):
    request = read(LEAST + '[subjects]\nlist = "list.csv"\n[search]\nminutes = 2\n')
    for by_alias in (True, False):
        stored = request.model_dump_json(by_alias=by_alias)
        assert Request.model_validate_json(stored) == request


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["checkpoint: "]),
        ("[checkpoint", ["not TOML"]),
        (LEAST + "name = 'b'\n", ["not TOML", "line 4"]),
        ("[checkpoint]\nname = 'a'", ["checkpoint", "folder", "architecture"]),
        ("[checkpoint]\nname = 'a'\nfolder = 3", ["checkpoint.folder", "path"]),
        ("checkpoint = 3", ["checkpoint"]),
        ("operating_point = nan\n" + LEAST, ["operating_point"]),
        (LEAST + "[search]\nzzzz = 3", ["search.zzzz", "known are", "trials"]),
        (LEAST + "[search]\ntrials = 'many'", ["search.trials", "integer"]),
        (LEAST + "[search]\nobjective = 'labeled'", ["search.objective", "'labelled'"]),
        (LEAST + "[search]\ntrials = 0", ["search.trials", "greater than or equal to 1"]),
        (LEAST.replace("name", "nane"), ["checkpoint.nane", "`name`"]),
        (LEAST + "[subjects]\nlst = 'l.csv'", ["subjects.lst", "`list`"]),
        (LEAST + "[serach]\n", ["serach: unknown key", "`search`"]),
        (LEAST + "[search]\ntrails = 3\n", ["search.trails", "`trials`"]),
        (LEAST + "[subjects]\nlist_ = 'x'\n[search]\ntrials = 0\n", ["search.trials"]),
        (LEAST.replace("ours", "Our Model"), ["checkpoint.name"]),
        (LEAST + 'architecture = "ViT-B-32"\n', ["checkpoint: give either `folder`, or"]),
        (LEAST.replace("folder", "weights"), ["`architecture` together with `weights`"]),
        (LEAST + 'preprocess = "openai"\n', ["`preprocess` belongs to `architecture`"]),
        (LEAST + '[nulls]\nsource = "file"\n', ["`decoys` goes with source = 'file'"]),
        (LEAST + '[nulls]\ndecoys = "own.csv"\n', ["`decoys` goes with source = 'file'"]),
        (LEAST + "[nulls]\ngibberish_length = [5, 3]\n", ["shortest <= longest"]),
        ("operating_point = 0.5\n" + LEAST, ["operating_point"]),
        ('operating_point = "x"\nspeed = 1\n' + LEAST, ["operating_point", "speed: unknown key"]),
        (LEAST + '[compute]\ndevice = "tpu"\n', ["compute.device"]),
        (LEAST + "[gates]\nnonmember_fpr_confidence = 1\n", ["gates.nonmember_fpr_confidence"]),
    ],
)
def test_a_mistake_is_named_by_its_key(read, content, words):
    with pytest.raises(RequestError, match="request: ") as raised:
        read(content)
    assert all(word in raised.value.problem for word in words), raised.value.problem
    assert "\n" not in raised.value.problem


def test_a_request_cannot_be_changed(read):
    with pytest.raises(ValidationError):
        read(LEAST).operating_point = 0.1


def test_settings_come_from_the_environment_and_empty_ones_are_the_defaults(monkeypatch):
    for name, value in (("HOME", "~/elsewhere"), ("TRACKING_URI", "http://h"), ("CHECKPOINT", "")):
        monkeypatch.setenv(f"TUNI_{name}", value)
    settings = read_settings()
    assert settings.home == Path("~/elsewhere").expanduser()
    assert settings.tracking_uri == "http://h"
    assert settings.checkpoint is None
    monkeypatch.setenv("TUNI_HOME", "")
    assert read_settings().home == Path("~/.tuni").expanduser()


def test_trusted_keys_are_paths_divided_by_colons(monkeypatch):
    assert read_settings().trusted_keys == ()
    monkeypatch.setenv("TUNI_TRUSTED_KEYS", "a.pub:~/keys:")
    assert read_settings().trusted_keys == (Path("a.pub"), Path("~/keys").expanduser())


@pytest.mark.parametrize("name", ["TUNI_KEYFILE", "TUNI_KEY_FIEL", "TUNI_LEDGER", "tuni_homee"])
def test_a_name_that_is_nearly_a_setting_is_refused(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    with pytest.raises(RequestError, match=f"{name}: no setting"):
        read_settings()


def test_names_of_others_that_begin_alike_are_left_alone(monkeypatch):
    for name in ("PORT", "PORT_8000_TCP", "SERVICE_HOST", "TARGET", "UID", "REQUIRE_ALL", "FILES"):
        monkeypatch.setenv(f"TUNI_{name}", "1")
    read_settings()


def test_a_wrong_value_of_a_setting_names_the_variable(monkeypatch):
    monkeypatch.setenv("TUNI_MLFLOW_PORT", "abc")
    monkeypatch.setenv("TUNI_KEY", "secret")
    with pytest.raises(RequestError, match=r"TUNI_MLFLOW_PORT: .*integer") as raised:
        read_settings()
    assert "Port of MLflow's pages" in raised.value.fix
    assert "abc" not in str(raised.value)


def test_a_request_without_an_end_is_refused(endless):
    with pytest.raises(RequestError, match="larger than 1 MiB"):
        read_request(endless)
