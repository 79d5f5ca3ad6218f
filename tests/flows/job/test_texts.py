"""A job reads each of its files once, and refuses what cannot work before anything is computed."""

import sys
from pathlib import Path

import pytest

from flows.job.job import Job
from flows.machine.settings import Request, Settings
from tuni.errors import TextError
from tuni.texts.reference_parts import reference_parts

PARTS = reference_parts("latin/en_US", 1000)
# Each first name twice, with another last one.
NAMES = [f"{PARTS.firsts[row % 500]} {last}" for row, last in enumerate(PARTS.lasts[:1000])]
opened: list[str] = []
sys.addaudithook(
    lambda event, given: opened.append(str(given[0])) if event == "open" and watched else None
)
watched = False


@pytest.fixture
def asked(registered, csv_file) -> Request:
    """A request with all three files."""
    rows = "".join(f"{name},{row % 2}\n" for row, name in enumerate(NAMES[:40]))
    files = {
        "labelled": csv_file("labelled.csv", "text,member\n" + rows),
        "list": csv_file("list.csv", "text\n" + "\n".join(NAMES[40:90]) + "\n"),
    }
    decoys = csv_file("decoys.csv", "text\n" + "\n".join(NAMES) + "\n")
    content = registered.request.model_dump() | {"subjects": files}
    content["nulls"] |= {"source": "file", "decoys": decoys}
    return Request.model_validate(content)


def test_each_file_is_opened_once(asked: Request, tmp_path: Path) -> None:
    global watched
    opened.clear()
    watched = True
    try:
        job = Job.open(asked, Settings(home=tmp_path / "home"))
    finally:
        watched = False
    job.close()
    names = sorted(Path(path).name for path in opened if path.endswith(".csv"))
    assert names == ["decoys.csv", "labelled.csv", "list.csv"]
    assert len(job.texts.members) == 40
    assert job.texts.listed is not None
    assert all(job.texts.digests.values())


def test_a_decoy_of_one_part_is_refused_by_line(asked: Request, tmp_path: Path) -> None:
    path = asked.nulls.decoys
    assert path is not None
    path.write_text(path.read_text(encoding="utf-8") + "Plato\n", encoding="utf-8")
    line = len(path.read_text(encoding="utf-8").splitlines())
    with pytest.raises(TextError, match=rf"decoys\.csv: line {line}: one part only"):
        Job.open(asked, Settings(home=tmp_path / "home"))
