"""The cost of the pages of an import without a clock: as many statements, whatever the size of the file."""

import pytest

from tests.statements import store_draft
from tests.test_speed import noted

# The review, a section of it, and all lines of a payee; and how many statements they send.
PAGES = {"": 6, "?show=here": 5, "/payees/2": 8}


def content(number):
    """A file of so many lines; so many payees and lines of one are shown, whatever its size."""
    payees = (f"Shop {chr(65 + line % 40) * 3}" for line in range(number))
    rows = (f"2026-01-{line % 28 + 1:02},{payee},-{line % 90 + 1}.00" for line, payee in enumerate(payees))
    return "\n".join(["Date,Payee,Amount", *rows]).encode()


@pytest.mark.parametrize("number", [1, 60, 2_000])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_an_import_sends_as_many_statements_at_any_size(ana, page, number):
    draft = store_draft(ana, content(number))

    with noted() as sent:
        assert ana.get(f"/imports/{draft}{page}").status_code == 200

    assert len(sent) == PAGES[page]
