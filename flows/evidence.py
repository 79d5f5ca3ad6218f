"""The evidence file: everything that a report says, as one JSON file that is checked when read.

The one law: a page is rendered from this file alone; a file that was altered, or that is of
another format, is refused. Like the page it holds no text of a subject.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows.report_facts import ReportFacts
from tuni.errors import RequestError
from tuni.spec import digest

FORMAT = 1
MAX_BYTES = 16 * 2**20
_AGAIN = "take it again from the job's folder, or from the run's artifacts in MLflow"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a job found, and what it rests on.

    Attributes:
        facts: Everything on the page, the figures as drawn included.
        figures: The evaluation in full, or None without labelled texts.
        inputs: Digests of what went in: the lists (keyed with the home's key, so that nobody can
            confirm a guessed list), job, feature spec and bundle.
    """

    facts: ReportFacts
    figures: Mapping[str, Any] | None  # Any: JSON values
    inputs: Mapping[str, str]


_ADAPTER = TypeAdapter(Evidence)


def evidence_text(evidence: Evidence) -> str:
    """The file's content; equal evidence gives equal text."""
    body = _ADAPTER.dump_python(evidence, mode="json")
    return json.dumps(
        {"format": FORMAT, "digest": digest(body), "evidence": body},
        ensure_ascii=False,
        indent=1,
        sort_keys=True,
    )


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file.

    Raises:
        RequestError: It cannot be read, is no evidence file, was altered, or is of another format.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError(f"{path.name}: larger than {MAX_BYTES // 2**20} MiB", _AGAIN)
        content = json.loads(path.read_bytes())
        found, stated, body = content["format"], content["digest"], content["evidence"]
    except OSError as error:
        raise RequestError(
            f"{path.name}: cannot be read ({error.strerror})", "name an evidence.json"
        ) from error
    except (ValueError, TypeError, LookupError, RecursionError):
        raise RequestError(f"{path.name}: is no evidence file", "name an evidence.json") from None
    if found != FORMAT:
        raise RequestError(
            f"{path.name}: format {found!r}, this version of tuni reads format {FORMAT}",
            "use the version of tuni that wrote it (it stands in the file under versions), or run "
            "the job again",
        )
    try:
        if digest(body) != stated:
            raise RequestError(f"{path.name}: was altered, its digest does not fit", _AGAIN)
        return _ADAPTER.validate_python(body)
    except (ValidationError, ValueError, TypeError) as error:
        raise RequestError(
            f"{path.name}: not what format {FORMAT} says ({type(error).__name__})", _AGAIN
        ) from None


def evidence_schema() -> dict[str, Any]:  # Any: JSON Schema
    """JSON Schema of an evidence file; docs/evidence.schema.json is this."""
    body = _ADAPTER.json_schema(mode="serialization")
    defs = body.pop("$defs")
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
