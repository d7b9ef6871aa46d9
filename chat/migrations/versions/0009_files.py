"""Files"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_content",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_file_content")),
    )
    op.create_table(
        "file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column("pool", sa.String(length=60), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("refusal", sa.String(length=20), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=True),
        sa.Column("small", sa.String(length=64), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("touched_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["file_content.sha256"], name=op.f("fk_file_content")),
        sa.ForeignKeyConstraint(["small"], ["file_content.sha256"], name=op.f("fk_file_small")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
        sa.UniqueConstraint("owner", "ref", name=op.f("uq_file_owner_ref")),
    )
    with op.batch_alter_table("file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_file_content"), ["content"], unique=False)
        batch_op.create_index("ix_file_owner_created_at", ["owner", "created_at"], unique=False)
        batch_op.create_index("ix_file_pool_created_at", ["pool", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_file_small"), ["small"], unique=False)
        batch_op.create_index("ix_file_state_touched_at", ["state", "touched_at"], unique=False)

    op.create_table(
        "file_place",
        sa.Column("place", sa.String(length=60), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name=op.f("fk_file_place_file_id")),
        sa.PrimaryKeyConstraint("place", "file_id", name=op.f("pk_file_place")),
    )
    with op.batch_alter_table("file_place", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_file_place_file_id"), ["file_id"], unique=False)

    with op.batch_alter_table("ticket_message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("files", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("ticket_message", schema=None) as batch_op:
        batch_op.drop_column("files")

    with op.batch_alter_table("file_place", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_file_place_file_id"))

    op.drop_table("file_place")
    with op.batch_alter_table("file", schema=None) as batch_op:
        batch_op.drop_index("ix_file_state_touched_at")
        batch_op.drop_index(batch_op.f("ix_file_small"))
        batch_op.drop_index("ix_file_pool_created_at")
        batch_op.drop_index("ix_file_owner_created_at")
        batch_op.drop_index(batch_op.f("ix_file_content"))

    op.drop_table("file")
    op.drop_table("file_content")
