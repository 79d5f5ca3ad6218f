"""One text at a time: what the model sees, what identifies it, when it is refused, how it is shown.

Two texts with the same `canonical` form are the same subject, everywhere (sets, splits,
pseudonyms); a text that `refusal` names a reason for is never encoded.
"""

import html
import unicodedata

from tuni.visible import character_refusal

MAX_CHARACTERS = 200

SPECIAL_TOKENS = ("<|endoftext|>", "<|startoftext|>", "<start_of_text>", "<end_of_text>")

# Short on purpose: with a name of five tokens each fits into a context of 16 (ours).
PROMPTS_8: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a portrait of {}",
    "this is {}",
    "a picture of {}",
    "an image of {}",
    "a photograph of {}",
    "{} in a photo",
)
PROMPTS_24: tuple[str, ...] = (
    *PROMPTS_8,
    "a close up of {}",
    "a snapshot of {}",
    "the face of {}",
    "a headshot of {}",
    "a good photo of {}",
    "a recent photo of {}",
    "a press photo of {}",
    "a black and white photo of {}",
    "a selfie of {}",
    "here is {}",
    "{} smiling",
    "{} at an event",
    "{} looking at the camera",
    "{} on the red carpet",
    "a photo of {} outside",
    "a photo of {} at home",
)

# The model's tokenizer straightens these itself, so both spellings are one subject.
_SAME_SIGN = str.maketrans(
    {"‘": "'", "’": "'", "‛": "'", "ʼ": "'", "“": '"', "”": '"', "‐": "-", "–": "-"}  # noqa: RUF001
)

# Zero-width joiner and non-joiner, and the scripts whose spelling needs them (Unicode 9.2, 12).
JOINERS = "\u200c\u200d"
_JOINING_SCRIPTS = frozenset(
    {
        *("ARABIC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL"),
        *("TELUGU", "KANNADA", "MALAYALAM", "SINHALA"),
    }
)
_WITHOUT_JOINERS = dict.fromkeys(map(ord, JOINERS))

# First word of a letter's Unicode name -> script, where the two differ.
_SCRIPTS = {
    "cjk": "han",
    "ideographic": "han",
    "hiragana": "kana",
    "katakana": "kana",
    "halfwidth": "kana",
    "fullwidth": "latin",
    "feminine": "latin",
    "masculine": "latin",
    "modifier": "other",
}


def clean_text(text: str) -> str:
    """The text as the model is given it: NFC, runs of white space as one space, stripped.

    Case and punctuation stay. Idempotent.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def canonical(text: str) -> str:
    """What identifies a text: its NFKC form without case, of the cleaned text. Idempotent.

    Curly and straight apostrophes, and the hyphens of typesetting, count as the same sign (ours);
    joiners, which some leave out, as none.
    """
    folded = clean_text(text)
    if folded.isascii():
        return folded.casefold()
    while (again := _fold(folded)) != folded:  # one round can open new compositions
        folded = again
    return folded


def refusal(text: str) -> str | None:
    """Why a text may not be scored, or None where it may. The reason never quotes the text.

    Refused are: an empty text; control, bidirectional, zero-width or other invisible characters;
    halves of surrogate pairs; special tokens of CLIP's tokenizer, however disguised; HTML
    entities (the tokenizer resolves them, so that two texts would become one); more than
    `MAX_CHARACTERS` characters. White space around the text is no reason.
    """
    text = text.strip()
    if not text:
        return "is empty"
    if len(text) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters"
    if not (text.isascii() and text.isprintable()):
        for place, character in enumerate(text):
            reason = character_refusal(character)
            if reason is not None and not (character in JOINERS and _spells(text, place)):
                return reason
    if "<" in (plain := text if text.isascii() else unicodedata.normalize("NFKC", text)):
        folded = plain.casefold()
        if any(token in folded for token in SPECIAL_TOKENS):
            return "holds a special token of the model's tokenizer"
    if "&" in plain and html.unescape(plain) != plain:
        return "holds an HTML entity"
    return None


def _spells(text: str, place: int) -> bool:
    """Whether the joiner there belongs to the spelling: between letters of a script that has it."""
    beside = (text[place - 1 : place], text[place + 1 : place + 2])
    return all(
        sign and unicodedata.name(sign, "").split(" ")[0] in _JOINING_SCRIPTS for sign in beside
    )


def script_of(text: str) -> str:
    """The script of most letters: ``"latin"``, ``"han"``, ``"kana"``, ``"cyrillic"``, ...

    A tie goes to the script that comes first in the text. Han wins over kana where both occur,
    since Japanese writes names in a mixture. Without letters: ``"other"``.
    """
    if text.isascii():
        return "latin" if any(sign.isalpha() for sign in text) else "other"
    counts: dict[str, int] = {}
    for sign in text:
        if sign.isalpha():
            first = unicodedata.name(sign, "OTHER").replace("-", " ").split()[0].lower()
            script = _SCRIPTS.get(first, first)
            counts[script] = counts.get(script, 0) + 1
    if "han" in counts and "kana" in counts:
        return "han"
    return max(counts, key=lambda script: counts[script], default="other")


def _fold(text: str) -> str:
    """One round of compatibility composition, case folding and straightening."""
    folded = unicodedata.normalize("NFKC", text).translate(_SAME_SIGN).casefold()
    folded = folded.translate(_WITHOUT_JOINERS)
    return clean_text(unicodedata.normalize("NFKC", folded))
