"""How a verb joins the command `tuni`, whose help comes at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperGroup, TyperOption

if TYPE_CHECKING:  # help must not wait for what a command needs
    from flows.machine.settings import Settings

Body = TypeVar("Body", bound=Callable[..., None])


class _Group(TyperGroup):
    def __init__(self, **given: Any) -> None:  # Any: what typer hands on
        super().__init__(**given)
        self.commands = dict(sorted(self.commands.items()))

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # Any: typer keeps its type private
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False  # None would be converted, for which typer imports pydantic
        return option


def _typer(help_text: str) -> typer.Typer:
    return typer.Typer(
        cls=_Group,
        name="tuni",
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


app = _typer(
    "Was this person's data in the training set of a CLIP model? Evidence from text alone."
)


def group(name: str, help_text: str) -> typer.Typer:
    """A group of verbs below `tuni`; without one of them it shows its help."""
    verbs = _typer(help_text)
    app.add_typer(verbs, name=name)
    return verbs


def verb(*examples: str, of: typer.Typer = app, name: str | None = None) -> Callable[[Body], Body]:
    """Make a function a verb: its parameters are the arguments and options, its docstring the help.

    Args:
        examples: Command lines that show it.
        of: The group that it belongs to.
        name: Where it is not the function's own.
    """
    many = "s" if len(examples) > 1 else ""
    return of.command(name, epilog=f"Example{many}: {', '.join(examples)}")


def open_settings() -> "Settings":
    """This machine's settings, with everything prepared for a command.

    Call it before anything imports Prefect, which reads its own settings then.
    """
    from flows.machine.environment import begin_command

    return begin_command()
