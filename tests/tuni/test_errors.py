"""Every error says what is wrong and what to do, also in another process."""

import inspect
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tuni import errors
from tuni.errors import ClaimWithheld, EnvironmentFault, InputError, TextError, TuniError

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
ENDINGS = (InputError, EnvironmentFault, ClaimWithheld)


def refuse(problem):
    raise TextError(problem, "mend it")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_is_two_lines_and_ends_the_command_in_one_way(kind):
    error = kind("list.csv: line 3", "mend it")
    assert str(error) == "list.csv: line 3\n  fix: mend it"
    assert (error.problem, error.fix) == ("list.csv: line 3", "mend it")
    assert sum(isinstance(error, ending) for ending in ENDINGS) == (kind is not TuniError)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_hierarchy_in_the_module_is_the_one_there_is(kind):
    assert f" {kind.__name__} " in f"{errors.__doc__} ".replace("\n", " ")


def test_an_error_crosses_processes_whole():
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        raised = pool.submit(refuse, "row 7").exception()
    assert type(raised) is TextError
    assert str(raised) == "row 7\n  fix: mend it"
