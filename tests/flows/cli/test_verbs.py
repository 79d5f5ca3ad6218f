"""A verb is two files and no edit: the one that docs/extending.md shows, in a copy of the room."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CALL = "import sys; from flows.cli import main; sys.argv = ['tuni', *sys.argv[1:]]; main()"


def test_the_verb_of_the_guide_runs_and_stands_in_the_help(tmp_path: Path, registered) -> None:
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    guide = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for block in guide.split("## A verb")[1].split("```python\n")[1:]:
        source = block.split("```")[0]
        (tmp_path / source[3:].partition(":")[0]).write_text(source, encoding="utf-8")

    def tuni(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", CALL, *arguments],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "TUNI_HOME": registered.home},
            capture_output=True, text=True, check=True, cwd=tmp_path,
        )  # fmt: skip
        return done.stdout

    assert "champions  List the checkpoints that have a champion." in tuni("--help")
    assert tuni("champions") == "tiny\n"
    assert tuni("champions", "--json") == '{"checkpoints": ["tiny"]}\n'
