import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from registry.home import Home
from registry.models.store import ModelStore
from tests.forked import run

MakeBundle = Callable[..., Path]
KILLED = """
import os, signal, sys
from pathlib import Path
from registry.home import Home
from registry.models.store import ModelStore
from registry.models import store as models
home, bundle, stage = Home.open(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
store = ModelStore(home)
from mlflow import MlflowClient
owner = models if stage == "write_model_folder" else MlflowClient
method = getattr(owner, stage)
def last(*arguments, **options):
    method(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, stage, last)
store.register("m", bundle, tags={"job": stage})
"""


def test_a_registration_that_is_killed_anywhere_leaves_nothing_behind(
    home: Home, make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    bundle = make_bundle()
    stages = (
        "create_logged_model", "write_model_folder", "log_model_artifacts",
        "create_registered_model", "create_model_version",
    )  # fmt: skip
    store = ModelStore(home)
    for stage in stages:
        environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
        done = run(KILLED, home.root, bundle, stage, environment=environment)
        assert done.returncode == -signal.SIGKILL, stage
        for version in store.versions("m"):
            store.pull("m", version.version)  # what is there can be used
    assert [version.tags["job"] for version in store.versions("m")] == ["create_model_version"]
    store.promote("m", 1, "first")
    client, experiment = store.tracking.client(), store.tracking.experiment()
    (model,) = client.search_logged_models([experiment])
    assert str(model.status) == "READY"
    files = Path(unquote(urlsplit(model.artifact_location).path))
    assert [path for path in files.parent.parent.iterdir() if any(path.iterdir())] == [files.parent]
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 120)  # drafts are old then
    store.register("m", bundle, tags={"job": "j"})
    assert [str(one.status) for one in client.search_logged_models([experiment])] == ["READY"] * 2
    assert not list(home.root.rglob(".tuni-draft-*"))
    assert not list((tmp_path / "tmp").iterdir())
