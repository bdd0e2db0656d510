"""Jobs in PostgreSQL, by SQLAlchemy and psycopg."""

from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.deliveries import PostgresDeliveryStore
from services.jobs.adapters.postgres.media import PostgresMediaIndex
from services.jobs.adapters.postgres.outbox import PostgresOutbox
from services.jobs.adapters.postgres.queue import PostgresJobQueue
from services.jobs.adapters.postgres.sessions import PostgresSessionStore
from services.jobs.adapters.postgres.store import PostgresJobStore

__all__ = [
    "Database",
    "PostgresDeliveryStore",
    "PostgresJobQueue",
    "PostgresJobStore",
    "PostgresMediaIndex",
    "PostgresOutbox",
    "PostgresSessionStore",
]
