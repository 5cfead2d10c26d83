"""operation: a kind for restoring the export of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

KINDS = (
    *("add", "edit", "delete", "bulk_edit", "bulk_delete", "import"),
    *("add_category", "edit_category", "edit_budgets", "delete_category", "merge_categories"),
    *("post_recurring", "skip_recurring", "edit_recurring", "stop_recurring", "resume_recurring"),
    *("delete_recurring", "undo"),
)


def upgrade() -> None:
    """Go from the former revision to this one."""
    _allow((*KINDS[:-1], "restore", "undo"))


def downgrade() -> None:
    """Go back to the former revision."""
    op.execute("DELETE FROM operation WHERE kind = 'restore'")
    op.execute(
        'UPDATE "user" SET running_operation = NULL WHERE running_operation NOT IN (SELECT id FROM operation)'
    )
    _allow(KINDS)


def _allow(kinds: tuple[str, ...]) -> None:
    """Let operations be of these kinds."""
    with op.batch_alter_table("operation") as batch:
        batch.drop_constraint(op.f("ck_operation_kind_known"), type_="check")
        batch.create_check_constraint(op.f("ck_operation_kind_known"), sa.text(f"kind IN {kinds}"))
