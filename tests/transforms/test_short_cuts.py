"""A short cut from bytes to bytes gives what its rule gives, or declines: for every rule that has one, whatever comes."""

import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.codes.code_map import CodeMapRow, code_map
from transforms.codes.units import unit_table
from transforms.fhir.elements import Unusable
from transforms.privacy import Pseudonyms
from transforms.reading.heads import Origins
from transforms.reading.memories import members
from transforms.resources import mappings
from transforms.rules.declaring import Choice, Fields, Found, Rule
from transforms.rules.setting import Setting

ZONE = ZoneInfo("America/New_York")
ROWS = [CodeMapRow("", "mmHg", "http://unitsofmeasure.org", "mm[Hg]")]
SETTING = Setting(ZONE, Pseudonyms(b"k" * 32), code_map(ROWS))


def _rules(fields: Fields) -> Iterator[tuple[str, Rule]]:
    for name, rule in fields.items():
        yield from rule.fields.items() if isinstance(rule, Choice) else [(name, rule)]


SHORT_CUT = [
    pytest.param(rule, id=f"{resource.source}.{name}")
    for resource in mappings().values()
    for fields in (resource.subject, resource.fields, resource.repeated)
    for name, rule in _rules(fields)
    if rule.usual is not None
]

MOMENTS = st.builds(
    lambda day, clock, fraction, zone: f"{day}T{clock}{fraction}{zone}",
    st.one_of(
        st.dates().map(str), st.sampled_from(["2026-03-08", "2026-11-01", "2026-02-30", "0001-01-01", "9999-12-31"])
    ),
    st.one_of(
        st.times().map(lambda time: f"{time:%H:%M:%S}"),
        st.sampled_from(["24:00:00", "23:59:60", "05:00:00", "04:59:59"]),
    ),
    st.sampled_from(["", ".0", ".000", ".250", ".250000", ".25", ".1234567", ".", ".abc"]),
    st.sampled_from(["Z", "+00:00", "-00:00", "+05:30", "-11:45", "-0500", "z", ""]),
)
QUANTITIES = st.builds(
    lambda value, unit, more, last: (
        "{"
        + (unit + more + ',"value":' + value if last and unit else f'"value":{value}{"," if unit else ""}{unit}{more}')
        + "}"
    ),
    st.one_of(
        st.decimals(-500, 500, places=2).map(str),
        st.sampled_from(["0", "-0", "7.10", "07", "1e3", "1E400", '"7"', "null"]),
    ),
    st.sampled_from(
        [
            "",
            *(
                f'"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"'
                for unit in ("mm[Hg]", "cm", "%", "m", "{x}")
            ),
            '"unit":"mmHg"',
            '"unit":"nonsense words"',
            '"code":"kg","value":3',
            '"unit":"kg","comparator":"<"',
            '"comparator":"about","code":"kg"',
        ]
    ),
    st.sampled_from(["", ',"value":9', ',"extension":[]', ',"code":"cm"']),
    st.booleans(),
)
RANGES = st.builds(
    lambda one, other, names, more: f'[{{"{names[0]}":{one},"{names[1]}":{other}}}{more}]',
    QUANTITIES,
    QUANTITIES,
    st.sampled_from([("low", "high"), ("high", "low"), ("low", "low")]),
    st.sampled_from(["", ",null", ',{"low":{"value":1}}']),
)
BESIDE = st.sampled_from(
    [
        '"display":"x"',
        '"type":"Patient"',
        '"type":"Encounter"',
        '"reference":"Encounter/2"',
        '"_reference":{"id":"1"}',
        '"identifier":{"system":"urn:mrn","value":"1"}',
        '"identifier":{"assigner":{"reference":"Patient/2"}}',
        '"identifier":{"reference":"Patient/2","type":"Group"}',
        '"extension":[{"url":"x"}]',
        '"display":"\\"reference\\":"',
    ]
)
NAMED = st.sampled_from(
    [
        "Encounter/1",
        "Patient/1",
        "Encounter/",
        "Patient/a.b-C",
        "Encounter/1/_history/2",
        "#1",
        "Encounter\\/1",
        "Patient/#",
    ]
)
REFERENCES = st.builds(
    lambda before, path, after, blank: "{" + f",{blank}".join([*before, f'"reference":{blank}"{path}"', *after]) + "}",
    st.lists(BESIDE, max_size=2),
    NAMED,
    st.lists(BESIDE, max_size=2),
    st.sampled_from(["", " ", "  "]),
)
USUAL = st.one_of(
    MOMENTS.map(json.dumps),
    st.builds(lambda start, end: f'{{"start":"{start}","end":"{end}"}}', MOMENTS, MOMENTS),
    st.builds(lambda start, end: f'{{"end":"{end}","start":"{start}"}}', MOMENTS, MOMENTS),
    QUANTITIES,
    RANGES,
    REFERENCES,
    st.sampled_from(['"a.b-C"', '"a b"', "7", '""', '"\\u0031"']),
).map(str.encode)
METAS = st.builds(
    lambda version, updated, more: f'{{"versionId":"{version}","lastUpdated":"{updated}"{more}}}'.encode(),
    st.sampled_from(["1", "a.b-c", "", "x y", "\\u0031"]),
    MOMENTS,
    st.sampled_from(
        [
            "",
            ',"source":"#a"',
            ',"profile":["http://hl7.org/fhir/STU3/x"]',
            ',"pro\\u0066ile":["http:\\/\\/hl7.org\\/fhir\\/STU3\\/x"]',
            ',"profile":["http:\\/\\/hl7.org\\/fhir\\/STU3\\/x"]',
            ',"source":"http://hl7.org/fhir/STU3/x"',
            ',"versionId":"2"',
            ',"version\\u0049d":"2"',
            ',"extension":[{"url":"x"},{"url":"y"}]',
        ]
    ),
)
CODES = [*sorted(unit_table())[:8], "85354-9", "8480-6", "8480-7"]
COMPANIONS = st.one_of(
    st.none(),
    st.sampled_from(CODES).map(
        lambda code: json.dumps({"coding": [{"system": "http://loinc.org", "code": code}]}).encode()
    ),
    st.sampled_from([b"{}", b"null", b"[", b"{" + b" " * 2000 + b"}"]),
)


def _mutated(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """As it came, or with some bytes cut out or put in."""
    changed = st.builds(
        lambda raw, place, junk, cut: raw[: place % len(raw)] + junk + raw[place % len(raw) + cut :],
        contents,
        st.integers(0, 200),
        st.one_of(st.binary(max_size=2), st.sampled_from([b" ", b"\\u0031", b'"', b"}", b"0", b",", b"\\"])),
        st.integers(0, 2),
    )
    return st.one_of(contents, changed)


def _is_json(raw: bytes | None) -> bool:
    """What the reader hands over was cut out of a line that is JSON."""
    try:
        msgspec.json.decode(raw or b"null")
    except (msgspec.DecodeError, UnicodeError):
        return False
    return True


def _as_read(rule: Rule, raw: bytes, companion: bytes | None) -> tuple[bytes, Found] | None:
    try:
        found = rule.read(raw, companion, SETTING)
    except Unusable:
        return None
    return members((name, found.values.get(name)) for name in rule.gives), found


@pytest.mark.parametrize("rule", SHORT_CUT)
@settings(max_examples=some(400))
@given(_mutated(USUAL), COMPANIONS)
@pytest.mark.slow
def test_a_short_cut_gives_what_its_rule_gives(rule: Rule, raw: bytes, companion: bytes | None) -> None:
    """And nothing was noticed there: what was is the rule's to say."""
    if not _is_json(raw):
        return
    assert rule.usual is not None
    cut = rule.usual(SETTING, [b',"%b":' % name.encode() for name in rule.gives])(raw, companion)
    if cut is not None:
        assert (cut, Found().flags) == ((read := _as_read(rule, raw, companion)) and (read[0], read[1].flags))


@settings(max_examples=some(2_000))
@given(_mutated(METAS))
@pytest.mark.slow
def test_meta_is_cut_to_what_it_is_read_as(raw: bytes) -> None:
    """The version, the instant, and whether the profile is another FHIR version's."""
    if _is_json(raw):
        origins = Origins(SETTING)
        assert origins.of(raw) == origins.read(raw)


def test_the_usual_forms_are_cut() -> None:
    """A short cut that always declines would pass, and be slow."""
    percent = b'"system":"http://unitsofmeasure.org","unit":"%"'
    usual: list[tuple[Any, bytes]] = [
        ("effectiveDateTime", b'"2026-03-02T09:10:00Z"'),
        ("effectiveDateTime", b'"2026-03-02T09:10:00-05:00"'),
        ("valueQuantity", b'{"value":7.1,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}'),
        ("valueQuantity", b'{"code":"%%",%b,"value":7.1}' % percent),
        ("referenceRange", b'[{"low":{"value":7.1,%b},"high":{%b,"value":9}}]' % (percent, percent)),
        ("encounter", b'{"reference":"Encounter/1"}'),
        ("subject", b'{"display":"x", "identifier": {"system":"urn:mrn"}, "reference": "Patient/1"}'),
        ("effectivePeriod", b'{"start":"2026-03-02T09:10:00Z","end":"2026-03-02T09:10:00Z"}'),
        ("effectivePeriod", b'{"end":"2026-03-02T09:10:00+01:00","start":"2026-03-02T09:10:00+02:00"}'),
    ]
    declared = mappings()["Observation"]
    rules = dict([*_rules(declared.subject), *_rules(declared.fields), *_rules(declared.repeated)])
    for name, raw in usual:
        rule = rules[name]
        assert rule.usual is not None
        assert rule.usual(SETTING, [b",x" for _ in rule.gives])(raw, None) is not None
