"""Client area"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_form",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_form")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_kept_form_secret_hash")),
    )
    with op.batch_alter_table("kept_form", schema=None) as batch_op:
        batch_op.create_index("ix_kept_form_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "customer_access",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_access_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_access")),
    )
    op.create_table(
        "customer_login",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("browser", sa.String(length=120), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_login_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_login")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_customer_login_secret_hash")),
    )
    with op.batch_alter_table("customer_login", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_login_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "customer_link",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.Column("asked_id", sa.Uuid(), nullable=True),
        sa.Column("wanted", sa.String(length=2000), nullable=False),
        sa.Column("kept_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_link_customer_id")),
        sa.ForeignKeyConstraint(["email_id"], ["email_address.id"], name=op.f("fk_customer_link_email_id")),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_customer_link")),
        sa.UniqueConstraint("asked_id", name=op.f("uq_customer_link_asked_id")),
    )
    with op.batch_alter_table("customer_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_link_customer_id"), ["customer_id"], unique=False)

    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.add_column(sa.Column("customer_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("public_at", UTCDateTime(), nullable=True))
        batch_op.create_index("ix_ticket_customer_id_public_at", ["customer_id", "public_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_customer_id_public_at")
        batch_op.drop_column("public_at")
        batch_op.drop_column("customer_id")

    with op.batch_alter_table("customer_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_link_customer_id"))

    op.drop_table("customer_link")
    with op.batch_alter_table("customer_login", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_login_customer_id"))

    op.drop_table("customer_login")
    op.drop_table("customer_access")
    with op.batch_alter_table("kept_form", schema=None) as batch_op:
        batch_op.drop_index("ix_kept_form_expires_at")

    op.drop_table("kept_form")
