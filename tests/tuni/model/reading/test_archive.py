"""A TorchScript archive gives up its tensors, and nothing in it ever runs."""

import contextlib
import io
import pickle
import shutil
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip import SimpleTokenizer
from open_clip.model import CLIP
from safetensors.torch import load_file

from tests.objects import tiny_settings
from tuni.errors import CheckpointError
from tuni.model.checkpoint import read_folder
from tuni.model.reading.archive import is_archive, read_archive

SAFE = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A traced model in half precision with OpenAI's own keys, as OpenAI's archives are."""
    path = tmp_path_factory.mktemp("archive") / "model.pt"
    with torch.random.fork_rng(devices=[]):
        model = CLIP(**tiny_settings(), quick_gelu=True).eval()
    for name, value in (("input_resolution", 32), ("context_length", 24), ("vocab_size", 49408)):
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(value))
    inputs = {
        "encode_image": torch.zeros(2, 3, 32, 32),
        "encode_text": SimpleTokenizer(context_length=24)(["a dog", "a cat"]),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace_module(model, inputs, check_trace=False, strict=False).half()
        torch.jit.save(traced, path)
    return path


@pytest.fixture(scope="module")
def expected(archive) -> dict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(torch.jit.load(archive).state_dict())


def rebuilt(archive, path, change=lambda name, data: data, method=zipfile.ZIP_STORED):
    """The archive with its members changed."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
    return path


def test_every_tensor_is_what_torch_reads(archive, expected):
    stored = read_archive(archive)
    assert is_archive(archive)
    assert stored.keys() == expected.keys()
    for name, load in stored.items():
        assert load().dtype == expected[name].dtype
        assert torch.equal(load(), expected[name])


def test_openais_archive_is_audited_with_its_own_activation(archive, tiny_folder, tmp_path):
    """Whatever the config says of the activation; a file without OpenAI's keys does not tell."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    shutil.copy(archive, folder / SAFE)
    config = folder / "open_clip_config.json"
    assert read_folder(folder).model_cfg["quick_gelu"] is True
    config.write_text(
        config.read_text().replace('"model_cfg": {', '"model_cfg": {"quick_gelu": true, ')
    )
    named = read_folder(folder)
    config.write_text(config.read_text().replace("true", "false", 1))
    with pytest.raises(CheckpointError, match="quick_gelu is false, but these are OpenAI"):
        read_folder(folder)
    (folder / SAFE).unlink()
    config.write_text(config.read_text().replace("false", "true", 1))
    torch.save(
        {name: load() for name, load in read_archive(archive).items()},
        folder / "open_clip_pytorch_model.bin",
    )
    assert read_folder(folder).fingerprint == named.fingerprint


def test_modules_that_hold_each_other_are_read_once(tmp_path):
    """As a state dict of two to the fortieth entries would be, or an endless one."""
    path = tmp_path / "loop.pt"
    body = b"\x80\x02c__torch__\nA\n)\x81q\x00}(X\x01\x00\x00\x00ah\x00ub."
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/data.pkl", body)
        file.writestr("m/constants.pkl", b"")
    assert read_archive(path) == {}


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_code_does_not_run(archive, tmp_path):
    trap = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(trap), protocol=2)
    path = rebuilt(
        archive, tmp_path / "bomb.pt", lambda n, d: bomb if n.endswith("/data.pkl") else d
    )
    with pytest.raises(CheckpointError, match="not only tensors"):
        read_archive(path)
    assert not trap.exists()
    pickle.loads(bomb)  # noqa: S301  the trap does work
    assert trap.exists()


def test_storage_that_is_missing_or_of_another_size_is_refused(archive, tmp_path):
    for change in (lambda n, d: None if "/data/" in n else d, lambda n, d: d[:-2]):
        path = rebuilt(archive, tmp_path / "short.pt", change)
        with pytest.raises(CheckpointError, match="truncated"):
            [load() for load in read_archive(path).values()]


def test_compressed_storage_which_may_unfold_to_any_size_is_refused(archive, tmp_path):
    path = rebuilt(archive, tmp_path / "packed.pt", method=zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="TorchScript"):
        [load() for load in read_archive(path).values()]


# The standard library's own, of escapes in an instruction that is refused a line later.
ODD_ESCAPE = pytest.mark.filterwarnings("ignore::DeprecationWarning:pickletools")


@ODD_ESCAPE
@settings(max_examples=300)
@given(data=st.data())
def test_any_changed_bytes_are_read_or_refused_but_never_crash(archive, data, tmp_path_factory):
    with zipfile.ZipFile(archive) as file:
        name = next(name for name in file.namelist() if name.endswith("/data.pkl"))
        content = bytearray(file.read(name))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(content), data.draw(st.integers(0, len(content)))]))
    path = tmp_path_factory.getbasetemp() / "fuzzed.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, bytes(content[:cut]))
        file.writestr(name.replace("data.pkl", "constants.pkl"), b"")
    with contextlib.suppress(CheckpointError):
        for load in read_archive(path).values():
            with contextlib.suppress(CheckpointError):
                load()


@ODD_ESCAPE
@settings(max_examples=200)
@given(content=st.binary(max_size=60))
def test_any_pickle_is_read_or_refused_but_never_crashes(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.pt"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("m/data.pkl", b"\x80\x02" + content)
        file.writestr("m/constants.pkl", b"")
    path.write_bytes(buffer.getvalue())
    with contextlib.suppress(CheckpointError):
        read_archive(path)


def test_a_file_that_is_no_archive_is_known_as_none(tiny_folder):
    assert not is_archive(tiny_folder / SAFE)
    assert load_file(tiny_folder / SAFE)
