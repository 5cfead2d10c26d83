"""The payees and lines of a statement in its review."""

from collections.abc import Callable, Mapping, Sequence

from flask_babel import get_domain, gettext
from markupsafe import Markup, escape

from import_forms import ReviewForm
from ledger.import_preview import ShownPayee
from ledger.import_summary import ShownLine
from text import is_right_to_left, isolated
from views.formats import formats


class ReviewRows:
    """Writes payees and lines by patterns of the template, in which values replace each `%(name)s`.

    A page has up to 500 lines, which take several times as long in loops of Jinja. `explain` writes why a line is
    left out.
    """

    def __init__(
        self, form: ReviewForm, explain: Callable[[ShownLine], Markup], patterns: Mapping[str, Markup]
    ) -> None:
        self.form = form
        self.explain = explain
        self.patterns = {name: str(pattern) for name, pattern in patterns.items()}
        self.notes: dict[str, str] = {}
        self.formats = formats()
        self.ngettext = get_domain().get_translations().ngettext

    def lines(self, lines: Sequence[ShownLine]) -> Markup:
        """Write lines, with a checkbox where the user can decide."""
        own, ticked = self.formats, self.form.ticked_lines(lines)
        decided, others = self.patterns["decided_line"], self.patterns["line"]
        rows = []
        for line in lines:
            values = {
                "number": line.number,
                "ticked": " checked" if line.number in ticked else "",
                "date": line.day,
                "day": own.day(line.day),
                "text": escape(line.text),
                "note": self._note(line) if line.duplicate or line.reason else "",
                "amount": own.money(-line.amount, line.currency),
            }
            rows.append((decided if line.can_be_added else others) % values)
        return Markup("".join(rows))  # noqa: S704

    def _note(self, line: ShownLine) -> str:
        """Write why a line is left out; many lines share a reason."""
        code = str(line.expense_id) if line.expense else line.duplicate or line.reason
        if code not in self.notes:
            self.notes[code] = self.patterns["note"] % {"text": self.explain(line)}
        return self.notes[code]

    def payees(self, payees: Sequence[ShownPayee]) -> Markup:
        """Write payees with their lines."""
        unnamed, pattern = gettext("Without a name"), self.patterns["payee"]
        return Markup("".join(pattern % self._payee(payee, payee.name or unnamed) for payee in payees))  # noqa: S704

    def _payee(self, payee: ShownPayee, name: str) -> dict[str, object]:
        own, form = self.formats, self.form
        is_new = payee.section == "add" and not payee.category and not payee.has_several
        is_fixed = not any(line.can_be_added for line in payee.lines)
        # On a page that is written from right to left, the pattern isolates every name.
        label = isolated(name) if is_right_to_left(name) and not own.isolates else name
        return {
            "marks": form.marks(payee),
            "number": payee.number,
            "name": escape(name),
            "label": escape(label),
            "ticked": " checked" if form.is_payee_ticked(payee) else "",
            "disabled": " disabled" if is_fixed else "",
            "open": " open" if payee.section == "check" else "",
            "tag": self.patterns["tag"] if is_new else "",
            "options": form.category_options(payee),
            "count": escape(self.ngettext("%(num)d line", "%(num)d lines", payee.count) % {"num": payee.count}),
            "amount": own.money(-payee.total, payee.currency) if payee.currency else "",
            "lines": self.lines(payee.lines),
            "more": self._more(payee),
        }

    def _more(self, payee: ShownPayee) -> str:
        number = payee.count - len(payee.lines)
        if not number:
            return ""
        text = self.ngettext("Show %(num)s more line", "Show %(num)s more lines", number) % {"num": number}
        values = {"section": payee.section, "number": payee.number, "text": escape(text)}
        return self.patterns["more"] % values
