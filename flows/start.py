"""How a command begins: settings read, home checked, logs, progress and Prefect's environment set.

Nothing heavy is imported before it is called, so that help is immediate.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.settings import Settings


def open_settings() -> "Settings":
    """This machine's settings, with everything prepared for a command.

    Call it before anything imports Prefect, which reads its own settings then.
    """
    from flows.console import ConsoleProgress, current_progress
    from flows.environment import log_to, prepare
    from flows.ledger import open_home
    from flows.settings import Settings

    settings = Settings()
    open_home(settings)  # before anything writes there
    prepare(settings.home)
    log_to(settings.home / "logs", settings.log_format)
    current_progress.set(ConsoleProgress())
    return settings
