"""The home and its ledger, as this machine's settings name them."""

from flows.machine.settings import Settings
from registry.home import Home
from registry.ledger.ledger import Ledger


def open_home(settings: Settings) -> Home:
    """The home, with the ledger's and the key's places where they lie elsewhere.

    Raises:
        HomeError: It cannot be used.
    """
    return Home.open(
        settings.home,
        database=settings.ledger_url,
        key_path=settings.key_file,
        key_text=settings.key,
    )


def open_ledger(settings: Settings) -> Ledger:
    """The ledger, set up at first use; close it, or use it as a context manager.

    Raises:
        RequestError: TUNI_LEDGER_URL or TUNI_KEY cannot be read.
        HomeError: It cannot be opened: database, schema or key.
    """
    return Ledger.open(open_home(settings))
