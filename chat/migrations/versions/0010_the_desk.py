"""The desk"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from chat.db import UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "desk_ref",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(length=200), nullable=False),
        sa.Column("undo", sa.JSON(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_desk_ref_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", "ref", name=op.f("pk_desk_ref")),
    )
    with op.batch_alter_table("desk_ref", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_ref_at"), ["at"], unique=False)

    op.create_table(
        "search_cursor",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("upto", sa.Uuid(), nullable=False),
        sa.Column("leased_until", UTCDateTime(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_search_cursor")),
    )
    word = sa.String(length=40).with_variant(sa.String(length=40, collation="C"), "postgresql")
    op.create_table(
        "search_word",
        sa.Column("word", word, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("word", "kind", "subject_id", name=op.f("pk_search_word")),
    )
    op.create_table(
        "ticket_looker",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
        sa.Column("typing_until", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_ticket_looker_operator_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_looker_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "operator_id", name=op.f("pk_ticket_looker")),
    )
    op.create_table(
        "ticket_mention",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_ticket_mention_operator_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_mention_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "operator_id", name=op.f("pk_ticket_mention")),
    )
    with op.batch_alter_table("ticket_mention", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_mention_operator_id"), ["operator_id"], unique=False)

    op.create_table(
        "ticket_relation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.String(length=12), nullable=False),
        sa.Column("card_digest", sa.String(length=64), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["other_id"], ["ticket.id"], name=op.f("fk_ticket_relation_other_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_relation_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_relation")),
        sa.UniqueConstraint(
            "ticket_id", "other_id", "relation", name=op.f("uq_ticket_relation_ticket_id_other_id_relation")
        ),
    )
    with op.batch_alter_table("ticket_relation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_relation_other_id"), ["other_id"], unique=False)

    op.create_table(
        "ticket_tag",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_tag_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "tag", name=op.f("pk_ticket_tag")),
    )
    with op.batch_alter_table("ticket_tag", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_tag_tag"), ["tag"], unique=False)

    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "place",
                sa.String(length=80).with_variant(sa.String(length=80, collation="C"), "postgresql"),
                server_default="",
                nullable=False,
            )
        )
        batch_op.drop_index(batch_op.f("ix_ticket_department_id"))
        batch_op.drop_index(batch_op.f("ix_ticket_operator_id_open"))
        batch_op.drop_index(batch_op.f("ix_ticket_queue"))
    _put_in_place()
    op.execute(
        "UPDATE ticket_message SET sender_level = (SELECT verify_level FROM ticket WHERE ticket.id = ticket_id)"
        " WHERE kind = 'transcript'"
    )
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_department_id_place", ["department_id", "place"], unique=False)
        batch_op.create_index(
            "ix_ticket_free",
            ["department_id", "place"],
            unique=False,
            sqlite_where=sa.text("operator_id IS NULL"),
            postgresql_where=sa.text("operator_id IS NULL"),
        )
        batch_op.create_index("ix_ticket_open", ["open", "department_id", "priority"], unique=False)
        batch_op.create_index("ix_ticket_operator_id_place", ["operator_id", "place"], unique=False)


ticket = sa.table(
    "ticket",
    sa.column("id", sa.Uuid()),
    sa.column("state", sa.String()),
    sa.column("open", sa.Boolean()),
    sa.column("operators_turn", sa.Boolean()),
    sa.column("priority", sa.Integer()),
    sa.column("due_at", UTCDateTime()),
    sa.column("waiting_since", UTCDateTime()),
    sa.column("changed_at", UTCDateTime()),
    sa.column("place", sa.String()),
)
AT_ONCE = 1000


def _put_in_place() -> None:
    """Tickets that are there already, before the indexes are."""
    connection = op.get_bind()
    statement = (
        sa.update(ticket).where(ticket.c.id == sa.bindparam("ticket_id")).values(place=sa.bindparam("its_place"))
    )
    read = sa.select(ticket).order_by(ticket.c.id).limit(AT_ONCE)
    rows = connection.execute(read).all()
    while rows:
        connection.execute(statement, [{"ticket_id": row.id, "its_place": _place_of(row)} for row in rows])
        rows = connection.execute(read.where(ticket.c.id > rows[-1].id)).all()


def _place_of(row: Any) -> str:
    """As `escalation.queue` makes it in this version."""
    far = datetime(9999, 1, 1, tzinfo=UTC)
    if row.open:
        theirs = 0 if row.operators_turn else 1
        due, waiting = _micros(row.due_at or far), _micros(row.waiting_since or far)
        return f"0{theirs}{row.priority}{due:018d}{waiting:018d}{row.id.hex}"
    lane = "1" if row.state == "solved" else "2"
    return f"{lane}00{_micros(far) - _micros(row.changed_at):018d}{0:018d}{row.id.hex}"


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def downgrade() -> None:
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_operator_id_place")
        batch_op.drop_index("ix_ticket_open")
        batch_op.drop_index(
            "ix_ticket_free",
            sqlite_where=sa.text("operator_id IS NULL"),
            postgresql_where=sa.text("operator_id IS NULL"),
        )
        batch_op.drop_index("ix_ticket_department_id_place")
        batch_op.create_index(
            batch_op.f("ix_ticket_queue"),
            ["open", "operators_turn", "priority", "due_at", "waiting_since", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_ticket_operator_id_open"), ["operator_id", "open"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_department_id"), ["department_id"], unique=False)
        batch_op.drop_column("place")

    with op.batch_alter_table("ticket_tag", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ticket_tag_tag"))

    op.drop_table("ticket_tag")
    with op.batch_alter_table("ticket_relation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ticket_relation_other_id"))

    op.drop_table("ticket_relation")
    with op.batch_alter_table("ticket_mention", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ticket_mention_operator_id"))

    op.drop_table("ticket_mention")
    op.drop_table("ticket_looker")
    op.drop_table("search_word")
    op.drop_table("search_cursor")
    with op.batch_alter_table("desk_ref", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_desk_ref_at"))

    op.drop_table("desk_ref")
