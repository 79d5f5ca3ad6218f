import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from registry.home import Home
from registry.keys.signing import sign_bundle
from registry.ledger.ledger import Ledger
from registry.ledger.trail import Trail
from registry.models.store import ModelStore
from registry.serving import (
    DEFAULTS,
    SERVED_COLUMNS,
    ServedDetector,
    _load_pyfunc,
    load_audited,
)
from tests.objects import free_port, make_bundle, one_column_scorer
from tests.serving import serving
from tuni.detectors.bundle import read_bundle, write_bundle
from tuni.errors import (
    CheckpointError,
    FingerprintMismatch,
    HomeError,
    RequestError,
    SignatureError,
    TextError,
)
from tuni.features.families.noise import NoiseSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import judge_texts
from tuni.model.target import Target
from tuni.texts.kind import NeighbourParts
from tuni.texts.reference_parts import reference_parts

TEXTS = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Ada Lovelace"]
NAME = "served"
QUICK = {"list_decoys": False}


@pytest.fixture(scope="module")
def bundle(
    tiny_target: Target, tmp_path_factory: pytest.TempPathFactory, shared_home: Home
) -> Path:
    """A bundle for the small checkpoint, signed by the shared home."""
    common = reference_parts("latin/*", 8)
    scorer = one_column_scorer("noise", np.linspace(0, 12, 400), np.linspace(0, 9, 400))
    spec = FeatureSpec(
        parts=(NeighbourParts("*", common.firsts, common.lasts),),
        families=by_family(NoiseSpec(draws=2, neighbours=1)),
    )
    made = make_bundle(scorer, spec, checkpoint=NAME, fingerprint=tiny_target.fingerprint)
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    write_bundle(made, folder)
    sign_bundle(folder, shared_home)
    return folder


@pytest.fixture
def home(home: Home, shared_home: Home) -> Home:
    """A fresh home that trusts the shared one."""
    home.trusted.mkdir()
    shutil.copy(shared_home.public_key, home.trusted / "shared.pub")
    return home


@pytest.fixture
def store(shared_home: Home, bundle: Path) -> ModelStore:
    """The embedded store with the bundle as champion."""
    store = ModelStore(shared_home)
    if store.champion(NAME) is None:
        version = store.register(NAME, bundle, tags={"job": "j"})
        store.promote(NAME, version.version, "first")
    return store


@pytest.fixture
def known(store: ModelStore, tiny_target: Target, tiny_folder: Path) -> Iterator[Ledger]:
    """The home's ledger, which knows where the checkpoint lies."""
    home = store.tracking.home
    with Ledger.open(home) as ledger:
        ledger.bind_checkpoint(NAME, tiny_target.fingerprint, {"folder": str(tiny_folder)})
        yield ledger


def expected(bundle: Path, target: Target, options: JudgeOptions) -> pd.DataFrame:
    """What `tuni score` would say."""
    verdicts = judge_texts(Judge(read_bundle(bundle), target), TEXTS, options, "1")
    return pd.DataFrame(verdicts.records(), columns=list(SERVED_COLUMNS))


def test_loaded_model_gives_the_verdicts_of_the_audit(
    store: ModelStore, known: Ledger, bundle: Path, tiny_target: Target
) -> None:
    import mlflow

    config = {"home": str(store.tracking.home.root), "decoys": 100, "dependence": "by"}
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion", model_config=config)
    found = model.predict(pd.DataFrame({"text": TEXTS, "other": 1}))
    wanted = expected(bundle, tiny_target, JudgeOptions(decoy_count=100, dependence="by"))
    pd.testing.assert_frame_equal(found, wanted)
    assert list(found.columns) == list(SERVED_COLUMNS)
    assert [column.name for column in model.metadata.signature.outputs.inputs] == list(found)
    assert model.metadata.signature.inputs.input_names() == ["text"]


def test_served_model_gives_the_verdicts_of_the_audit(
    store: ModelStore, known: Ledger, bundle: Path, tiny_target: Target, tiny_folder: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", f"models:/{NAME}@champion", "--port", str(port), "--host", "127.0.0.1"]
    settings = {
        "TUNI_HOME": str(store.tracking.home.root),
        "TUNI_CHECKPOINT": str(tiny_folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it calls uvicorn by name
        "MLFLOW_PYFUNC_INFERENCE_CONFIG": json.dumps(QUICK),
    }
    log = store.tracking.home.root / "serve.log"
    with serving(command, os.environ | settings, f"{address}/ping", log):
        body = json.dumps({"dataframe_records": [{"text": text} for text in TEXTS]}).encode()
        request = urllib.request.Request(
            f"{address}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            rows = json.load(answer)["predictions"]
    wanted = expected(bundle, tiny_target, JudgeOptions(list_decoys=False))
    assert rows == wanted.to_dict("records")
    assert not any(text in log.read_text() for text in TEXTS)


def test_who_took_part_in_choosing_is_told_where_the_owner_wants_it(
    store: ModelStore, known: Ledger
) -> None:
    import mlflow

    known.record_selection(NAME, 1, ["GRACE  HOPPER"])
    config = {"home": str(store.tracking.home.root), "tell_selected": True, **QUICK}
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1", model_config=config)
    found = model.predict(pd.DataFrame({"text": TEXTS}))
    assert ["selected_on" in flags.split() for flags in found["flags"]] == [
        False,
        True,
        False,
        False,
    ]


def test_an_answer_tells_nothing_of_the_lists_of_the_home(
    store: ModelStore, known: Ledger, bundle: Path
) -> None:
    """Neither in a column nor by its time: nothing is read of whom the ledger holds, or added."""
    import mlflow

    known.record_selection(NAME, 1, ["GRACE  HOPPER"])
    table = text("SELECT count(*) FROM features")
    config = {"home": str(store.tracking.home.root), **QUICK}
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1", model_config=config)
    with known.engine.connect() as connection:
        before = connection.scalar(table)
    found = model.predict(pd.DataFrame({"text": TEXTS}))
    assert not any("selected_on" in flags for flags in found["flags"])
    with known.engine.begin() as connection:
        assert connection.scalar(table) == before
        connection.execute(text("ALTER TABLE subjects RENAME TO away"))
    try:
        again = model.predict(pd.DataFrame({"text": TEXTS}))
    finally:
        with known.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO subjects"))
    pd.testing.assert_frame_equal(again, found)


def test_refusals_stand_in_the_trail_as_counts(known: Ledger, bundle: Path) -> None:
    served = ServedDetector(
        read_bundle(bundle), NAME, 1, {**DEFAULTS, "home": str(known.home.root)}
    )
    before = Trail(known).head().entries
    served.note_refusals(7, 2)
    (entry,) = list(Trail(known).entries())[before:]
    assert entry.action == "served refusals"
    assert entry.details == {"checkpoint": NAME, "version": 1, "requests": 7, "connections": 2}


def test_every_query_stands_in_the_trail_and_none_is_answered_without_it(
    store: ModelStore, known: Ledger
) -> None:
    import mlflow

    home = store.tracking.home
    config = {"home": str(home.root), **QUICK}
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1", model_config=config)
    before = Trail(known).head().entries
    model.predict(pd.DataFrame({"text": TEXTS}))
    entry = list(Trail(known).entries())[before:]
    assert [one.action for one in entry] == ["served query"]
    assert entry[0].details == {"checkpoint": NAME, "version": 1, "texts": 4}
    Trail(known).verify()
    with known.engine.begin() as connection:
        connection.execute(text("ALTER TABLE trail RENAME TO away"))
    try:
        with pytest.raises(HomeError):
            model.predict(pd.DataFrame({"text": TEXTS}))
    finally:
        with known.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO trail"))


def test_bundle_loaded_past_the_registry_has_no_version(
    bundle: Path, home: Home, tiny_folder: Path
) -> None:
    config = {"home": str(home.root), "checkpoint": str(tiny_folder), **QUICK}
    found = _load_pyfunc(str(bundle), config).predict(pd.DataFrame({"text": TEXTS}))
    assert set(found["model_version"]) == {""}


def test_checkpoint_that_nobody_knows_is_asked_for(bundle: Path, home: Home) -> None:
    model = _load_pyfunc(str(bundle), {"home": str(home.root), **QUICK})
    with pytest.raises(CheckpointError, match="TUNI_CHECKPOINT"):
        model.predict(pd.DataFrame({"text": TEXTS}))


def test_how_pictures_are_prepared_is_told_to_the_loader(
    bundle: Path, tiny_folder: Path, home: Home
) -> None:
    given = {
        "architecture": "ViT-L-14",
        "weights": str(tiny_folder / "open_clip_model.safetensors"),
        "preprocess": "webli",
    }
    with (
        Ledger.open(home) as ledger,
        pytest.raises(CheckpointError, match="no weights 'webli'"),
    ):
        load_audited(ledger, read_bundle(bundle), given, device="cpu", fix="")


def test_other_weights_are_refused(
    bundle: Path, home: Home, make_folder: Callable[..., Path]
) -> None:
    config = {"home": str(home.root), "checkpoint": str(make_folder(seed=1)), **QUICK}
    with pytest.raises(FingerprintMismatch):
        _load_pyfunc(str(bundle), config).predict(pd.DataFrame({"text": TEXTS}))


@pytest.mark.parametrize("bad", ["", None, "Zebulon\x07Quagmire"])
def test_text_that_cannot_be_scored_is_named_by_its_row(
    bundle: Path, home: Home, tiny_folder: Path, bad: str | None
) -> None:
    config = {"home": str(home.root), "checkpoint": str(tiny_folder), **QUICK}
    model = _load_pyfunc(str(bundle), config)
    with pytest.raises(TextError, match="row 2") as caught:
        model.predict(pd.DataFrame({"text": ["Ada Lovelace", bad]}))
    assert "Zebulon" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"decoys": 0}, {"decoys": "many"}, {"dependence": "x"}])
def test_setting_of_another_kind_is_refused(
    bundle: Path, home: Home, wrong: dict[str, object]
) -> None:
    model = _load_pyfunc(str(bundle), {"home": str(home.root), **wrong})
    with pytest.raises(RequestError, match="model_config"):
        model.predict(pd.DataFrame({"text": TEXTS}))


def test_bundle_of_a_key_that_the_home_does_not_trust_is_not_loaded(
    bundle: Path, tmp_path: Path, shared_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"home": str(tmp_path / "fresh")}
    with pytest.raises(SignatureError, match="does not trust"):
        _load_pyfunc(str(bundle), config)
    monkeypatch.setenv("TUNI_TRUSTED_KEYS", f":{shared_home.public_key}")
    assert _load_pyfunc(str(bundle), config).bundle.checkpoint == NAME


def test_altered_bundle_is_not_loaded(bundle: Path, home: Home, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "bundle.sig").unlink()
    with pytest.raises(SignatureError, match="is not signed"):
        _load_pyfunc(str(copy), {"home": str(home.root)})
    shutil.copy(bundle / "bundle.sig", copy)
    (copy / "bundle.json").write_bytes((copy / "bundle.json").read_bytes() + b" ")
    with pytest.raises(SignatureError, match="altered"):
        _load_pyfunc(str(copy), {"home": str(home.root)})


def test_options_not_given_are_those_of_the_audit() -> None:
    given = JudgeOptions()
    mine = (DEFAULTS["list_decoys"], DEFAULTS["decoys"], DEFAULTS["dependence"])
    assert mine == (given.list_decoys, given.decoy_count, given.dependence)


def test_frame_without_texts_is_refused(bundle: Path, home: Home) -> None:
    model = _load_pyfunc(str(bundle), {"home": str(home.root)})
    with pytest.raises(RequestError, match="no column text"):
        model.predict(pd.DataFrame({"name": TEXTS}))
