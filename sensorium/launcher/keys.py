"""Keys that a mesh on this machine makes for itself, once, and keeps beside its data."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from sensorium.errors import Trouble

WEBHOOKS: Final = "webhook-keys"
"""The file in the data folder that they are kept in: to change the key, put a new one and a comma
before the one that is there.
"""
_BYTES: Final = 32


def webhooks(folder: Path) -> str:
    """Return the keys from which webhooks are signed; the first time, make one that only this user
    can read.
    """
    file = folder / WEBHOOKS
    try:
        if not file.exists():
            # Made beside its place and then moved, so that it is there whole or not at all.
            new = file.with_name(f".{file.name}.new")
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
                writing.write(base64.b64encode(secrets.token_bytes(_BYTES)).decode())
            new.rename(file)
        return file.read_text().strip()
    except OSError as failed:
        raise Trouble(f"the file {file} cannot be used: {failed.strerror}") from None
