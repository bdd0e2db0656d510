"""The commands that look after the cache of models: list, ensure, verify."""

import click
from rich.console import Console
from rich.table import Table

from sensorium.errors import Trouble
from sensorium.weights import store
from sensorium.weights.catalog import MODELS


@click.group()
def models() -> None:
    """Look after the models of the local profile.

    They lie in the folder that SENSORIUM_MODELS names (default ~/.cache/sensorium/models). You may
    fill it yourself; every file is checked against the SHA-256 of its official release.
    """


@models.command("list")
def list_models() -> None:
    """List the models and whether they are here."""
    table = Table("model", "what it is", "licence", "MiB", "here", title=str(store.cache()))
    for model in MODELS.values():
        table.add_row(
            model.name, model.title, model.licence, str(model.size >> 20), _state(model.name)
        )
    Console().print(table)


def _state(name: str) -> str:
    try:
        return "no" if store.missing(MODELS[name]) else "yes"
    except Trouble:
        return "not the official files"


@models.command()
@click.argument("names", nargs=-1, required=True)
def ensure(names: tuple[str, ...]) -> None:
    """Fetch the models that are not here yet."""
    for name in names:
        folder = store.ensure(name, lambda line: click.echo(line, err=True))
        click.echo(folder)


@models.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Read every byte of the models that are here again. Without names: of all."""
    for name in names or tuple(MODELS):
        lacking = store.missing(store.model_named(name), again=True)
        if names and lacking:
            raise Trouble(f"{name}: {', '.join(file.name for file in lacking)} is not here")
        click.echo(f"{name}: {'not here' if lacking else 'right'}")
