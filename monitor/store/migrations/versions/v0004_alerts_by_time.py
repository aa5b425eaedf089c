"""When each message was told, in a column of its own, and indexes by which episodes are looked for."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_AT_ONCE = 1000


def upgrade() -> None:
    """Adds the column, fills it from `body`, and makes the indexes."""
    op.add_column("alerts", sa.Column("at", sa.DateTime(timezone=True)))
    _fill(op.get_bind())
    op.create_index("ix_alerts_stream_type_position", "alerts", ["stream", "type", "position"])
    op.create_index("ix_alerts_at", "alerts", ["at"])


def _fill(connection: sa.Connection) -> None:
    alerts = sa.table(
        "alerts",
        sa.column("position", sa.Integer),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("body", sa.JSON),
    )
    after = 0
    some = sa.select(alerts.c.position, alerts.c.body).order_by(alerts.c.position).limit(_AT_ONCE)
    change = (
        sa.update(alerts)
        .where(alerts.c.position == sa.bindparam("which"))
        .values(at=sa.bindparam("moment", type_=sa.DateTime(timezone=True)))
    )
    while rows := connection.execute(some.where(alerts.c.position > after)).all():
        told = [{"which": row.position, "moment": datetime.fromisoformat(row.body["at"])} for row in rows]
        connection.execute(change, told)
        after = rows[-1].position
