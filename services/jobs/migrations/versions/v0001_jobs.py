"""Jobs, their bytes, their recorded steps and their events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        Column("id", sa.Uuid, primary_key=True),
        Column("tenant", sa.Text, nullable=False),
        Column("type", sa.Text, nullable=False),
        Column("state", sa.Text, nullable=False),
        Column("priority", sa.SmallInteger, nullable=False, server_default="0"),
        Column("run_after", TIME, nullable=False),
        Column("request_id", sa.Text),
        Column("input", sa.JSON, nullable=False),
        Column("client_data", sa.JSON),
        Column("output", sa.JSON),
        Column("error", sa.JSON),
        Column("attempt", sa.Integer, nullable=False, server_default="0"),
        Column("charged_attempts", sa.Integer, nullable=False, server_default="0"),
        Column("max_attempts", sa.Integer, nullable=False, server_default="3"),
        Column("worker", sa.Text),
        Column("token", sa.BigInteger, nullable=False, server_default="0"),
        Column("lease_expires", TIME),
        Column("done_steps", sa.Integer, nullable=False, server_default="0"),
        Column("total_steps", sa.Integer, nullable=False, server_default="0"),
        Column("current_step", sa.Text, nullable=False, server_default=""),
        Column("last_sequence", sa.Integer, nullable=False, server_default="1"),
        Column("trace", sa.Text, nullable=False, server_default=""),
        Column("create_time", TIME, nullable=False),
        Column("update_time", TIME, nullable=False),
        Column("waiting_since", TIME, nullable=False),
        Column("start_time", TIME),
        Column("end_time", TIME),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'cancelling', 'completed', 'failed', 'cancelled')",
            name="jobs_state",
        ),
    )
    op.create_index(
        "jobs_request",
        "jobs",
        ["tenant", "request_id"],
        unique=True,
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.create_index("jobs_newest", "jobs", ["tenant", sa.text("create_time DESC, id DESC")])
    op.create_index(
        "jobs_pending",
        "jobs",
        [sa.text("priority DESC"), "run_after", "id"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "jobs_held",
        "jobs",
        ["id"],
        postgresql_where=sa.text("state IN ('running', 'cancelling')"),
    )
    op.create_table(
        "job_blobs",
        Column("job_id", sa.Uuid, primary_key=True),
        Column("key", sa.Text, primary_key=True),
        Column("media_type", sa.Text, nullable=False),
        Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "job_steps",
        Column("job_id", sa.Uuid, primary_key=True),
        Column("key", sa.Text, primary_key=True),
        Column("result", sa.JSON, nullable=False),
    )
    op.create_table(
        "job_events",
        Column("job_id", sa.Uuid, primary_key=True),
        Column("sequence", sa.Integer, primary_key=True),
        Column("time", TIME, nullable=False),
        Column("kind", sa.Text, nullable=False),
        Column("step", sa.Text, nullable=False),
        Column("text", sa.Text, nullable=False),
        Column("done_steps", sa.Integer, nullable=False),
        Column("total_steps", sa.Integer, nullable=False),
        Column("current_step", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("job_events", "job_steps", "job_blobs", "jobs"):
        op.drop_table(table)
