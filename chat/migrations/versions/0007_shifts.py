"""Shifts"""

from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


CHAT = uuid5(NAMESPACE_URL, "nightdesk:sla:chat")
"""The policy of conversations as it was shipped: nobody kept clocks of them until now."""
STEPS = [
    {"after": 300, "step": "assigned"},
    {"after": 480, "step": "offer"},
    {"after": 540, "step": "supervisor"},
]


def upgrade() -> None:
    op.create_table(
        "absence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["operator.id"], name=op.f("fk_absence_created_by")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_absence_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    with op.batch_alter_table("absence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_absence_operator_id"), ["operator_id"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["operator.id"], name=op.f("fk_audit_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "shift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("weekly", sa.JSON(), nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("fk_shift_calendar_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
    )
    op.create_table(
        "shift_turn",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shift_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_shift_turn_operator_id")),
        sa.ForeignKeyConstraint(["shift_id"], ["shift.id"], name=op.f("fk_shift_turn_shift_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_turn")),
    )
    with op.batch_alter_table("shift_turn", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shift_turn_operator_id"), ["operator_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shift_turn_shift_id"), ["shift_id"], unique=False)

    op.create_table(
        "sla_seen",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["sla_event.id"], name=op.f("fk_sla_seen_event_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_sla_seen_operator_id")),
        sa.PrimaryKeyConstraint("event_id", "operator_id", name=op.f("pk_sla_seen")),
    )
    with op.batch_alter_table("operator", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ticket_capacity", sa.Integer(), server_default="20", nullable=False))
        batch_op.add_column(sa.Column("duty_from", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("duty_until", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("off_since", UTCDateTime(), nullable=True))

    targets = sa.table(
        "sla_target",
        sa.column("id", sa.Uuid()),
        sa.column("policy_id", sa.Uuid()),
        sa.column("metric", sa.String()),
        sa.column("target_seconds", sa.Integer()),
        sa.column("breach_seconds", sa.Integer()),
        sa.column("alarms", sa.JSON()),
        sa.column("calendar_id", sa.Uuid()),
        sa.column("pause_states", sa.JSON()),
    )
    connection = op.get_bind()
    known = connection.execute(
        sa.select(targets.c.target_seconds, targets.c.calendar_id).where(
            targets.c.policy_id == CHAT, targets.c.metric == "first_reply"
        )
    ).first()
    if known is not None:
        connection.execute(
            sa.update(targets).where(targets.c.policy_id == CHAT).values(alarms=STEPS, breach_seconds=600)
        )
        connection.execute(
            sa.insert(targets).values(
                id=uuid5(NAMESPACE_URL, "nightdesk:sla:chat:next_reply"),
                policy_id=CHAT,
                metric="next_reply",
                target_seconds=known.target_seconds,
                breach_seconds=600,
                alarms=STEPS,
                calendar_id=known.calendar_id,
                pause_states=[],
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("operator", schema=None) as batch_op:
        batch_op.drop_column("off_since")
        batch_op.drop_column("duty_until")
        batch_op.drop_column("duty_from")
        batch_op.drop_column("ticket_capacity")

    op.drop_table("sla_seen")
    with op.batch_alter_table("shift_turn", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shift_turn_shift_id"))
        batch_op.drop_index(batch_op.f("ix_shift_turn_operator_id"))

    op.drop_table("shift_turn")
    op.drop_table("shift")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_subject_id"))
        batch_op.drop_index(batch_op.f("ix_audit_at"))

    op.drop_table("audit")
    with op.batch_alter_table("absence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_absence_operator_id"))

    op.drop_table("absence")
