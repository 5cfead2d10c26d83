"""Names of currencies, time zones and number formats, in the language of the page on which they are chosen."""

from functools import lru_cache

from babel import Locale
from babel.core import get_global

from ledger.locales import LOCALES
from ledger.money import currencies
from ledger.periods import time_zones
from text import search_key

# More than there are languages.
MAX_LANGUAGES = 32
# CLDR's code for an unknown region.
NO_COUNTRY = "ZZ"


@lru_cache(maxsize=MAX_LANGUAGES)
def currency_names(language: str) -> dict[str, str]:
    """Return the name of each currency by its code, in the order of the codes."""
    names = Locale.parse(language).currencies
    return {code: names.get(code, name) for code, name in currencies().items()}


@lru_cache(maxsize=MAX_LANGUAGES)
def locale_names(language: str) -> dict[str, str]:
    """Return the name of each of the LOCALES, such as "German (Austria)", in the order of the names."""
    speaker = Locale.parse(language)
    names = {name: Locale.parse(name).get_display_name(speaker) or name for name in LOCALES}
    return _in_order({code: f"{name[0].upper()}{name[1:]}" for code, name in names.items()})


@lru_cache(maxsize=MAX_LANGUAGES)
def time_zone_names(language: str) -> dict[str, str]:
    """Return the country and the city of each time zone, in the order of these names.

    A zone that belongs to no country, such as `Etc/UTC`, has its IANA name; zones with the same country and city
    have both.
    """
    locale, names = Locale.parse(language), dict[str, str]()
    aliases, territories = get_global("zone_aliases"), get_global("zone_territories")
    cities = {aliases.get(zone, zone): data.get("city") for zone, data in locale.time_zones.items()}
    for zone in sorted(time_zones(), key=lambda zone: zone in aliases):
        known = aliases.get(zone, zone)
        territory = territories.get(known, NO_COUNTRY)
        city = cities.get(known) or known.rpartition("/")[2].replace("_", " ")
        name = zone if territory == NO_COUNTRY else f"{locale.territories[territory]} – {city}"
        names[zone] = name if name not in names.values() else f"{name} ({zone})"
    return _in_order(names)


def _in_order(names: dict[str, str]) -> dict[str, str]:
    return dict(sorted(names.items(), key=lambda item: search_key(item[1])))
