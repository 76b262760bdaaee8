"""`mainstem quality --across`: the sites of the registry beside one another, in JSON, to people, on a page. Counts alone."""

from collections.abc import Iterator
from pathlib import Path

import typer

from mainstem.commands.quality.page import document, text
from mainstem.commands.quality.told import Told
from mainstem.commands.terminal import print_json, read_settings, say, stdout, styled, write_file
from schemas.errors import ExitCode
from services.registry.across import Across, Outlier, Result, compare, shipped
from services.registry.across.counting.tables import counted
from services.registry.across.kinds.far import Compared
from services.registry.database import connect, reading

_LINES = 20
"""Lines of a check and site that are told, the farthest first."""
_STYLES = {"failed": "bold red", "passed": "green", "not-applicable": "dim"}


def tell_across(*, as_json: bool, html: Path | None, every: bool) -> None:
    """Exit code 3 when a site lies far from its peers in something."""
    engine = connect(read_settings().registry_url)
    try:
        with reading(engine) as connection:
            across = compare(counted(connection))
    finally:
        engine.dispose()
    told = told_of(across)
    if html is not None:
        write_file(html, page_of(told))
    if as_json:
        print_json(told)
    else:
        _print(told, every=every)
    if told["status"] == "failed":
        raise typer.Exit(ExitCode.ATTENTION)


def told_of(across: Across) -> Told:
    """As plain values: the calls first, then each check by site, the worst first."""
    statuses = {result.status for result in across.results}
    return {
        "sites": across.sites,
        "status": next((each for each in _STYLES if each in statuses), "not-applicable"),
        "calls": [_call(each) for each in across.calls],
        "checks": [_check(name, [each for each in across.results if each.check == name]) for name in shipped()],
    }


def _call(found: Outlier) -> Told:
    check = shipped()[found.check]
    return {"check": found.check, "fix": check.fix, "who": check.who} | _line(found.line)


def _check(name: str, results: list[Result]) -> Told:
    check = shipped()[name]
    return {
        "id": name,
        "what": check.what,
        "tolerated": check.tolerated,
        "least": check.least,
        "source": check.source,
        "fix": check.fix,
        "who": check.who,
        "sites": [
            {
                "site": each.site,
                "status": each.status,
                "compared": sum(line.z is not None for line in each.lines),
                "lines": [_line(line) for line in each.lines if line.far][:_LINES],
            }
            for each in results
        ],
    }


def _line(line: Compared) -> Told:
    return {
        "site": line.site,
        "of": line.of,
        "looked": line.looked,
        "figure": line.shown,
        "peers": line.peers,
        "others": line.others,
        "z": line.z,
        "unit": line.unit,
        "said": line.said,
    }


def figures(line: Told) -> str:
    """`west: observation 29463-7 kg: 99.2 kg, the median of 5 others is 45 kg (4.1 spreads; of 1,200); pounds for kilograms?`."""
    unit, z = line["unit"], line["z"]
    peers = f"the median of {line['others']} others is {line['peers']:.3g}{unit}"
    words = f"{line['figure']:.3g}{unit}, {peers} ({abs(z):.2g} spreads; of {line['looked']:,})"
    return "; ".join(each for each in (words, line["said"]) if each)


def in_words(told: Told) -> str:
    """How many sites, and how the checks came out."""
    results = [each["status"] for check in told["checks"] for each in check["sites"]]
    counted_ = ", ".join(f"{results.count(status)} {status.replace('-', ' ')}" for status in _STYLES)
    few = "" if any(each != "not-applicable" for each in results) else ": five sites with enough records are needed"
    return f"{len(told['sites'])} sites compared: {counted_}{few}"


def _print(told: Told, *, every: bool) -> None:
    say(in_words(told))
    console = stdout()
    for place, call in enumerate(told["calls"], 1):
        console.print(
            styled((f"call {place}: {call['site']}", "bold red"), f": {call['of']}: {figures(call)}"), soft_wrap=True
        )
        console.print(styled(("      fix:", "bold green"), f" {call['fix']} ({call['who']})"), soft_wrap=True)
    for check in told["checks"]:
        for each in check["sites"]:
            status = each["status"]
            if every or status == "failed":
                head = styled(
                    (f"{status:14}", _STYLES[status]), (f" {check['id']}", "bold"), f" {each['site']}: {check['what']}"
                )
                console.print(head, soft_wrap=True)
            for line in each["lines"]:
                console.print(f"      {line['of']}: {figures(line)}", soft_wrap=True, markup=False, highlight=False)


def page_of(told: Told) -> str:
    """The page: the calls first."""
    calls = "".join(_section(call, f"{call['site']}: {call['of']}") for call in told["calls"])
    checks = "".join("".join(_of_check(check)) for check in told["checks"])
    return document(
        "The sites beside one another", in_words(told), f"<h2>Call first</h2>{calls or '<p>Nobody.</p>'}{checks}"
    )


def _section(call: Told, title: str) -> str:
    done = f"<p><strong>What to do</strong> ({text(call['who'])}): {text(call['fix'])}</p>"
    return f'<section class="failed"><h3>{text(title)}</h3><p>{text(figures(call))}</p>{done}</section>'


def _of_check(check: Told) -> Iterator[str]:
    yield f"<h2>{text(check['id'])}</h2><p>{text(check['what'])}. {text(check['fix'])} ({text(check['who'])})</p>"
    yield '<table><thead><tr><th scope="col">site</th><th scope="col">came out</th><th scope="col">what</th></tr></thead><tbody>'
    for each in check["sites"]:
        far = "<br>".join(text(f"{line['of']}: {figures(line)}") for line in each["lines"])
        few = f"{each['compared']} figures compared" if each["compared"] else "too few to compare"
        yield f"<tr><td>{text(each['site'])}</td><td>{text(each['status'].replace('-', ' '))}</td><td>{far or few}</td></tr>"
    yield f"</tbody></table><p><small>{text(check['source'])}</small></p>"
