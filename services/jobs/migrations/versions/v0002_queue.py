"""What lives, apart from what is kept: the queue of jobs that are not at an end, and the sums of
those that are.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
LIVING = "state IN ('pending', 'running', 'cancelling')"
ENDED = "state IN ('completed', 'failed', 'cancelled')"
QUEUED = (
    "id, tenant, type, state, priority, run_after, waiting_since, attempt, charged_attempts,"
    " max_attempts, worker, lease_expires, done_steps, total_steps, current_step, last_sequence,"
    " update_time, start_time"
)
ONLY_QUEUED = (
    *("charged_attempts", "max_attempts", "worker", "token", "lease_expires", "waiting_since"),
)


def upgrade() -> None:
    """Move what lives. Jobs that workers hold wait again: their tokens are of another kind now."""
    op.create_table(
        "job_queue",
        Column("id", sa.Uuid, primary_key=True),
        Column("tenant", sa.Text, nullable=False),
        Column("type", sa.Text, nullable=False),
        Column("state", sa.Text, nullable=False, server_default="pending"),
        Column("priority", sa.SmallInteger, nullable=False, server_default="0"),
        Column("run_after", TIME, nullable=False),
        Column("waiting_since", TIME, nullable=False),
        Column("attempt", sa.Integer, nullable=False, server_default="0"),
        Column("charged_attempts", sa.Integer, nullable=False, server_default="0"),
        Column("max_attempts", sa.Integer, nullable=False, server_default="3"),
        Column("token", sa.Integer, nullable=False, server_default="0"),
        Column("worker", sa.Text),
        Column("lease_expires", TIME),
        Column("done_steps", sa.Integer, nullable=False, server_default="0"),
        Column("total_steps", sa.Integer, nullable=False, server_default="0"),
        Column("current_step", sa.Text, nullable=False, server_default=""),
        Column("last_sequence", sa.Integer, nullable=False, server_default="1"),
        Column("update_time", TIME, nullable=False),
        Column("start_time", TIME),
        sa.CheckConstraint(LIVING, name="job_queue_state"),
    )
    op.create_table(
        "job_tallies",
        Column("tenant", sa.Text, nullable=False),
        Column("type", sa.Text, nullable=False),
        Column("state", sa.Text, nullable=False),
        Column("jobs", sa.BigInteger, nullable=False),
    )
    op.drop_index("jobs_pending", "jobs")
    op.drop_index("jobs_held", "jobs")
    op.drop_constraint("jobs_state", "jobs")
    # A lease that has run out already: the first worker that looks takes the job back. In `jobs`
    # there is room in each page for the versions with the outputs, and no index holds what changes
    # at the end; in the queue, whose rows come and go, for heartbeats, and what is gone is cleared
    # early.
    op.execute(
        # Made of our own words alone.
        f"""
        INSERT INTO job_queue ({QUEUED}) SELECT {QUEUED} FROM jobs WHERE {LIVING};
        UPDATE job_queue SET lease_expires = now() WHERE lease_expires IS NOT NULL;
        INSERT INTO job_tallies
        SELECT tenant, type, state, count(*) FROM jobs WHERE {ENDED} GROUP BY tenant, type, state;
        ALTER TABLE jobs ALTER state DROP NOT NULL, ALTER run_after DROP NOT NULL;
        UPDATE jobs SET state = NULL WHERE {LIVING};
        UPDATE jobs SET run_after = NULL;
        ALTER TABLE jobs SET (fillfactor = 60);
        ALTER TABLE job_queue SET (
            fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
            autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
        );
        """  # noqa: S608
    )
    op.create_check_constraint("jobs_state", "jobs", ENDED)
    op.create_index("job_tallies_tenant", "job_tallies", ["tenant"])
    op.create_index(
        "job_queue_turn",
        "job_queue",
        ["state", sa.text("priority DESC"), "run_after", "id"],
    )
    for name in ONLY_QUEUED:
        op.drop_column("jobs", name)


def downgrade() -> None:
    """Refuse: what earlier versions keep in one row stands in two tables now."""
    raise RuntimeError("restore the database from before the upgrade")
