"""A job reads each of its files once, and refuses what cannot work before anything is computed."""

import sys
from pathlib import Path

import pytest

from flows.job.job import Job
from flows.machine.settings import Request, Settings
from tests.small_models import FAMILIES
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


def skipping(asked: Request) -> Request:
    return asked.model_copy(
        update={"subjects": asked.subjects.model_copy(update={"skip_bad": True})}
    )


def test_texts_that_cannot_be_scored_are_left_out_and_counted_where_that_is_asked(
    asked: Request, tmp_path: Path
) -> None:
    labelled, listed = asked.subjects.labelled, asked.subjects.list_
    assert labelled is not None
    assert listed is not None
    long = "Ada " + "-".join("xyz" for _ in range(30))
    # The last two differ in nothing that CLIP's tokenizer keeps.
    one = "Jo-Ann Roe\nJo - Ann Roe\n"
    for path, lines in ((labelled, f"212-555-0142,1\n{long},0\n"), (listed, f"@ada_roe\n{one}")):
        path.write_text(path.read_text(encoding="utf-8") + lines, encoding="utf-8")
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(TextError, match=r"line 42: is a number.*line 43: .* tokens") as caught:
        Job.open(asked, settings)
    assert "--skip-bad" in caught.value.fix
    job = Job.open(skipping(asked), settings)
    job.close()
    assert (len(job.texts.members), job.texts.left_out) == (40, 4)
    assert job.texts.listed is not None
    assert len(job.texts.listed.texts) == 51


def test_a_file_is_never_left_out_whole(asked: Request, tmp_path: Path) -> None:
    listed = asked.subjects.list_
    assert listed is not None
    listed.write_text("text\n212-555-0142\n", encoding="utf-8")
    with pytest.raises(TextError, match=r"list\.csv: line 2: is a number"):
        Job.open(skipping(asked), Settings(home=tmp_path / "home"))


def test_gibberish_is_made_of_what_the_tokenizer_keeps(asked: Request, tmp_path: Path) -> None:
    """SigLIP's drops punctuation: of gibberish of nothing else no token would be left."""
    FAMILIES["SiglipModel"].write(tmp_path / "siglip")
    table = {"name": "siglip", "folder": tmp_path / "siglip"}
    job = Job.open(
        Request.model_validate(asked.model_dump(by_alias=True) | {"checkpoint": table}),
        Settings(home=tmp_path / "home"),
    )
    job.close()
    assert job.sets.gibberish_fit
    assert all(text.replace(" ", "").isalnum() for text in job.sets.gibberish_fit)
