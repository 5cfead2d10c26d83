"""Exports of other trackers and of this one, known by the exact names of their columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.csv_export import HEADER
from ledger.statements.columns import Table

# What a row of a kind is: money out or in by its kind, or a reason to leave it out. With "?", it is a booking that
# is proposed to be left out.
OUT, IN = "out", "in"


@dataclass(frozen=True, slots=True)
class Preset:
    """Rules for reading the export of a tracker.

    `names` must all be in the header. `roles` are the columns by name; `kinds` says for the values of the column
    `kind` what the row is, and `beginnings` does so for how these begin. `sign` is how spending is written, and
    `decimal` the character before the decimals; nothing means that the file decides.
    """

    format: str
    names: tuple[str, ...]
    roles: dict[str, str]
    sign: str = ""
    decimal: str = ""
    kind: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    beginnings: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    is_guarded: bool = False
    is_double_entry: bool = False
    may_be_minor: bool = False
    is_whole_header: bool = False

    def kind_of(self, value: str) -> str:
        """Return what a row is by its value in the column `kind`; nothing if that does not matter."""
        folded = value.casefold()
        begun = (kind for beginning, kind in self.beginnings.items() if folded.startswith(beginning))
        return self.kinds.get(folded) or next(begun, "")


PRESETS = (
    Preset(
        "ledger",
        HEADER,
        {name: name for name in ("date", "category", "amount", "currency")} | {"text": "description"},
        sign="plus",
        decimal=".",
        texts=("description",),
        is_guarded=True,
        is_whole_header=True,
    ),
    Preset(
        "firefly",
        ("journal_id", "transaction_type", "asset_account_name", "amount"),
        {
            "date": "date", "amount": "amount", "currency": "currency_code", "payee": "opposing_account_name",
            "category": "category_name", "id": "journal_id", "account": "asset_account_name",
        },
        sign="minus",
        kind="transaction_type",
        kinds={"transfer": "?transfer", "opening balance": "balance", "reconciliation": "balance"},
        texts=("description", "opposing_account_name"),
    ),
    Preset(
        "firefly",
        ("type", "amount", "date", "source_name", "destination_name"),
        {
            "date": "date", "amount": "amount", "currency": "currency_code", "payee": "destination_name",
            "payer": "source_name", "category": "category", "id": "journal_id",
        },
        kind="type",
        kinds={
            "withdrawal": OUT, "deposit": IN, "transfer": "transfer", "opening balance": "balance",
            "reconciliation": "balance", "liability credit": "balance",
        },
        texts=("description", "source_name", "destination_name"),
    ),
    Preset(
        "actual",
        ("account", "date", "payee", "notes", "category", "amount"),
        {"date": "date", "amount": "amount", "payee": "payee", "category": "category", "account": "account"},
        sign="minus",
        texts=("payee", "notes"),
    ),
    Preset(
        "ezbookkeeping",
        ("time", "timezone", "type", "category", "sub category", "account", "amount"),
        {
            "date": "time", "amount": "amount", "currency": "account currency", "category": "sub category",
            "account": "account",
        },
        kind="type",
        kinds={"expense": OUT, "income": IN, "transfer": "transfer", "balance modification": "balance"},
        texts=("description",),
    ),
    Preset(
        "mint",
        ("date", "description", "original description", "amount", "transaction type", "category", "account name"),
        {
            "date": "date", "amount": "amount", "payee": "description", "category": "category",
            "account": "account name",
        },
        kind="transaction type",
        kinds={"debit": OUT, "credit": IN},
        texts=("description", "original description"),
    ),
    Preset(
        "ynab",
        ("account", "date", "payee", "memo", "outflow", "inflow"),
        {
            "date": "date", "out": "outflow", "in": "inflow", "payee": "payee", "category": "category",
            "account": "account",
        },
        kind="payee",
        beginnings={"transfer :": "?transfer"},
        texts=("payee", "memo"),
    ),
    Preset(
        "monarch",
        ("date", "merchant", "category", "account", "original statement", "notes", "amount", "tags"),
        {"date": "date", "amount": "amount", "payee": "merchant", "category": "category", "account": "account"},
        sign="minus",
        kind="category",
        kinds={"transfer": "?transfer", "credit card payment": "?transfer", "balance adjustments": "balance"},
        texts=("merchant", "original statement", "notes"),
    ),
    Preset(
        "copilot",
        ("date", "name", "amount", "status", "category", "parent category", "excluded", "type", "account"),
        {
            "date": "date", "amount": "amount", "status": "status", "payee": "name", "category": "category",
            "account": "account",
        },
        sign="plus",
        kind="type",
        kinds={"internal transfer": "?transfer"},
        texts=("name", "note"),
    ),
    Preset(
        "splitwise",
        ("date", "description", "category", "cost", "currency"),
        {"date": "date", "amount": "cost", "currency": "currency", "text": "description", "category": "category"},
        sign="plus",
        kind="category",
        kinds={"payment": "?payment"},
        texts=("description",),
    ),
    Preset(
        "spliit",
        ("date", "description", "category", "currency", "cost", "is reimbursement", "split mode"),
        {"date": "date", "amount": "cost", "currency": "currency", "text": "description", "category": "category"},
        sign="plus",
        kind="is reimbursement",
        kinds={"yes": "?payment"},
        texts=("description",),
        is_guarded=True,
    ),
    Preset(
        "ihatemoney",
        ("date", "what", "amount", "payer_name", "payer_weight", "owers"),
        {"date": "date", "amount": "amount", "currency": "currency", "text": "what"},
        sign="plus",
        kind="bill_type",
        kinds={"reimbursement": "?payment"},
        texts=("what",),
    ),
    Preset(
        "expenseowl",
        ("id", "name", "category", "amount", "date", "tags"),
        {"date": "date", "amount": "amount", "payee": "name", "category": "category", "id": "id"},
        sign="minus",
        texts=("name",),
    ),
    Preset(
        "monefy",
        ("date", "account", "category", "amount", "currency", "converted amount", "description"),
        {
            "date": "date", "amount": "amount", "currency": "currency", "category": "category",
            "account": "account",
        },
        sign="minus",
        kind="category",
        beginnings={"to '": "?transfer", "from '": "?transfer", "initial balance '": "balance"},
        texts=("description",),
    ),
    Preset(
        "homebank",
        ("date", "payment", "payee", "memo", "amount", "category", "tags"),
        {"date": "date", "amount": "amount", "payee": "payee", "category": "category"},
        sign="minus",
        kind="payment",
        kinds={"5": "?transfer"},
        texts=("payee", "memo", "info", "number"),
    ),
    Preset(
        "homebank",
        ("date", "paymode", "info", "payee", "memo", "amount", "category", "tags"),
        {"date": "date", "amount": "amount", "payee": "payee", "category": "category"},
        sign="minus",
        kind="paymode",
        kinds={"5": "?transfer"},
        texts=("payee", "memo", "info"),
    ),
    Preset(
        "moneyforward",
        ("計算対象", "日付", "内容", "金額（円）", "保有金融機関", "大項目", "振替"),
        {
            "date": "日付", "amount": "金額（円）", "payee": "内容", "category": "大項目", "id": "id",
            "account": "保有金融機関",
        },
        sign="minus",
        kind="振替",
        kinds={"1": "?transfer"},
        texts=("内容",),
    ),
    Preset(
        "gnucash",
        ("date", "transaction id", "description", "full account name", "amount num."),
        {"date": "date", "amount": "amount num.", "currency": "commodity/currency", "text": "description"},
        sign="minus",
        texts=("description", "notes", "memo"),
        is_double_entry=True,
    ),
    Preset(
        "monzo",
        ("id", "created", "amount", "currency", "local_amount", "local_currency"),
        {
            "date": "created", "amount": "amount", "currency": "currency", "category": "category", "id": "id",
            "text": "description",
        },
        sign="minus",
        texts=("description", "address", "notes"),
        may_be_minor=True,
    ),
)  # fmt: skip


def find_preset(header: Sequence[str]) -> Preset | None:
    """Return the preset of the tracker that writes this header; the one with the most names if several fit."""
    names = [name.strip().casefold() for name in header]
    # A tracker that does not name currencies does not write a column of them.
    fitting = [
        preset
        for preset in PRESETS
        if set(preset.names) <= set(names) and ("currency" in preset.roles or "currency" not in names)
    ]
    whole = [preset for preset in fitting if not preset.is_whole_header or tuple(names) == preset.names]
    return max(whole, key=lambda preset: len(preset.names), default=None)


def apply_preset(preset: Preset, table: Table) -> None:
    """Give the columns of the table the roles that the preset says."""
    indexes = {name.strip().casefold(): index for index, name in reversed(list(enumerate(table.header)))}
    table.roles = {role: indexes[name] for role, name in preset.roles.items() if name in indexes}
    if preset.kind in indexes:
        table.roles["kind"] = indexes[preset.kind]
    table.texts = [indexes[name] for name in preset.texts if name in indexes]
