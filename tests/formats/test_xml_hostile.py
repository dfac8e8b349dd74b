"""XML that is broken, cut off or out to hurt: refused by name, after the good records, quickly."""

from __future__ import annotations

import pytest

from nave.formats import Limits, XmlFormat
from tests.formats.files import Drip, outcome

ORDER = XmlFormat(record="Order")
GOOD = "<Order><A>1</A></Order><Order><A>2</A></Order>\n"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ('<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>', "NAVE-D112"),
        ("<!DOCTYPE r []><r/>", "NAVE-D112"),
        ('<!DOCTYPE r SYSTEM "file:///etc/hostname"><r/>', "NAVE-D112"),
        ('<!DOCTYPE r PUBLIC "-//X" "http://127.0.0.1/x.dtd"><r/>', "NAVE-D112"),
        ('<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>', "NAVE-D112"),
        ('<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/">%p;]><r/>', "NAVE-D112"),
        ("<r><Order>&nbsp;</Order></r>", "NAVE-D113"),
        ("<!DOCTYPE r><r><Order>&xxe;</Order></r>", "NAVE-D113"),
        ("<r><Order>", "NAVE-D110"),
        ("<r><Order", "NAVE-D110"),
        ("<r><![CDATA[ab", "NAVE-D110"),
        ("<r><Order></r>", "NAVE-D111"),
        ("<r/><r/>", "NAVE-D111"),
        ("<r><Order>\x01</Order></r>", "NAVE-D111"),
        ("<r><x:Order/></r>", "NAVE-D111"),
        ('<r a="1" a="2"/>', "NAVE-D111"),
        ("<r>a & b</r>", "NAVE-D111"),
        ("", "NAVE-D101"),
        ('{"a": 1}', "NAVE-D102"),
        ("code,name\r\n1,x", "NAVE-D102"),
        ("PK\x03\x04rest", "NAVE-D102"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_is_not_plain_xml_is_refused_by_name(document: str, code: str, size: int) -> None:
    found = outcome(Drip(document.encode("latin-1"), size), ORDER)

    assert found.code == code
    assert found.error is not None
    assert found.error.text("zh")
    assert "{" not in found.error.text() + found.error.help()


def test_a_bare_doctype_is_fine() -> None:
    assert outcome(b"<!DOCTYPE r><r><Order>x</Order></r>", ORDER).values == [{"#text": "x"}]


@pytest.mark.parametrize("fault", ["<Order><A>3", "<Order><A>3</B></Order></r>", "<Order>&x;</Order></r>", "<Order>\x02"])
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_the_records_before_a_fault_are_read(fault: str, size: int) -> None:
    found = outcome(Drip(f"<r>{GOOD}{fault}".encode(), size), ORDER)

    assert found.values == [{"A": "1"}, {"A": "2"}]
    assert found.error is not None
    assert found.error.params["line"] == 2


def test_the_line_of_a_fault_counts_what_was_read_in_runs() -> None:
    found = outcome(("<r>\n" + "<Order><A>1</A></Order>\n" * 5000 + "<Order></x>").encode(), ORDER)

    assert len(found.values) == 5000
    assert found.error is not None
    assert found.error.params["line"] == 5002
    assert "line 5002" in found.error.text()


def test_an_entity_is_named() -> None:
    error = outcome(b"<r><Order>&xxe;</Order></r>", ORDER).error

    assert error is not None
    assert error.params["name"] == "xxe"


def test_a_wrong_byte_is_placed_and_the_records_before_it_are_read() -> None:
    data = f"<r>{GOOD * 20}<Order><A>".encode() + b"\xff" + b"</A></Order></r>"

    found = outcome(data, XmlFormat(record="Order", encoding="utf-8"))

    assert len(found.values) == 40
    assert found.code == "NAVE-D103"
    assert found.error is not None
    assert found.error.params["offset"] == data.index(b"\xff")


def test_gbk_under_a_declaration_of_utf8_is_refused_with_advice() -> None:
    data = '<?xml version="1.0" encoding="utf-8"?><r><Order>上海盈硕标牌有限公司</Order></r>'.encode("gbk")

    found = outcome(data, ORDER)

    assert found.code == "NAVE-D103"
    assert found.error is not None
    assert found.error.params["suggestion"] == "gb18030"


@pytest.mark.parametrize("name", ["zlib", "hex", "utf-7", "utf-32", "unicode_escape", "../x", "no-such"])
def test_an_encoding_that_is_none_is_refused(name: str) -> None:
    found = outcome(f'<?xml version="1.0" encoding="{name}"?><r><Order>é</Order></r>'.encode(), ORDER)

    assert found.code == "NAVE-D104"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<a>" * 100_000, "NAVE-D120"),
        ("<r><Order>" + "<a>" * 100_000, "NAVE-D120"),
        ("<r><Order " + " ".join(f'a{n}="1"' for n in range(300)) + "/></r>", "NAVE-D121"),
        (f"<r><{'n' * 2000}/></r>", "NAVE-D122"),
        (f"<r><!--{'c' * 2_000_000}--></r>", "NAVE-D124"),
        (f"<r><{'n' * 20_000_000}", "NAVE-D124"),
        (f'<r><Order a="{"v" * 2_000_000}"/></r>', "NAVE-D124"),
        (f"<r><Order><T>{'t' * 13_000_000}</T></Order></r>", "NAVE-D123"),
        (f"<r><Order><T>{'t' * 17_000_000}</T></Order></r>", "NAVE-D125"),
        ("<r>" + "".join(f"<n{n}/>" for n in range(10_100)), "NAVE-D126"),
    ],
)
def test_a_limit_ends_the_document(document: str, code: str) -> None:
    assert outcome(document.encode(), ORDER).code == code


def test_a_record_of_a_million_empty_elements_is_too_large() -> None:
    document = "<r><Order>" + "<a/>" * 11_000

    assert outcome(document.encode(), ORDER, Limits(record=160_000)).code == "NAVE-D125"


def test_closing_tags_in_a_long_comment_cost_no_more_than_its_length() -> None:
    document = f"<r><!-- {'</Order>' * 120_000} --><Order>x</Order></r>"

    assert outcome(document.encode(), ORDER).values == [{"#text": "x"}]


def test_nested_records_that_grow_without_end_are_refused() -> None:
    document = "<d>" + "<d><k>1</k></d>" * 20_000

    found = outcome(document.encode(), XmlFormat(record="d", nested=True), Limits(xml_nested=100_000))

    assert found.code == "NAVE-D125"


def test_more_records_than_any_limit_counts_are_fine() -> None:
    found = outcome(b"<r>" + b"<Order><A>1</A></Order>" * 300 + b"</r>", ORDER, Limits(record=200))

    assert len(found.values) == 300


@pytest.mark.parametrize("text", ["a]]>b", "\x01", "\x1f", "\ufffe", "\uffff"])
def test_a_run_stops_at_text_that_xml_forbids(text: str) -> None:
    run = "<Order><A>1</A></Order>\n" * 9

    found = outcome(f"<r>\n{run}<Order><A>{text}</A></Order>{run}</r>".encode(), ORDER)

    assert (len(found.values), found.code) == (9, "NAVE-D111")
    assert found.error is not None
    assert found.error.params["line"] == 11
