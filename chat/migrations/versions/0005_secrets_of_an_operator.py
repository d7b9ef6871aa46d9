"""Secrets of an operator"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("one_time_secret", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_one_time_secret_operator_id"), ["operator_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("one_time_secret", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_secret_operator_id"))
