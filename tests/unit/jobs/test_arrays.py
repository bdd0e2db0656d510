from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from services.jobs.adapters.postgres import arrays

TEXTS = ["plain", None, "", "NULL", 'a "quote"', "back\\slash", "{a,b}", "two\nlines", "é", "\\0"]
IDS = [UUID(int=1), UUID(int=2**128 - 1)]
TIMES = [datetime(2026, 5, 1, 12, 0, 0, 250, tzinfo=UTC), None]
SPANS = [timedelta(days=3, microseconds=7), None, timedelta(0)]


@pytest.fixture(scope="module")
def connection(postgres_server):
    with psycopg.connect(postgres_server) as opened:
        yield opened


@pytest.mark.parametrize(
    ("written", "kind", "values"),
    [
        (arrays.texts(TEXTS), "text", TEXTS),
        (arrays.texts(TEXTS[2:]), "text", TEXTS[2:]),
        (arrays.texts([]), "text", []),
        (arrays.numbers([7, None, -3]), "integer", [7, None, -3]),
        (arrays.ids(IDS), "uuid", IDS),
        (arrays.times(TIMES), "timestamptz", TIMES),
        (arrays.spans(SPANS), "interval", SPANS),
    ],
)
def test_postgresql_reads_what_was_written(connection, written, kind, values):
    [read] = connection.execute(f"SELECT CAST(%s AS {kind}[])", [written]).fetchone()
    assert read == values


def test_an_array_of_nothing_is_filled_up(connection):
    given = [arrays.numbers([1, 2]), arrays.texts([None, None])]
    rows = connection.execute(
        "SELECT * FROM unnest(CAST(%s AS integer[]), CAST(%s AS text[]))", given
    )
    assert rows.fetchall() == [(1, None), (2, None)]


def test_a_text_with_a_nul_does_not_become_two():
    with pytest.raises(ValueError, match="NUL"):
        arrays.texts(["a\0b"])
