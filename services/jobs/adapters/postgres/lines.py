"""A line of its own to PostgreSQL for a statement that is run again and again: the driver alone,
which takes a quarter of the time that a pool and a toolkit around it take.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from services.chassis import telemetry

_REST_SECONDS: Final = 1
# As PostgreSQL itself counts parameters, so that the driver need not look for them in the text of a
# long statement each time.
_DIALECT: Final = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Line:
    """One statement and a connection, opened when it is needed and again when it is lost."""

    def __init__(self, statement: TextClause, url: str, connecting: Mapping[str, Any]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self._statement = str(compiled)
        self._encoded = self._statement.encode()
        self._names = tuple(compiled.positiontup or ())
        self._url = url
        self._connecting = connecting
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._used = 0.0
        self._is_closed = False
        self._free = asyncio.Lock()

    async def rows(self, given: Mapping[str, Any]) -> list[Any]:
        """Run the statement, and return its rows with their columns by name.

        It waits for those that run before it. Raises the driver's errors.
        """
        async with self._free:
            connection = await self._open()
            try:
                with telemetry.stating(self._statement):
                    cursor = psycopg.AsyncRawCursor(connection, row_factory=namedtuple_row)
                    values = [given[name] for name in self._names]
                    await cursor.execute(self._encoded, values, prepare=True)
                    return await cursor.fetchall()
            finally:
                self._used = time.monotonic()
                # Who was cut off in the middle leaves it in a state that nobody knows.
                if connection.info.transaction_status is not TransactionStatus.IDLE:
                    await self._drop()

    async def close(self) -> None:
        """Close the connection for good: what is run over it, or opening it, fails."""
        self._is_closed = True
        await self._drop()

    async def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is not None and time.monotonic() - self._used > _REST_SECONDS:
            # One that was just used is alive, and asking takes a round trip.
            try:
                await self._connection.execute("SELECT 1")
            except psycopg.Error:
                await self._drop()
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, **self._connecting
            )
        if self._is_closed:
            await self._drop()
            raise psycopg.InterfaceError("the line is closed")
        return self._connection
