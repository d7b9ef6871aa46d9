"""Alembic's entry: runs the history on the connection it is handed."""

from alembic import context

from chat.migrations.schema import metadata, render_item

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    compare_server_default=True,
    render_item=render_item,
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
