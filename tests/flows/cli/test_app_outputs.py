"""Every command that writes where the user says, and every kind of node that may stand there."""

import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.pages.evidence import evidence_text
from registry.audits.watchlists import Member, Watchlists
from registry.ledger.trail import Trail
from tuni.texts.reference_parts import reference_parts

PARTS = reference_parts("latin/en_US", 100)
PEOPLE = [f"{PARTS.firsts[n % 40]} {PARTS.lasts[n % 37]}" for n in range(60)]
TABLE, PAGE, EVIDENCE = b"text", b"<!doctype html>", b"{\n"

# What each command writes, by option, and how that begins.
WRITERS: dict[str, dict[str, bytes]] = {
    "score": {"out": TABLE},
    "watchlist export": {"out": TABLE},
    "audits export": {"out": TABLE, "report": PAGE, "evidence": EVIDENCE},
    "compare": {"out": TABLE, "report": PAGE, "evidence": EVIDENCE},
    "report": {"out": PAGE},
}
OPTIONS = [(command, option) for command, options in WRITERS.items() for option in options]


@pytest.fixture(scope="module")
def audited(
    registered: Any, audit_evidence: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[object, ...]]:
    """A home with two ended audits; the arguments of each command there, without its outputs."""
    root = tmp_path_factory.mktemp("audited")
    home = root / "home"
    shutil.copytree(registered.home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNI_HOME", str(home))
        with open_ledger(Settings()) as ledger:
            for name in ("staff", "guests"):
                Watchlists(ledger).add(name, [Member(text, {}) for text in PEOPLE])
        first, second = (audit.fn("tiny", name, decoys=200) for name in ("staff", "guests"))
    (root / "people.csv").write_text("text\n" + "\n".join(PEOPLE[:3]) + "\n")
    (root / "evidence.json").write_text(evidence_text(audit_evidence))
    listed = ("--checkpoint", "tiny", "--subjects", root / "people.csv", "--decoys", 200)
    return {
        "home": (home,),
        "score": ("score", *listed),
        "watchlist export": ("watchlist", "export", "staff"),
        "audits export": ("audits", "export", first),
        "compare": ("compare", first, second),
        "report": ("report", root / "evidence.json"),
    }


@pytest.fixture
def run(tuni: Any, audited: dict[str, tuple[object, ...]]) -> Callable[..., Any]:
    """Runs one of the commands with outputs, by option."""

    def ended(command: str, outputs: dict[str, object], *options: str) -> Any:
        pairs = [word for name, path in outputs.items() for word in (f"--{name}", path)]
        return tuni(*audited[command], *pairs, *options, home=audited["home"][0])

    return ended


class Node:
    """A place that an output goes to, and what it is."""

    def __init__(self, kind: str, path: Path) -> None:
        self.path, self._kind, self._came = path, kind, b""
        self._target = path.with_name(f"{path.name}-target")
        if kind == "pipe":
            os.mkfifo(path)
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        elif kind == "device":
            try:
                os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))  # as the machine's null
                path.write_bytes(b"")
            except PermissionError:
                pytest.skip("another account: only root makes a device")
        else:
            if kind == "link":
                self._target.write_bytes(b"old")
            path.symlink_to(self._target.name)
        self._format = stat.S_IFMT(path.lstat().st_mode)

    def _read(self) -> None:
        self._came = self.path.read_bytes()

    def content(self) -> bytes | None:
        """What came; None where nobody can know."""
        assert stat.S_IFMT(self.path.lstat().st_mode) == self._format
        if self._kind == "pipe":
            self._reader.join(timeout=60)
            return self._came
        return None if self._kind == "device" else self._target.read_bytes()


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "dangling link"])
@pytest.mark.parametrize("command", WRITERS)
def test_an_output_goes_into_what_stands_there(
    run: Callable[..., Any], tmp_path: Path, command: str, kind: str
) -> None:
    nodes = {option: Node(kind, tmp_path / option) for option in WRITERS[command]}
    done = run(command, {option: node.path for option, node in nodes.items()})
    assert done.code == 0, done
    for option, begins in WRITERS[command].items():
        content = nodes[option].content()
        assert content is None or content.startswith(begins)
    names = {f"{option}{end}" for option in nodes for end in ("", "-target")}
    assert {path.name for path in tmp_path.iterdir()} <= names


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ...]]:
    """Nodes that no output goes to."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    (tmp_path / "folder").mkdir()
    (tmp_path / "link to a folder").symlink_to("folder")
    (tmp_path / "link to a lost folder").symlink_to("none/x")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        yield ("folder", "link to a folder", "link to a lost folder", "socket", "none/x")


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_what_is_no_output_is_refused_before_the_work(
    run: Callable[..., Any],
    refused: Callable[..., None],
    refusing: tuple[str, ...],
    audited: dict[str, tuple[object, ...]],
    tmp_path: Path,
    command: str,
    option: str,
) -> None:
    def trail() -> int:
        with open_ledger(Settings(home=audited["home"][0])) as ledger:
            return len(list(Trail(ledger).entries()))

    kinds = {path: path.lstat().st_mode for path in tmp_path.iterdir()}
    entries = trail()
    for name in refusing:
        outputs = {one: tmp_path / one for one in WRITERS[command]} | {option: tmp_path / name}
        refused(run(command, outputs), f"--{option}")
    assert {path: path.lstat().st_mode for path in tmp_path.iterdir()} == kinds
    assert not list((tmp_path / "folder").iterdir())
    assert trail() == entries


@pytest.mark.parametrize("command", WRITERS)
def test_a_dash_is_standard_output_and_the_result_goes_to_stderr(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    *others, last = WRITERS[command]
    done = run(command, {last: "-"} | {other: tmp_path / other for other in others})
    assert done.code == 0, done
    assert command == "report" or done.err.count("\n") > 0  # `tuni report` says nothing
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("testbed", "--size", "test", "--out"),
        ("benchmark", "--size", "test", "--seed", "1", "--out"),
        ("benchmark", "--size", "test", "--seed", "1", "--out", "new", "--testbeds"),
        ("models", "pull", "tiny@1"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
def test_a_folder_to_be_made_takes_the_place_of_nothing(
    tuni: Any, home: Path, refused: Callable[..., None], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("file").write_text("x")
    Path("link").symlink_to("file")
    for name in ("pipe", "file", "link", "file/x"):
        refused(tuni(*arguments, name))
    assert {path.name for path in tmp_path.iterdir()} - {"home"} == {"pipe", "file", "link"}
    assert not (home / "testbeds").exists()
    assert Path("pipe").is_fifo()
    assert Path("file").read_text() == "x"


def test_a_pulled_bundle_is_made_where_a_link_leads(
    tuni: Any, registered: Any, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("made")
    assert tuni("models", "pull", "tiny@1", tmp_path / "link", home=registered.home).code == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "made" / "bundle.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"link", "made"}
