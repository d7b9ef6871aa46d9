"""SLA: policies, targets and calendars; clocks get steps."""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("weekly", sa.JSON(), nullable=False),
        sa.Column("holidays", sa.JSON(), nullable=False),
        sa.Column("always", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar")),
    )
    op.create_table(
        "sla_policy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("match", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policy")),
        sa.UniqueConstraint("key", "version", name=op.f("uq_sla_policy_key_version")),
    )
    op.create_table(
        "sla_target",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("metric", sa.String(length=12), nullable=False),
        sa.Column("target_seconds", sa.Integer(), nullable=False),
        sa.Column("breach_seconds", sa.Integer(), nullable=False),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("pause_states", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("fk_sla_target_calendar_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policy.id"], name=op.f("fk_sla_target_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_target")),
        sa.UniqueConstraint("policy_id", "metric", name=op.f("uq_sla_target_policy_id_metric")),
    )
    op.create_table(
        "sla_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clock_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["clock_id"], ["sla_clock.id"], name=op.f("fk_sla_event_clock_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_event")),
        sa.UniqueConstraint("clock_id", "type", "n", name=op.f("uq_sla_event_clock_id_type_n")),
    )
    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        batch_op.add_column(sa.Column("policy_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("policy_version", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("breach_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("next_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.String(length=500), server_default="", nullable=False))
        batch_op.create_index("ix_sla_clock_state_next_at", ["state", "next_at"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_sla_clock_policy_id"), "sla_policy", ["policy_id"], ["id"])

    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.add_column(sa.Column("due_metric", sa.String(length=12), server_default="", nullable=False))

    # Clocks that run while the program is brought up to date go on under the policy that fits them.
    op.execute("UPDATE sla_clock SET breach_at = due_at, next_at = started_at WHERE state = 'running'")
    op.execute("UPDATE ticket SET due_metric = 'first_reply' WHERE due_at IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.drop_column("due_metric")

    with op.batch_alter_table("sla_clock", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_sla_clock_policy_id"), type_="foreignkey")
        batch_op.drop_index("ix_sla_clock_state_next_at")
        batch_op.drop_column("reason")
        batch_op.drop_column("next_at")
        batch_op.drop_column("breach_at")
        batch_op.drop_column("policy_version")
        batch_op.drop_column("policy_id")

    op.drop_table("sla_event")
    op.drop_table("sla_target")
    op.drop_table("sla_policy")
    op.drop_table("calendar")
