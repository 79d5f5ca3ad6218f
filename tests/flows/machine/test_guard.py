"""No foreign exception leaves a flow, and no message of one is kept."""

import logging
import traceback

import pytest

from flows.machine.guard import guarded
from tuni.errors import EnvironmentFault, TextError

NAME = "Zebulon Quartz"


@guarded
def stage(error: Exception | None = None, *, value: int = 3) -> int:
    """Does something."""
    if error is not None:
        raise error
    return value


@guarded
def chained() -> None:
    try:
        raise KeyError(NAME)
    except KeyError as error:
        raise TextError("row 3: refused", "mend it") from error


def test_a_guarded_function_is_called_as_before():
    assert stage() == 3
    assert stage(value=4) == 4
    assert stage.__name__ == "stage"
    assert stage.__doc__ == "Does something."


def test_our_errors_pass_without_the_cause_that_could_hold_a_name():
    with pytest.raises(TextError, match="row 3") as raised:
        chained()
    assert NAME not in "".join(traceback.format_exception(raised.value))


def test_other_errors_become_one_of_ours_that_names_their_type_alone(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(EnvironmentFault, match="KeyError") as found:
        stage(KeyError(NAME))
    told = "".join(traceback.format_exception(found.value))
    assert NAME not in told + caplog.text
    assert "stage" in found.value.problem
    assert "logs/" in found.value.fix


def test_the_log_keeps_the_frames(caplog):
    logging.getLogger("flows").propagate = True
    with caplog.at_level(logging.ERROR), pytest.raises(EnvironmentFault):
        stage(ZeroDivisionError(NAME))
    assert "ZeroDivisionError in stage" in caplog.text
    assert "test_guard.py" in caplog.text


def test_an_interruption_is_no_fault():
    with pytest.raises(KeyboardInterrupt):
        guarded(lambda: (_ for _ in ()).throw(KeyboardInterrupt()))()
