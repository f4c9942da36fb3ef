"""What a browser sends when Save is pressed on a page without any change."""

from __future__ import annotations

from html.parser import HTMLParser

_UNSENT = {"submit", "button", "image", "reset", "file"}


def filled_in(html: str) -> dict[str, list[str]]:
    """The values of all fields of the page, by name."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.values


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: dict[str, list[str]] = {}
        self._select: str | None = None
        self._textarea: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        match tag:
            case "input" if name and "disabled" not in given:
                kind = given.get("type") or "text"
                if kind in ("checkbox", "radio") and "checked" not in given:
                    return
                if kind not in _UNSENT:
                    self._add(name, given.get("value") or ("on" if kind == "checkbox" else ""))
            case "select":
                self._select = name
            case "option" if self._select and "selected" in given:
                self._add(self._select, given.get("value") or "")
            case "textarea":
                self._textarea, self._text = name, []

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "select":
                self._select = None
            case "textarea" if self._textarea:
                # HTML drops a newline right behind the tag; a browser sends lines with CR LF.
                text = "".join(self._text).removeprefix("\n")
                self._add(self._textarea, text.replace("\r\n", "\n").replace("\n", "\r\n"))
                self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._text.append(data)

    def _add(self, name: str, value: str) -> None:
        self.values.setdefault(name, []).append(value)
