"""Groups of verbs of the command, whose help comes at once."""

from typing import Any

import typer
from typer.core import TyperGroup, TyperOption


def verbs(help_text: str, name: str | None = None) -> typer.Typer:
    """A group that verbs are added to; without one it shows its help.

    Args:
        help_text: What the group is for.
        name: Of the whole command; a group within it is named where it is added.
    """
    return typer.Typer(
        cls=_Group,
        name=name,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


class _Group(TyperGroup):
    def get_help_option(self, ctx: Any) -> TyperOption | None:  # Any: typer keeps its type private
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False  # None would be converted, for which typer imports pydantic
        return option
