"""Sessions of speech, and what they came to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sessions",
        Column("key", sa.Uuid, primary_key=True),
        Column("tenant", sa.Text, nullable=False),
        Column("session_id", sa.Text, nullable=False),
        Column("token", sa.Text, nullable=False),
        Column("hearing_id", sa.Text, nullable=False),
        Column("hearing_token", sa.Text, nullable=False),
        Column("state", sa.Text, nullable=False, server_default="open"),
        Column("holder", sa.Integer, nullable=False, server_default="1"),
        Column("attempts", sa.Integer, nullable=False, server_default="0"),
        Column("create_time", TIME, nullable=False),
        Column("due_time", TIME),
        Column("end_time", TIME),
        Column("expire_time", TIME),
        Column("transcript", sa.JSON),
        Column("findings", sa.JSON),
        sa.CheckConstraint("state IN ('open', 'analyzing', 'ended')", name="sessions_state"),
    )
    op.create_index(
        "sessions_newest", "sessions", ["tenant", "session_id", sa.text("create_time DESC")]
    )
    op.create_index("sessions_due", "sessions", ["due_time"])
    op.create_index("sessions_expire", "sessions", ["expire_time"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("sessions")
