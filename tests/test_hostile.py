"""Hostile requests to every URL: no crash, no data of another user shown or changed, no markup injected.

`FUZZ_EXAMPLES` says how many requests are tried at each address.
"""

import gc
import inspect
import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from urllib.parse import parse_qsl, urlsplit
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update
from uuid_utils.compat import uuid7
from werkzeug import Response
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.http import parse_cookie
from werkzeug.test import create_environ, run_wsgi_app
from wtforms.form import FormMeta

import account_forms
import category_forms
import forms
import import_forms
import security_forms
from app import app as application
from database import Base, db
from database.engine import SAFE_METHODS
from ledger import categories, operations, security_events
from ledger.categories import get_categories
from models import Expense, ExpenseChange, Operation, RecurringExpense, RowChange
from tests.browsing import Visitor, empty_tables, form_values, read
from tests.statements import STATEMENT, store_draft

# Werkzeug leaves the files of a body that ends too early to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RULES = list(application.url_map.iter_rules())
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 5)

# What is only Bob's. No grouping of digits hides the amount.
BOBS_NAME, BOBS_WORDS, BOBS_CATEGORY, BOBS_AMOUNT = "canary7531", "canary of words", "canary kind", "7531902.46"
SECRETS = re.compile(r"canary|7[\W]?531[\W]?902|75[\W]31[\W]902")
# Escaped or percent-encoded, none of its three marks is left as it was.
MARKUP = "<zq1 onzq=1>zq2\"zq3'"
UNESCAPED = re.compile("<zq1|zq2\"|zq3'")
LINE = "x\r\nX-Zq: 1\r\n\r\n"

HOSTILE = [
    *(
        MARKUP,
        LINE,
        "\0",
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\ufeff",
        "é",
        "😀" * 200,
        "ﷺ" * 200,
        " ",
        "\n",
    ),
    *("-1", "0", "1e999", "NaN", "sNaN", "Infinity", "1_000", "٣", "0.0000000001", "9" * 30, "-" + "9" * 400),
    *("2147483648", "9223372036854775808", "0x10", "true", "null", "[]", "{}", "%", "%00", "%ff", "_", "\\", "+"),
    *("0000-00-00", "0001-01-01", "9999-12-31", "2026-02-30", "9999999-01-01", "2026-13", "0000", "9999-99"),
    *(
        "00000000-0000-0000-0000-000000000000",
        "f" * 32,
        f"2026-03-01_{'f' * 36}",
        "1_2",
        "_",
        "-0_",
        "1" * 30 + "_x",
    ),
    *("' OR 1=1 --", '"; DROP TABLE user; --', "{{ 7*7 }}", "${7*7}", "../../etc/passwd", "=cmd()", "a" * 5000),
    *(
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/x\t//evil",
        "http://[",
    ),
]
HEADERS = [
    *("HOST", "X_FORWARDED_HOST", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_PREFIX", "FORWARDED"),
    *("REFERER", "ORIGIN", "ACCEPT_LANGUAGE", "ACCEPT", "ACCEPT_ENCODING", "USER_AGENT", "AUTHORIZATION", "RANGE"),
    *("IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_RANGE", "X_CSRFTOKEN", "X_HTTP_METHOD_OVERRIDE", "X_ORIGINAL_URL"),
]
HEADER_VALUES = [
    *(MARKUP, "", "é\xff", "a" * 5000, ",,;q=,", "evil.example", "evil.example:99999", "[::1", "a b", "null", "*"),
    *("https://evil.example/", "http://[", "//evil.example", "bytes=0-", "bytes=-1,5-2", "Basic \xff", "DELETE"),
    *("de-DE,ar;q=0.9", "hi_IN@x", "zz-ZZ-zz", "de-" * 500, "../../x", '"\\', "Thu, 99 Foo 0000", "/admin"),
]
COOKIES = [
    "",
    "=",
    "\xff",
    "remember_token=\xe9|\xe9",
    "remember_token=1|" + "0" * 128,
    "session=.eJw\xff; session",
]
KINDS = [
    *("application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=other", "\xff", ""),
    *("multipart/form-data; boundary=" + "b" * 500, "application/x-www-form-urlencoded; charset=utf-16"),
]
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW", "get", "<zq1"]


def names():
    """Every name that a form or a table knows."""
    modules = (forms, account_forms, security_forms, category_forms, import_forms)
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, FormMeta)}
    fields = {
        name
        for form_class in classes
        for name in dir(form_class)
        if hasattr(getattr(form_class, name), "field_class")
    }
    columns = {column.name for table in Base.metadata.sorted_tables for column in table.columns}
    return sorted(fields | columns | {"csrf_token", "_method", "", "amount[]"})


NAMES = names()


def snapshot():
    """Every row of every table."""
    with application.app_context():
        return {
            table: sorted(map(dict, db.session.execute(select(table)).mappings()), key=str)
            for table in Base.metadata.sorted_tables
        }


def owners_of_changes(before, after):
    """The ids of the people of whom a row came, went or changed, but for failed logins, of which they are told."""
    changed = [
        row
        for table in before
        for row in [*before[table], *after[table]]
        if (row in before[table]) != (row in after[table])
    ]
    return {
        next(row[name] for name in ("author_id", "user_id", "id") if name in row)
        for row in changed
        if row.get("kind") not in security_events.FAILURES
    }


class World:
    """Ana, a stranger, and Bob, who does nothing: they have expenses, deleted ones and changed ones."""

    def __init__(self):
        self.ana, self.bob = Visitor(application).register("ana"), Visitor(application).register(BOBS_NAME)
        for person, amount, words in ((self.ana, "12.50", "tea"), (self.bob, BOBS_AMOUNT, BOBS_WORDS)):
            for _ in range(3):
                person.add(amount, description=words, date="2026-03-01", frequency="month")
            gone, changed, _left = person.expenses()
            person.post(f"/expenses/{gone.id}/delete")
            person.fill(f"/expenses/{changed.id}/edit", description=f"{words}, changed")
        self.statement = str(store_draft(self.ana))
        self.bobs_statement = str(store_draft(self.bob, STATEMENT.replace(b"Coffee bar", BOBS_WORDS.encode())))
        with application.app_context():
            self.ids = {person: person.user().id for person in (self.ana, self.bob)}
            bob = self.bob.user()
            with operations.record(bob, "add_category", datetime.now(UTC)) as operation:
                categories.add(bob, operation, f"{BOBS_CATEGORY} of his own")
            for table in (Expense, RecurringExpense):
                bobs = update(table).where(table.author_id == self.ids[self.bob])
                db.session.execute(bobs.values(category=BOBS_CATEGORY))
            bobs = update(ExpenseChange).where(ExpenseChange.author_id == self.ids[self.bob])
            for name in ("category", "new_category"):
                is_set = ExpenseChange.__table__.c[name].is_not(None)
                db.session.execute(bobs.where(is_set).values({name: BOBS_CATEGORY}))
            bobs = update(RowChange).where(RowChange.author_id == self.ids[self.bob])
            db.session.execute(bobs.values(label=BOBS_CATEGORY))
            db.session.commit()
        self.own = [str(row.id) for row in self.ana.expenses()]
        self.foreign = [str(row.id) for row in self.bob.expenses()]
        with application.app_context():
            mine, theirs = (str(get_categories(each.user())[-1].id) for each in (self.ana, self.bob))
            anas = select(Operation.id).where(Operation.author_id == self.ids[self.ana])
            self.operation = str(db.session.scalars(anas).first())
        self.category = mine
        self.foreign += [theirs, self.bobs_statement]
        self.stranger = Visitor(application)
        self.tokens = {visitor: visitor.token() for visitor in (self.ana, self.stranger)}
        self.forms, self.seen = defaultdict(list), defaultdict(set)
        for visitor in (self.ana, self.stranger):
            for rule in RULES:
                if rule.endpoint not in {"static", "export_account"} and "GET" in rule.methods:
                    self.look(read(visitor.get(self.path(rule.rule))))
        # The form that swaps two names appears after a name was refused.
        taken = self.ana.fill(f"/categories/{self.category}/edit", name="Food")
        self.look(read(taken))
        # A good token is sent on purpose only.
        del self.seen["csrf_token"]
        self.cookies = {
            visitor: visitor.client.get_cookie("session").value for visitor in (self.ana, self.stranger)
        }
        self.rows = snapshot()
        # Operations have ids as well, and Bob's are on no page of Ana's.
        owners = self.rows[Operation.__table__]
        self.foreign += [str(row["id"]) for row in owners if row["author_id"] == self.ids[self.bob]]

    def path(self, rule):
        """The URL of a rule, with a row of Ana's where it needs one."""
        values = {"category_id": self.category, "operation_id": self.operation}
        values |= {"statement_id": self.statement, "number": "2"}
        values |= {"month": "2026-03", "year": "2026", "filename": "app.css"}
        return re.sub(r"<(?:[^<>]+:)?(\w+)>", lambda match: values.get(match[1], self.own[0]), rule)

    def look(self, page):
        """Note the forms of a page by where they lead, and every value that it has for a name."""
        for form in page.all("form"):
            controls = [*form.all(), *(page.all(form=form["id"]) if "id" in form.attributes else [])]
            values = dict.fromkeys((element["name"] for element in controls if "name" in element.attributes), "")
            self.forms[endpoint(form["action"], form["method"].upper())].append(values | form_values(form))
        for control in page.all():
            if "name" in control.attributes:
                options = control.all("option") or [control]
                self.seen[control["name"]] |= {option.get("value", "y") for option in options}
            for name, value in parse_qsl(urlsplit(control.get("href", "")).query):
                self.seen[name].add(value)

    def restore(self):
        """Restore everything."""
        with application.app_context():
            for table in reversed(Base.metadata.sorted_tables):
                db.session.execute(delete(table))
            for table, rows in self.rows.items():
                if rows:
                    db.session.execute(insert(table), rows)
            db.session.commit()


def endpoint(address, method):
    """The name of the view that answers."""
    try:
        return application.url_map.bind("").match(urlsplit(address).path, method)[0]
    except HTTPException:
        return None


@pytest.fixture(scope="module")
def world(migrated):
    """The same world for every request: what one changes is put back."""
    empty_tables(migrated)
    kept = dict(migrated.config)
    migrated.config.update(THROTTLE_ACCOUNT=0, THROTTLE_ADDRESS=0)
    yield World()
    gc.collect()
    migrated.config.update(kept)


@dataclass
class Attack:
    """A request, byte for byte, and who sends it."""

    as_ana: bool
    with_token: bool
    method: str
    path: bytes
    query: bytes
    body: bytes
    environ: dict[str, str]

    def send(self) -> Response:
        raw = {"PATH_INFO": self.path.decode("latin-1"), "QUERY_STRING": self.query.decode("latin-1")}
        environ = create_environ(method=self.method, data=self.body, environ_overrides=raw | self.environ)
        return answer(environ)


def answer(environ):
    """The response of the application to a request."""
    body, status, headers = run_wsgi_app(application, environ, buffered=True)
    return Response(body, status, headers)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


@st.composite
def attacks(draw, world, rule):
    """A request for a URL of this rule, usually one that a browser would send, except for a detail or two."""

    def one(*choices):
        return draw(st.sampled_from(choices))

    def value(name):
        plausible = st.sampled_from(sorted(world.seen.get(name, {""})) + world.own)
        hostile, foreign = st.sampled_from(HOSTILE), st.sampled_from(world.foreign)
        anything = st.text(st.characters(), max_size=20) | st.binary(max_size=20)
        return as_bytes(draw(one(plausible, hostile, foreign, anything, st.just(MARKUP))))

    def pairs(likely):
        names = one(likely, likely, likely, NAMES)
        return [
            (as_bytes(name), value(name))
            for name in draw(st.lists(st.sampled_from(names or NAMES), min_size=1, max_size=3))
        ]

    def encoded(fields):
        # A server hands bytes beyond ASCII on as they came; line ends and spaces would end the address.
        keep = one(*([b""] * 3), bytes({*range(0x21, 0x100)} - set(b"&#%+=")))
        return b"&".join(b"=".join(bytes_or_quoted(part, keep) for part in pair) for pair in fields)

    def multipart(fields):
        file = one("", f'; filename="{one("a.csv", "", "../x", "é")}"\r\nContent-Type: text/csv')
        parts = [
            b'--zq\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (n, file.encode(), v)
            for n, v in fields
        ]
        return b"".join(parts) + one(b"--zq--\r\n", b"--zq", b"")

    ids = one(
        *(world.own[0], world.own[-1], world.category, world.statement),
        *(*world.foreign[:2], world.bobs_statement, str(uuid7()), None),
    )
    rule_path = re.sub("<int[^<>]*:number>", "2", rule.rule).encode()
    path = re.sub(b"<.*?>", lambda _: value("id") if ids is None else ids.encode(), rule_path)
    path = one(path, path, world.path(rule.rule).encode())
    meant = sorted(rule.methods & {"GET", "POST"})
    method = one(one(*meant), one(*meant), one(*meant), one(*METHODS))

    as_ana, with_token = one(True, True, True, False), one(True, True, True, False)
    visitor = world.ana if as_ana else world.stranger
    fields = one(*world.forms.get(rule.endpoint, [{}]))
    sent = {as_bytes(name): as_bytes(text) for name, text in fields.items()} | dict(pairs([*fields]))
    sent[b"csrf_token"] = world.tokens[visitor].encode() if with_token else value("csrf_token")
    with_token = sent[b"csrf_token"] == world.tokens[visitor].encode()
    kind = one(*(["application/x-www-form-urlencoded"] * 6), *(["multipart/form-data; boundary=zq"] * 3), *KINDS)
    body = multipart(sent.items()) if "multipart" in kind else encoded(sent.items())
    if "json" in kind:
        body = one(
            json.dumps({str(name): [str(text), {}, 1e999] for name, text in sent.items()}).encode(),
            b"{",
            b"[1]",
            b"\xff",
        )
    if method not in {"POST", "PUT", "PATCH", "DELETE"}:
        kind, body = "", b""

    header = st.sampled_from(HEADERS)
    text = st.sampled_from(HEADER_VALUES) | st.text(
        st.characters(min_codepoint=32, max_codepoint=255), max_size=20
    )
    headers = draw(st.dictionaries(header, text, max_size=2))
    session = one(*([f"session={world.cookies[visitor]}"] * 9), "session=" + world.cookies[visitor][:-3], "")
    cookies = "; ".join(filter(None, (session, one("", "", one("", *COOKIES)))))
    environ = {f"HTTP_{name}": text for name, text in headers.items()}
    environ |= {
        "HTTP_COOKIE": cookies,
        "CONTENT_TYPE": kind,
        "wsgi.url_scheme": one("http", "http", "http", "https"),
    }
    # Parameters that a view reads directly are found in its source.
    source = inspect.getsource(inspect.unwrap(application.view_functions[rule.endpoint]))
    query = encoded(pairs([*re.findall(r'"(\w+)"', source), *fields, "text"]))
    return Attack(as_ana, with_token, method, path, query, body, environ)


def bytes_or_quoted(data, keep):
    return b"".join(bytes([byte]) if byte in keep else b"%%%02X" % byte for byte in data)


def text_of(response):
    """The text of an answer, or those of the files in an export."""
    content = response.get_data()
    if response.mimetype != "application/zip" or not content:
        return content.decode()
    with ZipFile(BytesIO(content)) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())


def check(method, response):
    """Assert what holds for every answer of all."""
    text = text_of(response)
    headers = response.headers.copy()
    # A random name may contain the digits of the secret amount by chance.
    assert re.fullmatch("[0-9a-f]{12}", headers.pop("X-Request-ID"))
    header_text = str(headers)
    assert response.status_code < 500
    assert not SECRETS.search(text)
    assert not SECRETS.search(header_text)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Zq" not in response.headers
    assert re.fullmatch(r"(/(?![/\\])[!-\[\]-~]*)?", response.headers.get("Location", ""))
    if response.mimetype == "text/html":
        assert not UNESCAPED.search(text)
        assert "Traceback" not in text
    if response.status_code >= 400 and method != "HEAD":
        assert 'class="brand"' in text


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=str)
@settings(max_examples=EXAMPLES, deadline=None, print_blob=True)
@given(data=st.data())
def test_nothing_that_is_sent_does_harm(world, rule, data):
    attack = data.draw(attacks(world, rule), label="attack")

    try:
        response = attack.send()
        check(attack.method, response)
        cookies = attack.environ["HTTP_COOKIE"]
        # What was sent may be seen on the next pages only: in a message, or kept for after the login.
        for _ in range(2):
            if "Location" in response.headers:
                cookies = "; ".join(f"{name}={value}" for name, value in kept_cookies(cookies, response).items())
                response = answer(create_environ(response.location, headers={"Cookie": cookies}))
                check("GET", response)
    finally:
        after = snapshot()
        if after != world.rows:
            world.restore()

    changed = owners_of_changes(world.rows, after)
    ana, bob = world.ids[world.ana], world.ids[world.bob]
    assert bob not in changed
    assert attack.as_ana or ana not in changed
    assert not changed or (attack.with_token and attack.method not in SAFE_METHODS)


def kept_cookies(cookies, response):
    """The cookies of a browser after a response."""
    jar = dict(parse_cookie(cookies))
    for line in response.headers.getlist("Set-Cookie"):
        jar |= parse_cookie(line.partition(";")[0])
    return jar


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "endpoint",
    [
        *("list_expenses", "add_to_list", "add_expense", "edit_expense", "change_expenses"),
        *("save_budgets", "add_category", "edit_category", "merge_category"),
        *("post_due", "edit_recurring", "add_early", "swap_categories"),
        *("review_import", "choose_columns", "review_payee"),
    ],
)
def test_markup_in_any_one_field_comes_back_escaped(world, endpoint, method):
    rule = next(rule for rule in RULES if rule.endpoint == endpoint)
    if method not in rule.methods:
        pytest.skip("not an address of this method")
    path = world.path(rule.rule)
    assert world.forms[endpoint]
    for fields in world.forms[endpoint]:
        for name in set(fields) - {"csrf_token"}:
            changed = {name: MARKUP} | ({"csrf_token": world.tokens[world.ana]} if method == "POST" else {})
            sent = {"query_string" if method == "GET" else "data": (fields if method == "POST" else {}) | changed}
            cookies = f"session={world.cookies[world.ana]}"
            response = answer(create_environ(path, method=method, headers={"Cookie": cookies}, **sent))
            check(method, response)
            if "Location" in response.headers:
                check("GET", answer(create_environ(response.location, headers={"Cookie": cookies})))
    world.restore()
