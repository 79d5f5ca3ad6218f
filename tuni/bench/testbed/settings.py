"""Everything that moves a testbed, as one frozen and hashed object.

The one law: two testbeds of equal settings hold the same people, pictures and weights on one
machine; whatever changes one of them stands in here (or in `REVISION`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from tuni.bench.testbed.contacts import CONTACT_KINDS
from tuni.errors import RequestError
from tuni.hashing import derive_seed, digest

Size = Literal["full", "demo", "test"]
Captions = Literal["short", "described"]
Vocabulary = Literal["closed", "own"]
Looks = Literal["free", "by-name"]
Family = Literal["clip", "siglip", "bert", "resnet"]
REVISION = 1  # raised whenever the code draws or trains otherwise from the same settings
CULTURES = ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT")
# Cultures whose lists hold enough parts for people who share none.
RICH_CULTURES = ("en_US", "de_DE", "nl_NL", "es_ES", "it_IT")
_MOST_OWN = 950  # strangers that the lists have names of their own for


@dataclass(frozen=True, slots=True)
class TestbedSettings:
    """Who is drawn and how the model is trained; every number is ours, not the paper's.

    Attributes:
        seed: Seed of people, names, pictures and training.
        cultures: Faker locales; first and last names of one go together.
        parts: First names and last names per culture, each this many.
        members: Pairs (captions, people): members with that many pictures, captions alike.
        background: Pairs (captions, people): trained people that the auditor never lists.
        strangers: People of genuine pairs that were never trained.
        hard: Never trained people named by a first and a last name of two well-known members.
        anonymous: Pictures of people without a name.
        scenes: Pictures without people.
        labelled: People of each kind, members and strangers, in labelled.csv.
        watch_members: Members in watch.csv.
        watch_strangers: Strangers in watch.csv.
        bank: Generic pictures in bank/, never trained.
        width: Width of the text tower.
        text_layers: Blocks of the text tower.
        vision_width: Width of the image tower.
        vision_layers: Blocks of the image tower.
        patch: Side of a patch, pixels.
        token_deviation: Standard deviation of the random, frozen token embeddings.
        logit_scale: Inverse temperature that training starts from.
        epochs: Passes over all pictures.
        batch: Pictures per step.
        learning_rate: Peak of AdamW's cosine schedule.
        weight_decay: AdamW's weight decay.
        captions: Captions of named people: the name alone or nearly so, or half of them with the
            name within a description of hair, clothes and place.
        namesakes: Never trained people who share their whole name with a member. They move
            nothing but truth.csv: labels and list hold each name once.
        vocabulary: Whether people share first and last names, or each has names of their own, as
            in lists of celebrities. Hard negatives have two members' names either way.
        looks: Whether faces are drawn freely, or skin and hair go with the culture of a name and
            gender with the given name, as in pictures of the world.
        fields: Contact data in captions: each member and stranger has one of these kinds, in turn.
            Of a person's captions two in four hold name and data, one the data alone, one the name.
        family: Whose model is trained: CLIP's causal text tower under a softmax; SigLIP's, which
            sees the whole context both ways, is read at its last position and trained by a sigmoid;
            BERT's, read at its first token, each block ended by a norm; or CLIP's with a ResNet for
            pictures.
    """

    __test__ = False  # the name starts with Test, and pytest would collect it

    seed: int = 1
    cultures: tuple[str, ...] = CULTURES
    parts: int = 46
    members: tuple[tuple[int, int], ...] = (
        (1, 40), (2, 40), (5, 90), (10, 80), (20, 70), (50, 12),
    )  # fmt: skip
    background: tuple[tuple[int, int], ...] = ((1, 40), (5, 30), (10, 10))
    strangers: int = 1200
    hard: int = 240
    anonymous: int = 300
    scenes: int = 60
    labelled: int = 60
    watch_members: int = 100
    watch_strangers: int = 300
    bank: int = 64
    width: int = 128
    text_layers: int = 3
    vision_width: int = 128
    vision_layers: int = 2
    patch: int = 16
    token_deviation: float = 0.2
    logit_scale: float = 40.0
    epochs: int = 50
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    captions: Captions = "short"
    namesakes: int = 0
    vocabulary: Vocabulary = "closed"
    looks: Looks = "free"
    fields: tuple[str, ...] = ()
    family: Family = "clip"

    def __post_init__(self) -> None:
        """Refuse settings of which no testbed can be made.

        Raises:
            RequestError: A number is out of range, or the lists need more people than there are.
        """
        members = sum(n for _captions, n in self.members)
        checks = (
            (min(c for c, _n in (*self.members, *self.background)) >= 1, "captions", "at least 1"),
            (self.epochs >= 1 and self.batch >= 2, "epochs, batch", "at least 1 and 2"),
            (self.labelled + self.watch_members <= members, "members", "enough for both lists"),
            (
                len({*self.fields}) == len(self.fields) and {*self.fields} <= {*CONTACT_KINDS},
                "fields",
                f"each at most once of {', '.join(CONTACT_KINDS)}",
            ),
            (0 <= self.namesakes <= members, "namesakes", "at most one for each member"),
            (
                self.labelled + self.watch_strangers <= self.strangers,
                "strangers",
                "enough for both lists",
            ),
        )
        for holds, name, expected in checks:
            if not holds:
                raise RequestError(
                    f"testbed {name}: expected {expected}", "use one of the sizes full, demo, test"
                )

    @classmethod
    def of_size(cls, size: Size, seed: int) -> "TestbedSettings":
        """Settings of a named size: full, demo (about a minute) or test (seconds)."""
        return replace(_SIZES[size], seed=seed)

    def with_own_names(self) -> "TestbedSettings":
        """The same, of people who share no name part; fewer strangers where names run out."""
        count = len(self.cultures)
        strangers = min(self.strangers, _MOST_OWN)
        pairs = sum(n for _captions, n in (*self.members, *self.background)) + strangers
        return replace(
            self,
            vocabulary="own",
            cultures=RICH_CULTURES[:count],
            parts=-(-pairs // count),
            strangers=strangers,
        )

    def of_family(self, family: Family) -> "TestbedSettings":
        """The same, of a family, with what differs in its training."""
        return replace(self, family=family, **_TRAINED_AS.get(family, {}))

    @property
    def context_length(self) -> int:
        """Tokens that the text tower reads."""
        return 40 if self.fields else 32

    @property
    def hash(self) -> str:
        """SHA-256 of all that moves a testbed, 64 hexadecimal digits."""
        return digest({"revision": REVISION, **self.as_json()})

    def as_json(self) -> Mapping[str, object]:
        """The settings as plain values; younger fields only where they move something."""
        younger = {
            "captions": "short",
            "namesakes": 0,
            "vocabulary": "closed",
            "looks": "free",
            "fields": (),
            "family": "clip",
        }  # so that older testbeds keep their hash
        return {k: v for k, v in asdict(self).items() if younger.get(k, self) != v}

    def rng(self, purpose: str) -> np.random.Generator:
        """The generator of one purpose, independent of all others."""
        return np.random.default_rng(derive_seed(self.seed, f"testbed {purpose}"))


# What differs from the size's own settings.
_TRAINED_AS: Mapping[Family, Mapping[str, Any]] = {
    "siglip": {"logit_scale": 10.0},  # as SigLIP's paper begins
    "resnet": {"vision_width": 16, "vision_layers": 1},
}
_SIZES: Mapping[Size, TestbedSettings] = {
    "full": TestbedSettings(),
    "demo": TestbedSettings(
        members=((2, 20), (5, 40), (10, 35), (20, 25)),
        background=((1, 30), (5, 10)),
        strangers=420,
        hard=60,
        anonymous=100,
        scenes=20,
        watch_members=40,
        watch_strangers=160,
        batch=64,
    ),
    "test": TestbedSettings(
        cultures=CULTURES[:2],
        parts=20,
        members=((2, 8), (5, 20), (10, 28)),
        background=((2, 6),),
        strangers=120,
        hard=24,
        anonymous=20,
        scenes=8,
        labelled=24,
        watch_members=24,
        watch_strangers=56,
        bank=8,
        width=64,
        text_layers=2,
        vision_width=64,
        vision_layers=1,
        patch=32,
        epochs=24,
        batch=32,
        learning_rate=2e-3,
    ),
}
