"""Write Envoy's configuration to standard output or to a file."""

import argparse
import sys
from pathlib import Path

from gateway.envoy.config import GatewayConfig
from gateway.envoy.render import render
from services.chassis import names
from services.chassis.config import ConfigError


def main() -> None:
    """Render from the environment, or say in one line why not and end with code 2."""
    parser = argparse.ArgumentParser(prog="python -m gateway.envoy", description=__doc__)
    parser.add_argument("--output", type=Path, help="the file to write (default: standard output)")
    output = parser.parse_args().output
    try:
        rendered = render(GatewayConfig.load())
    except ConfigError as wrong:
        print(f"{names.GATEWAY}: {wrong}", file=sys.stderr)
        sys.exit(2)
    if output is None:
        sys.stdout.write(rendered)
    else:
        output.write_text(rendered)


if __name__ == "__main__":
    main()
