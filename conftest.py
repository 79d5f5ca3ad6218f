"""What holds for every test: no foreign network, and in CI no skip for want of a program."""

import os
import socket
import sys
from collections.abc import Generator, Mapping

import pytest

# CI has everything but these (only root takes another account): such a skip may stand.
MAY_BE_MISSING = ("GPU", "Docker", "another account")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse connections that leave the machine (an audit hook: no library is patched)."""
    sys.addaudithook(_refuse_foreign_network)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where TUNI_REQUIRE_ALL=1 says that everything is installed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _require_all(os.environ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"skipped although TUNI_REQUIRE_ALL=1: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself as a whole."""
    report = yield
    if report.skipped and _require_all(os.environ):
        report.outcome = "failed"
        report.longrepr = f"skipped although TUNI_REQUIRE_ALL=1: {report.longrepr}"
    return report


def _require_all(environment: Mapping[str, str]) -> bool:
    return environment.get("TUNI_REQUIRE_ALL") == "1"


def _refuse_foreign_network(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    sock, address = arguments
    if not isinstance(sock, socket.socket) or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0]) if isinstance(address, tuple) else str(address)
    if not (host.startswith("127.") or host in ("localhost", "::1", "::ffff:127.0.0.1")):
        raise PermissionError(f"a test tried to reach {host}; tests use this machine alone")
