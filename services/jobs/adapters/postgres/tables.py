"""The tables as SQL is written against them. `migrations` makes them, and a test compares the two.

JSON is kept as `json`, not `jsonb`: nothing looks into it, what a client attached comes back as it
was, and a NUL in a text, which `jsonb` refuses, is kept. It is long because all tables stand in it.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

metadata: Final = MetaData()
_Time: Final = DateTime(timezone=True)

jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("type", Text, nullable=False),
    # NULL while the job lives: its state stands in `job_queue` then, and so does all that changes.
    Column("state", Text),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    # As the client wished; NULL: at once.
    Column("run_after", _Time),
    Column("request_id", Text),
    Column("input", JSON(none_as_null=True), nullable=False),
    Column("client_data", JSON(none_as_null=True)),
    Column("output", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("done_steps", Integer, nullable=False, server_default="0"),
    Column("total_steps", Integer, nullable=False, server_default="0"),
    Column("current_step", Text, nullable=False, server_default=""),
    Column("last_sequence", Integer, nullable=False, server_default="1"),
    Column("trace", Text, nullable=False, server_default=""),
    Column("webhook_url", Text),
    Column("webhook_format", Text),
    Column("create_time", _Time, nullable=False),
    Column("update_time", _Time, nullable=False),
    Column("start_time", _Time),
    Column("end_time", _Time),
    CheckConstraint("state IN ('completed', 'failed', 'cancelled')", name="jobs_state"),
)
Index(
    "jobs_request",
    jobs.c.tenant,
    jobs.c.request_id,
    unique=True,
    postgresql_where=jobs.c.request_id.is_not(None),
)
Index("jobs_newest", jobs.c.tenant, jobs.c.create_time.desc(), jobs.c.id.desc())

job_queue: Final = Table(
    "job_queue",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("run_after", _Time, nullable=False),
    Column("waiting_since", _Time, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    # Attempts that count against the most there may be: raised at the claim, so that a job that
    # kills its worker has paid, and given back when the attempt ends through no fault of the job.
    Column("charged_attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False, server_default="3"),
    # The sequence of the event of the newest claim: no other claim of the job has the same.
    Column("token", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    Column("lease_expires", _Time),
    Column("done_steps", Integer, nullable=False, server_default="0"),
    Column("total_steps", Integer, nullable=False, server_default="0"),
    Column("current_step", Text, nullable=False, server_default=""),
    Column("last_sequence", Integer, nullable=False, server_default="1"),
    Column("update_time", _Time, nullable=False),
    Column("start_time", _Time),
    CheckConstraint("state IN ('pending', 'running', 'cancelling')", name="job_queue_state"),
)
# Those that wait, in their turn; and those that are held, for a look at their leases, which are not
# in it so that a heartbeat touches no index.
Index(
    "job_queue_turn",
    job_queue.c.state,
    job_queue.c.priority.desc(),
    job_queue.c.run_after,
    job_queue.c.id,
)

# How many jobs came to an end in which state: the sums of `jobs`, for a table that only grows
# cannot be counted. Workers add rows up now and then.
job_tallies: Final = Table(
    "job_tallies",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("jobs", BigInteger, nullable=False),
)
Index("job_tallies_tenant", job_tallies.c.tenant)

# What belongs to a job is written from its row, in the statement or transaction that changes it:
# foreign keys would only look each up again, and lock it.
job_blobs: Final = Table(
    "job_blobs",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

job_steps: Final = Table(
    "job_steps",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("result", JSON, nullable=False),
)

job_events: Final = Table(
    "job_events",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("time", _Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("done_steps", Integer, nullable=False),
    Column("total_steps", Integer, nullable=False),
    Column("current_step", Text, nullable=False),
)

# The outbox: one row for each end of a job that has a webhook, with what was true at that end.
webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    # That of the event that says how the job ended.
    Column("sequence", Integer, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, Computed("lower(substring(url from '://([^/?#]*)'))", persisted=True)),
    Column("format", Text, nullable=False),
    Column("job_state", Text, nullable=False),
    Column("job_attempt", Integer, nullable=False),
    Column("output", JSON),
    Column("error", JSON),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # Those made before it was last replayed.
    Column("forgiven_attempts", Integer, nullable=False, server_default="0"),
    Column("create_time", _Time, nullable=False),
    Column("last_attempt_time", _Time),
    # While it is being sent, the end of its lease.
    Column("next_attempt_time", _Time),
    Column("last_status", Integer, nullable=False, server_default="0"),
    Column("last_problem", Text, nullable=False, server_default=""),
    CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="webhook_deliveries_state"),
)
Index(
    "webhook_deliveries_newest",
    webhook_deliveries.c.tenant,
    webhook_deliveries.c.create_time.desc(),
    webhook_deliveries.c.job_id.desc(),
)
Index(
    "webhook_deliveries_dead",
    webhook_deliveries.c.tenant,
    webhook_deliveries.c.create_time.desc(),
    webhook_deliveries.c.job_id.desc(),
    postgresql_where=text("state = 'dead'"),
)
Index(
    "webhook_deliveries_due",
    webhook_deliveries.c.host,
    webhook_deliveries.c.next_attempt_time,
    postgresql_where=text("state = 'pending'"),
)

OF_A_JOB: Final = (job_blobs, job_steps, job_events, webhook_deliveries)
"""The tables whose rows belong to a job, by `job_id`, and go when it goes."""

# A job and its media are held together by keys, unlike what is written with each step: media comes
# and goes by itself, and neither may be left without the other.
media: Final = Table(
    "media",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("is_kept", Boolean, nullable=False, server_default="false"),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("create_time", _Time, nullable=False),
    Column("expire_time", _Time, nullable=False),
    # When to see whether it may go: when it expires, and now and then while jobs hold it.
    Column("sweep_time", _Time, nullable=False),
)
Index("media_tenant", media.c.tenant, postgresql_include=["size"])
Index("media_sweep", media.c.sweep_time)

job_media: Final = Table(
    "job_media",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("media_id", Text, ForeignKey("media.id"), nullable=False),
)
Index("job_media_holders", job_media.c.media_id)

# Media whose row is gone and whose bytes are still to be removed.
media_doomed: Final = Table(
    "media_doomed",
    metadata,
    Column("id", Text, primary_key=True),
    Column("due_time", _Time, nullable=False),
)
Index("media_doomed_due", media_doomed.c.due_time)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("key", Uuid, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("hearing_id", Text, nullable=False),
    Column("hearing_token", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("holder", Integer, nullable=False, server_default="1"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("create_time", _Time, nullable=False),
    # When somebody is to end it; NULL once it has ended.
    Column("due_time", _Time),
    Column("end_time", _Time),
    Column("expire_time", _Time),
    Column("transcript", JSON(none_as_null=True)),
    Column("findings", JSON(none_as_null=True)),
    Column("asked", Integer, nullable=False, server_default="0"),
    Column("answered", Integer, nullable=False, server_default="0"),
    Column("opening", JSON(none_as_null=True)),
    # Where the audio room began to hear it, in bytes.
    Column("hearing_begin", BigInteger, nullable=False, server_default="0"),
    Column("segments_before", Integer, nullable=False, server_default="0"),
    Column("lost_seconds", Double, nullable=False, server_default="0"),
    CheckConstraint("state IN ('open', 'analyzing', 'ended')", name="sessions_state"),
)
Index("sessions_newest", sessions.c.tenant, sessions.c.session_id, sessions.c.create_time.desc())
Index("sessions_due", sessions.c.due_time)
Index("sessions_expire", sessions.c.expire_time)

session_segments: Final = Table(
    "session_segments",
    metadata,
    Column("key", Uuid, ForeignKey("sessions.key", ondelete="CASCADE")),
    Column("number", Integer),
    Column("segment", JSON, nullable=False),
    PrimaryKeyConstraint("key", "number"),
)
