"""Alarms of running clocks are found without those that ran before; what was promised lately, without the years"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CHUNK = 500


def upgrade() -> None:
    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        batch_op.add_column(sa.Column("alarmed_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("absent_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("offered_to", sa.Uuid(), nullable=True))
    _mark_what_has_rung()
    for name, column, where in (
        ("ix_sla_clock_alarmed", "due_at", "alarmed_at"),
        ("ix_sla_clock_absent", "due_at", "absent_at"),
        ("ix_sla_clock_offered_to", "offered_to", "offered_to"),
    ):
        some = sa.text(f"{where} IS NOT NULL")
        op.create_index(name, "sla_clock", [column], unique=False, sqlite_where=some, postgresql_where=some)
    # As a partial one SQLite leaves it for the one of all that nobody has, whatever their department.
    op.create_index(
        "ix_ticket_department_id_operator_id_place", "ticket", ["department_id", "operator_id", "place"], unique=False
    )
    op.drop_index("ix_ticket_free", table_name="ticket")
    op.create_index("ix_sla_clock_metric_started_at", "sla_clock", ["metric", "started_at"], unique=False)


def downgrade() -> None:
    free = sa.text("operator_id IS NULL")
    op.create_index(
        "ix_ticket_free", "ticket", ["department_id", "place"], unique=False, sqlite_where=free, postgresql_where=free
    )
    op.drop_index("ix_ticket_department_id_operator_id_place", table_name="ticket")
    for name in ("metric_started_at", "offered_to", "absent", "alarmed"):
        op.drop_index(f"ix_sla_clock_{name}", table_name="sla_clock")
    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        for column in ("offered_to", "absent_at", "alarmed_at"):
            batch_op.drop_column(column)


def _mark_what_has_rung() -> None:
    """Of running clocks, by their events in the order of time: the newest offer counts."""
    at = UTCDateTime()
    clocks = sa.table(
        "sla_clock", sa.column("id", sa.Uuid()), sa.column("state", sa.String()), sa.column("alarmed_at", at),
        sa.column("absent_at", at), sa.column("offered_to", sa.Uuid()),
    )  # fmt: skip
    events = sa.table(
        "sla_event", sa.column("clock_id", sa.Uuid()), sa.column("type", sa.String()), sa.column("data", sa.JSON()),
        sa.column("at", at),
    )  # fmt: skip
    query = (
        sa.select(events.c.clock_id, events.c.data, events.c.at)
        .join(clocks, clocks.c.id == events.c.clock_id)
        .where(clocks.c.state == "running", events.c.type.in_(("alarm", "breached")))
        .order_by(events.c.at)
    )
    bind = op.get_bind()
    marks: dict[UUID, dict[str, Any]] = {}
    for clock_id, data, event_at in bind.execute(query):
        mark = marks.setdefault(clock_id, {"clock": clock_id, "absent": None, "offered": None})
        mark["alarmed"] = event_at
        if isinstance(data, Mapping) and "absent" in data:
            mark["absent"] = event_at
        if isinstance(data, Mapping) and data.get("step") == "offer" and data.get("operator"):
            mark["offered"] = UUID(data["operator"])
    change = (
        sa.update(clocks)
        .where(clocks.c.id == sa.bindparam("clock"))
        .values(
            alarmed_at=sa.bindparam("alarmed", type_=at),
            absent_at=sa.bindparam("absent", type_=at),
            offered_to=sa.bindparam("offered", type_=sa.Uuid()),
        )
    )
    rows = list(marks.values())
    for start in range(0, len(rows), CHUNK):
        bind.execute(change, rows[start : start + CHUNK])
