"""Keeping the home: beginning it, replacing its key, upgrading its ledger, erasing people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.machine.console import current_progress
from flows.machine.home import open_home, open_ledger
from flows.machine.settings import Settings
from flows.machine.show import fields_of
from registry.keys.home_key import make_key
from registry.keys.signing import public_key
from registry.ledger.database import known_head
from registry.ledger.erasure import forget
from registry.ledger.ledger import Ledger
from registry.ledger.rotation import is_owed, rotate, wrapped_keys
from registry.ledger.traces import Trace, find_traces
from tuni.errors import TextError
from tuni.lists.files import open_subjects
from tuni.texts.kind import kind_names, text_kind
from tuni.texts.text import canonical, clean_text

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class HomeMade:
    """A home that is ready.

    Attributes:
        home: The folder.
        key: The home's key, or None where it comes from TUNI_KEY.
        signing_public_key: Public half of the key that signs bundles.
        ledger: What the ledger is and holds.
    """

    home: Path
    key: Path | None
    signing_public_key: Path
    ledger: str

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return fields_of(self)

    def text(self) -> str:
        """A few lines for people."""
        return "\n".join(
            [
                f"home:    {self.home}",
                f"key:     {self.key or 'from TUNI_KEY'}",
                f"signing: {self.signing_public_key} "
                "(give it to homes that shall trust your detectors)",
                f"ledger:  {self.ledger}",
                "Back up the key and the ledger, and keep the two apart: together they open all.",
            ]
        )


def init_home(settings: Settings) -> HomeMade:
    """Make home, keys and ledger where they are missing.

    Raises:
        HomeError: Something is there that cannot be used; nothing is overwritten.
    """
    home = open_home(settings)
    make_key(home)
    with open_ledger(settings) as ledger:
        held = ledger.describe()
    key = None if home.key_text is not None else home.key_file
    return HomeMade(home.root, key, public_key(home), held)


def rotate_key(settings: Settings) -> int:
    """Replace the home's key; the new generation.

    Raises:
        RequestError: The key comes from a variable.
    """
    with open_ledger(settings) as ledger:
        return _rotate(ledger)


def upgrade_ledger(settings: Settings) -> str:
    """Bring the ledger's schema to this version's; which that is.

    Raises:
        HomeError: The schema is of a newer version, or the database does not answer.
    """
    with Ledger.open(open_home(settings), upgrade=True):
        return known_head()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure came to; names nobody.

    Attributes:
        asked: Different people that were named.
        known: How many of them the ledger knew.
        key_rotated: Whether the home's key was replaced: older backups do not open any more.
        traces: Where something of them is left below the home.
    """

    asked: int
    known: int
    key_rotated: bool
    traces: tuple[Trace, ...]

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return fields_of(self)

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"{self.known:,} of {self.asked:,} people were known, and are erased"]
        if self.key_rotated:
            lines.append(
                "  the home's key was replaced: destroy the backups of the old key, and no backup "
                "of the ledger gives them back"
            )
        elif self.known:
            lines.append(
                "  the home's key was NOT replaced: backups of the ledger can still be opened "
                "with it (tuni keys rotate)"
            )
        if self.traces:
            lines.append(f"  STILL FOUND below the home in {len(self.traces)} places:")
            lines += [f"    {one.place} ({one.form})" for one in self.traces[:_SHOWN]]
        else:
            lines.append("  searched all of the home and the ledger for them: nothing is left")
        lines.append("  files of your own (lists, exported verdicts) are yours to erase")
        return "\n".join(lines)


def forget_people(names: Sequence[str], settings: Settings, *, keep_key: bool) -> Forgotten:
    """Erase people, replace the home's key, and search for what is left.

    Args:
        names: Their texts, in any spelling; of numbers and addresses every way that is asked.
        settings: Of this machine.
        keep_key: Leave the home's key as it is.

    Raises:
        HomeError: The ledger does not answer; nothing was erased then.
    """
    home = open_home(settings)
    with open_ledger(settings) as ledger:
        asked = len({ledger.keys.pseudonym(name) for name in names})
        names = _every_way(names)
        marks = {ledger.keys.pseudonym(name) for name in names}
        known = forget(ledger, names)
        # A key that lies elsewhere is shared or managed by others: theirs to replace.
        own = home.key_text is None and home.key_path is None
        turn = is_owed(ledger) and not keep_key and own
        if turn:
            _rotate(ledger)
        forms = {form for name in names for form in (name, clean_text(name), canonical(name))}
        traces = find_traces(
            home.root, forms | marks, engine=None if home.database is None else ledger.engine
        )
    return Forgotten(asked, min(asked, known), turn, traces)


def _every_way(names: Sequence[str]) -> list[str]:
    """Texts and the ways to write them that a model was asked about, where they are of a kind."""
    kinds = [text_kind(name) for name in kind_names()]
    texts = dict.fromkeys(names)
    for name in names:
        for kind in kinds:
            if kind.refusal(standard := kind.standard(name, None)) is None:
                texts |= dict.fromkeys((standard, *kind.forms(standard)))
    return list(texts)


def read_names(source: Path | bytes) -> tuple[str, ...]:
    """Names from a table with a column text, or from lines of UTF-8 text.

    Raises:
        TextError: There are none, or they cannot be read. Names that could not be audited are
            taken too: what is asked for here is their erasure.
    """
    if isinstance(source, bytes):
        try:
            lines = source.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise TextError("standard input: is not UTF-8", "type one name a line") from None
        names = tuple(line.strip() for line in lines if line.strip())
    else:
        texts = [row.get("text") for _, row in open_subjects(source).rows()]
        names = tuple(text for text in texts if isinstance(text, str) and text.strip())
    if not names:
        raise TextError("--subjects: names nobody", "give at least one name")
    return names


def _rotate(ledger: Ledger) -> int:
    with current_progress.get().stage("keys", wrapped_keys(ledger)) as step:
        return rotate(ledger, step)
