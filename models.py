"""Tables: users, sessions, categories, budgets, expenses, history, recurring expenses, statements, throttling.

Also those of the accounts: invitations, password resets, two-factor authentication and security events.
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates
from uuid_utils.compat import uuid7
from werkzeug.security import check_password_hash, generate_password_hash

import clock
from database import Base, Money, UTCDateTime
from database.month_totals import keep_month_totals
from database.pace import Pace
from database.used_descriptions import keep_used_descriptions
from text import identity_key, search_key


def utc_now() -> datetime:
    """Return the current time, in UTC."""
    return clock.now()


# Every new user begins with these; `messages.CATEGORY_NAMES` has them in the language of the registration.
DEFAULT_CATEGORIES = (
    *("Food", "Housing", "Transport", "Utilities", "Health"),
    *("Entertainment", "Shopping", "Travel", "Education", "Other"),
)


class User(UserMixin, Base):
    """A user account with its settings."""

    __tablename__ = "user"
    USERNAME_MAX = 64
    EMAIL_MAX = 254
    LOCALE_MAX = 32
    LANGUAGE_MAX = 16
    # The last day that every month has.
    FIRST_DAY_MAX = 28
    # OWASP's floor for scrypt at 32 MiB a hash; a hash made otherwise is renewed at the next login.
    HASH_METHOD = "scrypt:32768:8:3"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(USERNAME_MAX))
    username_key: Mapped[str] = mapped_column(sa.String(USERNAME_MAX), unique=True)
    email: Mapped[str] = mapped_column(sa.String(EMAIL_MAX), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    currency: Mapped[str] = mapped_column(sa.String(3), default="USD")
    time_zone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    # How amounts and days are written, such as `de_AT`; empty means as the browser asks.
    locale: Mapped[str] = mapped_column(sa.String(LOCALE_MAX), default="", server_default="")
    # The language of the pages, such as `pt_BR`; empty means as the browser asks.
    language: Mapped[str] = mapped_column(sa.String(LANGUAGE_MAX), default="", server_default="")
    # Months begin on this day and are named after the calendar month in which they begin, or in which they end.
    first_day_of_month: Mapped[int] = mapped_column(default=1, server_default="1")
    named_after_end: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    # The large operation that is not finished.
    running_operation: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    # When an account that its user has deleted is removed. Until then it has no sessions, and logging in keeps it.
    delete_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    expenses: Mapped[list["Expense"]] = relationship(
        back_populates="author",
        order_by="(Expense.date.desc(), Expense.id.desc())",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    categories: Mapped[list["Category"]] = relationship(
        order_by="(Category.position, Category.id)", cascade="all, delete-orphan", passive_deletes=True
    )

    __table_args__ = (
        sa.CheckConstraint(f"length(username) BETWEEN 1 AND {USERNAME_MAX}", "username_length"),
        sa.CheckConstraint(f"length(email) BETWEEN 3 AND {EMAIL_MAX}", "email_length"),
        sa.CheckConstraint("length(currency) = 3", "currency_length"),
        sa.CheckConstraint(
            f"first_day_of_month BETWEEN 1 AND {FIRST_DAY_MAX}", "first_day_of_month_in_every_month"
        ),
    )

    # The raw token of the current session, set when the user is loaded. Not a column.
    __allow_unmapped__ = True
    login_token: str | None = None

    def __init__(self, category_names: Sequence[str] = DEFAULT_CATEGORIES, **columns: Any) -> None:
        """Create a user who begins with these categories. A user that is loaded keeps their own."""
        super().__init__(**columns)
        self.categories = new_categories(category_names)

    @validates("username")
    def set_username_key(self, _name: str, username: str) -> str:
        """Keep the key by which usernames are compared in step with the username."""
        self.username_key = identity_key(username)
        return username

    @validates("email")
    def normalise_email(self, _name: str, email: str) -> str:
        """Store an email address in the form in which addresses are compared."""
        return identity_key(email)

    def set_password(self, password: str) -> None:
        """Store the hash of `password`; takes about 0.2 s on purpose."""
        self.password_hash = generate_password_hash(password, method=self.HASH_METHOD)

    def check_password(self, password: str) -> bool:
        """Tell whether `password` is this user's; takes about 0.2 s on purpose."""
        return check_password_hash(self.password_hash, password)

    def get_id(self) -> str:
        """Return the user and the session for the cookie: `<id>.<token>`."""
        return f"{self.id}.{self.login_token}"


class LoginSession(Base):
    """A session of a user on one device. Deleting the row ends the session, whatever a cookie says."""

    __tablename__ = "login_session"
    USER_AGENT_MAX = 200

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    remember: Mapped[bool]
    user_agent: Mapped[str] = mapped_column(sa.String(USER_AGENT_MAX))


class PasswordReset(Base):
    """A link with which a user can choose a new password before it expires. Using it deletes it."""

    __tablename__ = "password_reset"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    # A hash of the password hash. With another password, the link does not work any more.
    password_mark: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)


class TwoFactor(Base):
    """The authenticator app of a user who has turned two-factor authentication on."""

    __tablename__ = "two_factor"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    # Encrypted with a key that is derived from the secret key of the application.
    secret: Mapped[str] = mapped_column(sa.String(255))
    # The step of 30 seconds, counted from 1970, whose code was used last. No code up to it is accepted again.
    last_step: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class RecoveryCode(Base):
    """A code with which a user who has lost the authenticator app can log in. Using it deletes it."""

    __tablename__ = "recovery_code"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)


class SecurityEvent(Base):
    """Something that happened to the login of a user, such as a failure or a new password.

    One that the administrator caused has neither a user agent nor an address.
    """

    __tablename__ = "security_event"
    KINDS = (
        *("registered", "login", "login_failed", "code_failed", "password_changed", "password_reset"),
        *("email_changed", "two_factor_on", "two_factor_off", "recovery_code_used", "recovery_codes_renewed"),
        "sessions_ended",
    )
    USER_AGENT_MAX = 200
    ADDRESS_MAX = 43

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    # Sorts by time.
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(sa.String(max(map(len, KINDS))))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    user_agent: Mapped[str] = mapped_column(sa.String(USER_AGENT_MAX))
    # That of a network, not of a single device.
    address: Mapped[str] = mapped_column(sa.String(ADDRESS_MAX))

    __table_args__ = (sa.CheckConstraint(f"kind IN {KINDS}", "kind_known"),)


class Expense(Base):
    """Money that a user spent on one day; the amount of a refund is below zero."""

    __tablename__ = "expense"

    CATEGORY_MAX = 64
    DESCRIPTION_MAX = 200
    # Decomposing can make a text many times longer, and PostgreSQL cannot index long ones.
    SEARCH_KEY_MAX = 400

    # The key begins with the owner, so that the table can be spread over many machines by owner, and
    # so that fetching by (owner, id) is the check of ownership.
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    amount: Mapped[Decimal] = mapped_column(Money)
    category: Mapped[str] = mapped_column(sa.String(CATEGORY_MAX))
    description: Mapped[str] = mapped_column(sa.String(DESCRIPTION_MAX), default="")
    description_key: Mapped[str] = mapped_column(sa.String(SEARCH_KEY_MAX), default="")
    date: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)

    author: Mapped[User] = relationship(back_populates="expenses")

    __table_args__ = (
        sa.CheckConstraint("amount <> 0", "amount_not_zero"),
        sa.CheckConstraint(f"amount BETWEEN -{Money.MAX_UNITS} AND {Money.MAX_UNITS}", "amount_within_bounds"),
        sa.CheckConstraint(f"length(category) BETWEEN 1 AND {CATEGORY_MAX}", "category_length"),
        sa.CheckConstraint(f"length(description) <= {DESCRIPTION_MAX}", "description_length"),
        # Both cover the amount: an index that did not would make the sum slower than no index.
        sa.Index(None, "author_id", "date", "id", "amount"),
        sa.Index(None, "author_id", "category", "date", "id", "amount"),
        # For a list sorted by amount.
        sa.Index(None, "author_id", "amount", "id"),
        # Finds the last category of a description, and covers what a search adds up.
        sa.Index(None, "author_id", "description_key", "date", "id", "category", "amount"),
    )

    @validates("description")
    def set_description_key(self, _name: str, description: str) -> str:
        """Keep the key by which descriptions are searched in step with the description."""
        self.description_key = description_key(description)
        return description


keep_month_totals(Expense.__table__)
keep_used_descriptions(Expense.__table__)


def description_key(description: str) -> str:
    """Return the key by which a description is searched, as it is stored."""
    return search_key(description).replace("\0", "")[: Expense.SEARCH_KEY_MAX]


class Operation(Base):
    """One change of a user's data: History lists it, and undoing it is another operation."""

    __tablename__ = "operation"
    KINDS = (
        *("add", "edit", "delete", "bulk_edit", "bulk_delete", "import"),
        *("add_category", "edit_category", "edit_budgets", "delete_category", "merge_categories"),
        *("post_recurring", "skip_recurring", "edit_recurring", "stop_recurring", "resume_recurring"),
        *("delete_recurring", "restore", "undo"),
    )
    LABEL_MAX = 200

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    # Sorts by time, and so tells which of two operations came first.
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(sa.String(max(map(len, KINDS))))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    # The expenses that it touched, and their sum before it; for those that it added, after it.
    count: Mapped[int] = mapped_column(default=0)
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    # The category that was added, edited or deleted, or that another one was merged into; the imported file.
    label: Mapped[str | None] = mapped_column(sa.String(LABEL_MAX))
    # The operation that an undo reverted, which may be purged earlier.
    undoes: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    # While it is running: if this time passes and was not renewed, it was interrupted.
    running_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # While categories with many expenses are being renamed: up to this one, the expenses have the new names.
    last_renamed: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)

    # The expenses that a large operation is changing right now, by their ids in order, and how many it changes in
    # one transaction. Not columns.
    __allow_unmapped__ = True
    piece: Sequence[uuid.UUID] | None = None
    pace: Pace | None = None

    row_changes: Mapped[list["RowChange"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        sa.CheckConstraint(f"kind IN {KINDS}", "kind_known"),
        sa.Index(None, "created_at"),
    )


class ExpenseChange(Base):
    """Change of one expense by an operation: only the values that it changed, before and after.

    A column is NULL where the operation left the value alone, or where there was no expense.
    """

    __tablename__ = "expense_change"
    CHANGES = ("added", "changed", "deleted")

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    # That of the expense, which need not exist any more.
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    change: Mapped[str] = mapped_column(sa.String(max(map(len, CHANGES))))
    amount: Mapped[Decimal | None] = mapped_column(Money)
    new_amount: Mapped[Decimal | None] = mapped_column(Money)
    category: Mapped[str | None] = mapped_column(sa.String(Expense.CATEGORY_MAX))
    new_category: Mapped[str | None] = mapped_column(sa.String(Expense.CATEGORY_MAX))
    description: Mapped[str | None] = mapped_column(sa.String(Expense.DESCRIPTION_MAX))
    new_description: Mapped[str | None] = mapped_column(sa.String(Expense.DESCRIPTION_MAX))
    description_key: Mapped[str | None] = mapped_column(sa.String(Expense.SEARCH_KEY_MAX))
    new_description_key: Mapped[str | None] = mapped_column(sa.String(Expense.SEARCH_KEY_MAX))
    new_date: Mapped[date | None]
    date: Mapped[date | None]
    created_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    new_created_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["author_id", "operation_id"], ["operation.author_id", "operation.id"], ondelete="CASCADE"
        ),
        sa.CheckConstraint(f"change IN {CHANGES}", "change_known"),
        # Answers whether an id was used before, when a form that adds an expense arrives once more.
        sa.Index(
            "ix_expense_change_deleted",
            "author_id",
            "id",
            sqlite_where=sa.text("change = 'deleted'"),
            postgresql_where=sa.text("change = 'deleted'"),
        ),
        # A bulk change writes a hundred thousand rows, which the key alone finds and keeps together.
        {"sqlite_with_rowid": False},
    )


class RowChange(Base):
    """Change of one row of another table by an operation: its columns before and after, as JSON.

    There is no `before` for a row that was added and no `after` for one that was deleted; for one that was
    changed, both have only the columns that were.
    """

    __tablename__ = "row_change"
    TABLE_NAME_MAX = 32
    ROW_KEY_MAX = 64

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    table_name: Mapped[str] = mapped_column(sa.String(TABLE_NAME_MAX), primary_key=True)
    row_key: Mapped[str] = mapped_column(sa.String(ROW_KEY_MAX), primary_key=True)
    # The name of the category or the recurring expense at that time.
    label: Mapped[str] = mapped_column(sa.String(Expense.DESCRIPTION_MAX), default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["author_id", "operation_id"], ["operation.author_id", "operation.id"], ondelete="CASCADE"
        ),
    )


class Category(Base):
    """A category of one user. Expenses refer to it by name."""

    __tablename__ = "category"
    # Folding the case can make a name longer.
    KEY_MAX = 4 * Expense.CATEGORY_MAX

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(sa.String(Expense.CATEGORY_MAX))
    name_key: Mapped[str] = mapped_column(sa.String(KEY_MAX))
    position: Mapped[int]
    archived: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        sa.UniqueConstraint("author_id", "name_key"),
        sa.CheckConstraint(f"length(name) BETWEEN 1 AND {Expense.CATEGORY_MAX}", "name_length"),
    )

    @validates("name")
    def set_name_key(self, _name: str, name: str) -> str:
        """Keep the key by which names are compared in step with the name."""
        self.name_key = category_key(name)
        return name


def new_categories(names: Sequence[str]) -> list[Category]:
    """Return the categories of a new user, in this order."""
    return [Category(name=name, position=position) for position, name in enumerate(names, 1)]


def category_key(name: str) -> str:
    """Return the form in which the names of categories are compared."""
    return identity_key(name)[: Category.KEY_MAX]


class Budget(Base):
    """A monthly budget of one category, or of all together, from a month on until the next one replaces it."""

    __tablename__ = "budget"

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    # NULL for the budget of all categories together.
    category_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    # The first day of the first month in which it is valid.
    start_date: Mapped[date]
    # NULL if the budget was removed from this month on.
    amount: Mapped[Decimal | None] = mapped_column(Money)
    # Whether what is left of a month is added to the next one.
    rollover: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["author_id", "category_id"], ["category.author_id", "category.id"], ondelete="CASCADE"
        ),
        sa.UniqueConstraint("author_id", "category_id", "start_date"),
        sa.CheckConstraint(f"amount BETWEEN 0 AND {Money.MAX_UNITS}", "amount_within_bounds"),
    )


class RecurringExpense(Base):
    """An expense that repeats from its start date. The user adds or skips each occurrence."""

    __tablename__ = "recurring_expense"
    FREQUENCIES = ("week", "two-weeks", "month", "quarter", "year")

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    # That of the expense with which it was created, so that sending the form twice creates one.
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Money)
    category: Mapped[str] = mapped_column(sa.String(Expense.CATEGORY_MAX))
    description: Mapped[str] = mapped_column(sa.String(Expense.DESCRIPTION_MAX))
    frequency: Mapped[str] = mapped_column(sa.String(max(map(len, FREQUENCIES))))
    start_date: Mapped[date]
    # Its first occurrence that was neither added nor skipped, stored so that the list need not look for it.
    next_date: Mapped[date]
    # The last day on which it can be due, if there is one.
    end_date: Mapped[date | None]
    stopped: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)

    __table_args__ = (
        sa.CheckConstraint("amount <> 0", "amount_not_zero"),
        sa.CheckConstraint(f"amount BETWEEN -{Money.MAX_UNITS} AND {Money.MAX_UNITS}", "amount_within_bounds"),
        sa.CheckConstraint(f"length(category) BETWEEN 1 AND {Expense.CATEGORY_MAX}", "category_length"),
        sa.CheckConstraint(f"length(description) <= {Expense.DESCRIPTION_MAX}", "description_length"),
        sa.CheckConstraint(f"frequency IN {FREQUENCIES}", "frequency_known"),
    )

    @property
    def is_over(self) -> bool:
        """Whether every occurrence up to the end date was added or skipped."""
        return self.end_date is not None and self.next_date > self.end_date


class Occurrence(Base):
    """A day of a recurring expense that was added or skipped. Its key keeps a day from being added twice.

    Deleting the expense that was added does not make the day due again; undoing the operation does.
    """

    __tablename__ = "occurrence"

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    recurring_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    # The expense that was added, which may be deleted; NULL when the day was skipped.
    expense_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    handled_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["author_id", "recurring_id"],
            ["recurring_expense.author_id", "recurring_expense.id"],
            ondelete="CASCADE",
        ),
        sa.Index(None, "author_id", "expense_id"),
    )


class Draft(Base):
    """A form that was sent after the session had ended, and is too long for a cookie."""

    __tablename__ = "draft"

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    path: Mapped[str] = mapped_column(sa.Text)
    # The names and values of the fields, in their order.
    fields: Mapped[list[tuple[str, str]]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Statement(Base):
    """A bank statement or another tracker's export: a draft until its lines are added.

    Its lines are complete once it has its `content`, which is dropped when they are added.
    """

    __tablename__ = "statement"
    SOURCE_MAX = 100
    FORMAT_MAX = 16
    FILE_NAME_MAX = 200
    # Hexadecimal, 128 bits.
    HASH_LENGTH = 32
    COMPARED_WITH_MAX = 80

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    # The bank account that the file names, or that the user typed. Empty when neither did.
    source: Mapped[str] = mapped_column(sa.String(SOURCE_MAX))
    format: Mapped[str] = mapped_column(sa.String(FORMAT_MAX))
    file_name: Mapped[str] = mapped_column(sa.String(FILE_NAME_MAX))
    file_hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH))
    # The same for all files of one kind from one bank, which share a layout.
    signature: Mapped[str] = mapped_column(sa.String(HASH_LENGTH))
    layout: Mapped[str] = mapped_column(sa.Text)
    balances_agree: Mapped[bool | None]
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    # What the preview shows, as long as nothing has changed it.
    preview: Mapped[str | None] = mapped_column(sa.Text, deferred=True)
    # Operations after this id may have renamed categories of lines; if it is NULL, any since the file was read.
    names_since: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    # The user's data at the time when the lines were compared with it.
    compared_with: Mapped[str | None] = mapped_column(sa.String(COMPARED_WITH_MAX))
    start_date: Mapped[date | None]
    end_date: Mapped[date | None]
    read_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    added_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        sa.CheckConstraint("undone_at IS NULL OR added_at IS NOT NULL", "undone_after_added"),
        sa.Index(None, "author_id", "signature"),
    )


class StatementLine(Base):
    """A record of a statement: draft, memory of what was seen, and source of categories for the same payee.

    Its id is that of the expense that it becomes, so that nothing is added twice.
    """

    __tablename__ = "statement_line"
    TEXT_MAX = 500
    BANK_ID_MAX = 100
    PAYEE_MAX = 200
    # Added with its statement, left out by the user or by a rule, or removed by an undo of this line alone. The
    # others are not bookings, or cannot be read.
    STATES = ("add", "skip", "undone", "pending", "left_out", "bad")
    BOOKED = STATES[:3]
    # Why it counts as one that is here already: an equal line was added, one with the same bank id, one with
    # another text, one whose expense was deleted since, one that was left out; or such an expense was typed.
    DUPLICATES = ("", "same", "same_id", "reworded", "deleted", "seen", "typed")
    REASON_MAX = 32

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True, default=uuid7)
    statement_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    line_number: Mapped[int]
    # A file can hold lines of several accounts.
    source: Mapped[str] = mapped_column(sa.String(Statement.SOURCE_MAX))
    date: Mapped[date | None]
    # Above zero for money that came in.
    amount: Mapped[Decimal | None] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(sa.String(3))
    text: Mapped[str] = mapped_column(sa.String(TEXT_MAX))
    # The key of the description that the expense gets.
    text_key: Mapped[str] = mapped_column(sa.String(Expense.SEARCH_KEY_MAX))
    bank_id: Mapped[str] = mapped_column(sa.String(BANK_ID_MAX))
    payee: Mapped[str] = mapped_column(sa.String(PAYEE_MAX))
    payee_key: Mapped[str] = mapped_column(sa.String(PAYEE_MAX))
    category: Mapped[str] = mapped_column(sa.String(Expense.CATEGORY_MAX))
    state: Mapped[str] = mapped_column(sa.String(max(map(len, STATES))))
    # Why a rule leaves it out, whatever is known already.
    reason: Mapped[str] = mapped_column(sa.String(REASON_MAX))
    duplicate: Mapped[str] = mapped_column(sa.String(max(map(len, DUPLICATES))))
    # The line or the expense that it matches, if it counts as one that is here already.
    expense_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["author_id", "statement_id"], ["statement.author_id", "statement.id"], ondelete="CASCADE"
        ),
        sa.CheckConstraint(f"state IN {STATES}", "state_known"),
        sa.CheckConstraint(f"duplicate IN {DUPLICATES}", "duplicate_known"),
        sa.CheckConstraint(
            f"state NOT IN {BOOKED} OR (date IS NOT NULL AND amount <> 0)", "bookings_have_date_and_amount"
        ),
        sa.CheckConstraint(f"amount BETWEEN -{Money.MAX_UNITS} AND {Money.MAX_UNITS}", "amount_within_bounds"),
        sa.Index(None, "author_id", "statement_id", "payee_key"),
        # Finds what is known of the days of a statement.
        sa.Index(None, "author_id", "date"),
    )


class Invitation(Base):
    """A link with which one person can register before it expires. Registering deletes it.

    It belongs to no user: the administrator creates it, and it is found by its token alone.
    """

    __tablename__ = "invitation"
    NOTE_MAX = 100

    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    # Whom it is for, in the words of the administrator.
    note: Mapped[str] = mapped_column(sa.String(NOTE_MAX))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Throttle(Base):
    """Failed attempts of one kind, such as those at one account or from one network address.

    `started_at` is when the first of them was, or when the wait that they led to began. `waits` is how many times
    the next wait has been doubled. Times are seconds since 1970.
    """

    __tablename__ = "throttle"
    KEY_MAX = 64

    key: Mapped[str] = mapped_column(sa.String(KEY_MAX), primary_key=True)
    started_at: Mapped[int] = mapped_column(sa.BigInteger)
    attempts: Mapped[int]
    waits: Mapped[int] = mapped_column(default=0, server_default="0")
    # After this time, the row has no meaning any more.
    expires_at: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", index=True)


class Backup(Base):
    """A backup that was written, with the number of expenses in it."""

    __tablename__ = "backup"

    taken_at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    expenses: Mapped[int]
