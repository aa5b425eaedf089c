"""Alerts, the outbox, sequence numbers and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the first tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sequences",
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("alert_id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.UniqueConstraint("stream", "sequence"),
    )
    op.create_index("ix_alerts_alert_id", "alerts", ["alert_id"])
    op.create_table(
        "outbox",
        sa.Column("position", sa.Integer, sa.ForeignKey("alerts.position"), primary_key=True),
        sa.Column("sink", sa.Text, primary_key=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
    )
    waiting = sa.text("delivered_at IS NULL")
    op.create_index("ix_outbox_waiting", "outbox", ["sink", "position"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("ix_outbox_delivered_at", "outbox", ["delivered_at"])
