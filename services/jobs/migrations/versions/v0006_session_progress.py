"""How far the analysis of a session is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    for name in ("asked", "answered"):
        op.add_column("sessions", Column(name, sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("asked", "answered"):
        op.drop_column("sessions", name)
