"""A page taken apart by a parser: its scripts, styles, texts, attributes, comments and tables."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.reading import UNREADABLE

DATA_KINDS = ("json", "csv", "plain", "text/x", "vega")
RAW = ("script", "style")
NO_END = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}


@dataclass(frozen=True)
class Element:
    """A start tag: `attributes` in order, a name without a value having None."""

    name: str
    line: int
    attributes: tuple[tuple[str, str | None], ...]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.attributes if key == name), None)


@dataclass(frozen=True)
class Text:
    """A run of text, and where it stands: `inside` is script, style, comment, td, th, another tag's name or ''."""

    inside: str
    line: int
    text: str
    element: Element | None = None


@dataclass
class Page:
    """An HTML file in parts."""

    place: str
    elements: list[Element] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def scripts(self) -> list[Text]:
        """Scripts that run."""
        return [one for one in self.texts if one.inside == "script" and not is_data(one)]

    def blocks(self) -> list[Text]:
        """Scripts that are data."""
        return [one for one in self.texts if one.inside == "script" and is_data(one)]

    def visible(self) -> list[Text]:
        """What a reader sees, comments besides."""
        return [one for one in self.texts if one.inside not in RAW]

    def styles(self) -> list[Text]:
        return [one for one in self.texts if one.inside == "style"]


def is_data(script: Text) -> bool:
    """Whether a browser would not run it: its type names no script."""
    kind = (script.element.get("type") or "").strip().lower() if script.element else ""
    return bool(kind) and "javascript" not in kind and "ecmascript" not in kind and kind != "module"


def page_of(text: str, place: str, notes: Notes) -> Page:
    """The page, with a finding if it breaks off before its end."""
    reader = _Reader(Page(place))
    reader.feed(text)
    unread = reader.rawdata  # not closed: what is cut off would be tried again sign by sign
    reader.flush()
    behind = [
        one for one in reader.page.texts if one.inside == "" and "html" in reader.ended and one.line >= reader.last
    ]
    if behind:
        what = "holds text behind its end"
        notes.against("M3", f"{place}:{behind[0].line}", what, UNREADABLE)
    if unread.strip() or "html" not in reader.ended or set(reader.open) & {"script", "style", "html"}:
        notes.against("M3", f"{place}:{reader.getpos()[0]}", "the page breaks off before its end", UNREADABLE)
    return reader.page


class _Reader(HTMLParser):
    """Collects what stands where; texts in one element are one."""

    def __init__(self, page: Page):
        super().__init__(convert_charrefs=True)
        self.page = page
        self.open: list[str] = []
        self.ended: set[str] = set()
        self.last = 0
        self._parts: list[str] = []
        self._line = 1
        self._last: Element | None = None

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.flush()
        self._last = Element(tag, self.getpos()[0], tuple(attrs))
        self.page.elements.append(self._last)
        if tag not in NO_END:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.flush()
        self.ended.add(tag)
        self.last = self.getpos()[0] if tag == "html" else self.last
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._parts:
            self._line = self.getpos()[0]
        self._parts.append(data)

    def handle_comment(self, data: str) -> None:
        self.flush()
        self.page.texts.append(Text("comment", self.getpos()[0], data))

    def handle_decl(self, decl: str) -> None:
        if decl.strip().lower() != "doctype html":
            self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def flush(self) -> None:
        """End the text that is being read."""
        text = "".join(self._parts)
        self._parts = []
        if text.strip():
            inside = self.open[-1] if self.open else ""
            script = self._last if inside in RAW else None
            self.page.texts.append(Text(inside, self._line, text, script))
