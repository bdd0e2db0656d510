"""The jobs room and what its workers bring media with, for tests that are about something else."""

from datetime import timedelta

from services.jobs.adapters.postgres import PostgresJobStore, PostgresMediaIndex
from services.jobs.core import Jobs
from services.jobs.gathering import Gatherer
from services.jobs.media import MediaKeeper, MediaRules
from services.jobs.naming import Doors
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.sources import Sources
from services.media.spool import Shelf
from tests.doubles.media_memory import MemoryBlobs

RULES = MediaRules(ttl=timedelta(hours=24), most_bytes=2**25, quota_bytes=2**30)


def keeper(database) -> MediaKeeper:
    return MediaKeeper(PostgresMediaIndex(database), MemoryBlobs(), RULES)


def jobs(database, **options) -> Jobs:
    return Jobs(PostgresJobStore(database), keeper(database), Doors(Guard()), **options)


def gatherer(database) -> Gatherer:
    """Brings what was uploaded; what it would fetch it refuses."""
    return Gatherer(keeper(database), Sources(Fetcher(Guard())), Shelf(2**26), None)
