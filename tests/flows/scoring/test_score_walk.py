"""A name walks through `tuni score` as docs/architecture.md says, file by file."""

import re
import sys
from pathlib import Path

from flows.machine.settings import Settings
from flows.scoring.score import ScoreRequest, score_file

ROOT = Path(__file__).parents[3]
STEP = re.compile(r"^\d+\. `([\w/]+\.py)`, `(\w+)`", re.MULTILINE)


def test_the_walk_of_a_name_is_the_one_on_the_architecture_page(registered, csv_file, tmp_path):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = STEP.findall(page[page.index("## A name's walk") :])
    assert len(steps) > 10
    file = csv_file("people.csv", "text\nAnna Abbott\n")
    request = ScoreRequest("tiny", file, tmp_path / "out.csv", decoys=200)
    called: dict[tuple[str, str], None] = {}

    def watch(frame, event, argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)):
            name = str(Path(code.co_filename).relative_to(ROOT))
            called.setdefault((name, code.co_name))

    sys.setprofile(watch)
    try:
        score_file(request, Settings(home=registered.home))
    finally:
        sys.setprofile(None)
    walked = list(called)
    assert [step for step in walked if step in steps] == steps
