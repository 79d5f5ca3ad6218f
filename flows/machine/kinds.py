"""A request of several fields about one person as requests of one kind of text each."""

from flows.machine.settings import Request
from tuni.judging.people import scored_kinds


def detector_name(checkpoint: str, kind: str) -> str:
    """Name of the registered detector of a kind of text, where rows have several fields."""
    return f"{checkpoint}-{kind}"  # MLflow takes no point in a name


def requests_of(request: Request) -> tuple[Request, ...]:
    """One request for each kind of text that a request's fields are judged as, else the request."""
    fields = request.subjects.kinds
    if not fields:
        return (request,)
    if len(fields) == 1:
        return (_of_kind(request, request.checkpoint.name, fields[0]),)
    name = request.checkpoint.name
    return tuple(
        _of_kind(request, detector_name(name, kind), kind) for kind in scored_kinds(fields)
    )


def _of_kind(request: Request, name: str, kind: str) -> Request:
    return request.model_copy(
        update={
            "checkpoint": request.checkpoint.model_copy(update={"name": name}),
            "subjects": request.subjects.model_copy(update={"kinds": (), "kind": kind}),
        }
    )
