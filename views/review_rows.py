"""The payees and lines of a statement in its review."""

from collections.abc import Callable, Iterable, Mapping

from flask_babel import gettext, ngettext
from markupsafe import Markup, escape

from import_forms import ReviewForm
from ledger.import_preview import ShownPayee
from ledger.import_summary import ShownLine
from messages import is_page_right_to_left, isolate
from views.formats import formats


class ReviewRows:
    """Writes payees and lines by patterns of the template, whose values stand in the places of its `%(name)s`.

    A page has hundreds of lines, which take several times as long in loops of Jinja. `explain` writes why a line is
    left out.
    """

    def __init__(
        self, form: ReviewForm, explain: Callable[[ShownLine], Markup], patterns: Mapping[str, Markup]
    ) -> None:
        self.form = form
        self.explain = explain
        self.patterns = {name: str(pattern) for name, pattern in patterns.items()}
        self.notes: dict[str, str] = {}

    def lines(self, lines: Iterable[ShownLine]) -> Markup:
        """Write lines, with a box where the person can decide."""
        form, own = self.form, formats()
        pattern, box = self.patterns["line"], self.patterns["box"]
        rows = []
        for line in lines:
            ticked = " checked" if form.is_line_ticked(line) else ""
            is_own = line.currency == own.currency
            values = {
                "box": box % {"number": line.number, "ticked": ticked} if line.can_be_added else "",
                "date": line.day,
                "day": own.day(line.day),
                "text": escape(line.text),
                "note": self._note(line),
                "amount": own.money(-line.amount) if is_own else escape(f"{line.amount} {line.currency}"),
            }
            rows.append(pattern % values)
        return Markup("".join(rows))  # noqa: S704

    def _note(self, line: ShownLine) -> str:
        code = line.duplicate or line.reason
        if not code:
            return ""
        if line.expense is not None:
            return self.patterns["note"] % {"text": self.explain(line)}
        if code not in self.notes:
            self.notes[code] = self.patterns["note"] % {"text": self.explain(line)}
        return self.notes[code]

    def payees(self, payees: Iterable[ShownPayee]) -> Markup:
        """Write payees with their lines."""
        unnamed, isolates = gettext("Without a name"), not is_page_right_to_left()
        pattern = self.patterns["payee"]
        rows = []
        for payee in payees:
            name = payee.name or unnamed
            values = self._payee(payee) | {"name": escape(name), "label": escape(isolate(name) if isolates else name)}
            rows.append(pattern % values)
        return Markup("".join(rows))  # noqa: S704

    def _payee(self, payee: ShownPayee) -> dict[str, object]:
        """Return the values of a payee, but for its name."""
        can_be_added = any(line.can_be_added for line in payee.lines)
        is_new = payee.section == "add" and not payee.category and not payee.has_several
        more = payee.count - len(payee.lines)
        return {
            "marks": self.form.marks(payee),
            "number": payee.number,
            "ticked": " checked" if self.form.is_payee_ticked(payee) else "",
            "disabled": "" if can_be_added else " disabled",
            "open": " open" if payee.section == "check" else "",
            "tag": self.patterns["tag"] if is_new else "",
            "options": self.form.category_options(payee),
            "count": escape(ngettext("%(num)d line", "%(num)d lines", payee.count)),
            "amount": formats().money(-payee.total),
            "lines": self.lines(payee.lines),
            "more": self._more(payee, more) if more else "",
        }

    def _more(self, payee: ShownPayee, number: int) -> str:
        text = ngettext("Show %(num)s more line", "Show %(num)s more lines", number)
        return self.patterns["more"] % {"section": payee.section, "number": payee.number, "text": escape(text)}
