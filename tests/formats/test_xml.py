"""XML into records: what becomes what, in which encoding, however the bytes arrive."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nave.formats import XmlFormat, unit
from nave.formats.limits import DEFAULTS
from nave.formats.xmlfile import read_xml
from tests.formats.files import Drip, outcome

ORDER = XmlFormat(record="Order")


def values(document: str | bytes, options: XmlFormat = ORDER) -> list[object]:
    found = outcome(document.encode() if isinstance(document, str) else document, options)
    assert found.error is None, found.error
    return found.values


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ('<Order id="1"><Line><P>x</P></Line></Order>', {"@id": "1", "Line": {"P": "x"}}),
        ("<Order><P>1</P><P>2</P><P>3</P></Order>", {"P": ["1", "2", "3"]}),
        ("<Order><P>  007 </P><E></E><F/></Order>", {"P": "  007 ", "E": "", "F": ""}),
        ('<Order><Q unit="kg">5</Q></Order>', {"Q": {"@unit": "kg", "#text": "5"}}),
        ("<Order>a<P>1</P>b</Order>", {"P": "1", "#text": "ab"}),
        ("<Order>\n  <P>1</P>\n</Order>", {"P": "1"}),
        ("<Order>plain</Order>", {"#text": "plain"}),
        ("<Order/>", {"#text": ""}),
        ('<x:Order xmlns:x="urn:u" x:id="1"><x:P>1</x:P></x:Order>', {"@id": "1", "P": "1"}),
        ("<Order><P>a<!-- no -->b<?pi?>c<![CDATA[<d>&]]></P></Order>", {"P": "abc<d>&"}),
        ("<Order><P>&lt;&#38;&#x955C;&quot;</P></Order>", {"P": '<&镜"'}),
        ("<Order><P>1\r\n2\r3</P></Order>", {"P": "1\n2\n3"}),
        ("<Order><a><b/></a><a>t</a></Order>", {"a": [{"b": ""}, "t"]}),
        ("<Order><客户>盈硕</客户></Order>", {"客户": "盈硕"}),
    ],
)
def test_an_element_becomes_a_dict(element: str, expected: object) -> None:
    assert values(f"<r>{element}</r>") == [expected]


def test_alike_records_read_as_the_parser_reads_each() -> None:
    rows = [
        "<Order><A>1</A><B>x</B></Order>",
        "<Order><A>2</A><B>y</B></Order>",
        "<Order><A>3</A></Order>",
        "<Order><B>only</B></Order>",
        "<Order><A>&amp;</A><B> z </B></Order>",
        "<Order><A/><B></B></Order>",
        "<Order><A/><B></B></Order>",
        "<Order><B>1</B><A>2</A></Order>",
        "<Order><A>4</A><B>5</B><C>new</C></Order>",
        '<Order id="7"><A>6</A></Order>',
        "<Order></Order>",
        "<Order>\n</Order>",
        "<!-- <Order><A>not</A></Order> --><Order><A>7</A></Order>",
        "<Order><A>8</A><A>9</A></Order>",
        "<Order><A>10</A></Order>",
    ]

    found = values("<r>" + "\n  ".join(rows) + "</r>")

    assert found == [one for row in rows for one in values(f"<r>{row}</r>")]


def test_a_record_in_a_comment_or_section_after_a_record_is_none() -> None:
    run = "<Order><A>1</A></Order>" * 3

    assert len(values(f"<r>{run}<!-- {run} -->{run}<x><![CDATA[{run}]]></x>{run}</r>")) == 9


def test_a_record_inside_a_record_is_part_of_it_unless_records_nest() -> None:
    assert values("<r><Order><Order><A>1</A></Order><A>2</A></Order></r>") == [{"Order": {"A": "1"}, "A": "2"}]


def test_a_path_picks_the_records_under_one_parent() -> None:
    document = "<r><a><Order><A>1</A></Order></a><b><Order><A>2</A></Order><Order><A>3</A></Order></b></r>"

    assert values(document, XmlFormat(record="b/Order")) == [{"A": "2"}, {"A": "3"}]


def test_nested_records_come_one_by_one_each_with_its_direct_children_only() -> None:
    document = (
        '<xml><document id="P"><configuration name="c" quantity="1"><attribute name="n" value="v"/><references>'
        '<document id="A"><configuration quantity="2"><references><document id="X"><configuration quantity="4"/></document>'
        "</references></configuration></document>"
        '<document id="B"><configuration quantity="3"/></document>'
        "</references></configuration></document></xml>"
    )

    found = values(document, XmlFormat(record="document", nested=True))

    leaf_x = {"@id": "X", "configuration": {"@quantity": "4"}}
    leaf_b = {"@id": "B", "configuration": {"@quantity": "3"}}
    assert found == [
        leaf_x,
        {"@id": "A", "configuration": {"@quantity": "2", "references": {"document": leaf_x}}},
        leaf_b,
        {
            "@id": "P",
            "configuration": {
                "@name": "c",
                "@quantity": "1",
                "attribute": {"@name": "n", "@value": "v"},
                "references": {"document": [{"@id": "A", "configuration": {"@quantity": "2"}}, leaf_b]},
            },
        },
    ]


def test_repeated_children_of_a_nested_record_are_not_shared_with_its_copy() -> None:
    document = "<r><d><k>1</k><k>2</k><d><k>3</k></d><k>4</k></d></r>"

    assert values(document, XmlFormat(record="d", nested=True)) == [{"k": "3"}, {"k": ["1", "2", "4"], "d": {"k": "3"}}]


def test_rows_are_numbered_by_element() -> None:
    found = outcome(b"<r><Order/><x/><Order/></r>", ORDER)

    assert unit(ORDER) == "element"
    assert [(row.number, row.offset) for row in found.rows] == [(1, None), (2, None)]


@pytest.mark.parametrize(
    ("declaration", "codec"),
    [
        ('<?xml version="1.0" encoding="gb2312"?>', "gb18030"),
        ("<?xml version='1.0' encoding='GBK'?>", "gb18030"),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-8"),
        ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16"),
        ('<?xml version="1.0"?>', "utf-16-le"),
        ('<?xml version="1.0"?>', "utf-8-sig"),
        ('<?xml version="1.0"?>', "gb18030"),
        ("", "gb18030"),
        ("", "utf-8"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
def test_every_usual_encoding_is_read_however_it_is_torn(declaration: str, codec: str, size: int) -> None:
    data = f"{declaration}<r><Order><N>朱镕基 㛃</N></Order><Order><N>二\r\n三</N></Order></r>".encode(codec)

    assert outcome(Drip(data, size), ORDER).values == [{"N": "朱镕基 㛃"}, {"N": "二\n三"}]


def test_a_document_that_becomes_chinese_late_is_still_recognised() -> None:
    body = "<Order><N>ascii</N></Order>" * 40_000 + "<Order><N>镕</N></Order>"

    found = outcome(f"<r>{body}</r>".encode("gb18030"), ORDER)

    assert found.error is None
    assert found.values[-1] == {"N": "镕"}
    assert len(found.rows) == 40_001


NAMES = st.sampled_from(["A", "B", "C", "客户", "a-b", "a.b", "_x"])
TEXT = st.text(alphabet=st.sampled_from("ab \n\t\r<>&]'\"=/镕𠮷;#"), max_size=6)
FIELD = st.tuples(NAMES, TEXT, st.sampled_from(["text", "empty", "spaced", "cdata", "comment", "attribute", "child"]))


def _element(field: tuple[str, str, str]) -> str:
    name, text, kind = field
    body = {
        "text": f"<{name}>{escape(text)}</{name}>",
        "empty": f"<{name}/>",
        "spaced": f"<{name} />",
        "cdata": f"<{name}><![CDATA[{text.replace(']]>', '')}]]></{name}>",
        "comment": f"<{name}>{escape(text)}<!--<Order>--></{name}>",
        "attribute": f'<{name} k="1">{escape(text)}</{name}>',
        "child": f"<{name}><A>{escape(text)}</A></{name}>",
    }
    return body[kind]


DOCUMENTS = st.lists(
    st.tuples(st.lists(FIELD, max_size=5).map(lambda fields: "\n ".join(map(_element, fields))), st.integers(1, 3)),
    max_size=8,
)


@given(DOCUMENTS, st.sampled_from([1, 5, 64, 100_000]))
def test_reading_runs_of_records_changes_nothing(rows: list[tuple[str, int]], size: int) -> None:
    records = [body for body, times in rows for _ in range(times)]
    document = "<r>" + "\n".join(f"<Order>{body}</Order>" for body in records) + "</r>"

    together = outcome(Drip(document.encode(), size), ORDER)
    alone = [outcome(f"<r><Order>{body}</Order></r>".encode(), ORDER).values[0] for body in records]

    assert together.error is None
    assert together.values == alone


PIECES = [
    "<?x ",
    "?>",
    "<!-- ",
    "-->",
    "<![CDATA[",
    "]]>",
    "<x>",
    "</x>",
    "<x a='",
    "'/>",
    "</Order>",
    "</Order >",
    "<Order/>",
]
NOISE = st.lists(st.sampled_from(PIECES) | st.sampled_from("<>/&;OA ='\"!-[]?\n\x01镕"), max_size=6).map("".join)


@given(NOISE, NOISE, st.sampled_from([1, 40, 100_000]))
@example("<?x ", "", 100_000)
@example("</Order ><!-- ", "", 100_000)
@example("<!-- ", "-->", 100_000)
def test_no_text_is_taken_that_a_parser_would_not_take(noise: str, more: str, size: int) -> None:
    """A run must end where the parser would have complained: the same records and the same verdict either way."""
    run = "<Order><A>1</A></Order>" * 3
    document = f"<r>{run}{noise}{run}{more}{run}</r>"

    fast = outcome(Drip(document.encode(), size), ORDER)
    slow = outcome(Drip(document.replace("<Order>", "<Order >").encode(), size), ORDER)

    assert (fast.values, fast.code) == (slow.values, slow.code)


def test_reading_asks_for_no_more_than_it_needs() -> None:
    data = b"<r>" + b"<Order><A>1</A></Order>" * 100_000 + b"</r>"
    stream = Drip(data, 1 << 16)

    first = next(read_xml(stream, ORDER, DEFAULTS))  # type: ignore[arg-type]

    assert first.number == 1
    assert stream._stream.tell() < len(data)
