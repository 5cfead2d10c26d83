"""The languages of the pages: the list of them, the closest one to a language tag, and their translations.

Each folder of `translations` is a language; the texts in the sources are English.
"""

import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.core import get_global
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

ENGLISH = "en"
FOLDER = Path(__file__).with_name("translations")
# Their native names, sorted by alphabet. Written out, because Babel keeps about a megabyte of memory for each
# language whose name it is asked for; a test compares them with Babel's.
NAMES = {
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt_BR": "Português (Brasil)",
    "tr": "Türkçe",
    "uk": "Українська",
    "ar": "العربية",
    "ja": "日本語",
    "zh_Hans": "简体中文",
}
# How many of the language tags that a browser sends are tried, and how many characters of each are read.
MAX_TAGS, TAG_MAX = 10, 35
# Codes that browsers send, and Babel's codes for the same languages.
_OTHER_CODES = {"iw": "he", "in": "id", "no": "nb"}


def find_languages(folder: Path = FOLDER) -> dict[str, str]:
    """Return the native name of each language, by its code in Babel, such as "pt_BR"."""
    found = {ENGLISH, *(path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/messages.po"))}
    order = [*NAMES, *sorted(found - NAMES.keys())]
    return {code: NAMES.get(code, code) for code in order if code in found}


LANGUAGES = find_languages()


def language_tag(code: str) -> str:
    """Return the code of a language as HTML and HTTP write it: "pt-BR"."""
    return code.replace("_", "-")


def closest_language(tags: Iterable[str]) -> str | None:
    """Return the language for the first of `tags` that has one, or None.

    Regions share a language, but not scripts: `pt-PT` is `pt_BR`, and `zh-TW` is not `zh_Hans`. Browsers add the
    language alone after such a tag, which then means the same script.
    """
    scripts: dict[str, str] = {}
    for tag in tags:
        language, script, region = parse_tag(tag)
        if not (script or region):
            script = scripts.get(language, "")
        script = script or _likely_script(language, region)
        scripts.setdefault(language, script)
        candidates = [code for code in LANGUAGES if _parts(code) == (language, script)]
        if candidates:
            return next((code for code in candidates if code.endswith(f"_{region}")), candidates[0])
    return None


def parse_tag(tag: str) -> tuple[str, str, str]:
    """Return the language, the script and the region of a tag; the last two can be empty."""
    language, *subtags = re.split("[-_]", tag[:TAG_MAX])
    script = next((subtag.title() for subtag in subtags if len(subtag) == 4), "")
    region = next((subtag.upper() for subtag in subtags if len(subtag) == 2), "")
    return _OTHER_CODES.get(language.lower(), language.lower()), script, region


def _likely_script(language: str, region: str) -> str:
    likely = get_global("likely_subtags")
    found = likely.get(f"{language}_{region}") or likely.get(language) or ""
    return str(found).split("_")[1] if found.count("_") == 2 else ""


@lru_cache(maxsize=64)
def _parts(code: str) -> tuple[str, str]:
    """Return the language and the script of one of the LANGUAGES."""
    language, script, region = parse_tag(code)
    return language, script or _likely_script(language, region)


class Catalogues:
    """The translations, each read when its language is first used, and then kept.

    They are read from the files that translators edit, which takes about 30 ms, so that no compiled file can be
    missing or out of date.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: dict[str, NullTranslations] = {ENGLISH: NullTranslations()}

    def load(self, language: str) -> NullTranslations:
        """Return the translations into one of the LANGUAGES; a text without one stays English."""
        if language not in self._loaded:
            with self._lock:
                if language not in self._loaded:
                    self._loaded[language] = read_catalogue(self._folder, language)
        return self._loaded[language]


def read_catalogue(folder: Path, language: str) -> Translations:
    """Read the translations into a language."""
    compiled = BytesIO()
    with (folder / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return Translations(compiled)


catalogues = Catalogues()
