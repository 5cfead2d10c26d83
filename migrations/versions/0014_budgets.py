"""monthly budgets have a history: each is valid from a month on."""

import uuid
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

revision = "0014"
down_revision = "0013"

# The budgets of the former revision were valid in every month.
FIRST_DAY = date(1900, 1, 1)
BOUND = 999999999999
USER = sa.table("user", sa.column("id"), sa.column("monthly_budget", sa.BigInteger))
CATEGORY = sa.table(
    "category", sa.column("author_id"), sa.column("id", sa.Uuid), sa.column("monthly_budget", sa.BigInteger)
)
BUDGET = sa.table(
    "budget",
    sa.column("author_id"),
    sa.column("id", sa.Uuid),
    sa.column("category_id", sa.Uuid),
    sa.column("start_date", sa.Date),
    sa.column("amount", sa.BigInteger),
    sa.column("rollover", sa.Boolean),
)
CHANGE = sa.table(
    "row_change",
    sa.column("author_id"),
    sa.column("operation_id", sa.Uuid),
    sa.column("table_name"),
    sa.column("row_key"),
    sa.column("label"),
    sa.column("before", sa.JSON(none_as_null=True)),
    sa.column("after", sa.JSON(none_as_null=True)),
)


def upgrade() -> None:
    """Go from the former revision to this one."""
    create_budget_table()
    connection = op.get_bind()
    budgets = copy_budgets(connection)
    for change in recorded(connection, "user", "category"):
        record_budget(connection, change, budgets)
    for table in ("user", "category"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f"ck_{table}_monthly_budget_within_bounds"), type_="check")
            batch_op.drop_column("monthly_budget")


def downgrade() -> None:
    """Go back to the former revision, which knows the latest budgets only."""
    for table in ("user", "category"):
        # As text, so that a column comes with its check and SQLite need not recreate the table.
        check = f"CONSTRAINT ck_{table}_monthly_budget_within_bounds CHECK (monthly_budget BETWEEN 0 AND {BOUND})"
        op.execute(f'ALTER TABLE "{table}" ADD COLUMN monthly_budget BIGINT {check}')
    connection = op.get_bind()
    owners = restore_budgets(connection)
    for change in recorded(connection, "budget"):
        forget_budget(connection, change, owners)
    op.drop_table("budget")


def create_budget_table() -> None:
    """Create the table."""
    op.create_table(
        "budget",
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("rollover", sa.Boolean(), nullable=False),
        sa.CheckConstraint(f"amount BETWEEN 0 AND {BOUND}", name=op.f("ck_budget_amount_within_bounds")),
        sa.ForeignKeyConstraint(
            ["author_id", "category_id"],
            ["category.author_id", "category.id"],
            name=op.f("fk_budget_author_id_category_id_category"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_budget_author_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", "id", name=op.f("pk_budget")),
        sa.UniqueConstraint(
            "author_id", "category_id", "start_date", name=op.f("uq_budget_author_id_category_id_start_date")
        ),
    )


def recorded(connection: sa.Connection, *table_names: str) -> list[sa.Row[Any]]:
    """Return the recorded changes of these tables."""
    query = sa.select(CHANGE).where(CHANGE.c.table_name.in_(table_names))
    return list(connection.execute(query.order_by(CHANGE.c.author_id, CHANGE.c.operation_id)))


def copy_budgets(connection: sa.Connection) -> dict[tuple[int, str], str]:
    """Make a row of every budget that there is or was, and return their keys by owner and category."""
    now = {(row.id, "user"): row.monthly_budget for row in connection.execute(sa.select(USER))}
    rows = connection.execute(sa.select(CATEGORY)).all()
    now |= {(row.author_id, str(row.id)): row.monthly_budget for row in rows}
    changed = {
        (change.author_id, change.row_key)
        for change in recorded(connection, "user", "category")
        if (change.before or {}).get("monthly_budget") or (change.after or {}).get("monthly_budget")
    }
    keys = {}
    for author_id, key in sorted(changed | {owner for owner, amount in now.items() if amount is not None}):
        budget_id = uuid7()
        keys[author_id, key] = str(budget_id)
        if (author_id, key) in now:
            row = {"author_id": author_id, "id": budget_id, "start_date": FIRST_DAY, "rollover": False}
            row |= {"category_id": None if key == "user" else uuid.UUID(key)}
            connection.execute(sa.insert(BUDGET).values(row | {"amount": now[author_id, key]}))
    return keys


def where(change: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """Return the condition of one recorded change."""
    names = ("author_id", "operation_id", "table_name", "row_key")
    return sa.and_(*(CHANGE.c[name] == getattr(change, name) for name in names))


def record_budget(connection: sa.Connection, change: sa.Row[Any], budgets: dict[tuple[int, str], str]) -> None:
    """Record the change of a budget by itself, and no longer with its category or user."""
    states = [None if values is None else dict(values) for values in (change.before, change.after)]
    if not any(values and "monthly_budget" in values for values in states):
        return
    amounts = [None if values is None else values.pop("monthly_budget", None) for values in states]
    if any(states):
        connection.execute(sa.update(CHANGE).where(where(change)).values(before=states[0], after=states[1]))
    else:
        connection.execute(sa.delete(CHANGE).where(where(change)))
    if amounts == [None, None]:
        return
    category_id = None if change.table_name == "user" else change.row_key
    is_change = None not in (change.before, change.after)
    whole = {} if is_change else {"category_id": category_id, "start_date": str(FIRST_DAY), "rollover": False}
    before, after = (whole | {"amount": amount} if is_change or amount is not None else None for amount in amounts)
    row = {"author_id": change.author_id, "operation_id": change.operation_id, "table_name": "budget"}
    row |= {"row_key": budgets[change.author_id, change.row_key], "label": change.label}
    connection.execute(sa.insert(CHANGE).values(row | {"before": before, "after": after}))


def restore_budgets(connection: sa.Connection) -> dict[tuple[int, str], str]:
    """Write the latest budgets, and return the keys of their users and categories by owner and budget."""
    owners = {}
    for row in connection.execute(sa.select(BUDGET).order_by(BUDGET.c.start_date)).all():
        owners[row.author_id, str(row.id)] = str(row.category_id or "user")
        if row.category_id is None:
            statement = sa.update(USER).where(USER.c.id == row.author_id)
        else:
            own = CATEGORY.c.author_id == row.author_id, CATEGORY.c.id == row.category_id
            statement = sa.update(CATEGORY).where(*own)
        connection.execute(statement.values(monthly_budget=row.amount))
    return owners


def forget_budget(connection: sa.Connection, change: sa.Row[Any], owners: dict[tuple[int, str], str]) -> None:
    """Record the change of a budget with its category or user, where the former revision can undo it."""
    connection.execute(sa.delete(CHANGE).where(where(change)))
    whole = change.before or change.after
    key = owners.get((change.author_id, change.row_key)) or str(whole.get("category_id") or "user")
    own = {"author_id": change.author_id, "operation_id": change.operation_id, "row_key": key}
    own["table_name"] = "user" if key == "user" else "category"
    same = sa.and_(*(CHANGE.c[name] == value for name, value in own.items()))
    known = connection.execute(sa.select(CHANGE).where(same)).one_or_none()
    states = [
        None if values is None else {"monthly_budget": values.get("amount")}
        for values in (change.before, change.after)
    ]
    if known is not None:
        before, after = (
            None if values is None else values | (budget or {})
            for values, budget in zip((known.before, known.after), states, strict=True)
        )
        connection.execute(sa.update(CHANGE).where(same).values(before=before, after=after))
    elif None not in states:
        row = own | {"label": change.label, "before": states[0], "after": states[1]}
        connection.execute(sa.insert(CHANGE).values(row))
