"""What was judged as one page of HTML that needs nothing else: no script, no address elsewhere."""

from collections.abc import Iterator
from html import escape

from mainstem.commands.quality.told import Told, figures, in_words
from schemas.runbooks import found_at
from schemas.showing import shown

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "section{border-left:.4rem solid #767676;padding:.2rem 0 .2rem 1rem;margin:1.5rem 0}"
    ".failed{border-color:#b00020}.noted{border-color:#9a6700}.passed{border-color:#1a7f37}"
    "h2{font-size:1.1rem;margin:0}table{border-collapse:collapse;margin:.5rem 0}"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}th{font-weight:600}small{color:#595959}li,p{overflow-wrap:anywhere}"
    ".wide{overflow-x:auto}code{font-size:.95em}"
)


def page_of(told: Told) -> str:
    """The page."""
    body = "".join(_section(check) for check in told["checks"])
    return document(f"Data quality of {told['site']}", f"{in_words(told)}; judged {told['judged']}", body)


def document(title: str, summary: str, body: str) -> str:
    """A page with a title, a sentence and what follows, which is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{text(title)}</h1><p>{text(summary)}.</p>{body}</main></body></html>\n"
    )


def wide(table: str, what: str) -> str:
    """A table that scrolls by itself where it is wider than a phone, with the keyboard too; the page stays as wide as the screen."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{text(what)}">{table}</div>'


def _section(check: Told) -> str:
    status = check["status"]
    words = [
        f"<h2>{text(status.replace('-', ' '))}: {text(check['id'])} <small>{text(check['kind'])}</small></h2>",
        f"<p>{text(check['what'])}</p>",
        wide(table, check["id"]) if (table := "".join(_table(check))) else "",
        f"<p><strong>What to do</strong> ({text(check['who'])}): {text(check['fix'])}</p>" if check["found"] else "",
        f"<p><small>Tolerated: {100 * check['threshold']:g} %. {text(check['source'])}</small></p>",
    ]
    return f'<section class="{status}">{"".join(words)}</section>'


def _table(check: Told) -> Iterator[str]:
    lines = [line for line in check["lines"] if line["found"] or not line["looked"]]
    if lines:
        yield '<table><thead><tr><th scope="col">of</th><th scope="col">came out</th><th scope="col">figures</th></tr></thead><tbody>'
        for line in lines:
            status = line["status"].replace("-", " ")
            yield f"<tr><td>{text(line['of'])}</td><td>{text(status)}</td><td>{text(figures(line))}</td></tr>"
        yield "</tbody></table>"
    if check["more_lines"]:
        yield f"<p>and {check['more_lines']} more</p>"


def text(words: str) -> str:
    """Words that may stand in a page."""
    return escape(shown(words, 2_000))


def linked(words: str, place: str, docs: str) -> str:
    """A code with a link to the page that answers it, where the documentation is served somewhere."""
    return f'<a href="{escape(found_at(place, docs))}">{text(words)}</a>' if docs else text(words)
