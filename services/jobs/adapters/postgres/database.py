"""The connections to PostgreSQL: opened and closed, traced, and every failure in words.

Raises `Unavailable` where PostgreSQL does not answer; what is wrong with a statement of ours is
left as it is, for it is a mistake.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Self

import psycopg
from sqlalchemy import Engine, Executable, Row, TextClause, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from services.chassis import telemetry
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from services.jobs.adapters.postgres.batches import Batches, Item, Result
from services.jobs.adapters.postgres.lines import Line
from services.jobs.adapters.postgres.listener import Listener
from services.jobs.bells import Bells

_DRIVER: Final = "postgresql+psycopg"
_CONNECTIONS: Final = 10
_POOL_SECONDS: Final = 10
_REST_SECONDS: Final = 1
_SETTINGS: Final = {
    # A statement that takes longer than any of ours has reason to is given up.
    "statement_timeout": "30s",
    "timezone": "UTC",
    # Each statement finds a few rows by index and in its order, whatever the planner last heard of
    # tables that are empty in one minute and full in the next; a plan that was made while they were
    # empty is not kept.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
_OPTIONS: Final = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
LINE_OPTIONS: Final = f"{_OPTIONS} -c plan_cache_mode=force_generic_plan"
"""What a line asks of the server. The few statements that are run over lines have one way to go, by
the indexes, whatever is in the tables: to plan them each time took a tenth of what they take.
"""
_CONNECTING: Final = {
    "connect_timeout": 5,
    "application_name": "sensorium-jobs",
    "options": _OPTIONS,
    # A server that vanished without a word is noticed in this time.
    "tcp_user_timeout": 10_000,
}
_LINE_CONNECTING: Final = {**_CONNECTING, "options": LINE_OPTIONS}


class Database:
    """Runs statements, and rings `bells` for what other processes change. Opens as a block."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url).set(drivername=_DRIVER)
        except ArgumentError:
            raise ConfigError(
                "JOBS_DATABASE_URL: must be like postgresql+psycopg://user:password@host:5432/name"
            ) from None
        self.bells = Bells()
        self._batches: list[Batches[Any, Any]] = []
        self._engine = create_async_engine(
            parsed,
            # For good, since to be cancelled while it is changed loses the connection.
            connect_args={**_CONNECTING, "autocommit": True},
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            # What users send stays out of errors, and so out of logs.
            hide_parameters=True,
        )
        self._plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._listener = Listener(self._plain, _CONNECTING, self.bells)
        self._lines: dict[TextClause, Line] = {}
        _ask_after_rest(self._engine.sync_engine)
        telemetry.instrument_engine(self._engine.sync_engine)

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._listening = asyncio.create_task(self._listener.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close every connection."""
        for batches in self._batches:
            await batches.close()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        for line in self._lines.values():
            await line.close()
        await self._engine.dispose()

    def batches(
        self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], **told: Any
    ) -> Batches[Item, Result]:
        """Make a place for batches, which are all written before the connections are closed."""
        made = Batches(write, **told)
        self._batches.append(made)
        return made

    async def rows(
        self, statement: Executable, given: Mapping[str, Any] | None = None
    ) -> list[Row[Any]]:
        """Run one statement, atomic in itself, and return its rows."""
        with _failures_told():
            async with self._engine.connect() as connection:
                return list((await connection.execute(statement, given)).all())

    async def often(self, statement: TextClause, given: Mapping[str, Any]) -> list[Any]:
        """Run one statement that is run all the time, over a line of its own, as `rows` does."""
        if statement not in self._lines:
            self._lines[statement] = Line(statement, self._plain, _LINE_CONNECTING)
        try:
            return await self._lines[statement].rows(given)
        except (psycopg.OperationalError, psycopg.InterfaceError) as failed:
            raise _unavailable() from failed

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run several statements, all or nothing."""
        with _failures_told():
            async with self._engine.begin() as connection:
                await connection.exec_driver_sql("BEGIN")
                yield connection


def _ask_after_rest(engine: Engine) -> None:
    # One that was just used is alive, and asking takes a round trip.

    @event.listens_for(engine, "checkin")
    def rest(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        since = record.info.get("rests_since")
        if since is None or time.monotonic() - since < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as failed:
            raise InvalidatePoolError from failed


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as failed:
        raise _unavailable() from failed
    except DBAPIError as failed:
        down = isinstance(failed, OperationalError | InterfaceError)
        if not down and not failed.connection_invalidated:
            raise
        raise _unavailable() from failed


def _unavailable() -> Unavailable:
    return Unavailable("the job database does not answer", retry_after=timedelta(seconds=2))
