"""By which configured stream rights to an alert go: of a call, the one that it is a call of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the column, and fills it: of what was recorded so far nothing was a call."""
    op.add_column("alerts", sa.Column("configured", sa.Text()))
    op.execute("UPDATE alerts SET configured = stream")
    op.create_index("ix_alerts_configured_type_position", "alerts", ["configured", "type", "position"])
