"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test holds the two equal."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    # Never reused, not even after a row was deleted: track ids are unique over restarts by it.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    sqlite_autoincrement=True,
)
"""One row per start of the service."""

sequences = Table(
    "sequences",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)
"""The sequence number allotted last, per stream."""

alerts = Table(
    "alerts",
    metadata,
    # The order in which messages were recorded, over all streams. May have holes, unlike `sequence`.
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("alert_id", Text, nullable=False, index=True),
    Column("stream", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", DateTime(timezone=True)),
    Column("configured", Text),
    UniqueConstraint("stream", "sequence"),
    Index("ix_alerts_stream_type_position", "stream", "type", "position"),
    Index("ix_alerts_at", "at"),
    Index("ix_alerts_configured_type_position", "configured", "type", "position"),
)
"""One row per message of an alert episode; `body` is the whole `Alert`, `at` its time in UTC. `configured` is
the stream of the configuration by which rights go: of a call the one that it is a call of, else `stream` itself.
Never pruned."""

outbox = Table(
    "outbox",
    metadata,
    Column("position", ForeignKey(alerts.c.position), primary_key=True),
    Column("sink", Text, primary_key=True),
    Column("delivered_at", DateTime(timezone=True)),
)
"""One row per (message, sink). Pruned some time after delivery, never before."""

reviews = Table(
    "reviews",
    metadata,
    # The order in which they were given; clocks may jump.
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("alert_id", Text, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    Column("by", Text),
    Column("note", Text),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""What people said of alert episodes; only ever added to."""

snoozes = Table(
    "snoozes",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("stream", Text, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("by", Text),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""Streams whose alerts shall call nobody for a while; only ever added to, and the last row of a stream counts."""

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("streams", JSON(none_as_null=True)),
    Column("password_hash", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
"""Who may log in."""

sessions = Table(
    "sessions",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("user", ForeignKey(users.c.name, ondelete="CASCADE"), nullable=False, index=True),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
)
"""Logins that have not ended; only the SHA-256 of each id is kept."""

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("streams", JSON(none_as_null=True)),
    Column("owner", ForeignKey(users.c.name, ondelete="CASCADE"), index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("used_at", DateTime(timezone=True)),
)
"""What programs present; only the SHA-256 of each is kept."""

audit = Table(
    "audit",
    metadata,
    # The order in which things were done; clocks may jump.
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("about", Text),
    Column("source", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text),
)
"""Who did what; only ever added to, and forgotten by age. Names, not references: it outlives whom it tells of."""

added_streams = Table(
    "added_streams",
    metadata,
    Column("name", Text, primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""Streams besides those of the configuration file, with their passwords; `settings` has the fields of the file."""

_waiting = outbox.c.delivered_at.is_(None)
Index("ix_outbox_waiting", outbox.c.sink, outbox.c.position, sqlite_where=_waiting, postgresql_where=_waiting)
Index("ix_outbox_delivered_at", outbox.c.delivered_at)
