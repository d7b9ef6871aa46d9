"""Pairing at scale"""

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("assignment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assignment_accepted_at"), ["accepted_at"], unique=False)
        batch_op.create_index("ix_assignment_state_operator_id", ["state", "operator_id"], unique=False)

    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.drop_index("ix_conversation_operator_state")
        batch_op.create_index("ix_conversation_operator_state", ["operator_id", "state", "ended_at"], unique=False)
        batch_op.create_index("ix_conversation_ended", ["department_id", "ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversation_first_reply_at"), ["first_reply_at"], unique=False)

    with op.batch_alter_table("operator", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unheard", sa.Float(), server_default="0", nullable=False))

    with op.batch_alter_table("visitor", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_at", UTCDateTime(), nullable=True))
        batch_op.create_index(batch_op.f("ix_visitor_ended_at"), ["ended_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("visitor", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visitor_ended_at"))
        batch_op.drop_column("ended_at")

    with op.batch_alter_table("operator", schema=None) as batch_op:
        batch_op.drop_column("unheard")

    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_conversation_first_reply_at"))
        batch_op.drop_index("ix_conversation_ended")
        batch_op.drop_index("ix_conversation_operator_state")
        batch_op.create_index("ix_conversation_operator_state", ["operator_id", "state"], unique=False)

    with op.batch_alter_table("assignment", schema=None) as batch_op:
        batch_op.drop_index("ix_assignment_state_operator_id")
        batch_op.drop_index(batch_op.f("ix_assignment_accepted_at"))
