"""Forms and tokens used once"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket_submission",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_ticket_submission_customer_id")),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
            name=op.f("fk_ticket_submission_ticket_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("customer_id", "ref", name=op.f("pk_ticket_submission")),
    )
    with op.batch_alter_table("ticket_submission", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_submission_ticket_id"), ["ticket_id"], unique=False)

    op.create_table(
        "token_use",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitor.id"], name=op.f("fk_token_use_visitor_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_token_use")),
    )
    with op.batch_alter_table("token_use", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_use_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "visitor_identity",
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("named_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_visitor_identity_customer_id")),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitor.id"], name=op.f("fk_visitor_identity_visitor_id")),
        sa.PrimaryKeyConstraint("visitor_id", name=op.f("pk_visitor_identity")),
    )
    with op.batch_alter_table("visitor_identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visitor_identity_customer_id"), ["customer_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("visitor_identity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visitor_identity_customer_id"))

    op.drop_table("visitor_identity")
    with op.batch_alter_table("token_use", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_use_expires_at"))

    op.drop_table("token_use")
    with op.batch_alter_table("ticket_submission", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ticket_submission_ticket_id"))

    op.drop_table("ticket_submission")
