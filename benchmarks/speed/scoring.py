"""Verdicts for lists of any length with a light detector: time, memory, encoder's share.

The detector reads the norm of hidden states under one prompt, so a name is encoded once. The list
lends no decoys here: their number does not follow the list's length. With a stub in the place of
the encoder what is left is Python on one core, CSV in and out: the limit where a device is fast.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import names, target_of
from timing import Row, figure

from tuni.detectors.bundle import Bundle, Scorer
from tuni.detectors.model import ArrayModel
from tuni.features.families.hidden import HiddenSpec
from tuni.features.registry import by_family
from tuni.features.spec import FeatureSpec
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.record import COLUMNS
from tuni.judging.whole_list import judge_list, scorable
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects
from tuni.lists.rows import read_list
from tuni.lists.writing import write_table
from tuni.model.target import Target, TextOutput
from tuni.texts.reference_parts import all_reference_parts

LENGTHS = (1_000, 10_000, 100_000)
WARM_UP = 100
TOWERS = ("testbed", "ViT-B-32")


def measure(smoke: bool) -> Iterator[Row]:
    """Each list in a process of its own, whose peak memory is asked for at its end."""
    for tower in TOWERS:
        lengths = (20, 40) if smoke else LENGTHS if tower == "testbed" else LENGTHS[:1]
        found = [_alone(tower, length) for length in lengths]
        for length, told in zip(lengths, found, strict=True):
            yield figure(
                "scoring",
                f"{tower}, light: processor time per 1,000 names, list of {length:,}",
                [1_000 * told["seconds"] / length],
                "s",
                more={"in the encoder, %": 100 * told["encoder"] / told["seconds"]},
            )
        each = [told["seconds"] / length for length, told in zip(lengths, found, strict=True)]
        if len(lengths) > 1:
            yield figure(
                "scoring", f"{tower}, light: time a name, longest list over shortest",
                [each[-1] / each[0]], "x", wanted="0.9 to 1.1",
            )  # fmt: skip
            yield figure(
                "scoring", f"{tower}, light: peak memory, longest list minus shortest",
                [found[-1]["peak_mb"] - found[0]["peak_mb"]], "MB", wanted="< 100",
            )  # fmt: skip
        yield figure(
            "scoring", f"{tower}, light: share of the time inside the encoder",
            [100 * found[-1]["encoder"] / found[-1]["seconds"]], "%", wanted=">= 80",
        )  # fmt: skip
    rows = 40 if smoke else LENGTHS[-1]
    told = _alone("stub", rows)
    yield figure(
        "scoring", f"light, the encoder a stub, {rows:,} rows: rows a second of processor time",
        [rows / told["seconds"]], "rows/s", wanted=">= 20,000 on two cores",
    )  # fmt: skip


def _alone(tower: str, length: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, tower, str(length)], check=True, capture_output=True, text=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _main() -> None:
    import resource

    tower, length = sys.argv[1], int(sys.argv[2])
    target = stub() if tower == "stub" else target_of(tower, text_only=True)
    inside = [0.0]

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:  # Any: whatever the target's does
        def run(*values: Any, **named: Any) -> Any:
            started = time.process_time()
            try:
                return call(*values, **named)
            finally:
                inside[0] += time.process_time() - started

        return run

    for name in ("forward_text", "token_embeddings"):
        setattr(target, name, timed(getattr(target, name)))
    bundle = light(target)
    with tempfile.TemporaryDirectory() as scratch:
        for count in (WARM_UP, length):
            path = Path(scratch) / f"{count}.csv"
            path.write_text("\n".join(["text", *names(count), ""]), encoding="utf-8")
            inside[0], started = 0.0, time.process_time()
            judge, wrong = Judge(bundle, target), Wrong(path.name)
            index = scorable(judge, read_list(open_subjects(path), wrong), wrong)
            verdicts = judge_list(judge, index, JudgeOptions(list_decoys=False))
            rows = (record for _, record in verdicts.rows())
            write_table(path.with_suffix(".out.csv"), list(COLUMNS), rows)
            spent = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": spent, "encoder": inside[0], "peak_mb": peak}))


def stub() -> Target:
    """The testbed's tokenizer with a tower that takes no time."""
    target = target_of("testbed", text_only=True)

    def forward_text(
        x: torch.Tensor, ids: torch.Tensor, layers: int = 0, shared: int = 0
    ) -> TextOutput:
        states = (ids[:, -2:-1].float() % 97 + 1).expand(-1, target.width)
        return TextOutput(states, (states,) * (layers + 1))

    target.forward_text = forward_text  # type: ignore[method-assign]
    target.token_embeddings = lambda ids: torch.zeros(*ids.shape, 1)  # type: ignore[method-assign]
    return target


def light(target: Target) -> Bundle:
    """A detector with thresholds out of the air: verdicts are not looked at."""
    spec = FeatureSpec(
        parts=all_reference_parts(),
        families=by_family(HiddenSpec(prompts=("{}",), layers=(0,))),
    )
    model = ArrayModel("feature", ("hidden.norm",), {"sign": 1.0})
    scorer = Scorer(model, np.linspace(4.0, 12.0, 1999), np.linspace(2.0, 10.0, 499), 1e-6)
    return Bundle("light", target.fingerprint, "name", spec, scorer, scorer, 0.05, 1, {}, {}, {})


if __name__ == "__main__":
    _main()
