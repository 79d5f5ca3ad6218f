"""All that a person can get wrong in a request: exit 2, one sentence, nothing left behind."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.objects import latin_names

FIRSTS = ("Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Henry")
LASTS = ("Abbott", "Brown", "Conrad", "Dixon", "Ellis", "Foster", "Graham", "Harris")
CANARY = "Zebulon Quartz"


def people(count: int) -> list[str]:
    return [f"{first} {last}" for last in LASTS for first in FIRSTS][:count]


def labels(members: int, nonmembers: int) -> str:
    marks = [1] * members + [0] * nonmembers
    rows = zip(people(members + nonmembers), marks, strict=True)
    return "text,member\n" + "".join(f"{name},{mark}\n" for name, mark in rows)


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for shade in range(count):
        Image.new("RGB", (32, 32), (shade, 2 * shade, 90)).save(folder / f"{shade}.png")
    return folder


@pytest.fixture
def run_refused(tuni, refused, nothing_made):
    """Says that `tuni run` refuses a request with some words, and leaves nothing behind."""

    def check(request, *words):
        refused(tuni("run", request), *words)
        nothing_made()

    return check


# Request files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[checkpoint\nname = 'a'", ("not TOML", "line 1")),
        ("[chekpoint]\nname = 'a'\nfolder = 'x'", ("chekpoint", "did you mean `checkpoint`")),
        (
            "[serach]\ntrials = 3\n[gates]\nnon_inferiority = 7\n",
            ("serach", "`search`", "gates.non_inferiority", "checkpoint"),
        ),
    ],
)
def test_a_request_that_is_wrong_is_told_by_its_key(run_refused, csv_file, content, words):
    run_refused(csv_file("r.toml", content), *words)


@pytest.mark.parametrize("content", [b"\xff\xfe[checkpoint]", b"[checkpoint]\nname = '\xe4'"])
def test_a_request_that_is_not_utf8_is_refused(tuni, csv_file, content, refused):
    refused(tuni("run", csv_file("r.toml", content)), "request", "UTF-8")


def test_a_request_that_is_not_there_or_a_folder_is_refused(tuni, tmp_path, refused):
    refused(tuni("run", tmp_path / "no.toml"), "no file", "no.toml")
    refused(tuni("run", tmp_path), "request", "cannot be read")


# Checkpoints


def broken_truncated(folder: Path) -> None:
    weights = folder / "open_clip_model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)


def broken_pickle(folder: Path) -> None:
    class Runs:
        def __reduce__(self):
            return os.system, (f"touch {folder}/ran",)

    torch.save({"state": Runs()}, folder / "open_clip_model.safetensors")


def broken_settings(folder: Path) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "bert-base"
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (broken_truncated, ("open_clip_model.safetensors", "truncated")),
        (broken_pickle, ("pickled objects or code", "safetensors")),
        (broken_settings, ("hf_model_name",)),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_told_apart(
    run_refused, request_file, tiny_folder, tmp_path, breaks, words
):
    folder = tmp_path / "broken"
    shutil.copytree(tiny_folder, folder)
    breaks(folder)
    before = {path.name for path in folder.iterdir()}
    request = request_file(checkpoint={"name": "tiny", "folder": str(folder)})
    run_refused(request, *words)
    assert {path.name for path in folder.iterdir()} == before  # no code of the file ran


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"folder": "nowhere"}, ("checkpoint.folder", "nowhere")),
        ({"folder": "hf-hub:laion/some"}, ("checkpoint.folder",)),
        ({"architecture": "ViT-B-33", "weights": "w.safetensors"}, ("ViT-B-33", "ViT-B-32")),
        ({"architecture": "ViT-B-32", "weights": "nowhere.pt"}, ("weights", "nowhere.pt")),
        ({"folder": "nul\u0000byte"}, ("checkpoint.folder",)),
    ],
)
def test_a_checkpoint_that_is_not_there_is_named(run_refused, request_file, tmp_path, table, words):
    (tmp_path / "w.safetensors").touch()
    run_refused(request_file(checkpoint={"name": "tiny", **table}), *words)


def test_texts_that_cannot_be_scored_are_left_out_where_that_is_asked(
    tuni, request_file, csv_file, refused
):
    names = "\n".join(latin_names(50))
    request = request_file(subjects={"list": str(csv_file("l.csv", f"text\n{names}\n@ada_roe\n"))})
    refused(tuni("run", request), "l.csv: line 52: is an e-mail address or a handle", "--skip-bad")
    assert tuni("run", request, "--skip-bad", "--estimate-only").code == 0


def test_a_device_that_is_not_there_is_bad_input(run_refused, request_file):
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    run_refused(request_file(compute={"device": "cuda"}), "device", "'cuda'")


def test_other_weights_under_a_bound_name_are_refused_with_the_way_out(
    tuni, request_file, make_folder, refused
):
    assert tuni("run", request_file(), "--estimate-only").code == 0
    other = request_file(checkpoint={"name": "tiny", "folder": str(make_folder(seed=4))})
    refused(tuni("run", other), "tiny", "another name")


# Tables


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\nAnna Abbott,1\n", ("member",)),
        (b"text,member\nJos\xe9 Brown,1\n", ("UTF-8",)),
        ("text,member\nAnna Abbott,1\nClara Dixon,0\nANNA  Abbott,0\n", ("line 4", "line 2")),
        ("text,member\nAnna <|endoftext|>,1\n", ("line 2", "special token")),
    ],
)
def test_a_labelled_table_that_cannot_be_used_is_told_by_line(
    run_refused, request_file, csv_file, content, words
):
    path = csv_file("people.csv", content)
    run_refused(request_file(subjects={"labelled": str(path)}), "people.csv", *words)


@pytest.mark.parametrize("key", ["labelled", "list"])
def test_a_table_that_is_not_there_is_named(run_refused, request_file, key):
    run_refused(request_file(subjects={key: "gone.csv"}), "gone.csv")


def test_own_decoys_that_are_not_there_are_named(run_refused, request_file):
    run_refused(request_file(nulls={"source": "file", "decoys": "gone.csv"}), "gone.csv")


@pytest.mark.parametrize("key", ["labelled", "list"])
def test_a_text_longer_than_the_context_is_told_before_work_begins(
    run_refused, request_file, csv_file, key
):
    long = f"{CANARY}{'xqzj' * 12}"
    content = {"labelled": f"text,member\nAnna Abbott,1\n{long},0\n", "list": f"text\n{long}\n"}
    path = csv_file("people.csv", content[key])
    line = {"labelled": "line 3", "list": "line 2"}[key]
    run_refused(request_file(subjects={key: str(path)}), "people.csv", line, "tokens")


def test_too_few_own_decoys_are_counted(run_refused, request_file, csv_file):
    path = csv_file("decoys.csv", "text\n" + "\n".join(people(64)) + "\n")
    request = request_file(nulls={"source": "file", "decoys": str(path)})
    run_refused(request, "decoys", "64", "800")


def test_own_decoys_of_one_part_are_told_by_line(run_refused, request_file, csv_file):
    many = [f"{first}{number} {last}" for first in FIRSTS for last in LASTS for number in range(20)]
    path = csv_file("decoys.csv", "text\n" + "\n".join([*many, "Zebulon"]) + "\n")
    request = request_file(nulls={"source": "file", "decoys": str(path)})
    run_refused(request, "decoys.csv", f"line {len(many) + 2}", "one part")


def test_too_few_labels_for_the_labelled_objective_are_counted(run_refused, request_file, csv_file):
    path = csv_file("people.csv", labels(25, 12))
    request = request_file(
        subjects={"labelled": str(path)}, search={"objective": "labelled", "trials": 4}
    )
    run_refused(request, "search.objective", "25 and 12")


def test_labels_that_are_not_full_names_do_not_count_for_a_search(
    tuni, request_file, csv_file, refused
):
    rows = "".join(f"Single{number},{number % 2}\n" for number in range(60))
    path = csv_file("people.csv", f"text,member\n{rows}")
    request = request_file(
        subjects={"labelled": str(path)}, search={"objective": "labelled", "trials": 4}
    )
    refused(tuni("run", request), "search.objective", "0 and 0")


def test_too_short_a_list_for_the_label_free_objective_is_counted(
    run_refused, request_file, csv_file
):
    path = csv_file("people.csv", "text\n" + "\n".join(people(39)) + "\n")
    request = request_file(subjects={"list": str(path)}, search={"objective": "label-free"})
    run_refused(request, "search.objective", "39", "40")


def test_too_few_decoys_for_the_asked_rate_are_told(run_refused, request_file):
    run_refused(request_file(operating_point=0.001), "operating_point", "0.001", "decoy")


def test_an_alphabet_that_gives_too_few_texts_is_refused(tuni, request_file, refused):
    few = request_file(nulls={"alphabet": "a" * 10, "gibberish_length": [1, 2]})
    refused(tuni("run", few), "gibberish", "alphabet")
    refused(tuni("run", request_file(nulls={"alphabet": "abc defghijk"})), "alphabet")


# Pictures


def bank(request_file, folder: Path) -> Path:
    return request_file(bank={"images": str(folder)}, features={"geometry": True})


def test_a_bank_without_pictures_is_refused(run_refused, request_file, tmp_path):
    run_refused(bank(request_file, tmp_path / "gone"), "bank", "gone")
    (tmp_path / "empty").mkdir()
    run_refused(bank(request_file, tmp_path / "empty"), "bank", "picture")


def test_an_unreadable_picture_is_named(run_refused, request_file, tmp_path):
    folder = pictures(tmp_path / "bank", 8)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:40])
    run_refused(bank(request_file, folder), "bank", "3.png")


def test_too_few_pictures_for_the_bank_are_counted(run_refused, request_file, tmp_path):
    run_refused(bank(request_file, pictures(tmp_path / "bank", 3)), "bank.images", "3", "5")


# The home


def test_a_home_that_is_a_file_is_the_machines_fault(tuni, request_file, tmp_path, refused):
    (tmp_path / "file").write_text("")
    for arguments in (("doctor",), ("models", "list"), ("run", request_file())):
        refused(tuni(*arguments, home=tmp_path / "file"), "home", "TUNI_HOME", code=1)
        refused(tuni(*arguments, home=tmp_path / "file" / "below"), "home", "TUNI_HOME", code=1)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("name", ["logs", "jobs", "locks"])
def test_a_home_whose_folders_cannot_be_made_is_the_machines_fault(
    tuni, request_file, home, name, refused
):
    home.mkdir(mode=0o700)
    (home / name).write_text("")  # stands in the way, also of root
    done = tuni("run", request_file(), "--estimate-only")
    refused(done, name, code=1)
    assert "fault of this program" not in done.err
