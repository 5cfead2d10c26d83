"""Choosing a language, and that nothing of one page is in the language of another."""

import threading
import time

import pytest
from babel.support import NullTranslations
from sqlalchemy.exc import TimeoutError

import languages
from languages import LANGUAGES, catalogues, closest_language
from ledger import spending
from models import DEFAULT_CATEGORIES, User
from tests.archives import export_of, restore
from tests.browsing import PASSWORD, REDIRECTS, Visitor, at_once, read
from tests.mailbox import serve_mail
from tests.test_account import send
from tests.test_password_resets import ask, use_server
from tests.test_translations import LIST_PAGES

ALL = ("de", "en", "es", "fr", "it", "nl", "pl", "pt_BR", "tr", "uk", "ar", "ja", "zh_Hans")
PUBLIC_PAGES = ["/login", "/register", "/forgot-password", "/reset-password/x"]


class Marked(NullTranslations):
    """Translations that mark every text with the language."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def gettext(self, message):
        return f"⟦{self.code}⟧{message}"

    def ngettext(self, singular, plural, number):
        return f"⟦{self.code}⟧{singular if number == 1 else plural}"

    ugettext, ungettext = gettext, ngettext


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    """Translations of every language, whichever catalogues there are."""
    for code in ALL:
        monkeypatch.setitem(LANGUAGES, code, languages.NAMES[code])
    monkeypatch.setattr(catalogues, "load", lambda code: NullTranslations() if code == "en" else Marked(code))


def language_of(response):
    """The language that a page says it has, if its texts agree."""
    page = read(response)
    code = page.one("html")["lang"].replace("-", "_")
    assert response.headers["Content-Language"] == page.one("html")["lang"]
    assert foreign(response, code) == set()
    return code


def foreign(response, code):
    """The languages of marked texts of a page, other than its own."""
    return {other for other in ALL if other != code and f"⟦{other}⟧" in response.text}


def with_browser(visitor, tags):
    """The visitor, whose browser asks for languages."""
    visitor.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = tags
    return visitor


def choose(visitor, code):
    """Choose a language in the account."""
    assert send(visitor, "settings", language=code).status_code in REDIRECTS


# --- Which language


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("pt-PT", "pt_BR"),
        ("PT-br", "pt_BR"),
        ("es-419", "es"),
        ("zh", "zh_Hans"),
        ("zh-CN", "zh_Hans"),
        ("zh-SG", "zh_Hans"),
        ("zh-Hans-HK", "zh_Hans"),
        ("zh-Hant", "en"),
        ("zh-TW", "en"),
        ("zh-HK", "en"),
        # As browsers send it: the language alone means the same script.
        ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", "en"),
        ("zh-TW,zh;q=0.9,ja;q=0.8", "ja"),
        ("zh-TW,zh-CN;q=0.5", "zh_Hans"),
        ("sv,da;q=0.9,uk;q=0.8", "uk"),
        ("en-GB,de", "en"),
        ("de;q=0.1,fr;q=0.9", "fr"),
        ("de;q=0", "en"),
        ("sw,*", "en"),
        ("", "en"),
    ],
)
def test_a_page_is_in_the_language_of_the_browser(stranger, tags, code):
    response = with_browser(stranger, tags).get("/login")

    assert language_of(response) == code


@pytest.mark.parametrize(
    "tags",
    [
        "x" * 20_000,
        ",".join(f"{n}-XX" for n in range(3_000)),
        "../../x",
        "de\t;;;q=1",
        ";q=,,,",
        "-",
        "_" * 35,
        "é",
    ],
)
def test_no_header_is_too_much(stranger, tags):
    assert with_browser(stranger, tags).get("/login").status_code == 200


def test_every_language_is_its_own_closest():
    assert [closest_language([languages.language_tag(code)]) for code in ALL] == list(ALL)


@pytest.mark.parametrize("page", PUBLIC_PAGES)
def test_visitors_choose_by_links_on_every_public_page(stranger, page):
    links = read(stranger.get(page)).one("nav", class_="languages").all("a")
    assert [link.text for link in links] == list(LANGUAGES.values())
    assert [link["lang"] for link in links] == [link["hreflang"] for link in links]
    (arabic,) = [link for link in links if link["lang"] == "ar"]

    response = stranger.get(f"{page}{arabic['href']}")

    assert (language_of(response), read(response).one("html")["dir"]) == ("ar", "rtl")
    assert [link["lang"] for link in read(response).all("a") if link.get("aria-current")] == ["ar"]
    # The cookie remembers it, also beside a browser that asks for another one.
    for other in PUBLIC_PAGES:
        assert language_of(with_browser(stranger, "de").get(other)) == "ar"


def test_a_link_keeps_where_the_page_leads(stranger):
    page = read(stranger.get("/login?next=/expenses/add?amount%3D3&_external=1&_scheme=javascript&x=1"))

    link = page.one("nav", class_="languages").one("a", lang="de")
    assert link["href"] == "?next=%2Fexpenses%2Fadd%3Famount%3D3&language=de"
    long = read(stranger.get(f"/login?next=/{'x' * 5000}")).one("nav", class_="languages").one("a", lang="de")
    assert long["href"] == "?language=de"


@pytest.mark.parametrize("asked", ["../../x", "xx", "", "de'", "DE", "en_US", "x" * 5000, "%00", "de&language=fr"])
def test_a_language_that_does_not_exist_is_not_chosen(stranger, asked):
    response = stranger.get(f"/login?language={asked}")

    assert response.status_code == 200
    expected = "de" if asked.startswith("de&") else "en"
    assert language_of(response) == expected
    if expected == "en":
        assert not stranger.client.get_cookie("language")


@pytest.mark.parametrize("value", ["../../x", "xx", "", "é", "de,fr", "x" * 3000, "de%00"])
def test_a_cookie_that_names_no_language_is_ignored(stranger, value):
    stranger.client.set_cookie("language", value)

    assert language_of(with_browser(stranger, "fr").get("/login")) == "fr"


def test_the_cookie_is_as_safe_as_the_others(app, stranger):
    app.config.update(LANGUAGE_COOKIE_NAME="__Secure-language", SESSION_COOKIE_PATH="/money")
    app.config["SESSION_COOKIE_SECURE"] = True

    header = next(
        value for value in stranger.get("/login?language=tr").headers.getlist("Set-Cookie") if "language" in value
    )

    parts = set(header.split("; "))
    assert {"__Secure-language=tr", "Secure", "HttpOnly", "Path=/money", "SameSite=Lax"} <= parts


@pytest.mark.parametrize("url", ["/static/app.css", "/healthz", "/", "/expenses", "/logout"])
def test_only_public_pages_choose(stranger, url):
    response = stranger.get(f"{url}?language=de")

    assert not [value for value in response.headers.getlist("Set-Cookie") if value.startswith("language=")]


def test_a_link_changes_nothing_for_a_user(ana):
    for url in ("/login?language=de", "/forgot-password?language=de", "/expenses?language=de"):
        ana.get(url)

    assert language_of(ana.get("/expenses")) == "en"
    assert read(ana.get("/forgot-password")).one("nav", class_="languages")


def test_pages_say_what_their_language_depends_on(app, ana, stranger):
    for response in (ana.get("/expenses"), stranger.get("/login"), stranger.get("/nothing")):
        assert {"Accept-Language", "Cookie"} <= set(response.vary)
        assert response.headers["Cache-Control"] == "no-store"
    for url in (f"/static/{app.config['STATIC_VERSION']}/app.css", "/healthz", "/expenses"):
        with stranger.get(url) as response:
            assert "Content-Language" not in response.headers
            assert "Accept-Language" not in response.vary


# --- The language of an account


def test_the_language_of_an_account_wins(app, ana):
    with_browser(ana, "fr")
    assert language_of(ana.get("/expenses")) == "fr"
    choose(ana, "pl")

    assert "⟦pl⟧" in ana.message("/account").text
    assert language_of(ana.get("/expenses")) == "pl"
    with app.app_context():
        assert ana.user().language == "pl"
    # Also on another device, whose visitor has chosen another one.
    other = Visitor(app)
    other.get("/login?language=ja")
    other.name = "ana"
    assert other.log_in().status_code in REDIRECTS
    assert language_of(other.get("/expenses")) == "pl"


def test_the_browser_of_a_user_keeps_the_language_after_the_logout(ana):
    choose(ana, "ja")
    ana.post("/logout")

    assert language_of(ana.get("/login")) == "ja"


def test_the_language_of_the_browser_comes_back(ana):
    with_browser(ana, "fr")
    choose(ana, "pl")
    choose(ana, "")

    assert ana.message("/account").text.startswith("⟦fr⟧")
    assert language_of(ana.get("/expenses")) == "fr"
    ana.post("/logout")
    assert language_of(ana.get("/login")) == "fr"


def test_a_language_that_is_no_longer_there_is_that_of_the_browser(ana, monkeypatch):
    choose(ana, "pl")
    ana.get("/account")
    monkeypatch.delitem(LANGUAGES, "pl")

    assert language_of(with_browser(ana, "fr").get("/expenses")) == "fr"
    assert language_of(ana.get("/account")) == "fr"


@pytest.mark.parametrize("code", ["xx", "../../x", "DE", "x" * 5000])
def test_no_other_language_is_saved(app, ana, code):
    response = send(ana, "settings", language=code)

    assert response.status_code == 422
    with app.app_context():
        assert ana.user().language == ""


def test_the_account_offers_every_language_by_its_own_name(ana):
    options = ana.page("/account").one("select", name="language").all("option")

    assert [option.text for option in options] == ["Same as my browser", *LANGUAGES.values()]
    assert [option.get("lang") for option in options[1:]] == [languages.language_tag(code) for code in LANGUAGES]


def test_an_account_has_the_language_that_was_chosen_before_it(app, stranger):
    stranger.get("/register?language=tr")
    stranger.register("ana")

    with app.app_context():
        assert stranger.user().language == "tr"
    assert language_of(stranger.get("/expenses")) == "tr"


def test_a_restored_account_has_its_language(app, ana, bob):
    choose(ana, "uk")
    restore(bob, export_of(ana))

    with app.app_context():
        assert bob.user().language == "uk"
    assert language_of(bob.get("/expenses")) == "uk"


# --- Data stays as it is


def test_the_first_categories_are_in_the_language_of_the_registration(app, stranger):
    with_browser(stranger, "de").register("ana")
    choose(stranger, "fr")

    with app.app_context():
        names = [category.name for category in stranger.user().categories]
    assert names == [f"⟦de⟧{name}" for name in DEFAULT_CATEGORIES]


def test_a_file_and_its_filter_are_english(ana):
    choose(ana, "de")
    ana.add("3", "Food", refund="y")

    content = ana.get("/expenses.csv?period=this-year").text
    assert content.splitlines()[0] == "date,category,description,amount,currency"
    assert "⟦" not in content


def test_commands_are_english(app, ana, run):
    choose(ana, "de")

    for command in (["doctor"], ["export-account", "ana@example.com", "/nowhere/x.zip"], ["purge"]):
        assert "⟦" not in run(*command)[1]


# --- Emails


@pytest.fixture
def mailbox(app, unused_port, monkeypatch):
    """A mail server, which the application uses."""
    monkeypatch.setattr("views.emails.DELAY_MAX_MS", 1)
    controller, mailbox = serve_mail(unused_port)
    use_server(app, unused_port)
    yield mailbox
    app.extensions["worker"].finish()
    controller.stop()


@pytest.mark.parametrize(("chosen", "code"), [("pl", "pl"), ("", "fr")])
def test_an_email_is_in_the_language_of_the_account_or_of_the_request(app, ana, mailbox, chosen, code):
    if chosen:
        choose(ana, chosen)
    ask(with_browser(Visitor(app), "fr"))
    with_browser(ana, "fr")
    new = {"password": f"{PASSWORD}!", "confirm_password": f"{PASSWORD}!"}
    ana.post("/account/password", new | {"current_password": PASSWORD})
    app.extensions["worker"].finish()

    assert len(mailbox.messages) == 2
    for message in mailbox.messages:
        assert message["Subject"].startswith(f"⟦{code}⟧")
        assert f"⟦{code}⟧" in message.get_content()
    assert language_of(ana.get("/expenses")) == (chosen or "fr")


# --- Errors


def test_an_error_is_in_the_language_of_the_page(app, ana, monkeypatch):
    choose(ana, "pl")

    assert language_of(ana.get("/nothing-here")) == "pl"
    assert language_of(with_browser(Visitor(app), "de").get("/nothing-here")) == "de"
    ana.client.delete_cookie("language")
    assert language_of(ana.get("/nothing-here")) == "pl"
    assert language_of(ana.client.post("/expenses/add", data={"csrf_token": "x"})) == "pl"


@pytest.mark.parametrize("failing", ["app.find_session", "ledger.spending.summarise"])
def test_an_error_of_the_database_is_in_the_language_of_the_cookie(app, ana, monkeypatch, failing):
    choose(ana, "pl")

    def fail(*_arguments):
        raise TimeoutError

    monkeypatch.setattr(failing, fail)
    for visitor, code in ((ana, "pl"), (with_browser(Visitor(app), "de"), "de")):
        response = visitor.get("/expenses" if visitor is ana else "/nothing-here")
        assert response.status_code == (503 if visitor is ana else 404)
        assert language_of(response) == code
    assert spending.summarise is fail or failing.startswith("app")


# --- Nothing is remembered from one language to the next


PAGES = [
    *LIST_PAGES,
    *("/expenses/add", "/expenses/print", "/months/2026-01", "/months/2026-11", "/years/2026", "/recurring"),
    *("/history", "/categories", "/imports", "/account", "/account/restore", "/account/delete"),
    *("/account/security", "/account/two-factor", "/logout", "/nothing-here"),
]


@pytest.fixture
def users(app):
    """Users of three languages, one of them from right to left, with something on every page."""
    found = {}
    for code in ("en", "de", "ar"):
        visitor = Visitor(app).register(f"ana-{code}")
        visitor.add("12.50", "Food", description="Noor", date="2026-01-31", frequency="month")
        visitor.add("3.50", "Travel", refund="y")
        choose(visitor, code)
        found[code] = visitor
    return found


def test_a_page_is_in_one_language_whatever_was_shown_before(users):
    for page in PAGES:
        for code in ("en", "de", "ar", "de", "en"):
            response = users[code].get(page)
            assert language_of(response) == code, page
            if code != "en":
                assert f"⟦{code}⟧" in response.text, page


def test_a_refused_form_is_in_one_language_whatever_was_shown_before(users):
    for url, values in [
        ("/expenses/add", {}),
        ("/expenses/add", {"amount": "1,234", "category": "zz", "date": "x", "frequency": "x"}),
        ("/expenses/bulk", {}),
        ("/recurring/due", {}),
        ("/categories/add", {}),
        ("/account/settings", {"currency": "x"}),
        ("/account/password", {"password": "x", "confirm_password": "y"}),
        ("/account/profile", {"username": "a ж", "email": "x"}),
        ("/imports", {}),
    ]:
        for code in ("en", "de", "ar", "de", "en"):
            response = users[code].post(url, values)
            assert response.status_code == 422, url
            assert language_of(response) == code, url


def test_pages_at_the_same_moment_are_each_in_their_language(users):
    wrong, lock = [], threading.Lock()

    def visit(code):
        for page in ("/expenses", "/account", "/months/2026-01"):
            response = users[code].get(page)
            with lock:
                wrong.extend((code, page) for other in foreign(response, code))

    at_once(visit, users)

    assert wrong == []


# --- Loading


def test_a_catalogue_is_read_once_however_many_ask_for_it(monkeypatch, tmp_path):
    read_languages = []

    def read_slowly(_folder, code):
        read_languages.append(code)
        time.sleep(0.05)
        return Marked(code)

    monkeypatch.setattr(languages, "read_catalogue", read_slowly)
    found = languages.Catalogues(tmp_path)

    at_once(found.load, ["de"] * 8)
    at_once(found.load, ["de", "fr"] * 4)

    assert sorted(read_languages) == ["de", "fr"]
    assert found.load("en").gettext("Food") == "Food"


def test_the_folders_of_the_translations_are_the_languages(tmp_path):
    for name in ("fr", "eo", "empty"):
        (tmp_path / name / "LC_MESSAGES").mkdir(parents=True)
    for name in ("fr", "eo"):
        (tmp_path / name / "LC_MESSAGES" / "messages.po").touch()

    assert languages.find_languages(tmp_path) == {"en": "English", "fr": "Français", "eo": "eo"}


def test_a_language_is_as_long_as_the_column(app):
    assert max(map(len, ALL)) <= User.LANGUAGE_MAX


def test_a_change_points_from_what_was_to_what_is(users):
    for code, arrow in (("en", "→"), ("de", "→"), ("ar", "←")):
        visitor = users[code]
        expense = next(expense for expense in visitor.expenses() if expense.category == "Travel")
        values = {"amount": "4", "category": "Travel", "date": str(expense.date), "refund": "y"}
        assert visitor.post(f"/expenses/{expense.id}/edit", values).status_code in REDIRECTS

        amount = visitor.page("/history").all("td", class_="amount")[0].raw_text()
        assert arrow in amount, amount


def test_no_page_waits_for_the_texts_of_another(ana, bob, monkeypatch):
    def load(code):
        if code == "de":
            asked.set()
            is_answered.append(answered.wait(5))
        return NullTranslations()

    asked, answered, is_answered = threading.Event(), threading.Event(), []
    send(ana, "settings", language="de")
    monkeypatch.setattr(catalogues, "load", load)
    waiting = threading.Thread(target=ana.get, args=["/history"])
    waiting.start()
    asked.wait(5)

    assert bob.get("/history").status_code == 200

    answered.set()
    waiting.join()
    assert is_answered[0]
