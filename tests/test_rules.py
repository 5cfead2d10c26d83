"""Rules of the project layout and its conventions."""

import ast
import re
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

import config
import doctor
from app import app as application
from database import Base, db
from ledger.categories import get_categories
from models import Operation, Statement
from tests.browsing import REDIRECTS
from tests.statements import store_draft

ROOT = Path(__file__).parent.parent
# gunicorn.conf.py configures another program.
SOURCES = sorted(
    path
    for pattern in ("*.py", "database/*.py", "ledger/**/*.py", "views/*.py")
    for path in ROOT.glob(pattern)
    if path.name != "gunicorn.conf.py"
)
PYTHON_FILES = sorted({*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")})
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
TEMPLATES = sorted(str(path.relative_to(ROOT / "templates")) for path in ROOT.glob("templates/**/*.html"))
# Every endpoint that works without a login, written out: adding one is a decision.
PUBLIC = {
    *("index", "login", "enter_code", "register", "logout", "forgot_password", "reset_password"),
    *("static", "healthz", "readyz"),
}
WEB = {"flask", "flask_login", "flask_wtf", "wtforms"}
ROUTES = [rule for rule in application.url_map.iter_rules() if rule.endpoint != "static"]


@lru_cache(1_000)
def tree(path):
    """The syntax tree of a file, which several tests look at."""
    return ast.parse(path.read_text())


@lru_cache(1_000)
def imports(path):
    """The top names of the modules that a file imports."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def address(rule, **values):
    """The address of a rule, with an id of nobody where it wants one."""
    with application.test_request_context():
        nobodys = {name: 2 if name == "number" else uuid7() for name in rule.arguments}
        return application.url_for(rule.endpoint, **nobodys | values)


def with_rows(visitor):
    """A visitor who has a row of every kind."""
    visitor.add("1", frequency="month")
    store_draft(visitor)
    return visitor


def row_of(visitor, rule):
    """The id of a row of somebody's, where a rule wants one."""
    with application.app_context():
        user = visitor.user()
        ids = {
            "category_id": get_categories(user)[0].id,
            "operation_id": db.session.scalars(select(Operation.id).where(Operation.author_id == user.id)).one(),
            "statement_id": db.session.scalars(select(Statement.id).where(Statement.author_id == user.id)).one(),
            "number": 2,
        }
    # What repeats has the id of the expense it came from; a month is nobody's row.
    expense_id = visitor.expenses()[0].id
    return {name: ids.get(name, expense_id) for name in rule.arguments}


def everything():
    """Every row of every table, but for the counts of attempts."""
    with application.app_context():
        return {
            table.name: sorted(str(row) for row in db.session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name != "throttle"
        }


# --- Who may import whom


# What each part of the application may import of the others: arrows only point down.
BELOW = {
    "clock": set(),
    "database": set(),
    "text": set(),
    "languages": set(),
    "models": {"clock", "database", "text"},
    "ledger": {"database", "languages", "models", "text"},
    "security": {"database"},
    "logs": {"models"},
    "messages": {"languages", "ledger", "text"},
    "statement_messages": set(),
    "fields": {"ledger", "messages", "text"},
    "forms": {"fields", "ledger", "messages", "models", "security", "text"},
    "account_forms": {"fields", "forms", "languages", "ledger", "messages", "models"},
    "archive_forms": {"account_forms", "forms"},
    "security_forms": {"account_forms", "fields", "forms", "models"},
    "category_forms": {"fields", "forms", "ledger", "models"},
    "import_forms": {"fields", "forms", "ledger", "messages", "models"},
    "views": {
        "account_forms",
        "archive_forms",
        "background",
        "category_forms",
        "clock",
        "database",
        "fields",
        "forms",
        "import_forms",
        "languages",
        "ledger",
        "mail",
        "messages",
        "models",
        "security",
        "security_forms",
        "statement_messages",
        "text",
    },
    "background": set(),
    "mail": set(),
    "static_files": set(),
    "url_prefix": set(),
    "config": {"database", "ledger", "mail", "security", "url_prefix"},
    "doctor": {"clock", "database", "ledger", "mail", "models"},
    "http_server": set(),
    "account_commands": {"clock", "database", "doctor", "ledger", "messages", "models"},
    "archive_commands": {"account_commands", "clock", "database", "doctor", "ledger", "messages", "models"},
    "commands": {
        *("account_commands", "archive_commands", "clock", "database", "doctor", "http_server", "import_command"),
        *("ledger", "models"),
    },
    "import_command": {"account_commands", "clock", "database", "doctor", "ledger", "messages", "models"},
    "app": {
        *("background", "clock", "commands", "config", "database", "ledger", "logs", "models"),
        *("routes", "security", "static_files", "url_prefix", "views"),
    },
    "routes": {"app", "security", "views"},
}


def part_of(path):
    """The part of the application that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_point_down(path):
    part = part_of(path)

    assert imports(path) & BELOW.keys() - {part} <= BELOW[part]


def test_no_part_may_import_what_it_does_not_need():
    needed = {part: set() for part in BELOW}
    for path in SOURCES:
        needed[part_of(path)] |= imports(path) & BELOW.keys() - {part_of(path)}

    assert needed == BELOW


@pytest.mark.parametrize("path", sorted(ROOT.glob("ledger/**/*.py")), ids=lambda path: path.name)
def test_the_domain_knows_no_web(path):
    assert not imports(path) & WEB


# What takes memory and is rarely needed is imported within functions.
LATE = {
    "app.py": {"database.postgresql", "flask_migrate"},
    "commands.py": {"flask_migrate.cli"},
    "ledger/backups.py": {"alembic", "alembic.config"},
    "ledger/encryption.py": {
        *("cryptography.fernet", "cryptography.hazmat.primitives.hashes"),
        "cryptography.hazmat.primitives.kdf.hkdf",
    },
    "ledger/import_drafts.py": {"ledger.statements.reader"},
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_at_their_top_but_for_what_is_rarely_needed(path):
    module = tree(path)
    top = [*module.body, *(child for node in module.body if is_for_types(node) for child in node.body)]
    nested = [
        node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom) and node not in top
    ]

    assert not [node.lineno for node in nested if isinstance(node, ast.Import)]
    assert {node.module for node in nested} == LATE.get(str(path.relative_to(ROOT)), set())


def is_for_types(node):
    """Whether a statement is only for the type checker."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_the_last_line_of_the_application_imports_the_url_map():
    last = tree(ROOT / "app.py").body[-1]

    assert ast.unparse(last) == "import routes"


def test_one_clock_tells_the_time():
    for path in SOURCES:
        if path.name != "clock.py":
            assert not re.search(r"datetime\.now\(|date\.today\(|time\.time\(", path.read_text()), path


def test_nothing_uses_what_flask_is_going_to_remove():
    for path in SOURCES:
        assert not re.search(r"request_ctx|_request_ctx_stack|RequestContext", path.read_text()), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_request_waits_until_another_has_computed_its_own_property(path):
    # Before Python 3.12, functools.cached_property computes one at a time, of all objects. One that asks the
    # database would wait for a transaction that waits for this property. The one of Werkzeug has no lock.
    assert not re.search(r"functools(\.| import .*\b)cached_property", path.read_text())


def test_one_helper_flashes_messages():
    for path in SOURCES:
        calls = re.findall(r"\bflash\(|\bimport .*\bflash\b", path.read_text())
        assert bool(calls) == (path.name == "common.py"), path


def test_views_commit_through_the_engine():
    # What is committed past it is not stopped when the check of a CSRF token has failed. Backups only read.
    for path in [*ROOT.glob("views/*.py"), *ROOT.glob("ledger/**/*.py")]:
        if path.name != "backups.py":
            assert not re.search(r"raw_connection|driver_connection|dbapi_connection|AUTOCOMMIT", path.read_text())


# --- Size and style


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path):
    limits = {"routes.py": 130, "forms.py": 650, "models.py": 650}

    assert len(path.read_text().splitlines()) <= limits.get(path.name, 400)


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_begins_with_a_question_word(path):
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, DOCUMENTED)]
    docstrings = [ast.get_docstring(node) or "" for node in nodes]

    assert [text for text in docstrings if re.match(r"(What|Who|Whose|Where|How|Which|Why)\b", text)] == []


def views():
    """Every view with its file's syntax tree."""
    names = set(application.view_functions)
    for path in sorted(ROOT.glob("views/*.py")):
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef) and node.name in names:
                yield node


@pytest.mark.parametrize("view", list(views()), ids=lambda view: view.name)
def test_a_view_is_short_and_says_in_one_line_what_it_does(view):
    docstring = ast.get_docstring(view)

    assert docstring
    assert len(docstring.splitlines()) == 1
    assert view.end_lineno - view.body[0].lineno <= 30
    assert "request.form[" not in ast.unparse(view)


def test_views_have_a_median_of_ten_lines():
    lengths = sorted(view.end_lineno - view.body[0].lineno for view in views())

    assert len(lengths) > 30
    assert lengths[len(lengths) // 2] <= 10


def test_the_name_of_a_view_is_its_endpoint():
    for rule in ROUTES:
        assert application.view_functions[rule.endpoint].__name__ == rule.endpoint


# --- Every address, as everyone


@pytest.mark.parametrize("rule", ROUTES, ids=str)
def test_a_stranger_is_sent_to_the_log_in_page(stranger, rule):
    if rule.endpoint in PUBLIC:
        pytest.skip("open to everyone")
    for method in rule.methods & {"GET", "POST"}:
        sent = stranger.post(address(rule)) if method == "POST" else stranger.get(address(rule))

        assert sent.status_code in REDIRECTS
        assert re.match(
            r"/login\?next=/(expenses|account|history|imports|months|years|categories|recurring)", sent.location
        )


@pytest.mark.parametrize("rule", [rule for rule in ROUTES if "<uuid:" in rule.rule], ids=str)
def test_for_the_wrong_user_a_row_does_not_exist(ana, bob, rule):
    with_rows(ana)
    before = everything()
    theirs, nobodys = address(rule, **row_of(ana, rule)), address(rule)

    for method in rule.methods - {"OPTIONS", "HEAD"}:
        token = {"csrf_token": bob.token()}
        answers = [bob.client.open(url, method=method, data=token) for url in (theirs, nobodys)]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].data == answers[1].data
    assert everything() == before


@pytest.mark.slow
@pytest.mark.parametrize("rule", ROUTES, ids=str)
def test_reading_changes_nothing(ana, rule):
    with_rows(ana)
    before = everything()
    target = address(rule, **row_of(ana, rule))

    for method in ("GET", "HEAD", "OPTIONS"):
        answer = ana.client.open(target, method=method)
        assert answer.status_code < 500

    assert everything() == before
    assert ana.get("/expenses").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule for rule in ROUTES if "POST" in rule.methods], ids=str)
@pytest.mark.parametrize("token", [{}, {"csrf_token": "x"}], ids=["none", "wrong"])
def test_a_form_without_a_token_changes_nothing(ana, rule, token):
    with_rows(ana)
    before = everything()
    target = address(rule, **row_of(ana, rule))

    answer = ana.client.post(target, data={"amount": "1", "category": "Food", **token})

    # Who is logged in already is led away from some of them.
    expected = dict.fromkeys(("login", "enter_code", "register"), REDIRECTS)
    assert answer.status_code in expected.get(rule.endpoint, {400})
    assert everything() == before
    assert ana.get("/expenses").status_code == 200


# --- Templates


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_holds_no_code_of_its_own(name):
    application.jinja_env.get_template(name)
    text = (ROOT / "templates" / name).read_text()

    assert not re.search(r"\|\s*safe\b|<style|\bstyle=|\bon\w+=\"|javascript:|autoescape", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert "csrf_token" in form


# --- What is written down


def settings_that_are_read():
    """The names of all environment variables that the sources ask for."""
    asking = {
        "os.environ.get": [""],
        "env_list": [""],
        "env_bool": [""],
        "env_secret": ["", "_FILE"],
    }
    return {*config.NUMBERS} | {
        node.args[0].value + ending
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in asking
        and isinstance(node.args[0], ast.Constant)
        for ending in asking[ast.unparse(node.func)]
    }


def test_every_setting_is_in_the_readme_and_in_the_example():
    readme, example = (ROOT / "README.md").read_text(), (ROOT / ".env.example").read_text()
    names = settings_that_are_read()

    assert {"DATABASE_URL", "SECRET_KEY", "HTTPS"} <= names
    for name in names:
        assert f"`{name}`" in readme
        assert re.search(rf"^#? ?{name}=", example, re.MULTILINE)


def test_the_doctor_knows_every_setting():
    assert set(doctor.SETTINGS) == settings_that_are_read()


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()

    accounts = (
        "create-user",
        "reset-password",
        "disable-two-factor",
        "end-sessions",
        "invite",
        "delete-user",
        "export-account",
        "restore-account",
    )
    for name in (
        "serve",
        *accounts,
        "purge",
        "demo",
        "import-statement",
        "backup",
        "restore",
        "doctor",
        "distribute",
    ):
        assert name in application.cli.commands
        assert f"`flask {name}" in readme


def test_the_pictures_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"(?:src|srcset)=\"(docs/[^\"]+)\"|\]\((docs/[^)]+\.png)\)", readme)

    assert pictures
    for pair in pictures:
        assert (ROOT / "".join(pair)).is_file()


def test_nothing_private_is_in_the_repository():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert "app.py" in files
    assert not [
        name for name in files if name.startswith((".venv/", "instance/")) or name.endswith((".db", ".env"))
    ]
