"""Registry"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_no", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("account_no", name=op.f("uq_account_account_no")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("can_see_tickets", sa.Boolean(), nullable=False),
        sa.Column("can_see_billing", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_customer_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("ref", name=op.f("uq_customer_ref")),
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_account_id"), ["account_id"], unique=False)

    op.create_table(
        "service",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("service_ref", sa.String(length=64), nullable=False),
        sa.Column("order_no", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=400), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("location", sa.String(length=80), nullable=False),
        sa.Column("product", sa.String(length=120), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_service_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
        sa.UniqueConstraint("service_ref", name=op.f("uq_service_service_ref")),
    )
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.create_index("ix_service_account_id_name_key", ["account_id", "name_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_order_no"), ["order_no"], unique=False)

    op.create_table(
        "email_address",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("raw", sa.String(length=254), nullable=False),
        sa.Column("registered", sa.Boolean(), nullable=False),
        sa.Column("verified_at", UTCDateTime(), nullable=True),
        sa.Column("verified_by", sa.String(length=10), nullable=False),
        sa.Column("suppressed_until", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_email_address_account_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_email_address_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_address")),
    )
    with op.batch_alter_table("email_address", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_email_address_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_email_address_address"), ["address"], unique=False)
        batch_op.create_index(batch_op.f("ix_email_address_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            "uq_email_address_verified",
            ["address"],
            unique=True,
            sqlite_where=sa.text("verified_at IS NOT NULL"),
            postgresql_where=sa.text("verified_at IS NOT NULL"),
        )

    op.create_table(
        "service_ip",
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("ip_from", sa.LargeBinary(length=16), nullable=False),
        sa.Column("ip_to", sa.LargeBinary(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_ip_service_id")),
        sa.PrimaryKeyConstraint("service_id", "ip_from", "ip_to", name=op.f("pk_service_ip")),
    )
    with op.batch_alter_table("service_ip", schema=None) as batch_op:
        batch_op.create_index("ix_service_ip_range", ["version", "width", "ip_from", "ip_to"], unique=False)

    op.create_table(
        "notification_address",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_notification_address_account_id")),
        sa.ForeignKeyConstraint(["email_id"], ["email_address.id"], name=op.f("fk_notification_address_email_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_address")),
        sa.UniqueConstraint(
            "account_id", "kind", "email_id", name=op.f("uq_notification_address_account_id_kind_email_id")
        ),
    )
    with op.batch_alter_table("notification_address", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notification_address_email_id"), ["email_id"], unique=False)

    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.add_column(sa.Column("account_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("service_id", sa.Uuid(), nullable=True))
        batch_op.create_index("ix_ticket_account_id_open", ["account_id", "open"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_account_id_open")
        batch_op.drop_column("service_id")
        batch_op.drop_column("account_id")

    with op.batch_alter_table("notification_address", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notification_address_email_id"))

    op.drop_table("notification_address")
    with op.batch_alter_table("service_ip", schema=None) as batch_op:
        batch_op.drop_index("ix_service_ip_range")

    op.drop_table("service_ip")
    with op.batch_alter_table("email_address", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_email_address_verified",
            sqlite_where=sa.text("verified_at IS NOT NULL"),
            postgresql_where=sa.text("verified_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_email_address_customer_id"))
        batch_op.drop_index(batch_op.f("ix_email_address_address"))
        batch_op.drop_index(batch_op.f("ix_email_address_account_id"))

    op.drop_table("email_address")
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_order_no"))
        batch_op.drop_index("ix_service_account_id_name_key")

    op.drop_table("service")
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_account_id"))

    op.drop_table("customer")
    op.drop_table("account")
