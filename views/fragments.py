"""Parts that many pages share: they are written once and kept.

The bar at the top, the head of the list and the pattern of its rows took a sixth of a page's time.
"""

from collections.abc import Hashable
from functools import lru_cache

from flask import get_template_attribute, request
from flask_babel import get_domain
from markupsafe import Markup, escape

MAX_FRAGMENTS = 128
# No page contains this character.
MARK = "\0"


def write_once(template: str, macro: str, *arguments: Hashable, **values: object) -> Markup:
    """Write a macro that depends on nothing but its `arguments`, the translations and the URL prefix.

    The `values` are those that differ on each page, such as the CSRF token: the macro gets a mark for each, which
    is replaced on each page.
    """
    page = get_domain().get_translations(), request.root_path
    written = _write(template, macro, arguments, tuple(values), *page)
    if values:
        parts = written.split(MARK)
        parts[1::2] = [escape(values[name]) for name in parts[1::2]]
        written = "".join(parts)
    return Markup(written)  # noqa: S704


@lru_cache(maxsize=MAX_FRAGMENTS)
def _write(
    template: str, macro: str, arguments: tuple[Hashable, ...], names: tuple[str, ...], *_page: Hashable
) -> str:
    marks = {name: f"{MARK}{name}{MARK}" for name in names}
    return str(get_template_attribute(template, macro)(*arguments, **marks))
