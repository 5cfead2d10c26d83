"""statement: what the preview shows and what it was compared with; statement_line: a table that grows faster."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Go from the former revision to this one."""
    with op.batch_alter_table("statement") as batch:
        batch.add_column(sa.Column("preview", sa.Text(), nullable=True))
        batch.add_column(sa.Column("names_since", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("compared_with", sa.String(length=80), nullable=True))
    _rebuild_lines(with_rowid=True)


def downgrade() -> None:
    """Go back to the former revision."""
    _rebuild_lines(with_rowid=False)
    with op.batch_alter_table("statement") as batch:
        batch.drop_column("compared_with")
        batch.drop_column("names_since")
        batch.drop_column("preview")


def _rebuild_lines(*, with_rowid: bool) -> None:
    if op.get_bind().dialect.name == "sqlite":
        options = {"sqlite_with_rowid": with_rowid}
        with op.batch_alter_table("statement_line", recreate="always", table_kwargs=options):
            pass
