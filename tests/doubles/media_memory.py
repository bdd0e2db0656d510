"""Media kept in dictionaries: rows and bytes, for the tests of those who use them."""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

from services.chassis.errors import Conflict, Exhausted
from services.jobs.ports.media import KeptMedia


@dataclass
class MemoryMediaIndex:
    """Sits the same exam as PostgreSQL. `jobs` is the memory store whose jobs hold media."""

    jobs: object
    writing: timedelta = timedelta(hours=1)
    rows: dict = field(default_factory=dict)
    """By id: what was announced, and until when it stays without more."""
    kept: dict = field(default_factory=dict)
    gone: dict = field(default_factory=dict)

    async def reserve(self, new, *, quota_bytes):
        used = sum(row.size for row, _ in self.rows.values() if row.tenant == new.tenant)
        if used + new.size > quota_bytes:
            raise Exhausted(f"media of more than {quota_bytes} bytes is kept", code="MEDIA_QUOTA")
        self.rows[new.id] = (new, _now() + self.writing)

    async def keep(self, media_id, *, ttl):
        if media_id not in self.rows or media_id in self.kept:
            raise Conflict("the media took too long to write")
        new, _ = self.rows[media_id]
        values = {it.name: getattr(new, it.name) for it in fields(new)}
        self.kept[media_id] = KeptMedia(**values, expire_time=_now() + ttl)
        self.rows[media_id] = (new, _now() + ttl)
        return self.kept[media_id]

    async def keep_for(self, claim, key, media_id):
        holder = self.jobs._held(claim)
        media = await self.keep(media_id, ttl=timedelta())
        holder.media[key] = media_id
        return media

    async def find(self, tenant, ids):
        found = (self.kept[it] for it in ids if it in self.kept)
        return {it.id: it for it in found if it.tenant == tenant and it.expire_time > _now()}

    async def held(self, claim, key):
        return self.kept.get(self.jobs.kept[claim.id].media.get(key))

    async def expire(self, tenant, media_id):
        media = self.kept.get(media_id)
        if media is None or media.tenant != tenant:
            return False
        now = _now()
        self.kept[media_id] = KeptMedia(**{**vars(media), "expire_time": now})
        self.rows[media_id] = (self.rows[media_id][0], now)
        return True

    async def release(self, limit):
        held = {it for job in self.jobs.kept.values() for it in job.media.values()}
        due = [it for it, (_, until) in self.rows.items() if until <= _now() and it not in held]
        for media_id in due[:limit]:
            del self.rows[media_id]
            self.kept.pop(media_id, None)
            self.gone[media_id] = _now()
        return len(due[:limit])

    async def doomed(self, limit):
        due = [it for it, at in self.gone.items() if at <= _now()][:limit]
        self.gone |= {it: _now() + timedelta(minutes=5) for it in due}
        return due

    async def forget(self, ids):
        for media_id in ids:
            self.gone.pop(media_id, None)


@dataclass
class MemoryBlobs:
    """Bytes in a dictionary."""

    data: dict = field(default_factory=dict)
    piece: int = 2**20

    async def write(self, media_id, data):
        self.data[media_id] = data if isinstance(data, bytes) else data.read()

    async def read(self, media_id):
        if media_id not in self.data:
            raise FileNotFoundError("no such bytes")
        return self.data[media_id]

    async def stream(self, media_id):
        data = await self.read(media_id)
        for at in range(0, len(data), self.piece):
            yield data[at : at + self.piece]

    async def remove(self, media_id):
        self.data.pop(media_id, None)


def _now():
    return datetime.now(UTC)
