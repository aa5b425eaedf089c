"""What alembic runs for each command: all steps in the transaction of the connection it was given."""

from alembic import context

# SQLite's DDL is transactional too, once sqlite3 no longer begins transactions by itself (`database.py`).
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
