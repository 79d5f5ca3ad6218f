"""A server's login is made once, for its owner's eyes, and believed only where it is one."""

import pytest

from registry.services.logins import server_login
from tuni.errors import HomeError


def test_a_login_is_made_once_and_for_nobody_else(home):
    login = server_login(home, "mlflow")
    path = home.services / "mlflow.login"
    assert (login.user, len(login.password) > 40) == ("tuni", True)
    assert path.read_text(encoding="utf-8") == f"{login.line}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert server_login(home, "mlflow") == login
    assert server_login(home, "prefect") != login
    assert login.password not in repr(login)


def test_a_login_that_others_may_read_is_refused_with_the_way_to_a_new_one(home):
    server_login(home, "prefect")
    (home.services / "prefect.login").chmod(0o644)
    with pytest.raises(HomeError, match="others may read it") as refused:
        server_login(home, "prefect")
    assert "rm" in refused.value.fix


@pytest.mark.parametrize("content", ["tuni", "tuni:short", ":longer-than-twelve", "\n"])
def test_what_is_no_login_is_refused(home, content):
    server_login(home, "prefect")
    (home.services / "prefect.login").write_text(content, encoding="utf-8")
    with pytest.raises(HomeError, match="login of prefect"):
        server_login(home, "prefect")
