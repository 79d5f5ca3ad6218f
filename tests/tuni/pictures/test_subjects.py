"""Which pictures belong to whom, and what becomes of bad ones."""

import numpy as np
import pytest
from PIL import Image

from tuni.errors import PictureError, TextError
from tuni.lists.csv_rows import Wrong
from tuni.lists.files import open_subjects
from tuni.pictures.subjects import match_pictures, read_pictures
from tuni.texts.text import canonical

ADA, BO = canonical("Ada Roe"), canonical("Bo Tarn")


@pytest.fixture
def match(tmp_path):
    """Matches a list's text with the folder ``pictures``."""

    def run(content="text\nAda Roe\nBo Tarn\n", *, skip_bad=False):
        path = tmp_path / "list.csv"
        path.write_text(content, encoding="utf-8")
        wrong = Wrong(path.name)
        found = match_pictures(tmp_path / "pictures", open_subjects(path), wrong, skip_bad=skip_bad)
        wrong.refuse()
        return found

    return run


@pytest.fixture
def save(tmp_path):
    def run(name, size=(8, 6), **options):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (200, 30, 30)).save(path, **options)
        return path

    return run


def test_a_folder_is_called_as_the_text_is_spelt_or_nearly_so(match, save):
    one, two = save("ADA  roe/1.png"), save("ADA  roe/2.jpg")
    found = match()
    assert found.files == {ADA: (one, two)}
    assert (found.lines[ADA], found.left_out) == (2, 0)


def test_a_column_names_files_and_folders_below_the_folder(match, save):
    one, two = save("a.png"), save("more/b.png")
    found = match("text,pictures\nAda Roe,a.png; more\nBo Tarn,\n")
    assert found.files == {ADA: (one, two)}


def test_a_cell_that_names_nothing_or_leaves_the_folder_is_told_by_line(match, save, tmp_path):
    save("a.png")
    (tmp_path / "secret.png").write_bytes((tmp_path / "pictures" / "a.png").read_bytes())
    for cell in ("gone.png", "../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(TextError, match="line 3") as caught:
            match(f"text,pictures\nAda Roe,a.png\nBo Tarn,{cell}\n")
        assert "secret" not in str(caught.value)


def test_links_are_not_followed(match, save, tmp_path):
    save("elsewhere/x.png").parent.rename(tmp_path / "outside")
    (tmp_path / "pictures" / "Ada Roe").symlink_to(tmp_path / "outside")
    assert match().files == {}


def test_a_folder_of_nobody_on_the_list_is_refused_without_its_name_or_left_out(match, save):
    save("Ada Roe/1.png")
    save("Eve Stray/1.png")
    with pytest.raises(PictureError, match="1 folders") as caught:
        match()
    assert "Stray" not in str(caught.value)
    assert match(skip_bad=True).left_out == 1


def break_file(path):
    path.write_bytes(b"\x89PNG not at all")


def break_size(path):
    Image.new("1", (9000, 9000)).save(path)


def break_shape(path):
    Image.new("RGB", (400, 10)).save(path)


@pytest.mark.parametrize("spoil", [break_file, break_size, break_shape])
def test_a_bad_picture_is_told_by_line_and_number_or_left_out(match, save, spoil):
    save("Bo Tarn/1.png")
    spoil(save("Bo Tarn/2.png"))
    with pytest.raises(PictureError, match="line 3, picture 2") as caught:
        match()
    assert "Tarn" not in str(caught.value)
    found = match(skip_bad=True)
    assert len(found.files[BO]) == found.left_out == 1


def test_a_subject_whose_pictures_are_all_bad_is_one_without(match, save):
    break_file(save("Ada Roe/1.png"))
    assert match(skip_bad=True).files == {}


def test_a_turned_picture_is_read_upright(match, save):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    save("Ada Roe/1.jpg", size=(40, 20), exif=exif)
    (picture,) = read_pictures(match(), ADA)
    assert picture.size == (20, 40)
    assert np.asarray(picture).shape == (40, 20, 3)


def test_no_folder_at_all_is_refused(match):
    with pytest.raises(PictureError, match="is not a folder"):
        match()
