"""Everything that reads what others may have written, with a sound input of each."""

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.mutations import changed_bytes, changed_json

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov")


@dataclass(frozen=True)
class Parser:
    """One reader.

    Attributes:
        prepare: Writes a sound input into an empty folder.
        read: Reads the folder as the product does, and raises what that raises.
        files: Which files are changed, by pattern: of their bytes, or of their JSON.
        mend: Makes digests fit again, so that what lies behind them is met.
        weight: How many of a hundred inputs are for it.
    """

    prepare: Callable[[Path], None]
    read: Callable[[Path], object]
    files: dict[str, Callable[[bytes, random.Random], bytes]]
    mend: Callable[[Path], None] = field(default=lambda _folder: None)
    weight: int = 5


def _csv(folder: Path) -> None:
    rows = "".join(f'{row},"{name}",note\n' for row, name in enumerate(NAMES))
    (folder / "list.csv").write_text("id,text,note\n" + rows, encoding="utf-8")


def _jsonl(folder: Path) -> None:
    rows = (
        json.dumps({"id": row, "text": name, "more": {"a": [1.5, None]}})
        for row, name in enumerate(NAMES)
    )
    (folder / "list.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _parquet(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": NAMES, "id": range(4), "more": [b"a", None, b"\xff", b""]})
    pq.write_table(table, folder / "list.parquet")


def _read_list(folder: Path) -> object:
    """Read, and write in each format as verdicts are written."""
    from tuni.lists.csv_rows import Wrong
    from tuni.lists.files import open_subjects
    from tuni.lists.rows import read_list
    from tuni.lists.writing import write_table

    (path,) = folder.iterdir()
    file = open_subjects(path)
    index = read_list(file, Wrong(path.name))
    for suffix in (".csv", ".jsonl", ".parquet"):
        out = folder / f"out{suffix}"
        write_table(out, file.columns, (row for _, row in file.rows()), file.types)
        out.unlink()
    return index


def _labelled(folder: Path) -> None:
    rows = "".join(f"{name},{row % 2}\n" for row, name in enumerate(NAMES))
    (folder / "labelled.csv").write_text("text,member\n" + rows, encoding="utf-8")


def _read_labelled(folder: Path) -> object:
    from tuni.lists.labelled import read_labelled

    return read_labelled(folder / "labelled.csv")


def _request(folder: Path) -> None:
    (folder / "request.toml").write_text(
        '[checkpoint]\nname = "a"\nfolder = "checkpoint"\n'
        '[subjects]\nkind = "name"\nlist = "l.csv"\n'
        '[bank]\nimages = "bank"\n[search]\ntrials = 3\n[features]\ninversion = false\n'
        "[nulls]\ngibberish = 900\n[gates]\n[compute]\nthreads = 1\n",
        encoding="utf-8",
    )


def _read_request(folder: Path) -> object:
    from flows.machine.settings import absolute, read_request

    return absolute(read_request(folder / "request.toml"), folder)


def _body(folder: Path) -> None:
    rows = [{"text": name} for name in NAMES]
    (folder / "body.json").write_text(json.dumps({"dataframe_records": rows}), encoding="utf-8")


def _read_body(folder: Path) -> object:
    from flows.scoring.serve_app import parse_texts
    from tuni.texts.text import refusal

    return [refusal(text) for text in parse_texts((folder / "body.json").read_bytes())]


def _checkpoint(folder: Path) -> None:
    from tests.objects import save_tiny, tiny_settings

    save_tiny(folder, tiny_settings(text_cfg={"vocab_size": 49408, "width": 16, "layers": 1}))


def _transformers(folder: Path) -> None:
    from tests.small_models import FAMILIES

    folder.rmdir()
    FAMILIES["CLIPModel"].write(folder)


def _load(folder: Path) -> object:
    from tuni.model.load import load_target

    return load_target(folder).fingerprint


def _torch(folder: Path) -> None:
    import torch

    state = {"a.weight": torch.zeros(4, 3), "a.bias": torch.ones(4, dtype=torch.float16)}
    torch.save({"epoch": 3, "state_dict": state}, folder / "weights.pt")


def _old_torch(folder: Path) -> None:
    import torch

    state = {"a.weight": torch.zeros(4, 3), "b": torch.ones(1000)}
    torch.save(state, folder / "weights.pt", _use_new_zipfile_serialization=False)


def _archive(folder: Path) -> None:
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3))
        torch.jit.save(traced, folder / "weights.pt")


def _repacked(data: bytes, draw: random.Random) -> bytes:
    """One member of a zip changed, or all of it deflated; the directory fits again."""
    old, new = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    chosen = draw.choice(old.namelist())
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(new, "w", method) as archive:
        for name in old.namelist():
            content = old.read(name)
            if name == chosen:
                content = changed_bytes(content, draw)
                if draw.random() < 0.03:
                    content += bytes(200_000_000)
            archive.writestr(name, content)
    return new.getvalue()


def _pt(data: bytes, draw: random.Random) -> bytes:
    return (_repacked if draw.random() < 0.7 else changed_bytes)(data, draw)


def _read_weights(folder: Path) -> object:
    from tuni.model.reading.weights import read_all, stored_tensors

    return len(read_all(stored_tensors(folder / "weights.pt"), lambda _data: None))


def _safetensors(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(4, 3), "b": torch.ones(5)}, folder / "weights.pt")


def _shards(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    for name in "ab":
        save_file({f"{name}.w": torch.zeros(3)}, folder / f"{name}.safetensors")
    places = {f"{name}.w": f"{name}.safetensors" for name in "ab"}
    (folder / "weights.index.json").write_text(json.dumps({"weight_map": places}))


def _read_shards(folder: Path) -> object:
    from tuni.model.reading.weights import read_all, stored_tensors

    return len(read_all(stored_tensors(folder / "weights.index.json"), lambda _data: None))


GOLDEN = Path(__file__).parent.parent / "golden"


def _bundle(folder: Path) -> None:
    shutil.copytree(GOLDEN / "verdicts" / "bundle", folder, dirs_exist_ok=True)


def _mend_bundle(folder: Path) -> None:
    """Digests as one who changes a bundle would write them."""
    import hashlib

    from tuni.hashing import canonical_json

    path, payload = folder / "bundle.json", (folder / "arrays.safetensors").read_bytes()
    try:
        body = json.loads(path.read_bytes())
        body["arrays"] = {"sha256": hashlib.sha256(payload).hexdigest(), "bytes": len(payload)}
        body.pop("digest", None)
        digest = hashlib.sha256(canonical_json(body).encode()).hexdigest()
        path.write_text(canonical_json(body | {"digest": digest}), encoding="utf-8")
    except (ValueError, TypeError, AttributeError):
        pass  # no longer a table: it stays as it is


def _score(folder: Path) -> object:
    """What a bundle makes its reader do: read it, and score names on the checkpoint beside it."""
    from dataclasses import replace

    from tuni.detectors.bundle import read_bundle
    from tuni.judging.judge import Judge

    bundle = read_bundle(folder)
    target = _golden_target()
    return Judge(replace(bundle, fingerprint=target.fingerprint), target).scores(NAMES, paired=True)


_TARGETS: list[Any] = []


def _golden_target() -> Any:
    from tuni.model.load import load_target

    if not _TARGETS:
        _TARGETS.append(load_target(GOLDEN / "verdicts" / "checkpoint"))
    return _TARGETS[0]


def _evidence(folder: Path) -> None:
    from flows.pages.evidence import evidence_text
    from tests.flows.conftest import sample_comparison

    (folder / "evidence.json").write_text(evidence_text(sample_comparison()), encoding="utf-8")


def _mend_evidence(folder: Path) -> None:
    from tuni.hashing import digest

    path = folder / "evidence.json"
    try:
        content = json.loads(path.read_bytes())
        content["digest"] = digest(content["evidence"])
        path.write_text(json.dumps(content), encoding="utf-8")
    except (ValueError, TypeError, LookupError):
        pass


def _read_evidence(folder: Path) -> None:
    from flows.pages.evidence import read_evidence
    from flows.pages.publish import write_report

    write_report(read_evidence(folder / "evidence.json"), None, folder / "page.html")
    (folder / "page.html").unlink()


def _picture(suffix: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from PIL import Image

        Image.new("RGB", (40, 30), (200, 10, 60)).save(folder / f"picture.{suffix}")

    return write


def _read_picture(folder: Path) -> object:
    from tuni.pictures.read import read_picture

    (path,) = folder.iterdir()
    return read_picture(path, "picture 1").convert("RGB").resize((8, 8))


PARSERS: dict[str, Parser] = {
    "list.csv": Parser(_csv, _read_list, {"*.csv": changed_bytes}),
    "list.jsonl": Parser(_jsonl, _read_list, {"*.jsonl": changed_bytes}),
    "list.parquet": Parser(_parquet, _read_list, {"*.parquet": changed_bytes}, weight=10),
    "labelled.csv": Parser(_labelled, _read_labelled, {"*.csv": changed_bytes}),
    "request": Parser(_request, _read_request, {"*.toml": changed_bytes}, weight=10),
    "http": Parser(_body, _read_body, {"*.json": changed_json}),
    "http bytes": Parser(_body, _read_body, {"*.json": changed_bytes}),
    "checkpoint": Parser(_checkpoint, _load, {"*.json": changed_json}, weight=3),
    "checkpoint bytes": Parser(_checkpoint, _load, {"*": changed_bytes}, weight=1),
    "transformers": Parser(_transformers, _load, {"*.json": changed_json}, weight=1),
    "torch": Parser(_torch, _read_weights, {"*": _pt}, weight=10),
    "old torch": Parser(_old_torch, _read_weights, {"*": changed_bytes}),
    "archive": Parser(_archive, _read_weights, {"*": _pt}),
    "safetensors": Parser(_safetensors, _read_weights, {"*": changed_bytes}),
    "shards": Parser(_shards, _read_shards, {"*.json": changed_json}),
    "bundle": Parser(_bundle, _score, {"bundle.json": changed_json}, _mend_bundle, weight=10),
    "bundle bytes": Parser(_bundle, _score, {"*": changed_bytes}),
    "evidence": Parser(_evidence, _read_evidence, {"*": changed_json}, _mend_evidence),
    "png": Parser(_picture("png"), _read_picture, {"*": changed_bytes}),
    "jpeg": Parser(_picture("jpg"), _read_picture, {"*": changed_bytes}),
    "webp": Parser(_picture("webp"), _read_picture, {"*": changed_bytes}),
}
