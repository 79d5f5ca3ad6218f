"""What docs/extending.md adds passes the suites: kinds of several things, and a family."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECTIONS = (
    "## A kind of detector", "## A family of features", "## A kind of text",
    "## A kind of checkpoint",
)  # fmt: skip
ENTRIES = """
[tuni.detectors]
toymedian = toy_kind:KIND
[tuni.features]
toy = toy_family:FAMILY
[tuni.texts]
plate = toy_plates:KIND
[tuni.targets]
toymodel = toy_model_kind:KIND
"""


def test_what_the_guide_adds_passes_the_suites(tmp_path: Path) -> None:
    """In a process of their own, in which their package is installed beside ours."""
    guide = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for section in SECTIONS:
        text = guide.split(section)[1].split("\n## ")[0]
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            (tmp_path / block[3:].partition(":")[0]).write_text(block, encoding="utf-8")
    (tmp_path / "toys-1.0.dist-info").mkdir()
    (tmp_path / "toys-1.0.dist-info" / "entry_points.txt").write_text(ENTRIES, encoding="utf-8")
    suites = [
        str(HERE / f"test_{name}.py") for name in ("detectors", "families", "text_kinds", "targets")
    ]
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", "toy or study or plate", *suites],
        capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed, \d+ deselected", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 42
