"""Libraries are silent where nobody draws."""

import pytest

from tuni.progress import SILENT


def test_silence_takes_any_stage_and_any_step(capsys):
    with SILENT.stage("hidden", 3) as advance, SILENT.stage("noise", 0) as other:
        assert advance(2) is None
        assert other(5) is None
    assert capsys.readouterr() == ("", "")


def test_silence_swallows_no_error():
    with pytest.raises(ZeroDivisionError), SILENT.stage("hidden", 3):
        raise ZeroDivisionError
