"""`tuni up`, `tuni down` and `tuni status`: the servers and the worker of a home."""

from typing import Annotated

import typer

from flows.cli.options import Json
from flows.cli.verbs import open_settings, verb
from flows.machine.show import answer, results
from tuni.errors import EnvironmentFault

Port = Annotated[int | None, typer.Option(min=1024, max=65535, help="Port on loopback.")]


@verb("tuni up --mlflow-port 5001")
def up(mlflow_port: Port = None, prefect_port: Port = None, as_json: Json = False) -> None:
    """Start MLflow, Prefect and a worker of this home on loopback; what runs already stays.

    What was interrupted goes on.
    """
    from flows.machine.services.up import up as start_services

    ports = {"mlflow_port": mlflow_port, "prefect_port": prefect_port}
    given = {name: port for name, port in ports.items() if port is not None}
    services = start_services(open_settings().model_copy(update=given))
    answer(services, as_json=as_json)


@verb("tuni down")
def down(as_json: Json = False) -> None:
    """End what `tuni up` started, running flows too; the next `tuni up` lets them go on."""
    from flows.machine.services.up import down as end_services

    services = end_services(open_settings())
    answer(services, as_json=as_json)


@verb("tuni status --json", 'env=$(tuni status --env) && eval "$env"')
def status(
    env: Annotated[
        bool,
        typer.Option("--env", help="Print what MLflow's and Prefect's own commands must be told."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether MLflow, Prefect and the worker of this home are healthy."""
    from flows.machine.services.up import status as look

    services = look(open_settings())
    if env and not services.access:
        raise EnvironmentFault("Prefect: not running for this home", "tuni up")
    results(services.record(), services.exports() if env else services.text(), as_json=as_json)
    if not services.healthy:
        raise typer.Exit(1)
