"""The bank of generic pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from tuni.errors import PictureError
from tuni.pictures.bank import load_bank


def noise(seed, size=(40, 30)):
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


def make_bank(folder, count, names="{:03}.png", start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise(start + number).save(folder / names.format(number))
    return folder


def test_embeddings_are_the_models_own(tmp_path, tiny_target):
    bank = load_bank(tiny_target, make_bank(tmp_path / "bank", 3))
    assert bank.count == len(bank.embeddings) == 3
    for seed in range(3):
        with torch.no_grad():
            wanted = tiny_target.encode_media(tiny_target.preprocess(noise(seed))[None]).numpy()
        assert np.abs(bank.embeddings - wanted).max(axis=1).min() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(bank.embeddings, axis=1), 1, atol=1e-6)


def test_a_bank_is_its_pixels(tmp_path, tiny_target):
    """Names, order, folders, lossless formats and copies move nothing, not even last bits."""
    one = load_bank(tiny_target, make_bank(tmp_path / "one", 21))
    other = tmp_path / "two"
    for number in range(21):
        folder = other / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        noise(number).save(folder / f"{99 - number}.{'bmp' if number % 2 else 'png'}")
    noise(0).save(other / "copy.png")
    two = load_bank(tiny_target, other)
    assert (two.digest, two.count) == (one.digest, 21)
    np.testing.assert_array_equal(two.embeddings, one.embeddings)


def test_another_picture_gives_another_digest(tmp_path, tiny_target):
    banks = [load_bank(tiny_target, make_bank(tmp_path / str(n), 4, start=n)) for n in range(2)]
    more = load_bank(tiny_target, make_bank(tmp_path / "more", 5))
    assert len({bank.digest for bank in (*banks, more)}) == 3


def test_the_same_pixels_in_another_shape_are_another_picture(tmp_path, tiny_target):
    digests = set()
    for size in ((8, 4), (4, 8)):
        folder = tmp_path / str(size[0])
        folder.mkdir()
        Image.new("RGB", size).save(folder / "a.png")
        digests.add(load_bank(tiny_target, folder).digest)
    assert len(digests) == 2


def test_a_bank_cannot_be_changed(tmp_path, tiny_target):
    bank = load_bank(tiny_target, make_bank(tmp_path / "bank", 1))
    with pytest.raises(ValueError, match="read-only"):
        bank.embeddings[0, 0] = 1


def test_a_broken_picture_is_named_and_nothing_is_skipped(tmp_path, tiny_target):
    folder = make_bank(tmp_path / "bank", 2)
    (folder / "sub").mkdir()
    (folder / "sub" / "broken.png").write_bytes(b"broken")
    with pytest.raises(PictureError, match=r"bank: 'sub/broken\.png' cannot be read"):
        load_bank(tiny_target, folder)


def test_an_empty_folder_is_refused(tmp_path, tiny_target):
    with pytest.raises(PictureError, match="holds no picture"):
        load_bank(tiny_target, tmp_path)
