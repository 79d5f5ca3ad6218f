"""Makes a testbed folder: draws, trains, writes, and keeps the result by its settings' hash.

The one law: a testbed folder is whole or absent. It is made beside its place and renamed.
"""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

from tuni.bench.testbed.drawing import PLACES, draw_attributes, draw_faces, draw_scenes
from tuni.bench.testbed.models import Model, model_config, write_text_tower
from tuni.bench.testbed.people import Person, draw_people
from tuni.bench.testbed.settings import TestbedSettings
from tuni.bench.testbed.training import retrieval, train, training_steps
from tuni.bench.testbed.training_set import TrainingSet, draw_training_set, training_pictures
from tuni.errors import HomeError
from tuni.files import scratch_folder
from tuni.progress import SILENT, Progress

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Testbed:
    """A finished testbed on disk.

    Attributes:
        folder: Where it lies.
        settings: What it was made from.
    """

    __test__ = False  # the name starts with Test, and pytest would collect it

    folder: Path
    settings: TestbedSettings

    @property
    def checkpoint(self) -> Path:
        """Folder with open_clip_config.json and open_clip_model.safetensors."""
        return self.folder / "checkpoint"

    @property
    def truth(self) -> Path:
        """CSV text,member,captions,group,culture: everybody (name and fields instead of text)."""
        return self.folder / "truth.csv"

    @property
    def labelled(self) -> Path:
        """CSV text,member,captions: what the owner of a training set would know."""
        return self.folder / "labelled.csv"

    @property
    def watch(self) -> Path:
        """CSV id,text: the unlabelled list of people of interest."""
        return self.folder / "watch.csv"

    @property
    def bank(self) -> Path:
        """Folder of generic pictures that show none of the people, never trained."""
        return self.folder / "bank"

    @property
    def request(self) -> Path:
        """A minimal request for ``tuni run``; its paths are relative to it."""
        return self.folder / "request.toml"

    @property
    def about(self) -> Path:
        """JSON: settings, number of pictures, and what the model learnt (`retrieval`)."""
        return self.folder / "testbed.json"


def make_testbed(
    settings: TestbedSettings, cache_dir: Path, progress: Progress = SILENT
) -> Testbed:
    """Make a testbed, or find the one that was made from equal settings.

    Args:
        settings: Size, seed and training.
        cache_dir: Where testbeds are kept, each in a folder named by the settings' hash.
        progress: Told of drawing and training, in pictures.

    Returns:
        The testbed; its folder is complete.

    Raises:
        TooFewTexts: The settings ask for more people than the name parts have pairs.
        HomeError: The folder cannot be written.
    """
    bed = Testbed(cache_dir / settings.hash, settings)
    if bed.folder.is_dir():
        return bed
    people = draw_people(settings, settings.rng("people"))
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with scratch_folder(cache_dir) as work:
            _fill(Testbed(work, settings), people, progress)
            _publish(work, bed.folder)
    except OSError as error:
        raise HomeError(
            f"testbed folder: cannot be written ({error.strerror or type(error).__name__})",
            "free some space or choose a folder that you may write to",
        ) from error
    return bed


def _train_alone(
    settings: TestbedSettings, drawn: TrainingSet, step: Callable[[int], None]
) -> Model:
    """Train on one thread: equal bits on any number of cores, no slower for a small model."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train(settings, drawn.pictures, drawn.captions, step)
    finally:
        torch.set_num_threads(threads)


def _publish(work: Path, folder: Path) -> None:
    """Rename into place; where another process was first, its equal result stays."""
    try:
        work.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _fill(bed: Testbed, people: tuple[Person, ...], progress: Progress) -> None:
    """Draw, train and write everything into the folder of ``bed``."""
    settings = bed.settings
    trained = [p for p in people if p.member]
    with progress.stage("drawing pictures", training_pictures(settings)) as step:
        drawn = draw_training_set(settings, trained, settings.rng("pictures"), step)
    steps, batch = training_steps(settings, len(drawn.captions))
    with progress.stage("training the testbed's CLIP", steps * batch) as step:
        model = _train_alone(settings, drawn, step)
    found = retrieval(settings, model, trained, drawn.faces, settings.rng("retrieval"))
    _write_checkpoint(bed, model.state_dict())
    _write_lists(bed, people)
    _write_bank(bed)
    _write_request(bed)
    _write_json(
        bed.about,
        {
            "format": 1,
            "settings": settings.as_json(),
            "pictures": len(drawn.captions),
            "retrieval": found,
        },
    )


def _write_checkpoint(bed: Testbed, state: dict[str, torch.Tensor]) -> None:
    """Write what ``open_clip`` loads as ``local-dir:``; half precision, as published ones."""
    bed.checkpoint.mkdir()
    config = {
        "model_cfg": model_config(bed.settings),
        "preprocess_cfg": {
            "mean": _HALF,
            "std": _HALF,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }
    _write_json(bed.checkpoint / "open_clip_config.json", config)
    if bed.settings.family == "bert":
        write_text_tower(bed.settings, bed.checkpoint)
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
    save_file(tensors, bed.checkpoint / "open_clip_model.safetensors")


def _write_lists(bed: Testbed, people: tuple[Person, ...]) -> None:
    """Write truth.csv, labelled.csv and watch.csv; nobody stands in the last two at once."""
    settings = bed.settings
    rng = settings.rng("lists")
    namesakes = [p for p in people if p.group == "namesake"]
    others = people[: len(people) - len(namesakes)]
    shuffled = [*(others[i] for i in rng.permutation(len(others))), *namesakes]
    columns = ("name", *settings.fields) if settings.fields else ("text",)
    _write_csv(
        bed.truth,
        (*columns, "member", "captions", "group", "culture"),
        [(*_cells(p, settings), int(p.member), p.captions, p.group, p.culture) for p in shuffled],
    )
    members = _spread([p for p in people if p.group == "member"])
    strangers = [p for p in people if p.group == "stranger"]  # drawn so that parts are even
    known = members[: settings.labelled] + strangers[: settings.labelled]
    _write_csv(
        bed.labelled,
        (*columns, "member", "captions"),
        [
            (*_cells(known[i], settings), int(known[i].member), known[i].captions)
            for i in rng.permutation(len(known))
        ],
    )
    start = settings.labelled
    watched = (
        members[start : start + settings.watch_members]
        + strangers[start : start + settings.watch_strangers]
    )
    _write_csv(
        bed.watch,
        ("id", *columns),
        [
            (f"P{k:04d}", *_cells(watched[i], settings))
            for k, i in enumerate(rng.permutation(len(watched)), 1)
        ],
    )


def _cells(person: Person, settings: TestbedSettings) -> tuple[str, ...]:
    """A person's name and, where a testbed has such, contact data, each in its column."""
    contact = person.contact
    return (
        person.text,
        *(contact.written if contact and contact.kind == kind else "" for kind in settings.fields),
    )


def _spread(members: Sequence[Person]) -> list[Person]:
    """Order members so that each run of them holds each caption count in its share."""
    seen: dict[int, int] = {}
    size: dict[int, int] = {}
    for person in members:
        size[person.captions] = size.get(person.captions, 0) + 1
    keys = []
    for row, person in enumerate(members):
        nth = seen.get(person.captions, 0)
        seen[person.captions] = nth + 1
        keys.append(((nth + 0.5) / size[person.captions], row))
    return [members[row] for _share, row in sorted(keys)]


def _write_bank(bed: Testbed) -> None:
    """Write generic pictures: half faces of nobody, half scenes."""
    rng = bed.settings.rng("bank")
    bed.bank.mkdir()
    faces = bed.settings.bank // 2
    where = rng.integers(0, len(PLACES), bed.settings.bank)
    pictures = [
        *draw_faces(draw_attributes(faces, rng), where[:faces], rng),
        *draw_scenes(where[faces:], rng),
    ]
    for k, picture in enumerate(pictures, 1):
        Image.fromarray(picture).save(bed.bank / f"generic-{k:03d}.png")


def _write_request(bed: Testbed) -> None:
    """Write the minimal request."""
    bed.request.write_text(
        "# A CLIP of drawn people whose members are known: see truth.csv.\n"
        "[checkpoint]\n"
        f'name = "testbed-{bed.settings.hash[:8]}"\n'
        'folder = "checkpoint"\n'
        "[subjects]\n"
        f"{_kinds(bed.settings)}\n"
        'labelled = "labelled.csv"\n'
        'list = "watch.csv"\n'
        "[bank]\n"
        'images = "bank"\n',
        encoding="utf-8",
    )


def _kinds(settings: TestbedSettings) -> str:
    if not settings.fields:
        return 'kind = "name"'
    return f"kinds = {json.dumps(['name', *settings.fields])}"


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
