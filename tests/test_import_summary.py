"""The summary of a draft: what the preview shows of it is stored, and made again when something has changed."""

import itertools
import uuid
from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app import app as application
from database import db
from ledger import import_preview
from ledger.import_summary import SECTION, SECTIONS, VERSION, DraftSummary, section_of, summarise_lines
from models import Statement, StatementLine
from tests.browsing import read
from tests.statements import store_draft
from tests.test_import_pages import review, send, values_of

REASONS = ("", "refund", "money_in", "payee_left_out", "currency", "transfer")


def test_a_section_is_the_same_in_a_statement_and_in_memory(ana):
    draft = store_draft(ana)
    kinds = list(itertools.product(StatementLine.STATES, REASONS, StatementLine.DUPLICATES))
    kind_columns = [getattr(StatementLine, name) for name in ("state", "reason", "duplicate")]

    with application.app_context():
        line = db.session.scalars(sa.select(StatementLine).limit(1)).one()
        same = {column.key: getattr(line, column.key) for column in sa.inspect(StatementLine).column_attrs}
        db.session.execute(sa.delete(StatementLine).where(StatementLine.statement_id == draft))
        for state, reason, duplicate in kinds:
            changed = {"id": uuid.uuid4(), "state": state, "reason": reason, "duplicate": duplicate}
            db.session.add(StatementLine(**same | changed))
        db.session.flush()
        found = db.session.execute(sa.select(*kind_columns, SECTION)).all()

    assert {tuple(row[:3]): row[3] for row in found} == {kind: section_of(*kind) for kind in kinds}
    assert {row[3] for row in found} == set(SECTIONS)


def test_a_summary_comes_back_from_its_text():
    def line(number, amount, payee, state="add", reason="", category="Food"):
        compared = uuid.uuid4() if number == 7 else None
        what = (number, date(2026, 1, 31), Decimal(amount), "USD", f"{payee}\n“{number}”")
        return (payee, payee.lower(), category, *what, state, reason, "", compared)

    lines = [line(number, -number, f"Shop {number % 60}") for number in range(1, 100)]
    lines += [line(200, "9.50", "Pay", "skip", "money_in", ""), line(201, "2.00", "Shop 1", reason="refund")]
    summary = summarise_lines(lines)

    back = DraftSummary.from_text(summary.to_text())

    assert back == summary
    assert back.figures.spending == (99, Decimal(-4950))
    assert back.figures.refunds == (1, Decimal("2.00"))
    assert back.figures.sections == dict.fromkeys(SECTIONS, 0) | {"add": 100, "left": 1}
    assert [len(back.payees("add", page)) for page in (1, 2, 3, 4)] == [25, 25, 10, 0]
    assert back.payees("add", 1)[0].name == "Shop 39"


def stored_preview(draft):
    with application.app_context():
        return db.session.scalar(sa.select(Statement.preview).where(Statement.id == draft))


@pytest.mark.parametrize("is_stored", [True, False])
def test_the_preview_is_the_same_whether_its_summary_is_stored(ana, is_stored):
    draft = store_draft(ana)
    before = ana.page(f"/imports/{draft}").one("main").text
    with application.app_context():
        import_preview.forget_summary(ana.user(), draft)
        if is_stored:
            import_preview.store_summary(ana.user(), draft)
        db.session.commit()

    assert bool(stored_preview(draft)) == is_stored
    assert ana.page(f"/imports/{draft}").one("main").text == before


def test_a_summary_that_another_version_stored_is_made_again(ana):
    draft = store_draft(ana)
    before = ana.page(f"/imports/{draft}").one("main").text
    with application.app_context():
        statement = db.session.scalars(sa.select(Statement)).one()
        statement.preview = statement.preview.replace(f'"version": {VERSION}', '"version": 0')
        db.session.commit()

    assert DraftSummary.from_text(stored_preview(draft)) is None
    assert ana.page(f"/imports/{draft}").one("main").text == before


def test_choices_change_the_summary_and_adding_drops_it(ana):
    draft = store_draft(ana)
    before = stored_preview(draft)
    page = ana.page(f"/imports/{draft}")
    payees = values_of(review(page))["payee"]

    page = read(ana.get(send(ana, page, "add", payee=payees[1:]).location))

    assert stored_preview(draft) not in {None, before}
    assert len(values_of(review(page))["payee"]) == 1
    send(ana, page, "add-all")
    assert stored_preview(draft) is None
