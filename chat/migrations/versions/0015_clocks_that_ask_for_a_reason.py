"""Clocks that ask for a reason are found among all that ever ran"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sla_clock_state_breached_at", "sla_clock", ["state", "breached_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_sla_clock_state_breached_at", table_name="sla_clock")
