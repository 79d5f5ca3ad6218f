import fcntl
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tuni import files
from tuni.errors import EnvironmentFault, InputError, RequestError


def read_pipe(path: Path) -> Callable[[], bytes]:
    """Read a pipe to its end in the background; what came."""
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(path.read_bytes()), daemon=True)
    reader.start()

    def wait() -> bytes:
        reader.join(timeout=60)
        return came[0]

    return wait


def interrupt(_done: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device of the test's own that swallows what is written, as the machine's null does."""
    path = tmp_path / "device"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        path.write_bytes(b"x")
    except PermissionError:
        pytest.skip("another account: only root makes a device")
    return path


def test_a_file_is_replaced_whole_for_its_owner_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    (tmp_path / "page.tmp").write_text("a user's own")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as file:
        interrupt(file.write(b"half"))
    assert path.read_text() == "old"
    files.write_whole(path, "new ü")
    assert path.read_text(encoding="utf-8") == "new ü"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["page.html", "page.tmp"]
    assert (tmp_path / "page.tmp").read_text() == "a user's own"


def test_a_draft_has_a_name_that_nobody_can_foresee(tmp_path: Path) -> None:
    names = set()
    for _ in range(20):
        with files.replacing(tmp_path / "x") as file:
            names.add(Path(f"/proc/self/fd/{file.fileno()}").readlink())
    assert len(names) == 20


def test_what_a_killed_process_left_is_swept_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tuni import files\n"
        "with files.making(Path(sys.argv[1])) as folder, files.replacing(Path(sys.argv[2])):\n"
        "    (folder / 'in').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    targets = [str(tmp_path / "folder"), str(tmp_path / "file")]
    subprocess.run([sys.executable, "-c", code, *targets], check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 2
    (tmp_path / ".tuni-settings").write_text("a user's own")
    (tmp_path / ".tuni-draft-").mkdir()
    (tmp_path / ".tuni-draft-aaaaaaaa").symlink_to(tmp_path / ".tuni-settings")
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 120)
    with files.replacing(tmp_path / "other"), files.scratch_folder(tmp_path) as working:
        files.write_whole(tmp_path / "third", b"")  # sweeps, and leaves the two at work alone
        assert working.is_dir()
    assert not any(entry.exists() for entry in left)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        ".tuni-settings", ".tuni-draft-", ".tuni-draft-aaaaaaaa", "other", "third",
    }  # fmt: skip


def test_a_folder_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), files.making(tmp_path / "made") as draft:
        interrupt((draft / "a").write_text(""))
    assert not list(tmp_path.iterdir())
    with files.making(tmp_path / "made") as draft:
        (draft / "a").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "a"]


def test_an_output_goes_into_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    files.check_outputs(out=pipe)  # and does not wait for a reader
    came = read_pipe(pipe)
    files.write_output(pipe, "x" * 100_000)
    assert came() == b"x" * 100_000
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_an_output_goes_into_a_device(device: Path) -> None:
    files.check_outputs(out=device)
    files.write_output(device, "x")
    assert stat.S_ISCHR(device.lstat().st_mode)


def test_an_output_follows_links_even_to_what_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "second").symlink_to(tmp_path / "far" / "page.html")
    (tmp_path / "first").symlink_to("second")
    for content in ("made", "replaced"):
        files.check_outputs(out=tmp_path / "first")
        files.write_output(tmp_path / "first", content)
        assert (tmp_path / "far" / "page.html").read_text() == content
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()


def test_what_is_no_output_is_refused_before_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("none/page.html")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        listening.bind("socket")
        for name in ("folder", "to-folder", "loop", "nowhere", "socket", "none/x", "file/x"):
            with pytest.raises(RequestError, match=r"^--report: "):
                files.check_outputs(out=tmp_path / "ok", report=tmp_path / name)
            with pytest.raises((InputError, EnvironmentFault)):
                files.write_output(tmp_path / name, "x")
    assert stat.S_ISSOCK((tmp_path / "socket").lstat().st_mode)
    assert (tmp_path / "to-folder").is_symlink()
    assert (tmp_path / "file").read_text() == "x"
    assert not (tmp_path / "ok").exists()


def test_one_place_for_two_outputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("page")
    files.check_outputs(out=tmp_path / "page", report=None, evidence=tmp_path / "other")
    with pytest.raises(RequestError, match="--report: is also --out"):
        files.check_outputs(out=tmp_path / "page", report=tmp_path / "link")


@pytest.mark.parametrize("place", ["-", "/proc/self/fd/1"])
@pytest.mark.parametrize("plain", [True, False])
def test_standard_output_is_written_into(tmp_path: Path, place: str, plain: bool) -> None:
    code = (
        "import sys; from pathlib import Path; from tuni import files; path = Path(sys.argv[1])\n"
        "files.check_outputs(out=path); print('before'); files.write_output(path, 'content\\n')\n"
        "print('after')"
    )
    command = [sys.executable, "-c", code, place]
    if plain:
        with (tmp_path / "out").open("wb") as out:
            subprocess.run(command, stdout=out, check=True)
        came = (tmp_path / "out").read_text()
    else:
        came = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert came == "before\ncontent\nafter\n"
    assert {entry.name for entry in tmp_path.iterdir()} <= {"out"}


def test_a_pipe_without_a_path_is_written_into() -> None:
    """As a shell's ``--out >(command)`` gives it."""
    reading, writing = os.pipe()
    place = Path(f"/dev/fd/{writing}")
    files.check_outputs(out=place)
    files.write_output(place, "content")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "content"


def test_a_reader_that_went_away_is_told(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: pipe.open("rb").close(), daemon=True)
    reader.start()
    with pytest.raises(EnvironmentFault, match="pipe: could not be written"):
        files.write_output(pipe, b"x" * 10_000_000)


def test_a_folder_to_be_made_is_no_pipe_link_or_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "dangling").symlink_to("new")
    for name in ("pipe", "there", "file", "link"):
        with pytest.raises(RequestError, match="--out"):
            files.check_new_folder(tmp_path / name)
    assert files.check_new_folder(tmp_path / "dangling") == tmp_path / "new"
    assert files.check_folder(tmp_path / "link") == tmp_path / "there"
    for name in ("pipe", "file"):
        with pytest.raises(RequestError, match="--testbeds"):
            files.check_folder(tmp_path / name, "--testbeds")


def test_a_file_system_without_locks_still_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "flock", none)
    files.write_whole(tmp_path / "x", "y")
    assert (tmp_path / "x").read_text() == "y"
