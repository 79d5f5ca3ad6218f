"""A name taken apart: given part, family part, culture; and common parts to put in their place.

The one law: ``parse_name(text).text == clean_text(text)``, and both parts are contiguous pieces
of it, so that a part can be exchanged without touching the rest. "First" and "last" mean:

- Latin, Cyrillic, Arabic, Hebrew, Indic, ... scripts: **last** is the last word with all that
  belongs to it: particles before it ("van der Berg", "De Niro", "al-Sisi", "bin Salman",
  "Saint Laurent"), a connected name ("Ramón y Cajal"), suffixes after it ("Downey Jr."). A
  hyphenated word is one word. **First** is everything before: given, middle and further names,
  initials and titles. So a Spanish double surname keeps only its second half in last.
- A Cyrillic name of three words that ends in a patronymic is family name, given name, patronymic:
  the first word is last, the other two are first.
- Han and Hangul without spaces, or with one space: family name first. The family name is a known
  one of two characters (欧阳, 佐々木, 남궁), else the first two of four characters, else the first
  character. With a middle dot (约翰·史密斯) it is a transcription: given name first. Kana without
  a space or dot have one part.
- "Last, First" is not reordered, and neither is Hungarian or Vietnamese order: the text is scored
  as it stands, and which half is called first only decides which half is exchanged.
- A text of one word, or one that is all particles and one word, has one part: last is "".
"""

from dataclasses import dataclass
from functools import lru_cache

from tuni.errors import TextError
from tuni.texts.name_lists import LOCALES, part_list
from tuni.texts.name_words import (
    CONNECTORS,
    DOTS,
    DOUBLE_FAMILIES,
    PARTICLES,
    PATRONYMICS,
    SMALL_PARTICLES,
    SUFFIXES,
)
from tuni.texts.text import canonical, clean_text, script_of

UNKNOWN = "*"
COMMON_RANK = 300  # ours: the head of a list of 50 to 4,000 parts


@dataclass(frozen=True, slots=True)
class Name:
    """A name in two parts, as the module's docstring defines them.

    Attributes:
        first: Given part, or the whole text of a one-part name.
        last: Family part; "" for one-part names.
        joiner: What stands between the parts: a space, a middle dot or nothing.
        family_first: Whether the family part is written first.
        locale: Faker's name of the culture that knows both parts, ``"*"`` where none does.
        script: As `tuni.texts.text.script_of` says.
    """

    first: str
    last: str
    joiner: str
    family_first: bool
    locale: str
    script: str

    @property
    def stratum(self) -> str:
        """Script and locale: ``"latin/de_DE"``, ``"latin/*"``, ``"han/*"``."""
        return f"{self.script}/{self.locale}"

    @property
    def text(self) -> str:
        """The clean text that was parsed."""
        return self._joined(self.first, self.last)

    @property
    def parts(self) -> tuple[str, ...]:
        """Given part and family part, or the one part there is."""
        return (self.first, self.last) if self.last else (self.first,)

    @property
    def common(self) -> bool:
        """Whether both parts are among the `COMMON_RANK` most common of the name's locale."""
        if self.locale == UNKNOWN or not self.last:
            return False
        return _in_head(self.script, self.locale, "first", _given(self.first)) and _in_head(
            self.script, self.locale, "last", _bare(self.last)
        )

    def with_first(self, first: str) -> str:
        """The text with another given part (another text altogether for a one-part name)."""
        return self._joined(first, self.last)

    def with_last(self, last: str) -> str:
        """The text with another family part.

        Raises:
            TextError: The name has one part.
        """
        if not self.last:
            raise TextError(
                "text: a name of one part has no family part to exchange",
                "treat one-part texts on their own (without neighbours)",
            )
        return self._joined(self.first, last)

    def _joined(self, first: str, last: str) -> str:
        if not self.last:
            return first
        one, two = (last, first) if self.family_first else (first, last)
        return f"{one}{self.joiner}{two}"


@lru_cache(maxsize=65536)
def parse_name(text: str) -> Name:
    """Take a name apart by the rules of this module's docstring; never fails.

    Args:
        text: Any text; it is cleaned first.
    """
    text = clean_text(text)
    script = script_of(text)
    first, last, joiner, family_first = _split(text, script)
    locale = _locale(script, first, last) if last else UNKNOWN
    return Name(first, last, joiner, family_first, locale, script)


def has_two_parts(text: str) -> bool:
    """Whether a text has a family part, told without looking for its culture."""
    text = clean_text(text)
    return bool(_split(text, script_of(text))[1])


@lru_cache(maxsize=1 << 16)
def _in_head(script: str, locale: str, kind: str, part: str) -> bool:
    return canonical(part) in _head(script, locale, kind)


@lru_cache(maxsize=256)
def _head(script: str, locale: str, kind: str) -> frozenset[str]:
    """Canonical forms of the most common parts."""
    parts = part_list(script, locale, kind).parts[:COMMON_RANK]
    return frozenset(canonical(part) for part in parts)


def _split(text: str, script: str) -> tuple[str, str, str, bool]:
    """First, last, joiner, family first."""
    for dot in DOTS:
        if script in ("han", "kana") and text.count(dot) >= 1 and " " not in text:
            first, _, last = text.rpartition(dot)
            return (first, last, dot, False) if first and last else (text, "", "", False)
    words = text.split(" ")
    if script in ("han", "hangul", "kana"):
        if len(words) == 1:
            cut = _family_length(text) if script != "kana" else 0
            return (
                (text[cut:], text[:cut], "", True) if 0 < cut < len(text) else (text, "", "", False)
            )
        if len(words) == 2:
            return _spaced_family_first(words, script)
    if script == "cyrillic" and len(words) == 3 and words[2].endswith(PATRONYMICS):
        return " ".join(words[1:]), words[0], " ", True
    cut = _family_start(words)
    if cut == 0:
        return text, "", "", False
    return " ".join(words[:cut]), " ".join(words[cut:]), " ", False


def _family_start(words: list[str]) -> int:
    """Index of the first word of the family part; 0 where there is only one part."""
    keys = [word.casefold().strip(",") for word in words]
    start = len(words) - 1
    while start > 0 and keys[start] in SUFFIXES:
        start -= 1
    if start == 0:
        start = len(words) - 1  # "Ada Jr."
    while start > 1 and _is_particle(words[start - 1], keys[start - 1]):
        start -= 1
    if start > 2 and words[start - 1] in CONNECTORS:
        start -= 2
        while start > 1 and _is_particle(words[start - 1], keys[start - 1]):
            start -= 1
    if start == 1 and words[0][:1].islower() and keys[0] in PARTICLES:
        return 0  # "de la Cruz": no given name stands before the particles
    return start


def _is_particle(word: str, key: str) -> bool:
    """Whether a word belongs to the family name that follows it."""
    return key in PARTICLES and (word[:1].islower() or key not in SMALL_PARTICLES)


def _family_length(text: str) -> int:
    """Characters of the family name of an unspaced Han or Hangul name; 0 for one part."""
    if len(text) < 2:
        return 0
    for length in (3, 2):
        head = text[:length]
        if len(text) > length and (head in DOUBLE_FAMILIES or _japanese_family(head)):
            return length
    return 2 if len(text) == 4 and script_of(text) == "han" else 1


def _japanese_family(head: str) -> bool:
    """Whether two or more Han characters are a Japanese family name of Faker's list."""
    return script_of(head) == "han" and head in part_list("han", "ja_JP", "last").known


def _spaced_family_first(words: list[str], script: str) -> tuple[str, str, str, bool]:
    """Two spaced words of an East Asian script: family first, unless only the second can be."""
    families = [_knows(script, "last", word) for word in words]
    if families[1] and not families[0]:
        return words[0], words[1], " ", False
    return words[1], words[0], " ", True


def _knows(script: str, kind: str, part: str) -> bool:
    """Whether any list of the script holds a part."""
    key = canonical(part)
    return any(key in part_list(script, locale, kind).known for locale in LOCALES[script])


def _given(first: str) -> str:
    """The first word of a given part."""
    return first.split(" ", 1)[0]


def _bare(last: str) -> str:
    """A family part without suffixes and commas."""
    words = last.split(" ")
    while len(words) > 1 and words[-1].casefold() in SUFFIXES:
        words.pop()
    return " ".join(words).strip(",")


def _locale(script: str, first: str, last: str) -> str:
    """The locale in whose lists both parts are likeliest; `UNKNOWN` where none has both."""
    best, best_share = UNKNOWN, 0.0
    whole, given = (_shares(script, "first", one) for one in (first, _given(first)))
    for locale, family in _shares(script, "last", _bare(last)).items():
        share = family * max(whole.get(locale, 0.0), given.get(locale, 0.0))
        if share > best_share:
            best, best_share = locale, share
    return best


@lru_cache(maxsize=1 << 16)  # names of a list share their parts
def _shares(script: str, kind: str, part: str) -> dict[str, float]:
    """Share of a part in the lists of a script's locales, of those that know it."""
    key = canonical(part)
    found = {
        locale: part_list(script, locale, kind).known.get(key, 0.0)
        for locale in LOCALES.get(script, ())
    }
    return {locale: share for locale, share in found.items() if share}
