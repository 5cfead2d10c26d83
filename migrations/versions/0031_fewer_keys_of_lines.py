"""statement_line: drop the digest of a line and the index of payees across statements."""

from hashlib import blake2b

import sqlalchemy as sa
from alembic import op

# Not copied here: the digests have to be those of the version that the database is brought to.
from ledger.statements.text import fold

revision = "0031"
down_revision = "0030"

PIECE = 5_000
BOOKED = ("add", "skip", "undone")
INDEX = "ix_statement_line_author_id_payee_key"
CHECK = "ck_statement_line_digest_length"
LINE = sa.table(
    "statement_line",
    *(sa.column(name) for name in ("author_id", "source", "currency", "text", "state", "digest")),
    sa.column("id", sa.Uuid),
    sa.column("date", sa.Date),
    sa.column("amount", sa.BigInteger),
)


def upgrade() -> None:
    """Go from the former revision to this one."""
    op.drop_index(INDEX, "statement_line")
    with op.batch_alter_table("statement_line") as batch:
        batch.drop_constraint(op.f(CHECK), type_="check")
        batch.drop_column("digest")


def downgrade() -> None:
    """Go back to the former revision."""
    with op.batch_alter_table("statement_line") as batch:
        batch.add_column(sa.Column("digest", sa.LargeBinary(), nullable=True))
    write_digests(op.get_bind())
    with op.batch_alter_table("statement_line") as batch:
        batch.alter_column("digest", existing_type=sa.LargeBinary(), nullable=False)
        batch.create_check_constraint(op.f(CHECK), "length(digest) = 16")
    op.create_index(INDEX, "statement_line", ["author_id", "payee_key"])


def write_digests(connection: sa.Connection) -> None:
    """Give every line its digest; zeros if it is no booking."""
    key = sa.tuple_(LINE.c.author_id, LINE.c.id)
    query = sa.select(LINE).order_by(LINE.c.author_id, LINE.c.id).limit(PIECE)
    rows = connection.execute(query).all()
    update = (
        sa.update(LINE)
        .where(LINE.c.author_id == sa.bindparam("author"), LINE.c.id == sa.bindparam("line", type_=sa.Uuid()))
        .values(digest=sa.bindparam("value", type_=sa.LargeBinary()))
    )
    while rows:
        values = [{"author": row.author_id, "line": row.id, "value": digest_of(row)} for row in rows]
        connection.execute(update, values)
        last = sa.tuple_(sa.literal(rows[-1].author_id), sa.literal(rows[-1].id, sa.Uuid()))
        rows = connection.execute(query.where(key > last)).all()


def digest_of(row: sa.Row[tuple[object, ...]]) -> bytes:
    """Return the digest of a line, as it was made when a file was read."""
    if row.state not in BOOKED:
        return bytes(16)
    sign, thousandths = "-" if row.amount < 0 else "", abs(row.amount)
    written = f"{sign}{thousandths // 1000}.{thousandths % 1000:03}".rstrip("0").rstrip(".")
    values = (row.source, row.date.isoformat(), written, row.currency, fold(row.text).replace(" ", ""))
    return blake2b("\x1f".join(values).encode(errors="replace"), digest_size=16).digest()
