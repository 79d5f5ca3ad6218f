"""How a command begins, behind a door that is light: help must not wait for what it needs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.machine.settings import Settings


def open_settings() -> "Settings":
    """This machine's settings, with everything prepared for a command.

    Call it before anything imports Prefect, which reads its own settings then.
    """
    from flows.machine.environment import begin_command

    return begin_command()
