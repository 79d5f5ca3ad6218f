"""The request of a job and the settings of the machine: one typed object each.

Only this module reads the environment. A request holds paths and settings, never texts, so it
can be a parameter of a Prefect flow, which Prefect stores in clear.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flows.machine.mistakes import problems
from tuni.errors import RequestError
from tuni.statistics.choice_rule import MARGIN
from tuni.texts.arrangement import Arrangement
from tuni.texts.kind import FIELDS, kind_names

MAX_REQUEST = 2**20  # bytes
CHECKPOINT_NAME = r"^[a-z0-9][a-z0-9._-]{0,99}$"


def _expand(value: Any) -> Any:  # Any: whatever stands in the TOML file
    return str(Path(value).expanduser()) if isinstance(value, str) else value


def _divide(value: Any) -> Any:  # Any: a variable's text, or a sequence of paths
    if isinstance(value, str):
        return tuple(part for part in value.split(os.pathsep) if part)
    return value


UserPath = Annotated[Path, BeforeValidator(_expand)]


class _Table(BaseModel):
    """A table of the request file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckpointTable(_Table):
    """Which model is audited."""

    name: str = Field(
        pattern=CHECKPOINT_NAME,
        description="Name of the registered model; bound to the weights it was first used with.",
    )
    folder: UserPath | None = Field(
        None, description="Folder as open_clip saves a checkpoint, or transformers."
    )
    architecture: str | None = Field(
        None, description="open_clip architecture name, together with `weights`."
    )
    weights: UserPath | None = Field(
        None, description="Weights file for `architecture`, or in the place of the folder's."
    )
    preprocess: str | None = Field(
        None, description="Tag of open_clip's weights whose pictures were prepared as for yours."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.folder is None) == (self.architecture is None) or (
            self.folder is None and self.weights is None
        ):
            raise ValueError("give either `folder`, or `architecture` together with `weights`")
        if self.preprocess is not None and self.architecture is None:
            raise ValueError("`preprocess` belongs to `architecture`; a folder's config says it")
        return self


class SubjectsTable(_Table):
    """Whose texts are searched on and evaluated with."""

    kind: str = Field(
        "name", description="Kind of text that identifies a person: name, phone, name_phone, …"
    )
    kinds: tuple[str, ...] = Field(
        (),
        description="Columns about one person, name and contact data: each is judged alone and "
        "beside the name, by a detector of its own.",
    )
    region: str | None = Field(
        None, pattern="^[A-Z]{2}$", description="Country of phone numbers that say none: US."
    )
    names: Arrangement = Field(
        "first-last", description="How the files write names: or last-first, or underscores."
    )
    labelled: UserPath | None = Field(
        None, description="CSV with text,member (0/1): people known to be in the data or not."
    )
    list_: UserPath | None = Field(
        None, alias="list", description="CSV with a column text: unlabelled people of interest."
    )
    skip_bad: bool = Field(False, description="Leave out texts of another kind, or too long.")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in kind_names():
            raise ValueError(f"expected one of {', '.join(kind_names())}")
        return kind

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.kinds and self.kind != "name":
            raise ValueError("`kind` is `kinds` with one entry: give one of the two")
        if wrong := [kind for kind in self.kinds if kind not in FIELDS]:
            raise ValueError(f"`kinds` holds {wrong[0]!r}, expected some of {', '.join(FIELDS)}")
        if len({*self.kinds}) < len(self.kinds):
            raise ValueError("`kinds` names one twice")
        return self


class BankTable(_Table):
    """Generic pictures for the text-geometry family."""

    images: UserPath | None = Field(
        None, description="Folder of pictures that show none of the subjects."
    )


class NullsTable(_Table):
    """The texts that no training set holds. All sizes are ours, not the paper's."""

    source: Literal["recombination", "faker", "file"] = Field(
        "recombination", description="Where decoys come from."
    )
    decoys: UserPath | None = Field(
        None, description="CSV with a column text: your own decoys, for source = 'file'."
    )
    locale: str = Field(
        "en_US",
        pattern=r"^[a-z]{2}_[A-Z]{2}$",
        description="Locale of the reference names where there are no texts to recombine.",
    )
    gibberish: int = Field(5000, ge=500, le=50_000, description="Gibberish texts to fit on.")
    alphabet: str | None = Field(
        None, min_length=10, max_length=200, description="Characters of gibberish; None is ours."
    )
    gibberish_length: tuple[int, int] = Field(
        (3, 10), description="Shortest and longest part of a gibberish text, in characters."
    )
    decoy_fit: int = Field(1000, ge=200, le=20_000, description="Decoys detectors are fitted on.")
    decoy_search: int = Field(500, ge=100, le=20_000, description="Decoys the search judges with.")
    decoy_calibration: int = Field(
        2000, ge=200, le=100_000, description="Decoys that p-values are taken against."
    )
    decoy_check: int = Field(300, ge=50, le=20_000, description="Decoys of the null check.")

    @model_validator(mode="after")
    def _file_named(self) -> Self:
        if (self.source == "file") != (self.decoys is not None):
            raise ValueError("`decoys` goes with source = 'file', and only with it")
        low, high = self.gibberish_length
        if not 1 <= low <= high <= 40:
            raise ValueError("`gibberish_length` needs 1 <= shortest <= longest <= 40")
        return self


class FeaturesTable(_Table):
    """What is extracted. Every number is ours, not the paper's."""

    inversion: bool = Field(True, description="The paper's image inversion (the costly family).")
    inversion_restarts: int = Field(2, ge=2, le=64, description="Restarts per text (n).")
    inversion_steps: int = Field(20, ge=1, le=2000, description="Steps per restart (m).")
    inversion_texts: int = Field(
        200, ge=50, le=5000, description="Texts per null set that are inverted; the rest are not."
    )
    geometry: bool = Field(True, description="Prompt agreement, and the bank where there is one.")
    stability: bool = Field(True, description="Noise and Jacobian stability; needs gradients.")
    batch: int = Field(256, ge=8, le=4096, description="Sequences per forward pass.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Type of the forward passes.")


class SearchTable(_Table):
    """How the detector is looked for."""

    trials: int = Field(60, ge=1, le=5000, description="Detectors to try.")
    minutes: float | None = Field(None, gt=0, description="Stop the search after this long.")
    objective: Literal["auto", "labelled", "label-free", "none"] = Field(
        "auto",
        description="auto: labelled with at least 20 + 20 labels, else label-free with a list.",
    )
    margin: float = Field(
        MARGIN, ge=0, le=1, description="By how much a trial must beat the default detector H2."
    )


class GatesTable(_Table):
    """What a bundle must hold to become champion."""

    nonmember_fpr_confidence: float = Field(
        0.99,
        gt=0.5,
        lt=1,
        description="Confidence at which a realised rate above the nominal one fails the gate.",
    )
    non_inferiority: float = Field(
        0.02, ge=0, le=1, description="AUC that a new champion may lose to the old one."
    )


class ComputeTable(_Table):
    """Where it runs; moves no verdict but `seed`."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of all draws.")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="Torch device.")
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Torch threads; None is one for small text towers, else all.",
    )


class Request(_Table):
    """One job: from a checkpoint and lists of names to a registered detector."""

    checkpoint: CheckpointTable
    subjects: SubjectsTable = SubjectsTable()
    bank: BankTable = BankTable()
    nulls: NullsTable = NullsTable()
    features: FeaturesTable = FeaturesTable()
    search: SearchTable = SearchTable()
    gates: GatesTable = GatesTable()
    compute: ComputeTable = ComputeTable()
    operating_point: float = Field(
        0.05, ge=0.001, le=0.2, description="p at or below which a text gets a finding."
    )


class Settings(BaseSettings):
    """Settings of the machine, from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="TUNI_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    home: UserPath = Field(
        Path("~/.tuni").expanduser(), description="Where everything is kept (TUNI_HOME)."
    )
    ledger_url: str | None = Field(
        None,
        repr=False,
        description="Database of the ledger (TUNI_LEDGER_URL), SQLite or Postgres 15 and later; "
        "None is a SQLite file in the home.",
    )
    key_file: UserPath | None = Field(
        None, description="The home's key where it lies elsewhere (TUNI_KEY_FILE), mode 0600."
    )
    key: str | None = Field(
        None,
        repr=False,
        description="The home's key itself (TUNI_KEY), 64 hexadecimal digits; leaves no file.",
    )
    tracking_uri: str | None = Field(
        None, description="MLflow server (TUNI_TRACKING_URI); None keeps a store in the home."
    )
    checkpoint: UserPath | None = Field(
        None, description="Checkpoint folder for scoring (TUNI_CHECKPOINT)."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Lines of logs/tuni.log: for people, or JSON (TUNI_LOG_FORMAT)."
    )
    serve_rate: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Texts per minute that `tuni serve` answers at most (TUNI_SERVE_RATE).",
    )
    trusted_keys: Annotated[tuple[UserPath, ...], NoDecode, BeforeValidator(_divide)] = Field(
        (),
        description="Public keys, or folders of them, whose bundles are used beside the home's "
        "own (TUNI_TRUSTED_KEYS, divided by colons).",
    )
    device: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="Torch device of audits and scoring, cpu, cuda or cuda:N (TUNI_DEVICE).",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Workers of an audit on Ray (TUNI_WORKERS); None is one for each core.",
    )
    gpu_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of a GPU that each of them takes (TUNI_GPU_SHARE); 0 asks for none.",
    )
    database_url: str | None = Field(
        None,
        description="Postgres for MLflow and Prefect, which take DATABASE_mlflow and "
        "DATABASE_prefect on it (TUNI_DATABASE_URL); None keeps files in the home.",
        repr=False,  # it may hold a password
    )
    mlflow_port: int = Field(
        5000, ge=1024, le=65535, description="Port of MLflow's pages (TUNI_MLFLOW_PORT)."
    )
    prefect_port: int = Field(
        4200, ge=1024, le=65535, description="Port of Prefect's pages (TUNI_PREFECT_PORT)."
    )

    @property
    def runs_uri(self) -> str | None:
        """Where MLflow keeps runs: the named server, or a database; None is a file of the home."""
        if self.tracking_uri or not self.database_url:
            return self.tracking_uri
        from registry.home import Home
        from registry.services.databases import mlflow_database

        return mlflow_database(Home(self.home), self.database_url)


def read_settings() -> Settings:
    """The settings of this machine.

    Raises:
        RequestError: A variable has a value that cannot be, or its name is nearly one of ours: a
            slip in TUNI_KEY_FILE would make a new key. Other names that begin with TUNI_ are left
            alone, since Kubernetes makes such for a service of our name.
    """
    prefix = str(Settings.model_config["env_prefix"])
    known = [prefix + name.upper() for name in Settings.model_fields]
    for name in sorted(os.environ):
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
        if name.upper().startswith(prefix) and near and name.upper() not in known:
            raise RequestError(f"{name}: no setting of tuni", f"did you mean {near[0]}?")
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        names = [str(item["loc"][0]) for item in wrong]
        told = [
            f"{prefix}{name.upper()}: {item['msg']}"
            for name, item in zip(names, wrong, strict=True)
        ]
        meant = [str(Settings.model_fields[name].description) for name in names]
        raise RequestError("; ".join(told), f"it is: {' '.join(meant)}") from error


def read_request(path: Path) -> Request:
    """Read a request file; relative paths in it are relative to the file.

    Raises:
        RequestError: No such file, not TOML, or a key is unknown, missing or of a wrong value.
            All mistakes are named at once.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_REQUEST + 1)
        if len(text) > MAX_REQUEST:
            raise RequestError(
                f"request: {path} is larger than {MAX_REQUEST // 2**20} MiB", "give a TOML file"
            )
        content = tomllib.loads(text.decode("utf-8-sig"))
    except FileNotFoundError:
        raise RequestError(f"request: no file {path}", "name an existing TOML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"request: {path} cannot be read ({type(error).__name__})", "give a UTF-8 text file"
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RequestError(f"request: {path} is not TOML: {error}", "mend that line") from error
    try:
        return absolute(Request.model_validate(content), path.resolve().parent)
    except ValidationError as error:
        raise RequestError(problems(error, Request), "see docs/guide.md for every key") from error


def absolute(request: Request, base: Path) -> Request:
    """The same request with every path absolute, relative ones taken from ``base``."""
    tables: dict[str, _Table] = {}
    for name in ("checkpoint", "subjects", "bank", "nulls"):
        table: _Table = getattr(request, name)
        moved = {
            key: base / value
            for key in type(table).model_fields
            if isinstance(value := getattr(table, key), Path)
        }
        tables[name] = table.model_copy(update=moved)
    return request.model_copy(update=tables)
