"""operations: one journal for everything that can be undone."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

KINDS = (
    *("add", "edit", "delete", "bulk_edit", "bulk_delete", "import"),
    *("add_category", "edit_category", "edit_budgets", "delete_category", "merge_categories"),
    *("post_recurring", "skip_recurring", "edit_recurring", "stop_recurring", "resume_recurring"),
    *("delete_recurring", "undo"),
)
VALUES = ("amount", "category", "description", "date")
COLUMNS = (*VALUES, "description_key", "created_at")
FIELDS = ("name", "position", "archived", "monthly_budget")
# The budget for all categories was recorded as that of a category with this id.
TOTAL_BUDGET_ID = uuid.UUID(int=0)
TYPES = {
    **dict.fromkeys(("id", "batch", "operation_id", "expense_id", "recurring_id", "undoes"), sa.Uuid()),
    **dict.fromkeys(("date", "new_date", "day"), sa.Date()),
    **dict.fromkeys(("created_at", "new_created_at", "deleted_at", "changed_at"), sa.DateTime()),
    **dict.fromkeys(("done_at", "handled_at"), sa.DateTime()),
    **dict.fromkeys(("before", "after"), sa.JSON(none_as_null=True)),
    **dict.fromkeys(("archived", "new_archived"), sa.Boolean()),
}
Row = sa.Row[Any]


def table_of(name: str, *columns: str) -> sa.TableClause:
    """Return a table as both this revision and the former one see it."""
    return sa.table(name, *(sa.column(column, TYPES.get(column)) for column in ("author_id", *columns)))


EXPENSE = table_of("expense", "id", *COLUMNS)
DELETED = table_of("deleted_expense", "id", *COLUMNS, "deleted_at", "batch")
CHANGED = table_of(
    "changed_expense", "id", "batch", "changed_at", *VALUES, "description_key", *(f"new_{name}" for name in VALUES)
)
CATEGORY = table_of("category", "id", *FIELDS)
CHANGED_CATEGORY = table_of(
    *("changed_category", "id", "batch", "changed_at", "renamed", "merged_into"),
    *(*FIELDS, *(f"new_{name}" for name in FIELDS)),
)
RECURRING = table_of("recurring_expense", "id", "category", "description")
RECURRING_DAY = table_of("recurring_day", "recurring_id", "day", "expense_id", "batch", "done_at")
OCCURRENCE = table_of("occurrence", "recurring_id", "day", "expense_id", "handled_at")
OPERATION = table_of("operation", "id", "kind", "created_at", "count", "total", "label", "undoes")
EXPENSE_CHANGE = table_of(
    "expense_change", "operation_id", "id", "change", *COLUMNS, *(f"new_{name}" for name in COLUMNS)
)
ROW_CHANGE = table_of("row_change", "operation_id", "table_name", "row_key", "label", "before", "after")


def upgrade() -> None:
    """Go from the former revision to this one."""
    create_operation_tables()
    create_occurrence_table()
    record_operations()
    record_expense_changes()
    record_row_changes()
    copy_into(OCCURRENCE, RECURRING_DAY, handled_at=RECURRING_DAY.c.done_at)
    for name in ("recurring_day", "changed_category", "changed_expense", "deleted_expense"):
        op.drop_table(name)
    rename_recurring_columns(
        {"every": "frequency", "first_day": "start_date", "next_day": "next_date"},
        "every_known",
        "frequency_known",
    )


def downgrade() -> None:
    """Go back to the former revision; what it cannot record is forgotten, but no expense is."""
    rename_recurring_columns(
        {"frequency": "every", "start_date": "first_day", "next_date": "next_day"},
        "frequency_known",
        "every_known",
    )
    create_former_tables()
    restore_deleted_expenses()
    restore_changed_expenses()
    restore_changed_categories()
    restore_recurring_days()
    for name in ("row_change", "expense_change", "operation", "occurrence"):
        op.drop_table(name)


# --- The tables


def owner(table_name: str) -> list[Any]:
    """Return the column of the owner, which every key begins with, and its foreign key."""
    key = sa.ForeignKeyConstraint(
        ["author_id"], ["user.id"], name=op.f(f"fk_{table_name}_author_id_user"), ondelete="CASCADE"
    )
    return [sa.Column("author_id", sa.Integer(), nullable=False), key]


def create_operation_tables() -> None:
    op.create_table(
        "operation",
        *owner("operation"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=True),
        sa.Column("undoes", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_operation_kind_known")),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_operation")),
    )
    op.create_index(op.f("ix_operation_created_at"), "operation", ["created_at"])
    op.create_table(
        "expense_change",
        *owner("expense_change"),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("change", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("new_amount", sa.BigInteger(), nullable=True),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("new_category", sa.String(length=64), nullable=True),
        sa.Column("description", sa.String(length=200), nullable=True),
        sa.Column("new_description", sa.String(length=200), nullable=True),
        sa.Column("description_key", sa.String(length=400), nullable=True),
        sa.Column("new_description_key", sa.String(length=400), nullable=True),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("new_date", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("new_created_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "change IN ('added', 'changed', 'deleted')", name=op.f("ck_expense_change_change_known")
        ),
        operation_key("expense_change"),
        sa.PrimaryKeyConstraint("author_id", "operation_id", "id", name=op.f("pk_expense_change")),
        sqlite_with_rowid=False,
    )
    is_deletion = sa.text("change = 'deleted'")
    op.create_index(
        "ix_expense_change_deleted",
        "expense_change",
        ["author_id", "id"],
        sqlite_where=is_deletion,
        postgresql_where=is_deletion,
    )
    op.create_table(
        "row_change",
        *owner("row_change"),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("table_name", sa.String(length=32), nullable=False),
        sa.Column("row_key", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        operation_key("row_change"),
        sa.PrimaryKeyConstraint("author_id", "operation_id", "table_name", "row_key", name=op.f("pk_row_change")),
    )


def operation_key(table_name: str) -> sa.ForeignKeyConstraint:
    """Return the key of a table whose rows are those of an operation."""
    name = op.f(f"fk_{table_name}_author_id_operation_id_operation")
    columns, referred = ["author_id", "operation_id"], ["operation.author_id", "operation.id"]
    return sa.ForeignKeyConstraint(columns, referred, name=name, ondelete="CASCADE")


def create_occurrence_table() -> None:
    op.create_table(
        "occurrence",
        *owner("occurrence"),
        sa.Column("recurring_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expense_id", sa.Uuid(), nullable=True),
        sa.Column("handled_at", sa.DateTime(), nullable=False),
        recurring_key("occurrence"),
        sa.PrimaryKeyConstraint("author_id", "recurring_id", "day", name=op.f("pk_occurrence")),
    )
    op.create_index(op.f("ix_occurrence_author_id_expense_id"), "occurrence", ["author_id", "expense_id"])


def recurring_key(table_name: str) -> sa.ForeignKeyConstraint:
    """Return the key of a table whose rows are days of a recurring expense."""
    name = op.f(f"fk_{table_name}_author_id_recurring_id_recurring_expense")
    columns, referred = ["author_id", "recurring_id"], ["recurring_expense.author_id", "recurring_expense.id"]
    return sa.ForeignKeyConstraint(columns, referred, name=name, ondelete="CASCADE")


def rename_recurring_columns(names: dict[str, str], former_check: str, check: str) -> None:
    """Rename columns of recurring expenses, the first of which is bound to the known frequencies."""
    column = next(iter(names.values()))
    with op.batch_alter_table("recurring_expense") as batch_op:
        batch_op.drop_constraint(op.f(f"ck_recurring_expense_{former_check}"), type_="check")
        for former, name in names.items():
            batch_op.alter_column(former, new_column_name=name)
        batch_op.create_check_constraint(
            op.f(f"ck_recurring_expense_{check}"),
            f"{column} IN ('week', 'two-weeks', 'month', 'quarter', 'year')",
        )


def copy_into(target: sa.TableClause, source: sa.TableClause, **columns: sa.ColumnElement[Any]) -> None:
    """Copy rows of the same columns, or of these `columns`."""
    chosen = [columns.get(column.name, source.c.get(column.name)) for column in target.c]
    op.execute(sa.insert(target).from_select(target.c.keys(), sa.select(*chosen)))


# --- The history moves to the new tables


def record_operations() -> None:
    """Insert an operation for each batch of deleted, changed, added or skipped expenses and changed categories."""
    found: dict[tuple[int, uuid.UUID], dict[str, Any]] = {}
    for rows in (deleted_batches(), changed_batches(), category_batches(), recurring_batches()):
        for row in rows:
            key = (row["author_id"], row["id"])
            # What changed expenses and categories at once is what it was for the expenses, unless it merged.
            known = found.setdefault(key, row)
            if row["kind"] == "merge_categories":
                known |= {"kind": row["kind"], "label": row["label"]}
    defaults = {"count": 0, "total": 0, "label": None, "undoes": None}
    op.bulk_insert(OPERATION, [defaults | row for row in found.values()])


def deleted_batches() -> Iterator[dict[str, Any]]:
    for row in batches_of(DELETED, DELETED.c.deleted_at, DELETED.c.amount):
        yield row | {"kind": "delete" if row["count"] == 1 else "bulk_delete"}


def changed_batches() -> Iterator[dict[str, Any]]:
    for row in batches_of(CHANGED, CHANGED.c.changed_at, CHANGED.c.amount):
        yield row | {"kind": "edit" if row["count"] == 1 else "bulk_edit"}


def category_batches() -> Iterator[dict[str, Any]]:
    for row in op.get_bind().execute(sa.select(CHANGED_CATEGORY)):
        kind = "edit_budgets"
        if row.merged_into is not None:
            kind = "merge_categories"
        elif row.id != TOTAL_BUDGET_ID and row.new_name is None:
            kind = "delete_category"
        values = {"author_id": row.author_id, "id": row.batch, "created_at": row.changed_at}
        yield values | {"kind": kind, "label": row.merged_into}


def recurring_batches() -> Iterator[dict[str, Any]]:
    days = RECURRING_DAY.c
    # Joined with the expenses that were not changed since, which are the ones that can be removed again.
    query = sa.select(
        days.author_id,
        days.batch.label("id"),
        sa.func.max(days.done_at).label("created_at"),
        sa.func.count(EXPENSE.c.id).label("count"),
        sa.func.coalesce(sa.func.sum(EXPENSE.c.amount), 0).label("total"),
        sa.func.count(days.expense_id).label("added"),
    )
    unchanged = sa.and_(EXPENSE.c.author_id == days.author_id, EXPENSE.c.id == days.expense_id, ~was_changed())
    query = query.select_from(sa.outerjoin(RECURRING_DAY, EXPENSE, unchanged)).where(was_due())
    for row in op.get_bind().execute(query.group_by(days.author_id, days.batch)).mappings():
        values = dict(row)
        yield values | {"kind": "post_recurring" if values.pop("added") else "skip_recurring"}


def was_due() -> sa.ColumnElement[bool]:
    """Tell of a day whether it was added or skipped, and is not that of the expense which was said to repeat."""
    days = RECURRING_DAY.c
    return sa.or_(days.expense_id.is_(None), days.expense_id != days.recurring_id)


def was_changed() -> sa.ColumnElement[bool]:
    return sa.exists().where(CHANGED.c.author_id == EXPENSE.c.author_id, CHANGED.c.id == EXPENSE.c.id)


def batches_of(
    table: sa.TableClause, moment: sa.ColumnElement[Any], amount: sa.ColumnElement[Any]
) -> Iterator[dict[str, Any]]:
    """Yield the batches of a table of expenses, with their number and sum."""
    query = sa.select(
        table.c.author_id,
        table.c.batch.label("id"),
        sa.func.max(moment).label("created_at"),
        sa.func.count().label("count"),
        sa.func.sum(amount).label("total"),
    )
    for row in op.get_bind().execute(query.group_by(table.c.author_id, table.c.batch)).mappings():
        yield dict(row)


def record_expense_changes() -> None:
    deleted = {name: DELETED.c[name] for name in COLUMNS}
    insert_changes("deleted", DELETED.c.batch, DELETED, deleted)
    changed: dict[str, sa.ColumnElement[Any]] = {}
    for name in VALUES:
        differs = CHANGED.c[name] != CHANGED.c[f"new_{name}"]
        changed[name] = sa.case((differs, CHANGED.c[name]))
        changed[f"new_{name}"] = sa.case((differs, CHANGED.c[f"new_{name}"]))
    has_description = CHANGED.c.description != CHANGED.c.new_description
    changed["description_key"] = sa.case((has_description, CHANGED.c.description_key))
    insert_changes("changed", CHANGED.c.batch, CHANGED, changed)
    added = {f"new_{name}": EXPENSE.c[name] for name in COLUMNS}
    of_day = (EXPENSE.c.author_id == RECURRING_DAY.c.author_id, EXPENSE.c.id == RECURRING_DAY.c.expense_id)
    insert_changes("added", RECURRING_DAY.c.batch, EXPENSE, added, *of_day, was_due(), ~was_changed())


def insert_changes(
    change: str,
    batch: sa.ColumnElement[Any],
    source: sa.TableClause,
    columns: dict[str, sa.ColumnElement[Any]],
    *conditions: sa.ColumnElement[bool],
) -> None:
    query = sa.select(source.c.author_id, batch, source.c.id, sa.literal(change), *columns.values())
    names = ["author_id", "operation_id", "id", "change", *columns]
    op.execute(sa.insert(EXPENSE_CHANGE).from_select(names, query.where(*conditions)))


def record_row_changes() -> None:
    rows = [*category_changes(), *occurrence_changes()]
    op.bulk_insert(ROW_CHANGE, rows)


def category_changes() -> Iterator[dict[str, Any]]:
    for row in op.get_bind().execute(sa.select(CHANGED_CATEGORY)).mappings():
        values = {"author_id": row["author_id"], "operation_id": row["batch"]}
        before, after = ({name: row[prefix + name] for name in FIELDS} for prefix in ("", "new_"))
        if row["id"] == TOTAL_BUDGET_ID:
            values |= {"table_name": "user", "row_key": "user", "label": ""}
            before, after = ({"monthly_budget": state["monthly_budget"]} for state in (before, after))
        else:
            values |= {"table_name": "category", "row_key": str(row["id"])}
            values["label"] = before["name"] or after["name"] or ""
            if before["name"] is not None and after["name"] is not None:
                differing = [name for name in FIELDS if before[name] != after[name]]
                before, after = ({name: state[name] for name in differing} for state in (before, after))
        yield values | {"before": as_json(before), "after": as_json(after)}


def as_json(state: dict[str, Any]) -> dict[str, Any] | None:
    """Return the columns of a category, its budget as the text of an amount; None where there was none."""
    if "name" in state and state["name"] is None:
        return None
    if state.get("monthly_budget") is not None:
        return state | {"monthly_budget": str(Decimal(state["monthly_budget"]).scaleb(-3))}
    return state


def occurrence_changes() -> Iterator[dict[str, Any]]:
    days = RECURRING_DAY.c
    of_day = sa.and_(RECURRING.c.author_id == days.author_id, RECURRING.c.id == days.recurring_id)
    label = sa.func.coalesce(sa.func.nullif(RECURRING.c.description, ""), RECURRING.c.category)
    query = sa.select(RECURRING_DAY, label.label("label")).where(of_day, was_due())
    for row in op.get_bind().execute(query):
        expense_id = None if row.expense_id is None else str(row.expense_id)
        yield {
            "author_id": row.author_id,
            "operation_id": row.batch,
            "table_name": "occurrence",
            "row_key": f"{row.recurring_id}_{row.day}",
            "label": row.label,
            "before": None,
            "after": {"expense_id": expense_id, "handled_at": f"{row.done_at}+00:00"},
        }


# --- The history moves back to the former tables


def value_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("description_key", sa.String(length=400), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
    ]


def create_former_tables() -> None:
    op.create_table(
        "deleted_expense",
        *owner("deleted_expense"),
        sa.Column("id", sa.Uuid(), nullable=False),
        *value_columns(),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_deleted_expense")),
    )
    op.create_index(op.f("ix_deleted_expense_author_id_batch"), "deleted_expense", ["author_id", "batch"])
    op.create_index(op.f("ix_deleted_expense_deleted_at"), "deleted_expense", ["deleted_at"])
    op.create_table(
        "changed_expense",
        *owner("changed_expense"),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        *value_columns(),
        sa.Column("new_amount", sa.BigInteger(), nullable=False),
        sa.Column("new_category", sa.String(length=64), nullable=False),
        sa.Column("new_description", sa.String(length=200), nullable=False),
        sa.Column("new_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("author_id", "batch", "id", name=op.f("pk_changed_expense")),
    )
    op.create_index(op.f("ix_changed_expense_changed_at"), "changed_expense", ["changed_at"])
    create_changed_category()
    op.create_table(
        "recurring_day",
        *owner("recurring_day"),
        sa.Column("recurring_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expense_id", sa.Uuid(), nullable=True),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("done_at", sa.DateTime(), nullable=False),
        recurring_key("recurring_day"),
        sa.PrimaryKeyConstraint("author_id", "recurring_id", "day", name=op.f("pk_recurring_day")),
    )
    op.create_index(op.f("ix_recurring_day_author_id_batch"), "recurring_day", ["author_id", "batch"])
    op.create_index(op.f("ix_recurring_day_author_id_expense_id"), "recurring_day", ["author_id", "expense_id"])


def create_changed_category() -> None:
    op.create_table(
        "changed_category",
        *owner("changed_category"),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=True),
        sa.Column("monthly_budget", sa.BigInteger(), nullable=True),
        sa.Column("new_name", sa.String(length=64), nullable=True),
        sa.Column("new_position", sa.Integer(), nullable=True),
        sa.Column("new_archived", sa.Boolean(), nullable=True),
        sa.Column("new_monthly_budget", sa.BigInteger(), nullable=True),
        sa.Column("renamed", sa.Integer(), nullable=False),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("author_id", "batch", "id", name=op.f("pk_changed_category")),
    )
    op.create_index(op.f("ix_changed_category_changed_at"), "changed_category", ["changed_at"])


def of_operation(table: sa.TableClause) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that join a table to its operations."""
    return [OPERATION.c.author_id == table.c.author_id, OPERATION.c.id == table.c.operation_id]


def restore_deleted_expenses() -> None:
    """Record the expenses that are not there as deleted by the operation that deleted them last."""
    change, later = EXPENSE_CHANGE.c, EXPENSE_CHANGE.alias("later").c
    same = (later.author_id == change.author_id, later.id == change.id, later.change == "deleted")
    is_last = ~sa.exists().where(*same, later.operation_id > change.operation_id)
    is_gone = ~sa.exists().where(EXPENSE.c.author_id == change.author_id, EXPENSE.c.id == change.id)
    columns = [change.author_id, change.id, *(change[name] for name in COLUMNS)]
    query = sa.select(*columns, OPERATION.c.created_at.label("deleted_at"), change.operation_id)
    query = query.where(*of_operation(EXPENSE_CHANGE), change.change == "deleted", is_last, is_gone)
    op.execute(sa.insert(DELETED).from_select(["author_id", "id", *COLUMNS, "deleted_at", "batch"], query))


def restore_changed_expenses() -> None:
    """Record the changes that can still be undone."""
    change, names = EXPENSE_CHANGE.c, [*VALUES, "description_key"]
    is_as_changed = (
        EXPENSE.c[name] == sa.func.coalesce(change[f"new_{name}"], EXPENSE.c[name]) for name in VALUES
    )
    query = sa.select(
        *(change.author_id, change.operation_id, change.id, OPERATION.c.created_at),
        *(sa.func.coalesce(change[name], EXPENSE.c[name]) for name in names),
        *(EXPENSE.c[name] for name in VALUES),
    )
    query = query.where(
        *of_operation(EXPENSE_CHANGE),
        *(EXPENSE.c.author_id == change.author_id, EXPENSE.c.id == change.id),
        *(change.change == "changed", OPERATION.c.kind != "undo"),
        *is_as_changed,
    )
    columns = ["author_id", "batch", "id", "changed_at", *names, *(f"new_{name}" for name in VALUES)]
    op.execute(sa.insert(CHANGED).from_select(columns, query))


def restore_changed_categories() -> None:
    """Record what was done to categories and has not been undone."""
    undone = sa.select(OPERATION.c.undoes).where(OPERATION.c.undoes.is_not(None))
    query = sa.select(ROW_CHANGE, OPERATION.c.created_at, OPERATION.c.label.label("merged_into"))
    query = query.where(*of_operation(ROW_CHANGE), OPERATION.c.kind != "undo", OPERATION.c.id.not_in(undone))
    connection = op.get_bind()
    categories = {(row.author_id, str(row.id)): row for row in connection.execute(sa.select(CATEGORY))}
    rows = []
    for row in connection.execute(query.where(ROW_CHANGE.c.table_name.in_(["category", "user"]))):
        current = categories.get((row.author_id, row.row_key))
        if row.table_name == "category" and None not in (row.before, row.after) and current is None:
            continue
        rest = {} if current is None else {name: getattr(current, name) for name in FIELDS}
        states = (None if state is None else rest | from_json(state) for state in (row.before, row.after))
        before, after = (state or {} for state in states)
        rows.append(
            {"author_id": row.author_id, "batch": row.operation_id, "changed_at": row.created_at, "renamed": 0}
            | {"id": TOTAL_BUDGET_ID if row.table_name == "user" else uuid.UUID(row.row_key)}
            | {name: before.get(name) for name in FIELDS}
            | {f"new_{name}": after.get(name) for name in FIELDS}
            | {"merged_into": row.merged_into if row.after is None else None}
        )
    op.bulk_insert(CHANGED_CATEGORY, rows)


def from_json(state: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a category, its budget as a whole number of thousandths."""
    if state.get("monthly_budget") is not None:
        return state | {"monthly_budget": int(Decimal(state["monthly_budget"]).scaleb(3))}
    return state


def restore_recurring_days() -> None:
    query = sa.select(ROW_CHANGE.c.author_id, ROW_CHANGE.c.row_key, ROW_CHANGE.c.operation_id)
    # A day that was undone and handled again is what the later operation made of it.
    query = query.where(ROW_CHANGE.c.table_name == "occurrence").order_by(ROW_CHANGE.c.operation_id)
    connection = op.get_bind()
    batches = {(row.author_id, row.row_key): row.operation_id for row in connection.execute(query)}
    rows = [
        {
            "author_id": row.author_id,
            "recurring_id": row.recurring_id,
            "day": row.day,
            "expense_id": row.expense_id,
            # No operation handled the day of the expense that was said to repeat.
            "batch": batches.get((row.author_id, f"{row.recurring_id}_{row.day}"), row.recurring_id),
            "done_at": row.handled_at,
        }
        for row in connection.execute(sa.select(OCCURRENCE))
    ]
    op.bulk_insert(RECURRING_DAY, rows)
