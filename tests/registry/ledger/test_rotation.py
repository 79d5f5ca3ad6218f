import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from registry.audits.watchlists import Member, Watchlists
from registry.keys.home_key import next_file, write_key
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.ledger.rotation import rotate, wrapped_keys
from registry.ledger.trail import Trail
from tests.forked import run
from tuni.errors import HomeError, RequestError

PEOPLE = [f"Person Number{n}" for n in range(30)]
VALUES = {"noise": np.arange(30, dtype=np.float32)[:, None]}


def fill(ledger: Ledger) -> None:
    Watchlists(ledger).add("staff", [Member(text, {"id": "7"}) for text in PEOPLE])
    EncryptedFeatureCache(ledger).put("k", PEOPLE, VALUES)


def still_there(ledger: Ledger) -> bool:
    found = EncryptedFeatureCache(ledger).get("k", PEOPLE)
    members = {member.text: member.columns["id"] for member in Watchlists(ledger).members("staff")}
    return len(found) == 30 and members == dict.fromkeys(PEOPLE, "7")


def test_after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing(
    any_ledger: Ledger,
) -> None:
    fill(any_ledger)
    home, old = any_ledger.home, any_ledger.home.key_file.read_bytes()
    mark, split = any_ledger.keys.pseudonym("Ada"), any_ledger.keys.split_key
    told: list[int] = []
    assert wrapped_keys(any_ledger) == 30
    assert rotate(any_ledger, told.append) == 2
    assert sum(told) == 30
    assert home.key_file.read_bytes() != old
    assert not next_file(home).exists()
    assert still_there(any_ledger)
    with Ledger.open(home) as again:
        assert still_there(again)
        assert (again.keys.pseudonym("Ada"), again.keys.split_key) == (mark, split)
        assert Trail(again).verify().entries == 2
    new = home.key_file.read_bytes()
    home.key_file.write_bytes(old)
    with pytest.raises(HomeError, match="not the key"):
        Ledger.open(home)
    home.key_file.write_bytes(new)
    with Ledger.open(home) as again:
        assert rotate(again, lambda _: None) == 3


class Stopped(BaseException):
    """Stands for a machine that goes away in the middle."""


def test_a_rotation_begun_on_one_machine_is_not_ended_with_another_key(
    any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(any_ledger)
    monkeypatch.setattr("registry.ledger.rotation._ROWS", 4)
    home = any_ledger.home

    def stop(_done: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        rotate(any_ledger, stop)
    begun = next_file(home).read_bytes()
    next_file(home).unlink()  # another machine, which has the present key alone
    with Ledger.open(home) as other:
        with pytest.raises(HomeError, match="begun with another new key"):
            rotate(other, lambda _: None)
        with pytest.raises(HomeError, match="being replaced on another machine"):
            still_there(other)
    assert not next_file(home).exists()
    write_key(next_file(home))
    with Ledger.open(home) as other, pytest.raises(HomeError, match="begun with another new key"):
        rotate(other, lambda _: None)
    next_file(home).write_bytes(begun)
    with Ledger.open(home) as first:
        assert rotate(first, lambda _: None) == 2
        assert still_there(first)


@pytest.mark.parametrize("stop", ["key written", "some wrapped", "all wrapped", "root wrapped"])
def test_a_rotation_that_is_killed_anywhere_goes_on(any_ledger: Ledger, stop: str) -> None:
    fill(any_ledger)
    home = any_ledger.home
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    code = (
        "import os, sys; from pathlib import Path; import registry.ledger.rotation as r\n"
        "from registry.home import Home; from registry.ledger.ledger import Ledger\n"
        "r._ROWS = 10; stop = sys.argv[3]; finish = r._finish; some = r._rewrap_some\n"
        "def rewrap(*a):\n"
        "    if stop == 'key written': os._exit(9)\n"
        "    done = some(*a)\n"
        "    if stop == 'some wrapped' or (stop == 'all wrapped' and not done): os._exit(9)\n"
        "    return done\n"
        "def last(*a):\n"
        "    done = finish(*a)\n"
        "    if done: os._exit(9)\n"
        "    return done\n"
        "r._rewrap_some, r._finish = rewrap, last\n"
        "r.rotate(Ledger.open(Home.open(Path(sys.argv[1]), database=sys.argv[2])), lambda _: 0)"
    )
    assert run(code, home.root, url, stop).returncode == 9
    with Ledger.open(home) as again:
        assert still_there(again)  # whatever was done so far, nobody is locked out
        generation = again.generation
        if stop == "root wrapped":
            assert (generation, next_file(home).exists()) == (2, False)
        else:
            assert rotate(again, lambda _: None) == 2
        assert still_there(again)
    with Ledger.open(home) as again:
        assert still_there(again)


def test_a_process_that_is_open_meanwhile_works_on(any_ledger: Ledger) -> None:
    fill(any_ledger)
    with Ledger.open(any_ledger.home) as other:
        rotate(any_ledger, lambda _: None)
        assert still_there(other)
        Watchlists(other).add("staff", [Member("Late Comer", {})])
        EncryptedFeatureCache(other).put("k", ["Late Comer"], {"noise": np.ones((1, 1), "f4")})
    assert wrapped_keys(any_ledger) == 31
    assert len(EncryptedFeatureCache(any_ledger).get("k", ["Late Comer"])) == 1


def test_processes_that_write_during_a_rotation_lose_nothing(any_ledger: Ledger) -> None:
    fill(any_ledger)
    url = any_ledger.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from registry.home import Home; from registry.ledger.ledger import Ledger\n"
        "from registry.ledger.feature_cache import EncryptedFeatureCache\n"
        "with Ledger.open(Home.open(Path(sys.argv[1]), database=sys.argv[2])) as ledger:\n"
        "    print('open', flush=True)\n"
        "    for n in range(60):\n"
        "        EncryptedFeatureCache(ledger).put('k', [f'Writer{n} Busy'],"
        " {'noise': np.ones((1, 1), 'f4')})\n"
    )
    command = [sys.executable, "-c", code, str(any_ledger.home.root), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        for _ in range(3):
            rotate(any_ledger, lambda _: None)
    assert writer.returncode == 0
    names = [f"Writer{n} Busy" for n in range(60)]
    with Ledger.open(any_ledger.home) as again:
        assert len(EncryptedFeatureCache(again).get("k", names)) == 60


def test_a_key_in_a_variable_is_not_rotated(any_ledger: Ledger) -> None:
    key = any_ledger.home.key_file.read_bytes().hex()
    with (
        Ledger.open(replace(any_ledger.home, key_text=key)) as other,
        pytest.raises(RequestError, match="TUNI_KEY_FILE"),
    ):
        rotate(other, lambda _: None)


def test_a_stray_next_key_is_used_and_not_lost(any_ledger: Ledger) -> None:
    fill(any_ledger)
    write_key(next_file(any_ledger.home))
    coming = next_file(any_ledger.home).read_bytes()
    rotate(any_ledger, lambda _: None)
    assert any_ledger.home.key_file.read_bytes() == coming
