"""HTML for the pages of a site: a frame, tables, links. What is `Html` is safe; everything else goes through `text`.

- A page is one file: nothing from elsewhere, and a policy that lets the browser load nothing at all but the one style
  sheet in it, by its hash, and the scripts in it by theirs, if it has any.
- Data for scripts is JSON that no text in it can end: it holds no `<`, `>` or `&`, and nothing but printable ASCII.
- Links are relative.
- A table keeps its meaning where it is shown as cards, on a narrow screen: roles and labels are written out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import NewType
from urllib.parse import quote

from sealwright_stages import VERSION
from sealwright_stages.html_text import safe
from sealwright_stages.publish.style import CSS

Html = NewType("Html", str)

MARK = b'<meta name="generator" content="sealwright '
"""What a page of ours has in it."""

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
{mark}{version}">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
{header}
</header>
<main id="main">
{main}
</main>
<footer>
<p>{footer}</p>
</footer>
{end}</body>
</html>
"""
_POLICY = "default-src 'none';{scripts} style-src {style}; base-uri 'none'; form-action 'none'"
_NO_MARKUP = " require-trusted-types-for 'script'; trusted-types 'none';"
"""No script makes markup of text."""


def page(
    title: str,
    header: Iterable[Html],
    main: Iterable[Html],
    footer: Html,
    *,
    css: str = CSS,
    data: Sequence[Html] = (),
    scripts: Sequence[str] = (),
) -> bytes:
    """A whole page, each piece on lines of its own; `data` are blocks of `data_block` that the `scripts` read.

    Raises:
        ValueError: a script could end its element.
    """
    allowed = f" script-src {' '.join(map(_allowed, scripts))};{_NO_MARKUP}" if scripts else ""
    end = [*data, *map(_script, scripts)]
    return _FRAME.format(
        policy=_POLICY.format(scripts=allowed, style=_allowed(css)),
        mark=MARK.decode(),
        version=safe(VERSION),
        title=safe(title),
        css=css,
        header="\n".join(header),
        main="\n".join(main),
        footer=footer,
        end="".join(f"{each}\n" for each in end),
    ).encode()


def data_block(name: str, value: object) -> Html:
    """Data for a script, as JSON; `name` is ours."""
    told = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    safe_json = re.sub("[<>&\x7f]", lambda match: f"\\u{ord(match[0]):04x}", told)
    return Html(f'<script type="application/json" id="{name}">{safe_json}</script>')


def _script(source: str) -> str:
    if re.search("</script|<!--|\r|\0", source, re.IGNORECASE):
        raise ValueError("a script that could end its element, or that a browser would read otherwise")
    return f"<script>{source}</script>"


def _allowed(inline: str) -> str:
    """What allows an element in a policy: the hash of what stands in it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


def text(value: str) -> Html:
    """Text from anywhere, kept from turning the text around it."""
    return Html(f"<bdi>{safe(value)}</bdi>") if not value.isascii() else Html(safe(value))


def code(value: str) -> Html:
    """A hash, a path, a name: broken anywhere if it must be."""
    return Html(f"<code>{safe(value)}</code>")


def link(path: str, shown: Html) -> Html:
    """A link to a path below the page."""
    return Html(f'<a href="{quote(path)}">{shown}</a>')


def tag(name: str, inner: Html, kind: str = "") -> Html:
    """An element, maybe with a class."""
    return Html(f'<{name} class="{kind}">{inner}</{name}>' if kind else f"<{name}>{inner}</{name}>")


def joined(parts: Iterable[Html], between: str = " ") -> Html:
    """Pieces side by side; `between` is ours."""
    return Html(between.join(parts))


def heading(level: int, name: str, shown: str) -> Html:
    """A heading that can be linked to; `name` is ours."""
    return Html(f'<h{level} id="{name}">{safe(shown)}</h{level}>')


def commands(*lines: str) -> Html:
    """Lines for a shell."""
    return Html(f'<pre tabindex="0"><code>{safe_lines(lines)}</code></pre>')


def safe_lines(lines: Sequence[str]) -> str:
    """Lines, each made safe."""
    return "\n".join(safe(line) for line in lines)


def facts(pairs: Iterable[tuple[str, Html]]) -> Html:
    """A short list of names and values."""
    rows = "\n".join(f"<div><dt>{safe(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return Html(f"<dl>\n{rows}\n</dl>")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """A table, each row on a line of its own; the first cell of a row is its head."""
    top = "".join(f'<th scope="col" role="columnheader">{safe(head)}</th>' for head in heads)
    lines = [
        f'<table role="table"><caption>{safe(caption)}</caption>',
        f'<thead role="rowgroup"><tr role="row">{top}</tr></thead>',
        '<tbody role="rowgroup">',
        *(_row(heads, row) for row in rows),
        "</tbody>",
        "</table>",
    ]
    return Html("\n".join(lines))


def _row(heads: Sequence[str], row: Sequence[Html]) -> str:
    first, *rest = zip(heads, row, strict=True)
    cells = "".join(f'<td role="cell" data-head="{safe(head)}">{cell}</td>' for head, cell in rest)
    return f'<tr role="row"><th scope="row" role="rowheader">{first[1]}</th>{cells}</tr>'
