"""HTML out of values: everything that is not markup already is escaped, without exception.

Decides the style sheet of pages and cards. Colours follow the reader's light or dark setting.
"""

from html import escape
from typing import Final

from typing_extensions import override

from swarm_ray.client.headline import VERDICTS

TEXT_CHARACTERS: Final = 4_000


class Markup(str):
    """Text that is HTML already; only `element` and `document` make it."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return f"Markup({super().__repr__()})"


Child = str | int | float | None
_VOID: Final = frozenset({"meta", "br", "rect", "line"})


def element(tag: str, *children: Child, **attributes: Child) -> Markup:
    """Return an element; texts and attribute values are escaped, None children are left out.

    A trailing underscore of an attribute name is dropped (`class_`), others become hyphens.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID and not children:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """Return children one after the other, texts escaped."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(str(child), quote=False)
            for child in children
            if child is not None
        )
    )


def rows_table(
    head: list[str], rows: list[list[Child]], *, caption: str, numeric: int = 0
) -> Markup:
    """Return a scrolling table; the last `numeric` columns of the head are numbers."""
    first = len(head) - numeric
    cells = [
        element("th", name, scope="col", class_="n" if at >= first else None)
        for at, name in enumerate(head)
    ]
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_="n" if at >= first else None)
                for at, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    table = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *cells)),
        element("tbody", *body),
    )
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption)


def badge(word: str, kind: str) -> Markup:
    """Return a status word in its colour; `kind` is one of the classes of the style sheet."""
    return element("span", word, class_=f"badge {kind}")


STATUS_KINDS: Final = {
    "done": "ok",
    "running": "run",
    "closing": "run",
    "waiting": "warn",
    "interrupted": "warn",
    "failed": "bad",
    "skipped": "warn",
    "review": "warn",
    "cancelled": "off",
    "deadline": "bad",
    "budget": "bad",
    "aborted": "bad",
    "refused": "bad",
    "unknown": "lost",
    "pending": "off",
}


def status_badge(word: str) -> Markup:
    """Return the state of a run as a badge."""
    return badge(VERDICTS.get(word, word), STATUS_KINDS.get(word, "run"))


def cut(text: str) -> str:
    """Return the beginning of a text, saying how much is left out."""
    more = len(text) - TEXT_CHARACTERS
    return text if more <= 0 else f"{text[:TEXT_CHARACTERS]}\n… {more:,} more characters"


def document(title: str, body: Markup) -> str:
    """Return a whole page that loads nothing from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'),
        element("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n"


PALETTE: Final = """
.swarm{--bg:#fff;--ink:#1c2024;--soft:#5d6670;--rule:#d9dee3;--panel:#f5f7f9;--ok:#1a7f5a;
--bad:#c0362c;--warn:#a15c00;--off:#68707a;--lost:#7a3fb0;--run:#1f5fbf;--link:#1f5fbf}
@media (prefers-color-scheme:dark){.swarm{--bg:#14171a;--ink:#e6e9ec;--soft:#9aa4ae;
--rule:#343b42;--panel:#1d2226;--ok:#4cc38a;--bad:#ff7b72;--warn:#e5a54b;--off:#8b949e;
--lost:#c297ff;--run:#79b0ff;--link:#79b0ff}}
"""

STYLE: Final = (
    PALETTE
    + """
*{box-sizing:border-box}
html{background:Canvas}
body{margin:0}
.swarm{background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif;min-height:100vh}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.5rem 0 .75rem;border-bottom:1px solid var(--rule);
padding-bottom:.25rem}
h3{font-size:1rem;margin:1.25rem 0 .5rem}
p{margin:.5rem 0}
a{color:var(--link)}
code,pre,.id{font-family:ui-monospace,monospace;font-size:.875em}
pre{background:var(--panel);border:1px solid var(--rule);border-radius:6px;padding:.75rem;
overflow:auto;max-height:28rem;margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.soft{color:var(--soft)}
.badge{display:inline-block;padding:0 .5em;border-radius:1em;border:1px solid currentColor;
font-size:.85em;font-weight:600;white-space:nowrap}
.ok{color:var(--ok)}.bad{color:var(--bad)}.warn{color:var(--warn)}.off{color:var(--off)}
.lost{color:var(--lost)}.run{color:var(--run)}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;
margin:1rem 0}
dl.facts div{background:var(--panel);border:1px solid var(--rule);border-radius:8px;
padding:.5rem .75rem}
dt{color:var(--soft);font-size:.8rem}
dd{margin:0;font-size:1.15rem;font-weight:600;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:8px;margin:.75rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
.scroll>table{min-width:52rem}
caption{text-align:left;padding:.5rem .75rem;color:var(--soft)}
th,td{padding:.35rem .75rem;text-align:left;border-top:1px solid var(--rule);vertical-align:top}
th{font-weight:600;white-space:nowrap;background:var(--panel)}
.t{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
summary{cursor:pointer}
summary,.scroll,a{outline-offset:2px}
:focus-visible{outline:2px solid var(--link)}
.report{border:1px solid var(--rule);border-radius:8px;padding:.25rem 1rem 1rem;
max-height:44rem;overflow:auto}
.report table{margin:.5rem 0}
.report h1{font-size:1.3rem;margin-top:.75rem}
.report h2{font-size:1.1rem;border:0;margin:1.25rem 0 .5rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;font-size:.85rem;margin:.5rem 0}
.legend span::before{content:"";display:inline-block;width:.8em;height:.8em;border-radius:2px;
background:currentColor;margin-right:.4em}
svg.timeline{display:block;width:100%;background:var(--panel);border:1px solid var(--rule);
border-radius:8px}
svg.timeline text{fill:var(--soft);font:12px system-ui,sans-serif}
svg.timeline .host{fill:var(--ink);font-weight:600}
svg.timeline rect{fill:currentColor}
svg.timeline line{stroke:var(--rule)}
svg.timeline rect:hover{opacity:.7}
@media print{.report,pre{max-height:none}.swarm{min-height:0}}
"""
)
