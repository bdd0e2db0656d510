"""Whom a job's end is told, and the outbox of what is told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)
NEWEST = ("tenant", sa.text("create_time DESC"), sa.text("job_id DESC"))


def upgrade() -> None:
    """Make the table."""
    op.add_column("jobs", Column("webhook_url", sa.Text))
    op.add_column("jobs", Column("webhook_format", sa.Text))
    op.create_table(
        "webhook_deliveries",
        Column("job_id", sa.Uuid, primary_key=True),
        Column("sequence", sa.Integer, primary_key=True),
        Column("tenant", sa.Text, nullable=False),
        Column("url", sa.Text, nullable=False),
        Column(
            "host",
            sa.Text,
            sa.Computed("lower(substring(url from '://([^/?#]*)'))", persisted=True),
        ),
        Column("format", sa.Text, nullable=False),
        Column("job_state", sa.Text, nullable=False),
        Column("job_attempt", sa.Integer, nullable=False),
        Column("output", sa.JSON),
        Column("error", sa.JSON),
        Column("state", sa.Text, nullable=False, server_default="pending"),
        Column("attempts", sa.Integer, nullable=False, server_default="0"),
        Column("forgiven_attempts", sa.Integer, nullable=False, server_default="0"),
        Column("create_time", TIME, nullable=False),
        Column("last_attempt_time", TIME),
        Column("next_attempt_time", TIME),
        Column("last_status", sa.Integer, nullable=False, server_default="0"),
        Column("last_problem", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead')", name="webhook_deliveries_state"
        ),
    )
    op.create_index("webhook_deliveries_newest", "webhook_deliveries", NEWEST)
    op.create_index(
        "webhook_deliveries_dead",
        "webhook_deliveries",
        NEWEST,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "webhook_deliveries_due",
        "webhook_deliveries",
        ["host", "next_attempt_time"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("webhook_deliveries")
    op.drop_column("jobs", "webhook_format")
    op.drop_column("jobs", "webhook_url")
