import sys

import click

from sensorium.errors import Trouble
from sensorium.weights.commands import models

if __name__ == "__main__":
    try:
        models(prog_name="python -m sensorium.weights")
    except Trouble as trouble:
        click.echo(f"sensorium: {trouble}", err=True)
        sys.exit(1)
