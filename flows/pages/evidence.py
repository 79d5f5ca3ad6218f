"""The evidence file: everything that a page says, as one JSON file that is checked when read.

The one law: a page is rendered from this file alone; a file that was altered, or that is of
another format, is refused. Like the page it holds no text of a subject, and in shared places no
count of fewer than five people.
"""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from flows.pages.blocks import ReportKind
from tuni import __version__
from tuni.errors import RequestError
from tuni.hashing import digest
from tuni.texts.kinds_by_name import KindsByName

FORMAT = 2
MAX_BYTES = 16 * 2**20
LIBRARIES = ("torch", "open_clip_torch", "scikit-learn", "numpy", "scipy", "mlflow", "optuna")
OWN_KINDS = ("audit", "benchmark", "comparison", "job")
_KINDS = KindsByName[ReportKind](
    "kind of report",
    group="tuni.reports",
    built_in={name: f"flows.pages.kinds.{name}_page:REPORT" for name in OWN_KINDS},
    lacks=lambda _name, kind: () if isinstance(kind, ReportKind) else ["a ReportKind"],
)
report_kind = _KINDS.named
_AGAIN = "take it again from where it was written, or from the run's artifacts in MLflow"
_NAME = "name an evidence file, such as evidence.json of a job"


def library_versions() -> dict[str, str]:
    """Versions of everything that a score can depend on."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"tuni": __version__, "python": platform.python_version()} | found


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found, and what it rests on.

    Attributes:
        facts: All figures on the page; their ``kind`` tells what the page is about.
        command: The command that finds them again.
        settings: By table and key, as text.
        versions: Of program and libraries.
        inputs: Digests of what went in: bundles, lists (keyed with the home's key, so that nobody
            can confirm a guessed list), and what else the figures depend on.
    """

    facts: Any  # Any: of a `ReportKind`
    command: str
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    inputs: Mapping[str, str]


_ADAPTER = TypeAdapter(Evidence)


def evidence_text(evidence: Evidence) -> str:
    """The file's content; equal evidence gives equal text."""
    body = _ADAPTER.dump_python(evidence, mode="json")
    content = {"format": FORMAT, "digest": digest(body), "evidence": body}
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file.

    Raises:
        RequestError: It cannot be read, is no evidence file, was altered, or is of another format.
    """
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_BYTES + 1)  # not its stated size: a pipe states none
        if len(payload) > MAX_BYTES:
            raise RequestError(f"{path.name}: larger than {MAX_BYTES // 2**20} MiB", _AGAIN)
        content = json.loads(payload)
        found, stated, body = content["format"], content["digest"], content["evidence"]
    except OSError as error:
        raise RequestError(f"{path.name}: cannot be read ({error.strerror})", _NAME) from error
    except (ValueError, TypeError, LookupError, RecursionError):
        raise RequestError(f"{path.name}: is no evidence file", _NAME) from None
    if found != FORMAT:
        age = "older" if isinstance(found, int) and found < FORMAT else "unknown"
        raise RequestError(
            f"{path.name}: format {found!r} is {age}, this version of tuni reads format {FORMAT}",
            "use the version of tuni that wrote it (it stands in the file under versions), or "
            "give the command that wrote it again",
        )
    try:
        if digest(body) != stated:
            raise RequestError(f"{path.name}: was altered, its digest does not fit", _AGAIN)
        kind = report_kind(str(body["facts"]["kind"]))
        facts = TypeAdapter[Any](kind.facts).validate_python(body["facts"])
        return replace(_ADAPTER.validate_python(body), facts=facts)
    except (ValidationError, ValueError, TypeError, LookupError) as error:
        raise RequestError(
            f"{path.name}: not what format {FORMAT} says ({type(error).__name__})", _AGAIN
        ) from None


def evidence_schema() -> dict[str, Any]:  # Any: JSON Schema
    """JSON Schema of an evidence file; docs/evidence.schema.json is this."""
    body = _ADAPTER.json_schema(mode="serialization")
    # Any, here and above: types that are made while the program runs.
    classes: Any = reduce(or_, (report_kind(name).facts for name in OWN_KINDS))
    union: Any = Annotated[classes, Field(discriminator="kind")]
    facts = TypeAdapter(union).json_schema(mode="serialization")
    defs = facts.pop("$defs") | body.pop("$defs", {})
    body["properties"]["facts"] = facts
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Evidence file of tuni",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "digest": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "SHA-256 of the canonical JSON of evidence.",
            },
            "evidence": {"$ref": "#/$defs/Evidence"},
        },
        "required": ["format", "digest", "evidence"],
        "additionalProperties": False,
        "$defs": defs | {"Evidence": body},
    }
