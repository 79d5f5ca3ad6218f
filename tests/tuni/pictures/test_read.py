"""Reading pictures: what is taken, what is refused."""

import contextlib
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tuni.errors import PictureError
from tuni.pictures.read import MAX_BYTES, picture_files, read_picture


def save(path, size=(8, 6), colour=(200, 30, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def noise(size):
    values = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(values)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path, width, height, data, *, depth=8, colour=2, extra=b""):
    """A PNG with this header and these compressed pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = header + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def bomb(path, width, height):
    """A PNG of a few bytes that claims to be large."""
    return png(path, width, height, zlib.compress(bytes(1000)))


def test_files_are_taken_by_suffix_from_all_folders_in_order(tmp_path):
    wanted = [save(tmp_path / name) for name in ("a.PNG", "b.jpeg", "sub/c.webp", "z.bmp")]
    for other in ("notes.txt", ".hidden.png", "Thumbs.db", "drawing.svg", "page.eps"):
        (tmp_path / other).write_bytes(b"x")
    save(tmp_path / ".cache" / "thumb.png")
    assert picture_files(tmp_path) == tuple(wanted)


def test_links_are_not_followed(tmp_path):
    outside = save(tmp_path / "outside" / "secret.png")
    inside = save(tmp_path / "bank" / "a.png")
    (tmp_path / "bank" / "link.png").symlink_to(outside)
    (tmp_path / "bank" / "folder").symlink_to(outside.parent)
    assert picture_files(tmp_path / "bank") == (inside,)


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_pictures_is_refused(tmp_path, made):
    if made:
        (tmp_path / "bank").mkdir()
        (tmp_path / "bank" / "notes.txt").write_text("no picture")
    with pytest.raises(PictureError, match="holds no picture" if made else "is not a folder"):
        picture_files(tmp_path / "bank")


def test_a_picture_is_turned_as_its_exif_data_says(tmp_path):
    picture = Image.new("RGB", (8, 4))
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    found = read_picture(tmp_path / "a.png", "picture 1")
    assert found.size == (4, 8)
    assert found.getpixel((3, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    Image.new(mode, (5, 5)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", "picture 1").mode == "RGB"


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "a.gif", "picture 1").getpixel((2, 2)) == (255, 0, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(10_000, 5_001), (12_000, 10_000), (30_000, 30_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, size):
    """Below Pillow's own limits, where it would warn, and where it would refuse."""
    with pytest.raises(PictureError, match="picture 7"):
        read_picture(bomb(tmp_path / "a.png", *size), "picture 7")


def test_a_sound_picture_of_a_few_thousand_bytes_that_fills_the_memory_is_refused(tmp_path):
    width, height = 8000, 7000  # as RGB 168 MB
    pixels = zlib.compress(bytes((width // 8 + 1) * height), 9)
    path = png(tmp_path / "a.png", width, height, pixels, depth=1, colour=0)
    assert path.stat().st_size < 20_000
    with Image.open(path) as picture:
        picture.load()  # it is no damaged file
    with pytest.raises(PictureError, match="56,000,000 pixels, expected at most 50,000,000"):
        read_picture(path, "picture 1")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_or_profile_that_inflates_to_much_is_not_inflated(tmp_path, kind):
    inflated = 20_000_000
    packed = zlib.compress(bytes(inflated), 9)
    head = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind]
    pixels = zlib.compress(bytes(4 * (4 * 3 + 1)))
    path = png(tmp_path / "a.png", 4, 4, pixels, extra=chunk(kind, head + packed))
    tracemalloc.start()
    with contextlib.suppress(PictureError):
        assert read_picture(path, "picture 1").size == (4, 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < inflated / 4


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_exif_rotation_that_does_not_exist_leaves_the_picture_as_it_lies(
    tmp_path, suffix, orientation
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (8, 4)).save(tmp_path / f"a{suffix}", exif=exif)
    assert read_picture(tmp_path / f"a{suffix}", "picture 1").size == (8, 4)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_exif_data_that_are_none_leave_the_picture_or_refuse_it(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (8, 4)).save(path, exif=b"Exif\0\0no such thing")
    with contextlib.suppress(PictureError):
        assert read_picture(path, "picture 1").size == (8, 4)


def test_a_strip_that_resizing_would_blow_up_is_refused(tmp_path):
    with pytest.raises(PictureError, match="sides 210:10, expected at most 20:1"):
        read_picture(save(tmp_path / "a.png", size=(210, 10)), "picture 1")
    assert read_picture(save(tmp_path / "b.png", size=(200, 10)), "picture 1").size == (200, 10)


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(PictureError, match="bytes"):
        read_picture(tmp_path / "a.png", "picture 1")


@pytest.mark.parametrize("content", [b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_other_content_under_a_picture_suffix_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureError, match="picture 1 cannot be read") as caught:
        read_picture(tmp_path / "a.png", "picture 1")
    assert "a.png" not in str(caught.value)  # a file may be named after a person


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    noise((64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(PictureError, match="cannot be read"):
        read_picture(path, "picture 1")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]), data=st.data())
def test_damage_gives_a_picture_or_a_clear_refusal(tmp_path, kind, data):
    buffer = io.BytesIO()
    noise((12, 9)).save(buffer, format=kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with contextlib.suppress(PictureError):
        assert read_picture(path, "picture 1").mode == "RGB"
