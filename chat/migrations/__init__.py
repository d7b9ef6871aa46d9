"""One Alembic history for the one database. `schema.py` brings it to head and says where it stands."""
