"""Numbers, dates, codes and units: exact, repaired only where that is safe."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import OperatorError
from transforms import Mapper, parse_code_map
from transforms.codes.loinc import check_digit, loinc_fault
from transforms.codes.spellings import FREQUENT
from transforms.codes.systems import ICD10CM, LOINC, SNOMED, repaired_system
from transforms.codes.units import _EXACT, _measured, conversion, is_ucum, unit_table
from transforms.fhir.elements import number_of, plain
from transforms.fhir.times import instant, moment
from transforms.rules.short_cuts import UsualMoments

ZONE = ZoneInfo("America/New_York")
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)


@given(DECIMALS)
def test_numbers_stay_exact(number: Decimal) -> None:
    """Whatever is written comes out with the same value, and equal values are equal bytes."""
    written, quoted = number_of(str(f"{number:f}").encode())
    assert not quoted
    assert Decimal(bytes(plain(written)).decode()) == number
    assert bytes(plain(written + "0" if "." in written else written)) == bytes(plain(written))


@given(st.integers(-(10**17), 10**17), st.integers(-20, 20))
def test_exponents_stay_exact(mantissa: int, exponent: int) -> None:
    """1.2e3 is 1200, not 1199.9999."""
    written, _ = number_of(f"{mantissa}e{exponent}".encode())
    assert Decimal(bytes(plain(written)).decode()) == Decimal(f"{mantissa}e{exponent}")


def test_7_10_keeps_its_zero_in_raw() -> None:
    """Precision is information: the raw value keeps it, the value compares equal."""
    line = (
        b'{"resourceType":"Observation","id":"1","status":"final","subject":{"reference":"Patient/1"},'
        b'"effectiveDateTime":"2026","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},'
        b'"valueQuantity":{"value":7.10,"code":"%"}}'
    )
    (record,) = Mapper(site="n", time_zone="UTC", subject_key=b"k").map_line(line).records
    assert b'"value":7.1,' in record.content
    assert json.loads(record.content)["raw_value"] == "7.10"


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60).filter(bool),
)
def test_instants_are_exact_in_utc_and_local_by_their_offset(when: datetime, minutes: int) -> None:
    """UTC is the same instant; the local date is the writer's."""
    written = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = moment(written.isoformat(), ZONE)
    assert found.utc is not None
    assert datetime.fromisoformat(found.utc) == written
    assert found.date == when.date().isoformat()
    assert instant(written.isoformat(), ZONE)[1] == round(
        (written - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000",
        "2026-13",
        "2026-02-30",
        "2026-3-1",
        "20260301T10101Z",
        "9999-12-31T23:59:59-14:00",
        "now",
    ],
)
def test_what_is_no_fhir_time_is_refused(text: str) -> None:
    """No guess at dates."""
    with pytest.raises(ValueError, match=r"."):
        moment(text, ZONE)


def test_a_time_without_offset_is_the_sites() -> None:
    """FHIR demands an offset; where it is missing the site's zone is assumed, and flagged."""
    found = moment("2026-07-01T22:00:00", ZONE)
    assert (found.utc, found.date, found.flags) == ("2026-07-02T02:00:00Z", "2026-07-01", ("time-zone-assumed",))


@pytest.mark.parametrize("code", ["8302-2", "8480-6", "4548-4", "9279-1", "59576-9", "20150-9"])
def test_real_loinc_codes_pass_their_check_digit(code: str) -> None:
    """Known codes."""
    assert loinc_fault(code) is None


@given(st.integers(1, 9_999_999), st.integers(0, 9))
def test_any_other_check_digit_is_a_fault(number: int, digit: int) -> None:
    """One digit in ten is right."""
    right = check_digit(str(number))
    assert loinc_fault(f"{number}-{digit}") == (None if str(digit) == right else "loinc-check-digit")


@given(st.from_regex(r"[1-9][0-9]{3}-[1-9]", fullmatch=True))
def test_what_a_spreadsheet_makes_of_a_code_is_recognised(code: str) -> None:
    """Year 9279, first month."""
    number, digit = code.split("-")
    assert loinc_fault(f"{number}-0{digit}-01") == "loinc-spreadsheet-date"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http: //snomed.info/sct", SNOMED),
        ("https://loinc.org/", LOINC),
        ("urn:oid:2.16.840.1.113883.6.90", ICD10CM),
        ("URN:OID:2.16.840.1.113883.6.1", LOINC),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
        ("Ann Example", None),
        (None, None),
    ],
)
def test_system_uris_are_repaired(written: str | None, meant: str | None) -> None:
    """White space, case, https, OIDs."""
    assert repaired_system(written) == meant


def test_the_unit_table_is_sound() -> None:
    """Every code passes its check digit, every unit is frequent, every range is one."""
    for code, row in unit_table().items():
        assert loinc_fault(code) is None
        assert row.unit in FREQUENT
        assert row.low < row.high


def test_frequent_units_are_ucum_by_the_parser() -> None:
    """The short cut says nothing the library does not."""
    from transforms.codes.units import _parser

    for unit in FREQUENT:
        assert _parser()(unit) is not None, unit
    assert not is_ucum("mmHg")
    assert not is_ucum("foo bar")


def test_exact_conversions_agree_with_the_library() -> None:
    """The table saves loading it, and differs in nothing but rounding."""
    for (source, target), (factor, offset) in _EXACT.items():
        measured = _measured(source, target)
        assert measured.factor == pytest.approx(factor, rel=Decimal("1e-9"))
        assert measured.offset == pytest.approx(offset, rel=Decimal("1e-9"), abs=Decimal("1e-9"))


@settings(max_examples=some(50))
@given(DECIMALS)
def test_conversion_keeps_ten_digits(number: Decimal) -> None:
    """A float would not."""
    turned = conversion("[in_i]", "cm").of(number)
    assert abs(turned - number * Decimal("2.54")) <= abs(turned) * Decimal("1e-9")


def test_a_code_map_is_read_and_its_faults_are_named() -> None:
    """The site's people get the line."""
    rows = list(
        parse_code_map(
            "\ufeffsystem,code,target_system,target_code,note\nurn:x,HT,http://loinc.org,8302-2,\n", "map.csv"
        )
    )
    assert rows[0].target_code == "8302-2"
    with pytest.raises(OperatorError, match=r"map\.csv: no column target_code"):
        list(parse_code_map("system,code,target_system\n", "map.csv"))
    with pytest.raises(OperatorError, match=r"map\.csv:2"):
        list(parse_code_map("system,code,target_system,target_code\nurn:x,HT,,8302-2\n", "map.csv"))


@pytest.mark.parametrize("zone", ["America/New_York", "America/St_Johns", "Asia/Kolkata", "UTC", "Pacific/Apia"])
def test_a_usual_time_is_cut_to_what_it_is_read_as(zone: str) -> None:
    """Minute by minute around midnight and the change of clocks, and for what is not usual not at all."""
    usual = UsualMoments(ZoneInfo(zone))
    compared = 0
    for day in ("2006-10-29", "2011-12-30", "2024-02-29", "2024-03-10", "2024-11-03", "2024-11-04", "0001-01-01"):
        for minute in range(0, 24 * 60, 7):
            for rest in (":00Z", ":59.999999+00:00", ":30.120Z", ":30.000Z", ":05.000000Z"):
                text = f"{day}T{minute // 60:02}:{minute % 60:02}{rest}"
                cut = usual(f'"{text}"'.encode())
                if cut is not None:
                    compared += 1
                    read = moment(text, ZoneInfo(zone))
                    assert [json.loads(part) for part in cut] == [read.utc, read.date]
                    assert read.flags == ()
    assert compared > 3_000
    for text in ("2024-02-30T10:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T10:00:60Z", "2024-02-29t10:00:00Z"):
        assert usual(f'"{text}"'.encode()) is None
