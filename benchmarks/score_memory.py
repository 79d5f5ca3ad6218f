"""How much memory `tuni score` takes for a long list, with a light detector of a small checkpoint.

    python benchmarks/score_memory.py FOLDER 20000 200000

FOLDER keeps the home, the lists and the verdicts. Each list is scored by the command in a process
of its own; printed are its peak memory and its time.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import open_clip
from safetensors.torch import save_file

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from registry.models.store import ModelStore
from tuni.detectors.bundle import Bundle, Scorer, write_bundle
from tuni.detectors.model import ArrayModel
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.hashing import canonical_json
from tuni.lists.writing import write_table
from tuni.model.load import load_target
from tuni.texts.kind import NeighbourParts
from tuni.texts.reference_parts import reference_parts

MODEL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
NAME = "light"


def make_checkpoint(folder: Path) -> Path:
    """A CLIP with random weights that takes no time."""
    if not folder.exists():
        folder.mkdir(parents=True)
        settings = {"model_cfg": MODEL, "preprocess_cfg": {}}
        (folder / "open_clip_config.json").write_text(canonical_json(settings))
        model = open_clip.model.CLIP(**MODEL)
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def register(home: Path, checkpoint: Path, scratch: Path) -> None:
    """Register a detector that reads one cheap column."""
    target = load_target(checkpoint)
    common = reference_parts("latin/*", 6)
    scorer = Scorer(
        ArrayModel("feature", ("hidden.norm",), {"sign": 1.0}),
        np.linspace(4.0, 12.0, 1999),
        np.linspace(2.0, 10.0, 499),
        1e-6,
    )
    spec = FeatureSpec(
        parts=(NeighbourParts("*", common.firsts, common.lasts),),
        families=by_family(HiddenSpec(prompts=("{}",), layers=(0,), neighbours=1)),
    )
    bundle = Bundle(NAME, target.fingerprint, "name", spec, scorer, scorer, 0.05, 1, {}, {}, {})
    write_bundle(bundle, scratch)
    settings = Settings(home=home)
    with open_ledger(settings) as ledger:
        ledger.bind_checkpoint(NAME, target.fingerprint, {"folder": str(checkpoint)})
        store = ModelStore(ledger.home, None, ledger)
        store.promote(NAME, store.register(NAME, scratch, tags={}).version, "benchmark")


def main() -> None:
    """Score a list of each length."""
    folder, lengths = Path(sys.argv[1]).absolute(), [int(one) for one in sys.argv[2:]]
    home = folder / "home"
    if not home.exists():
        register(home, make_checkpoint(folder / "checkpoint"), folder / "bundle")
    parts = reference_parts("latin/*", 1000)
    for length in lengths:
        rows = (
            {"text": f"{parts.firsts[n % len(parts.firsts)]} Qu{n:x}ist", "id": n}
            for n in range(length)
        )
        write_table(folder / f"{length}.csv", ("text", "id"), rows)
        command = [str(Path(sys.executable).with_name("tuni")), "score", "--checkpoint", NAME]
        command += ["--subjects", str(folder / f"{length}.csv")]
        command += ["--out", str(folder / f"{length}.parquet"), "--decoys", "2000"]
        started = time.monotonic()
        process = subprocess.Popen(command, env=os.environ | {"TUNI_HOME": str(home)})
        _, status, usage = os.wait4(process.pid, 0)
        print(  # noqa: T201
            f"{length:>9,} rows: peak {usage.ru_maxrss / 1024:.0f} MiB, "
            f"{time.monotonic() - started:.0f} s, "
            f"of a processor {usage.ru_utime + usage.ru_stime:.1f} s, "
            f"exit {os.waitstatus_to_exitcode(status)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
