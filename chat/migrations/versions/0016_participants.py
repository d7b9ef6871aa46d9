"""Participants of tickets"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket_participant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("added_by", sa.String(length=120), nullable=False),
        sa.Column("added_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_ticket_participant_customer_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_participant_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_participant")),
        sa.UniqueConstraint("ticket_id", "address", name=op.f("uq_ticket_participant_ticket_id_address")),
    )
    with op.batch_alter_table("ticket_participant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_participant_customer_id"), ["customer_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ticket_participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ticket_participant_customer_id"))

    op.drop_table("ticket_participant")
