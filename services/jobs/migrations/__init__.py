"""Brings the jobs database to the schema of this version: `python -m services.jobs.migrations`.

Any number of processes may do so at once: they take turns, and all but the first find it done.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from psycopg.errors import DuplicateTable
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from services.chassis.config import ConfigError

_LOCK: Final = 7_206_113_001
"""The advisory lock of whoever migrates: any number that nobody else in the database takes."""
_LOCK_SECONDS: Final = 120


def upgrade(url: str) -> None:
    """Upgrade the database at `url` to the newest schema.

    Raises `ConfigError` when there is no database at `url`.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    try:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    except ArgumentError:
        raise ConfigError("JOBS_DATABASE_URL: is not the address of a database") from None
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SET lock_timeout = '{_LOCK_SECONDS}s'"))
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except ProgrammingError as failed:
        if not isinstance(failed.orig, DuplicateTable):
            raise
        raise ConfigError(
            "JOBS_DATABASE_URL: this database holds another program's tables; name one of our own"
        ) from None
    except OperationalError as failed:
        told = str(failed.orig).strip().splitlines()[0]
        raise ConfigError(f"JOBS_DATABASE_URL: cannot migrate: {told}") from None
    finally:
        # The lock is let go with the connection.
        engine.dispose()
