"""What a family of features owes to specs, extraction, requests and searches: `FeatureFamily`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:  # a spec is read where torch is not installed
    from tuni.model.target import Target
    from tuni.pictures.bank import Bank

S = TypeVar("S")

OTHER_LASTS, OTHER_FIRSTS = ".other_lasts", ".other_firsts"
# A column less what the parts of each text add to it, as the decoys of a list tell (ours).
LESS_PARTS = ".less_parts"
# Plain caption-like prompts (ours): more or odder ones bring nothing to hidden states.
PLAIN_PROMPTS = ("{}", "a photo of {}", "a portrait of {}", "this is {}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a feature table.

    Attributes:
        name: The family's name, alone or followed by ``.`` or ``_`` and more.
        directed: Whether it is one number, of which higher is nearer to "trained on".
        wide: Whether it is a vector as wide as the model.
    """

    name: str
    directed: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """Columns that a detector of vectors may read together, as a search offers them.

    Attributes:
        name: What the search calls them.
        options: Columns by option.
        asks: Parameter that chooses among several options; None where there is one.
    """

    name: str
    options: Mapping[Any, tuple[str, ...]]  # Any: a number or a word
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Passes:
    """How a family that does not go by its prompts fills its forward passes.

    Attributes:
        each: Units that a text takes.
        size: Units of a pass, padding included.
    """

    each: int
    size: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says that families read.

    Attributes:
        table: Its table ``[features]``, by key.
        seed: Its seed.
        bank: Embeddings of its generic pictures, or None.
    """

    table: Mapping[str, Any]  # Any: TOML values
    seed: int
    bank: "Bank | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFamily(Generic[S]):
    """One family of features: a light file that makes this value, and a heavy one that extracts.

    The light file loads no torch, since bundles name families and are read without it. The heavy
    one holds ``columns(target, texts, spec, batch, step)``, with ``bank=`` besides where
    ``reads_bank``: float32 arrays of shape (n, d) by column name for n distinct texts, in passes of
    at most ``batch`` sequences; ``step`` is told how many texts are done.

    A family promises (tests/conformance holds each registered one to it): a text's values depend
    on the text, the spec and the checkpoint, not on what else is in the call; every random number
    comes from the spec; the columns are those that ``columns`` names.

    Attributes:
        name: Lower-case letters and digits; every column begins with it.
        spec: Frozen dataclass of everything that moves its columns. With ``neighbours`` it has a
            field ``neighbours``: how many other first and other last names a text is set beside.
            With ``reads_bank`` it has ``bank_digest``.
        extractor: The heavy module.
        columns: The columns of a spec, without those of neighbours.
        prompts: The templates of a spec.
        asked: The spec that a request asks for; None where it asks for none.
        neighbours: Whether means over a text's neighbours are taken too.
        reads_bank: Whether it reads the bank of generic pictures.
        effort: What a text costs beside others: low is extracted of all null texts, medium of the
            first hundreds, high of as many as the request says and in no sum.
        inputs: What a search offers to detectors of vectors.
        addend: Parameter, behind ``sum.``, by which a search adds one of the directed columns.
        passes: Passes of a text given target, spec and batch; None counts those of the prompts.
        block: Texts that are extracted and cached at once.
        revision: Raised where the code moves last bits, so that no cache mixes the two.
        fixed: Keys of the spec's JSON that no longer vary, with the value that they must have.
    """

    name: str
    spec: type[S]
    extractor: str
    columns: Callable[[S], tuple[Column, ...]]
    prompts: Callable[[S], tuple[str, ...]]
    asked: Callable[[Asked], S | None]
    neighbours: bool = False
    reads_bank: bool = False
    effort: Literal["low", "medium", "high"] = "medium"
    inputs: Callable[[S], tuple[Inputs, ...]] = lambda _spec: ()
    addend: str | None = None
    passes: "Callable[[Target, S, int], Passes] | None" = None
    block: int = 16_384
    revision: int = 1
    fixed: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
