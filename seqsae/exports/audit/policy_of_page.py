"""No page of a release calls out, loads or runs anything but its own scripts (D15, D16)."""

import base64
import hashlib
import re
from functools import cache

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.markup import Element, Page, Text

LOADING = {
    "src",
    "href",
    "srcset",
    "action",
    "formaction",
    "poster",
    "data",
    "xlink:href",
    "ping",
    "background",
    "manifest",
    "cite",
}
REFUSED = {
    "iframe",
    "frame",
    "object",
    "embed",
    "base",
    "form",
    "applet",
    "portal",
    "audio",
    "video",
    "source",
    "track",
}
DRAWN = {"svg", "math"}
HASH = re.compile(r"'sha256-[A-Za-z0-9+/]{43}='")
CALLS = re.compile(
    r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|RTCPeerConnection|eval|Worker|SharedWorker)\s*\(|"
    r"\bnew\s+Function\b|\bimport\s*\(|\bdocument\s*\.\s*cookie\b|\bwindow\s*\.\s*open\b|\blocation\s*\.\s*(?:assign|replace)\b"
)
URL = re.compile(r"\b(?:https?|ftp|wss?):/?/?[^\s\"'`<>)\\]{0,80}", re.I)
ALLOWED_URL = re.compile(
    r"https://vega\.github\.io/schema/vega(?:-lite)?/v\d+(?:\.\d+)*\.json|http://www\.w3\.org/(?:2000/svg|1999/xhtml|1999/xlink)"
)
"""Names of forms and name spaces, which no browser opens."""
OWN = {"default-src": {"'none'"}, "base-uri": {"'none'"}, "form-action": {"'none'"}}
LOOSE = {"style-src": {"'unsafe-inline'", "'none'"}, "img-src": {"data:", "'none'"}, "font-src": {"data:", "'none'"}}
OFFLINE = "make the page as `seqsae release` does: everything inside it, nothing from elsewhere"
LARGE = 100_000
"""Signs from which on a script is taken for the vendored bundle, if its hash is that of the installed one."""


def check_page(page: Page, notes: Notes) -> None:
    """Elements, scripts, styles and the Content-Security-Policy of a page."""
    for element in page.elements:
        _element(page, element, notes)
    for one in page.texts:
        if one.inside == "comment" and re.search(r"<[a-z/!?]|^-?>", one.text, re.I):
            what = "a comment with markup in it, which a browser may read as such"
            notes.against("M3", f"{page.place}:{one.line} comment", what, "leave the comment out")
    for style in page.styles():
        if re.search(r"url\s*\(\s*['\"]?(?!data:|['\"]?#)|@import|expression\s*\(", _plain_css(style.text), re.I):
            notes.against("D16", f"{page.place}:{style.line} style", "loads something", OFFLINE)
    for script in page.scripts():
        _script(page, script, notes)
    _policy(page, notes)


def _plain_css(text: str) -> str:
    """A style with its escapes read and its comments gone, as a browser reads it (CSS Syntax 3, section 4.3.7)."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(
        r"\\([0-9a-f]{1,6})\s?|\\(.)", lambda found: _sign(found[1]) if found[1] else found[2], text, flags=re.I
    )


def _sign(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number < 0x110000 else ""


def _element(page: Page, element: Element, notes: Notes) -> None:
    place = f"{page.place}:{element.line} <{element.name}>"
    if element.name in DRAWN:
        notes.against("D15", place, "a drawing that can hold every point", "draw from released rows, or give a PNG")
    if element.name in REFUSED or (element.name == "link" and element.get("rel") != "icon"):
        notes.against("D16", place, "loads or sends something", OFFLINE)
    if element.name == "meta" and (element.get("http-equiv") or "").lower() == "refresh":
        notes.against("D16", place, "leads to another page", OFFLINE)
    if element.name == "script" and element.get("src") is not None:
        notes.against("D16", place, "loads a script", OFFLINE)
    for name, value in element.attributes:
        value = re.sub(r"[\s\x00-\x1f]", "", value or "")
        if name in LOADING and value and not re.match(r"#|data:(?:,|image/png;base64,)", value, re.I):
            rule = "D15" if value.lower().startswith("data:image/svg") else "D16"
            notes.against(rule, f"{place} {name}", "points outside the page", OFFLINE)
        if name.startswith("on"):
            notes.against("D16", f"{place} {name}", "runs a script from an attribute", OFFLINE)
        if name == "style" and re.search(r"url\(|expression\(", _plain_css(value), re.I):
            notes.against("D16", f"{place} style", "loads something", OFFLINE)


def _script(page: Page, script: Text, notes: Notes) -> None:
    if is_bundle(script.text):
        return
    place = f"{page.place}:{script.line} <script>"
    if found := CALLS.search(script.text):
        notes.against("D16", place, f"calls {found[0].strip('(')!r}, which could send or run something", OFFLINE)
    for name in _addresses(script.text):
        notes.against("D16", place, f"names the address {name!r} (and is not the installed drawing library)", OFFLINE)


def _addresses(text: str) -> list[str]:
    return [found[0] for found in URL.finditer(text) if not ALLOWED_URL.fullmatch(found[0])]


def check_addresses(text: str, place: str, notes: Notes) -> None:
    """No address of a network in a text."""
    if "://" in text or ":" in text:
        for name in _addresses(text):
            if "//" in name:
                notes.against("D16", place, f"holds the address {name!r}", "leave it out")


def is_bundle(script: str) -> bool:
    """Whether it is the drawing library that is installed here, whose addresses are names and not calls."""
    return len(script) > LARGE and hashlib.sha256(script.encode()).hexdigest() in _bundles()


@cache
def _bundles() -> set[str]:
    """Hashes of the library as a whole, as it stands in a page."""
    import vl_convert

    text = vl_convert.javascript_bundle()
    closed = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return {hashlib.sha256(one.encode()).hexdigest() for one in (text, closed)}


def _policy(page: Page, notes: Notes) -> None:
    named = [
        e
        for e in page.elements
        if e.name == "meta" and (e.get("http-equiv") or "").lower() == "content-security-policy"
    ]
    if len(named) != 1:
        notes.against("D16", f"{page.place}:1", f"has {len(named)} Content-Security-Policies in place of one", OFFLINE)
        return
    place = f"{page.place}:{named[0].line} Content-Security-Policy"
    before = page.elements[: page.elements.index(named[0])]
    if any(e.name in ("script", "style", "body", "img", "link") for e in before):
        notes.against("D16", place, "stands after what it should govern", OFFLINE)
    parts = [part.split() for part in (named[0].get("content") or "").split(";") if part.strip()]
    given = {words[0].lower(): set(words[1:]) for words in reversed(parts)}  # of two of a name, the first holds
    for name, only in OWN.items():
        if given.get(name) != only:
            notes.against("D16", place, f"does not say {name} {' '.join(only)}", OFFLINE)
    for name, values in given.items():
        allowed = OWN.get(name) or LOOSE.get(name) or {"'none'"}
        wrong = {
            value for value in values if value not in allowed and not (name == "script-src" and HASH.fullmatch(value))
        }
        if wrong:
            notes.against("D16", place, f"{name} allows {', '.join(sorted(wrong))}", OFFLINE)
    for script in page.scripts():
        digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
        if f"'sha256-{digest}'" not in given.get("script-src", set()):
            notes.against("D16", f"{page.place}:{script.line} <script>", "is not one that the policy names", OFFLINE)
