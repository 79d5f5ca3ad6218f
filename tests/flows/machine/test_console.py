"""What a person sees while a job runs, on a terminal and in a log."""

import io
from contextvars import Context

import pytest
from rich.console import Console

from flows.machine import console
from flows.machine.console import ConsoleProgress, current_progress
from tuni.progress import SILENT


def drawn(*, terminal: bool) -> tuple[ConsoleProgress, io.StringIO]:
    out = io.StringIO()
    return ConsoleProgress(Console(file=out, force_terminal=terminal, width=100)), out


@pytest.fixture
def clock(monkeypatch):
    """Time that moves when told to."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_nothing_is_drawn_where_nobody_asked():
    # A context of its own: other tests run the command in this process.
    assert Context().run(current_progress.get) is SILENT


def test_a_terminal_shows_label_and_count(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    progress, out = drawn(terminal=True)
    with progress.stage("hidden", 40) as advance:
        advance(10)
        advance(30)
    assert "hidden" in out.getvalue()
    assert "40/40" in out.getvalue()


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock):
    progress, out = drawn(terminal=False)
    with progress.stage("hidden", 4000) as advance:
        for _ in range(40):
            clock(1)
            advance(100)
    lines = out.getvalue().splitlines()
    assert lines[0] == "  hidden: 1,000 of 4,000, about 30 s left"
    assert lines[-1] == "  hidden: 4,000 done in 40 s"
    assert len(lines) == 4


def test_a_short_stage_leaves_a_log_alone(clock):
    progress, out = drawn(terminal=False)
    with progress.stage("hidden", 3) as advance:
        clock(0.5)
        advance(3)
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stage_of_nothing_is_not_drawn(terminal):
    progress, out = drawn(terminal=terminal)
    with progress.stage("hidden", 0) as advance:
        advance(1)
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_leaves_its_stage_as_it_is(terminal):
    progress, _ = drawn(terminal=terminal)
    with pytest.raises(ZeroDivisionError), progress.stage("hidden", 3):
        raise ZeroDivisionError
