"""What SQLAlchemy spells per dialect."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession


def insert_for(session: AsyncSession) -> Any:
    """`insert` with ON CONFLICT, which both databases know."""
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
