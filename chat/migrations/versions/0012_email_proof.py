"""Email proof"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_proof",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["email_id"], ["email_address.id"], name=op.f("fk_email_proof_email_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_proof")),
    )
    with op.batch_alter_table("email_proof", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_email_proof_email_id"), ["email_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("email_proof", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_email_proof_email_id"))

    op.drop_table("email_proof")
