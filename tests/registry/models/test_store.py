import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.home import Home
from registry.keys.home_key import home_key
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.store import ModelStore
from registry.models.tracking import JobLabels, JobRun
from tests.forked import run, run_all
from tuni.detectors.bundle import bundle_digest
from tuni.errors import BundleError, ModelNotFound, RequestError, SignatureError, TrackingError

MakeBundle = Callable[..., Path]


def aliases(store: ModelStore, name: str) -> dict[str, int]:
    """Alias to version of one model."""
    return next(dict(model.aliases) for model in store.list() if model.name == name)


def registered(store: ModelStore, name: str, make_bundle: MakeBundle, count: int) -> None:
    for seed in range(count):
        store.register(name, make_bundle(seed), tags={"job": f"j{seed}"})


def test_registered_bundle_is_found_shown_and_pulled(
    store: ModelStore, name: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    bundle = make_bundle()
    version = store.register(name, bundle, tags={"job": "j", "gates": "passed"}, description="d")
    assert (version.version, version.aliases) == (1, ())
    assert store.show(name, 1) == store.show(name, "1")
    assert store.show(name, 1).tags == {
        "job": "j",
        "gates": "passed",
        "digest": bundle_digest(bundle),
        "fingerprint": "f" * 64,
    }
    assert store.find_version(name, "job", "j") == store.show(name, 1)
    assert store.find_version(name, "job", "other") is None
    assert store.champion(name) is None
    pulled = store.pull(name, 1, tmp_path / "pulled")
    names = sorted(path.name for path in pulled.iterdir())
    assert names == ["arrays.safetensors", "bundle.json", "bundle.sig"]
    assert bundle_digest(pulled) == bundle_digest(bundle)


def test_model_stands_on_the_page_of_its_run(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    labels = JobLabels(name.replace("-", ""), name, name, "f" * 64, "a" * 64)
    with JobRun.open(store.tracking, labels) as run:
        version = store.register(name, make_bundle(), tags={}, run_id=run.run_id)
    assert version.run_id == run.run_id
    outputs = store.tracking.client().get_run(run.run_id).outputs
    assert outputs is not None
    assert len(outputs.model_outputs) == 1


def test_stored_model_holds_no_code_no_pickle_and_no_path_of_this_machine(
    store: ModelStore, name: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    import mlflow

    bundle = make_bundle()
    (bundle / "names.csv").write_text("Zebulon Quagmire")
    store.register(name, bundle, tags={})
    uri = store.tracking.uri
    stored = mlflow.artifacts.download_artifacts(
        f"models:/{name}/1", dst_path=str(tmp_path / "all"), tracking_uri=uri, registry_uri=uri
    )
    files = [path for path in Path(stored).rglob("*") if path.is_file()]
    names = {str(path.relative_to(stored)) for path in files}
    assert names == {
        "MLmodel",
        "conda.yaml",
        "data/bundle/arrays.safetensors",
        "data/bundle/bundle.json",
        "data/bundle/bundle.sig",
        "input_example.json",
        "python_env.yaml",
        "registered_model_meta",
        "requirements.txt",
        "serving_input_example.json",
    }
    signature = json.loads((Path(stored) / "data/bundle/bundle.sig").read_text())
    content = base64.b64decode(signature["dsseEnvelope"]["payload"])
    assert b"bundle.json" in content
    content += b"".join(path.read_bytes() for path in files)
    for needle in (str(tmp_path), str(store.tracking.home.root), "/tmp", "Zebulon"):
        assert needle.encode() not in content
    assert b"registry.serving" in content  # the search does find what is there
    described = (Path(stored) / "MLmodel").read_text()
    assert "loader_module: registry.serving" in described
    assert "code: null" in described
    assert "artifact_path: " not in described.replace("artifact_path: input_example.json", "")
    assert "EXAMPLE PERSON" in (Path(stored) / "input_example.json").read_text()


def test_promotion_keeps_the_champion_so_far_as_previous(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 3)
    assert store.promote(name, 1, "first").aliases == ("champion",)
    assert store.challenge(name, 2, "not better").tags["reason"] == "not better"
    assert aliases(store, name) == {"champion": 1, "challenger": 2}
    store.promote(name, "challenger", "better after all")
    assert aliases(store, name) == {"champion": 2, "previous": 1}
    assert store.show(name).tags["reason"] == "better after all"
    assert store.show(name, "previous").tags["reason"] == "replaced: better after all"
    store.promote(name, 3, "newest")
    assert aliases(store, name) == {"champion": 3, "previous": 2}


def test_promoting_the_champion_again_only_renews_the_reason(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 2)
    store.promote(name, 1, "first")
    store.promote(name, 2, "second")
    store.promote(name, "champion", "checked by hand")
    assert aliases(store, name) == {"champion": 2, "previous": 1}
    assert store.show(name).tags["reason"] == "checked by hand"


def test_rollback_brings_back_the_previous_champion_once(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 2)
    store.promote(name, 1, "first")
    with pytest.raises(ModelNotFound, match="no previous champion"):
        store.rollback(name, "why not")
    store.promote(name, 2, "second")
    assert store.rollback(name, "too many alarms").version == 1
    assert aliases(store, name) == {"champion": 1, "challenger": 2}
    assert store.show(name, "challenger").tags["reason"] == "rolled back: too many alarms"
    with pytest.raises(ModelNotFound, match="no previous champion"):
        store.rollback(name, "again")
    assert aliases(store, name) == {"champion": 1, "challenger": 2}


def test_moves_are_written_to_the_ledger(
    ledger: Ledger, shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home, ledger=ledger)
    registered(store, name, make_bundle, 2)
    store.promote(name, 1, "first")
    store.promote(name, 2, "second")
    assert [(move.alias, move.version, move.reason) for move in ledger.moves(name)] == [
        ("champion", 1, "first"),
        ("previous", 1, "replaced: second"),
        ("champion", 2, "second"),
    ]


def test_the_trail_says_what_was_registered_and_which_champion_replaced_which(
    ledger: Ledger, shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home, ledger=ledger)
    registered(store, name, make_bundle, 2)
    digests = {version.version: version.tags["digest"] for version in store.versions(name)}
    store.promote(name, 1, "first")
    store.promote(name, 2, "x" * 500)
    store.rollback(name, "too many alarms")
    entries = [e for e in Trail(ledger).entries() if e.details.get("checkpoint") == name]
    assert [(e.action, e.details["version"]) for e in entries[:2]] == [
        ("detector registered", 1),
        ("detector registered", 2),
    ]
    assert all(e.details["digest"] == digests[e.details["version"]] for e in entries)
    told = [(e.action, e.details["version"], e.details["replaced"]) for e in entries[2:]]
    assert told == [
        ("champion chosen", 1, None),
        ("champion chosen", 2, 1),
        ("champion chosen", 1, 2),
    ]
    assert [len(e.details["reason"]) for e in entries[2:]] == [5, 200, 15]


def test_champion_is_no_challenger(store: ModelStore, name: str, make_bundle: MakeBundle) -> None:
    registered(store, name, make_bundle, 1)
    store.promote(name, 1, "first")
    with pytest.raises(RequestError, match="is the champion"):
        store.challenge(name, 1, "no")


def test_what_is_not_there_is_not_found(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    with pytest.raises(ModelNotFound, match=f"model {name}: not registered"):
        store.show(name)
    assert store.versions(name) == ()
    registered(store, name, make_bundle, 1)
    for reference in ("7", 7, "nonsense", "latest", "v1", "a b"):
        with pytest.raises(ModelNotFound, match=r"(?s)no version or alias .* versions 1: "):
            store.show(name, reference)
    with pytest.raises(ModelNotFound):
        store.promote(name, 7, "why not")
    with pytest.raises(ModelNotFound, match=rf"(?s)no champion .* tuni models promote {name}@1"):
        store.pull(name)
    registered(store, f"0{name}", make_bundle, 1)  # a few are listed, in order
    with pytest.raises(ModelNotFound, match=f"there are: .*0{name}"):
        store.show("another")


@pytest.mark.parametrize("wrong", ["", "Upper", "a/b", "a'b", "../x", "a" * 101, ".x"])
def test_name_that_nobody_could_type_is_refused(shared_home: Home, wrong: str) -> None:
    store = ModelStore(shared_home)
    for call in (store.show, store.versions):
        with pytest.raises(RequestError, match="not a name"):
            call(wrong)


def test_pulled_bundle_is_kept_in_the_home_and_checked_again(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 1)
    place = store.pull(name, 1)
    assert place == store.tracking.home.bundles / name / "1"
    assert store.pull(name, 1) == place
    damaged = place / "arrays.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(SignatureError, match=f"delete {place}"):
        store.pull(name, 1)
    shutil.rmtree(place)
    store.pull(name, 1)
    assert list(place.parent.iterdir()) == [place]


def test_a_store_registers_though_mlflow_was_pointed_elsewhere_before(
    shared_home: Home, tmp_path: Path, name: str, make_bundle: MakeBundle
) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    store = ModelStore(shared_home)
    assert store.register(name, make_bundle(), tags={"job": "j"}).version == 1


def test_folder_that_is_there_is_not_overwritten(
    shared_home: Home, name: str, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 1)
    with pytest.raises(BundleError, match="is there already"):
        store.pull(name, 1, tmp_path)


def test_damaged_bundle_is_not_registered(
    shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home)
    bundle = make_bundle()
    (bundle / "arrays.safetensors").write_bytes(b"x")
    with pytest.raises(BundleError):
        store.register(name, bundle, tags={})
    assert store.versions(name) == ()


def test_record_and_text_say_the_same(
    shared_home: Home, name: str, make_bundle: MakeBundle
) -> None:
    store = ModelStore(shared_home)
    registered(store, name, make_bundle, 1)
    version = store.promote(name, 1, "first")
    assert version.record()["aliases"] == ["champion"]
    assert "reason" in version.text()
    assert "first" in version.text()
    model = next(model for model in store.list() if model.name == name)
    assert model.record() == {"name": name, "versions": 1, "aliases": {"champion": 1}}


PROMOTE = """
import sys
from pathlib import Path
from registry.home import Home
from registry.models.store import ModelStore
from tuni.errors import ModelNotFound
home, uri, name, version = sys.argv[1:]
store = ModelStore(Home.open(Path(home)), uri)
for turn in range(4):
    store.promote(name, version, f"turn {turn}")
    assert store.champion(name) is not None
    try:
        store.rollback(name, "back")
    except ModelNotFound:
        pass  # another process rolled back first
    assert store.champion(name) is not None
"""


def race(store: ModelStore, name: str, homes: list[Path]) -> None:
    asked = [(home, store.tracking.uri, name, n + 2) for n, home in enumerate(homes)]
    done = run_all(PROMOTE, asked)
    assert [one.returncode for one in done] == [0, 0], done
    left = aliases(store, name)
    assert left["champion"] in (1, 2, 3)
    assert set(left) <= {"champion", "challenger", "previous"}


def test_simultaneous_promotions_and_rollbacks_leave_one_champion(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 3)
    store.promote(name, 1, "first")
    race(store, name, [store.tracking.home.root] * 2)


def test_machines_without_a_common_lock_leave_one_champion_too(
    mlflow_server: str,
    shared_home: Home,
    name: str,
    make_bundle: MakeBundle,
    tmp_path: Path,
) -> None:
    store = ModelStore(shared_home, mlflow_server)
    registered(store, name, make_bundle, 3)
    store.promote(name, 1, "first")
    race(store, name, [tmp_path / "one", tmp_path / "two"])


def test_promotion_that_is_killed_half_way_leaves_the_champion_and_is_completed_by_repeating(
    store: ModelStore, name: str, make_bundle: MakeBundle
) -> None:
    registered(store, name, make_bundle, 2)
    store.promote(name, 1, "first")
    code = (
        "import os, sys; from pathlib import Path; from registry.home import Home\n"
        "from registry.models.store import ModelStore\n"
        "store = ModelStore(Home.open(Path(sys.argv[1])), sys.argv[2])\n"
        "from mlflow import MlflowClient\n"
        "move = MlflowClient.set_registered_model_alias\n"
        "def stop(self, name, alias, version):\n"
        "    if alias == 'champion': os._exit(9)\n"
        "    move(self, name, alias, version)\n"
        "MlflowClient.set_registered_model_alias = stop\n"
        "store.promote(sys.argv[3], 2, 'second')"
    )
    assert run(code, store.tracking.home.root, store.tracking.uri, name).returncode == 9
    assert aliases(store, name) == {"champion": 1, "previous": 1}
    with pytest.raises(ModelNotFound, match="no previous champion"):
        store.rollback(name, "nothing to go back to")
    store.promote(name, 2, "second")
    assert aliases(store, name) == {"champion": 2, "previous": 1}


def test_dead_server_is_an_error_of_the_environment(home: Home, make_bundle: MakeBundle) -> None:
    home_key(home)
    store = ModelStore(home, "http://127.0.0.1:9")
    bundle = make_bundle()
    calls: list[Callable[[], object]] = [
        store.list,
        lambda: store.register("m", bundle, tags={}),
        lambda: store.champion("m"),
        lambda: store.promote("m", 1, "x"),
    ]
    for call in calls:
        with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9"):
            call()
