"""Mail out"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "suppression",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("says", sa.String(length=200), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suppression")),
    )
    op.create_table(
        "mail_out",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("ticket_message_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.String(length=254), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unsure", sa.Boolean(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("says", sa.String(length=200), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_mail_out_ticket_id")),
        sa.ForeignKeyConstraint(
            ["ticket_message_id"], ["ticket_message.id"], name=op.f("fk_mail_out_ticket_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_out")),
        sa.UniqueConstraint("kind", "cause", "recipient", name=op.f("uq_mail_out_kind_cause_recipient")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_out_message_id")),
    )
    with op.batch_alter_table("mail_out", schema=None) as batch_op:
        batch_op.create_index("ix_mail_out_due", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_mail_out_recipient_created_at", ["recipient", "created_at"], unique=False)
        batch_op.create_index("ix_mail_out_ticket_id_recipient", ["ticket_id", "recipient"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("mail_out", schema=None) as batch_op:
        batch_op.drop_index("ix_mail_out_ticket_id_recipient")
        batch_op.drop_index("ix_mail_out_recipient_created_at")
        batch_op.drop_index("ix_mail_out_due")

    op.drop_table("mail_out")
    op.drop_table("suppression")
