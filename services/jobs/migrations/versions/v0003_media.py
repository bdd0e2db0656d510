"""Media that is kept apart from jobs, which job holds which, and what is to be removed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "media",
        Column("id", sa.Text, primary_key=True),
        Column("tenant", sa.Text, nullable=False),
        Column("is_kept", sa.Boolean, nullable=False, server_default="false"),
        Column("media_type", sa.Text, nullable=False),
        Column("size", sa.BigInteger, nullable=False),
        Column("sha256", sa.Text, nullable=False),
        Column("create_time", TIME, nullable=False),
        Column("expire_time", TIME, nullable=False),
        Column("sweep_time", TIME, nullable=False),
    )
    op.create_index("media_tenant", "media", ["tenant"], postgresql_include=["size"])
    op.create_index("media_sweep", "media", ["sweep_time"])
    op.create_table(
        "job_media",
        Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        Column("key", sa.Text, primary_key=True),
        Column("media_id", sa.Text, sa.ForeignKey("media.id"), nullable=False),
    )
    op.create_index("job_media_holders", "job_media", ["media_id"])
    op.create_table(
        "media_doomed",
        Column("id", sa.Text, primary_key=True),
        Column("due_time", TIME, nullable=False),
    )
    op.create_index("media_doomed_due", "media_doomed", ["due_time"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("media_doomed", "job_media", "media"):
        op.drop_table(table)
