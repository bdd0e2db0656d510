"""What Alembic runs around the migrations; the connection is the one that holds the lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="migrations")
with context.begin_transaction():
    context.run_migrations()
