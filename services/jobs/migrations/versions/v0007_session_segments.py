"""What was heard of a session so far, and where the audio room began to hear it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0007"
down_revision = "0006"
_COUNTS = {
    "hearing_begin": sa.BigInteger,
    "segments_before": sa.Integer,
    "lost_seconds": sa.Double,
}


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("sessions", Column("opening", sa.JSON))
    for name, kind in _COUNTS.items():
        op.add_column("sessions", Column(name, kind, nullable=False, server_default="0"))
    op.create_table(
        "session_segments",
        Column("key", sa.Uuid, sa.ForeignKey("sessions.key", ondelete="CASCADE")),
        Column("number", sa.Integer),
        Column("segment", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("key", "number"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("session_segments")
    for name in ("opening", *_COUNTS):
        op.drop_column("sessions", name)
