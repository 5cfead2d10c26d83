"""Imports: uploading a statement, reviewing what it would add, and adding it."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from database import db
from database.engine import SAFE_METHODS
from import_forms import ColumnsForm, ReviewForm, UploadForm
from ledger import categories, import_drafts, import_preview, imports
from ledger.import_drafts import Reading
from ledger.import_summary import PLAIN_SECTIONS, SECTIONS, DraftSummary
from ledger.pieces import OperationRunningError
from ledger.retention import UNDO_RETENTION
from ledger.statements import Layout, Limits, Person, State, StatementError
from messages import error_message, isolate, join_sentences, list_separator
from models import Operation, Statement
from views.common import flash_message, render_page, today
from views.files import reading_turn, release_database
from views.filters import money_text

MAX_LISTED = 50
# The number of a page or of a payee, small enough for any column.
NUMBER = re.compile("[1-9][0-9]{0,8}")
# How many lines show how a file is read.
SAMPLE_LINES = 5


def upload_limits() -> Limits:
    """Return the limits on a statement that is uploaded."""
    return Limits(current_app.config["IMPORT_MAX_BYTES"], current_app.config["IMPORT_MAX_LINES"])


def allow_large_file() -> None:
    """Accept a larger form where a statement is uploaded; the size of the file is checked later."""
    if request.endpoint == upload_statement.__name__:
        request.max_content_length = 2 * int(current_app.config["IMPORT_MAX_BYTES"])


# --- Uploading


def list_imports() -> ResponseReturnValue:
    """Show the form for a statement, and the statements that were imported."""
    return list_page(UploadForm(formdata=None))


def list_page(form: UploadForm) -> ResponseReturnValue:
    """Answer with the list of imports."""
    statements = import_drafts.list_statements(current_user, MAX_LISTED)
    added = imports.operations_of(current_user, [statement.id for statement in statements])
    return render_page(
        "imports/list.html",
        form=form,
        statements=statements,
        operations=added,
        oldest=clock.now() - UNDO_RETENTION,
        draft_limits=draft_limits(),
    )


def upload_statement() -> ResponseReturnValue:
    """Read a statement and show what it would add."""
    form = UploadForm()
    if not form.validate_on_submit():
        return list_page(form)
    content = form.file.data.read(current_app.config["IMPORT_MAX_BYTES"] + 1)
    try:
        found = read_file(content, form.file.data.filename, form.account.data)
    except StatementError as error:
        form.file.errors = [error_message(error)]
        return list_page(form)
    if problem := unreadable_message(found):
        form.file.errors = [problem]
        return list_page(form)
    statement_id = save_read(found, content, form.file.data.filename, found.is_doubtful)
    if names := import_drafts.purge(clock.now(), current_user):
        flash_message(deleted_message(names))
    return redirect(url_for("choose_columns" if found.is_doubtful else "review_import", statement_id=statement_id))


def draft_limits() -> str:
    """Return the sentence about how many unfinished imports are kept, and how long."""
    days, limit = import_drafts.DRAFT_MAX_AGE.days, import_drafts.MAX_DRAFTS
    return gettext("Unfinished imports are kept for %(days)s days, %(limit)s at most.", days=days, limit=limit)


def deleted_message(names: Sequence[str]) -> str:
    """Return the message about unfinished imports that were deleted."""
    listed = list_separator().join(map(isolate, names))
    return join_sentences([draft_limits(), gettext("Deleted: %(names)s", names=listed)])


def read_file(content: bytes, name: str, account: str, layout: Layout | None = None) -> Reading:
    """Read a statement of the current user, while others can write. Raises StatementError."""
    owner = import_drafts.owner_of(current_user)
    options: dict[str, Any] = {
        "today": today(),
        "person": Person(current_user.locale, current_user.currency, current_user.time_zone),
        "limits": upload_limits(),
    }
    release_database()
    with reading_turn():
        return import_drafts.read_as_before(owner, content, name, account, layout, **options)


def unreadable_message(found: Reading) -> str | None:
    """Return the message about a file of which no line can be read, or None."""
    bad = found.statement.in_state(State.BAD)
    if len(bad) < len(found.statement.lines):
        return None
    number, text = bad[0].line_number, isolate(bad[0].raw[:100])
    return gettext("No line of the file can be read. Line %(number)s: “%(text)s”", number=number, text=text)


def save_read(found: Reading, content: bytes, name: str, is_guess: bool) -> uuid.UUID:
    """Store a statement that was read as a draft; a guess has to be confirmed before it can be added."""
    owner = import_drafts.owner_of(current_user)
    layout = replace(found.statement.layout, is_guess=is_guess)
    statement = replace(found.statement, layout=layout)
    return import_drafts.save_draft(owner, statement, content, name, found.source, clock.now())


# --- Columns


def choose_columns(statement_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for what a file does not say, and show some of its lines as they would be read."""
    draft = draft_or_404(statement_id)
    content = import_drafts.read_content(current_user, statement_id) or b""
    earlier = Layout.from_json(draft.layout)
    found = read_file(content, draft.file_name, draft.source, earlier)
    asked = read_file(content, draft.file_name, draft.source, import_drafts.without_answers(earlier))
    form = ColumnsForm(found=found, asked=asked.statement, currency=current_user.currency, account=draft.source)
    if form.validate_on_submit():
        account = form.account.data if "account" in form else draft.source
        try:
            found = read_file(content, draft.file_name, account, form.layout())
        except StatementError as error:
            form.form_errors.append(error_message(error))
        else:
            if form.go.data != "show":
                return save_columns(draft, found, content)
            form.was_sent = False
    sample = [line for line in found.statement.lines if line.state is not State.LEFT_OUT][:SAMPLE_LINES]
    return render_page("imports/columns.html", form=form, draft=draft, sample=sample)


def save_columns(draft: Statement, found: Reading, content: bytes) -> ResponseReturnValue:
    """Replace a draft by the same statement read in another way."""
    statement_id = save_read(found, content, draft.file_name, found.is_guess)
    import_drafts.discard(current_user, draft.id)
    return redirect(url_for("review_import", statement_id=statement_id))


# --- Review


def draft_or_404(statement_id: uuid.UUID) -> Statement:
    """Return a draft of the current user, or abort: with a redirect to the list if it was added, else with 404."""
    draft = import_drafts.find_draft(current_user, statement_id)
    if draft is None and imports.is_added_or_running(current_user, statement_id):
        abort(redirect(imported_list(statement_id)))
    return draft or abort(404)


def page_number() -> int:
    """Return the page that the URL asks for."""
    text = request.args.get("page", "")
    return int(text) if NUMBER.fullmatch(text) else 1


def shown_section() -> str:
    """Return the section of the lines that the URL asks for."""
    section = request.args.get("show", "add")
    return section if section in SECTIONS else "add"


def review_form(statement_id: uuid.UUID, summary: DraftSummary) -> ReviewForm:
    """Return the form of the preview; while it is sent, its categories keep their names."""
    if request.method not in SAFE_METHODS:
        categories.lock_for_use(current_user)
    names = import_preview.category_names(current_user, statement_id, summary)
    others = request.args.get("others", "")
    return ReviewForm(
        categories=names, others=others if others in names.offered else imports.usual_category(names.offered)
    )


def review_import(statement_id: uuid.UUID) -> ResponseReturnValue:
    """Show what a statement would add, save what is chosen, and add it."""
    try:
        return review_draft(draft_or_404(statement_id))
    except OperationRunningError:
        # Add was pressed twice, or the user has another large operation.
        db.session.rollback()
        if not imports.is_added_or_running(current_user, statement_id):
            raise
        return redirect(imported_list(statement_id))


def review_draft(draft: Statement) -> ResponseReturnValue:
    """Show what a draft would add, save what is chosen, and add it. Raises OperationRunningError."""
    statement_id, layout = draft.id, Layout.from_json(draft.layout)
    if layout.is_guess:
        return redirect(url_for("choose_columns", statement_id=statement_id))
    summary = import_preview.summary_of(current_user, statement_id)
    form = review_form(statement_id, summary)
    if form.validate_on_submit():
        import_preview.save_choices(current_user, statement_id, form.choices, form.money_in.data or "")
        if form.go.data == "add-all":
            db.session.commit()
            return add_import(statement_id, form.others.data)
        import_preview.store_summary(current_user, statement_id)
        db.session.commit()
        return redirect(next_page(statement_id, form))
    section, page = shown_section(), page_number()
    return render_page(
        "imports/review.html",
        form=form,
        draft=draft,
        layout=layout,
        figures=summary.figures,
        section=section,
        **shown_lists(statement_id, section, page, form.renamed, summary),
    )


def shown_lists(
    statement_id: uuid.UUID, section: str, page: int, renamed: Mapping[str, str], summary: DraftSummary
) -> dict[str, Any]:
    """Return the lines of a section that a page shows; next to those to add, the ones to check."""
    lists: dict[str, Any] = {"page": page, "pages": summary.page_count(section)}
    if section in PLAIN_SECTIONS:
        return lists | {"plain": import_preview.plain_lines(current_user, statement_id, section, page)}
    lists["payees"] = import_preview.payees(current_user, summary, section, page, renamed)
    if section == "add" and page == 1:
        lists["doubtful"] = import_preview.payees(current_user, summary, "check", 1, renamed)
        if summary.page_count("bad"):
            lists["plain"] = import_preview.plain_lines(current_user, statement_id, "bad", 1)
    return lists


def next_page(statement_id: uuid.UUID, form: ReviewForm) -> str:
    """Return the URL of the page that a button of the preview leads to."""
    section, _, target = (form.go.data or "").partition(":")
    shown = section if section in SECTIONS else shown_section()
    place: dict[str, Any] = {"show": shown, "others": form.others.data}
    kind, _, number = target.rpartition("-")
    if kind == "payee" and NUMBER.fullmatch(number):
        return url_for("review_payee", statement_id=statement_id, number=number, **place)
    if NUMBER.fullmatch(target):
        place["page"] = target
    return url_for("review_import", statement_id=statement_id, **place)


def review_payee(statement_id: uuid.UUID, number: int) -> ResponseReturnValue:
    """Show all lines of one payee, and save what is chosen."""
    draft = draft_or_404(statement_id)
    form = review_form(statement_id, import_preview.summary_of(current_user, statement_id))
    page = page_number()
    section = shown_section()
    found = import_preview.payee_lines(current_user, statement_id, section, number, page, form.renamed)
    if found is None:
        abort(404)
    if form.validate_on_submit():
        import_preview.save_choices(current_user, statement_id, form.choices, "")
        import_preview.store_summary(current_user, statement_id)
        db.session.commit()
        if NUMBER.fullmatch(go := form.go.data or ""):
            place = {"show": section, "page": go, "others": form.others.data}
            return redirect(url_for("review_payee", statement_id=statement_id, number=number, **place))
        return redirect(next_page(statement_id, form))
    payee, pages = found
    return render_page(
        "imports/payee.html", form=form, draft=draft, payee=payee, page=page, pages=pages, section=section
    )


def add_import(statement_id: uuid.UUID, category: str) -> ResponseReturnValue:
    """Add the lines of a statement and show them in the list."""
    outcome, operation = imports.add(current_user, statement_id, clock.now(), category)
    if outcome == "gone":
        abort(404)
    if outcome == "changed":
        text = gettext("Nothing was added yet: other changes were made meanwhile. Check the list and add again.")
        flash_message(text, "error")
        return redirect(url_for("review_import", statement_id=statement_id))
    if outcome == "nothing":
        flash_message(gettext("Select the expenses first."), "error")
        return redirect(url_for("review_import", statement_id=statement_id))
    if operation is not None:
        flash_message(added_message(operation), undo=operation)
    return redirect(imported_list(statement_id))


def imported_list(statement_id: uuid.UUID) -> str:
    """Return the URL of the expenses that came from a statement."""
    args: dict[str, Any] = {"import": str(statement_id)}
    return url_for("list_expenses", **args)


def added_message(operation: Operation) -> str:
    """Return the message about expenses that were imported."""
    total = money_text(operation.total)
    return ngettext(
        "Imported %(num)d expense, %(total)s.",
        "Imported %(num)d expenses, %(total)s.",
        operation.count,
        total=total,
    )


def discard_import(statement_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a draft."""
    if not import_drafts.discard(current_user, statement_id):
        abort(404)
    flash_message(gettext("Discarded. Nothing was added."))
    return redirect(url_for("list_imports"))
