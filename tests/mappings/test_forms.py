"""Fields under a condition, documents from a template of elements, stylesheets: each does its work and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from nave.mappings import Mapped, MappingProblems
from tests.mappings.setting import codes, error, inbound, outbound, problems, result, results

# --- conditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "filled"),
    [
        ({"from": "A", "when": "B == 'y'"}, "x"),
        ({"const": 5, "when": "B == 'y'"}, 5),
        ({"fields": {"n": "A"}, "when": "B == 'y'"}, {"n": "x"}),
        ({"key": "A", "system": "hr", "when": "B == 'y'"}, {"system": "hr", "key": "x"}),
        ({"xml": "T", "fields": {"N": "A"}, "when": "B == 'y'"}, "<T><N>x</N></T>"),
    ],
)
def test_a_field_is_filled_only_where_its_condition_holds(form: dict[str, Any], filled: Any) -> None:
    assert result(form, {"A": "x", "B": "y"}) == filled
    assert result(form, {"A": "x", "B": "n"}) is None


def test_what_a_condition_leaves_out_is_not_read_either() -> None:
    assert result({"from": "A | int", "when": "B"}, {"A": "no number", "B": False}) is None


def test_a_condition_that_cannot_be_answered_is_an_error_of_its_field() -> None:
    assert error(result({"from": "A", "when": "B > 1"}, {"A": "x", "B": "y"})) == ("NAVE-M116", "x")


def test_an_object_may_have_a_member_named_when() -> None:
    assert result({"when": "A", "who": "B"}, {"A": "today", "B": "me"}) == {"when": "today", "who": "me"}


# --- documents -----------------------------------------------------------------------------------------------------

UBL = {"": "urn:invoice", "cbc": "urn:basic"}


def test_a_template_of_elements_gives_a_document() -> None:
    fields = {
        "@code": "code",
        "cbc:Name": "name",
        "Credit": {"@currency": "credit.currency", "#text": "credit.amount"},
        "Person": {"each": "contacts", "fields": {"@n": "loop.index", "Name": "name", "Tel": "phone"}},
        "Empty": "remark",
    }
    mapping = outbound({"payload": {"xml": "Customer", "namespaces": UBL, "fields": fields}})
    people = [{"name": "王<伟>", "phone": None}, {"name": "B", "phone": "1"}]

    (out,) = mapping.run(
        [{"code": "7", "name": "盈硕 & 子", "credit": {"amount": 8, "currency": "CNY"}, "contacts": people}]
    )

    assert isinstance(out, dict)
    root = etree.fromstring(out["payload"])
    assert root.tag == "{urn:invoice}Customer"
    assert [etree.QName(child).localname for child in root] == ["Name", "Credit", "Person", "Person"]
    assert root.findtext("{urn:basic}Name") == "盈硕 & 子"
    assert (root.get("code"), root[1].get("currency"), root[1].text) == ("7", "CNY", "8")
    assert [(one.get("n"), one.findtext("{urn:invoice}Name")) for one in root[2:]] == [("1", "王<伟>"), ("2", "B")]


@pytest.mark.parametrize("name", ["a b", "1a", "x:y", "", "<a>", "a/b", "@"])
def test_names_that_xml_does_not_have_are_refused_before_anything_runs(name: str) -> None:
    assert codes({"name": {"xml": "T", "fields": {name: "A"}}}) == ["NAVE-M028"]


def test_characters_that_xml_does_not_have_are_an_error_of_the_field() -> None:
    assert error(result({"xml": "T", "fields": {"N": "A"}}, {"A": "a\x00b"})) == ("NAVE-M121", "x")


# --- stylesheets ---------------------------------------------------------------------------------------------------

HEAD = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
THING = f"""{HEAD}<xsl:template match="/"><thing><name><xsl:value-of select="//N"/></name>
<xsl:for-each select="//L"><lines><code><xsl:value-of select="."/></code></lines></xsl:for-each></thing></xsl:template>
</xsl:stylesheet>"""
SHORT = f"""{HEAD}<xsl:output method="text"/><xsl:template match="/">[<xsl:value-of select="*/N"/>]</xsl:template>
</xsl:stylesheet>"""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub folder with stylesheets, good and bad, and a file that none of them may read."""
    (tmp_path / "xslt").mkdir()
    (tmp_path / "secret.xml").write_text("<s>secret</s>", encoding="utf-8")
    (tmp_path / "outside.xsl").write_text(SHORT, encoding="utf-8")
    secret, out = tmp_path / "secret.xml", tmp_path / "out.xml"
    reading = f"<xsl:value-of select=\"document('{secret.as_uri()}')\"/>"
    writing = f'<e:document href="{out}"><x/></e:document>'
    extended = HEAD.replace(">", ' xmlns:e="http://exslt.org/common" extension-element-prefixes="e">')
    sheets = {
        "thing.xsl": THING,
        "short.xsl": SHORT,
        "reads.xsl": f'{HEAD}<xsl:template match="/"><r><name>{reading}</name></r></xsl:template></xsl:stylesheet>',
        "writes.xsl": f'{extended}<xsl:template match="/"><r>{writing}</r></xsl:template></xsl:stylesheet>',
        "fetches.xsl": f'{HEAD}<xsl:include href="http://127.0.0.1:9/x.xsl"/></xsl:stylesheet>',
        "includes.xsl": f'{HEAD}<xsl:include href="{(tmp_path / "outside.xsl").as_uri()}"/></xsl:stylesheet>',
        "endless.xsl": f'{HEAD}<xsl:template match="/"><xsl:apply-templates select="/"/></xsl:template></xsl:stylesheet>',
        "broken.xsl": "<xsl:",
    }
    for name, text in sheets.items():
        (tmp_path / "xslt" / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_stylesheet_fills_a_whole_record_and_a_child_that_came_once_is_a_list(hub: Path) -> None:
    mapping = inbound({}, folder=hub, xslt="thing.xsl")

    one, two = mapping.run([{"K": "1", "N": "盈硕", "L": "a"}, {"K": "2", "N": "B", "L": ["a", "b"]}])

    assert isinstance(one, Mapped)
    assert isinstance(two, Mapped)
    assert one.values == {"name": "盈硕", "lines": [{"code": "a"}]}
    assert two.values["lines"] == [{"code": "a"}, {"code": "b"}]


def test_a_stylesheet_fills_one_field_from_a_text_that_is_xml(hub: Path) -> None:
    mapping = inbound({"name": {"xslt": "short.xsl", "from": "P"}}, folder=hub)

    good, declared, bad = mapping.run(
        [
            {"K": "1", "P": "<a><N>x</N></a>"},
            {"K": "2", "P": "<?xml version='1.0' encoding='GB2312'?><a><N>镕</N></a>"},
            {"K": "3", "P": "<a"},
        ]
    )

    assert isinstance(good, Mapped)
    assert isinstance(declared, Mapped)
    assert (good.values, declared.values) == ({"name": "[x]"}, {"name": "[镕]"})
    assert error(bad) == ("NAVE-M122", "name")


@pytest.mark.parametrize("sheet", ["reads.xsl", "writes.xsl", "endless.xsl"])
def test_a_stylesheet_reads_no_file_writes_none_and_ends(hub: Path, sheet: str) -> None:
    (refused,) = inbound({"name": {"xslt": sheet}}, folder=hub).run([{"K": "1", "N": "x"}])

    assert not (hub / "out.xml").exists()
    assert "secret" not in str(refused)
    assert error(refused) == ("NAVE-M122", "name")


@pytest.mark.parametrize("sheet", ["fetches.xsl", "includes.xsl", "broken.xsl", "../outside.xsl", "gone.xsl", ""])
def test_a_stylesheet_that_cannot_be_had_or_loads_another_is_refused(hub: Path, sheet: str) -> None:
    with pytest.raises(MappingProblems) as caught:
        inbound({"name": {"xslt": sheet}}, folder=hub)

    assert caught.value.problems[0].error.code == "NAVE-M017"


def test_entities_in_a_text_that_is_xml_are_not_resolved(hub: Path) -> None:
    mapping = inbound({"name": {"xslt": "short.xsl", "from": "P"}}, folder=hub)
    text = f'<!DOCTYPE a [<!ENTITY s SYSTEM "{(hub / "secret.xml").as_uri()}">]><a><N>&s;</N></a>'

    (out,) = mapping.run([{"K": "1", "P": text}])

    assert "secret" not in str(out)


def test_a_changed_stylesheet_is_a_changed_mapping(hub: Path) -> None:
    before = inbound({"name": {"xslt": "short.xsl"}}, folder=hub).hash

    (hub / "xslt" / "short.xsl").write_text(SHORT.replace("[", "("), encoding="utf-8")

    assert inbound({"name": {"xslt": "short.xsl"}}, folder=hub).hash != before


# --- rows and trees ------------------------------------------------------------------------------------------------

EDGES = [
    {"P": "", "C": "car", "Q": "1"},
    {"P": "car", "C": "axle", "Q": "2"},
    {"P": "axle", "C": "wheel", "Q": "2"},
    {"P": "car", "C": "wheel", "Q": "1"},
]


def test_a_bill_of_materials_is_walked_down_to_its_leaves() -> None:
    form = {"each": 'A | tree("C", "P", "parts") | walk("parts")', "when": "_level > 1", "item": "_parent.C ~ '/' ~ C"}

    assert result(form, {"A": EDGES}) == ["car/axle", "axle/wheel", "car/wheel"]


@pytest.mark.parametrize(
    "rows",
    [
        [{"P": "a", "C": "a"}],
        [{"P": "a", "C": "b"}, {"P": "b", "C": "a"}],
        [{"P": "", "C": "x"}, {"P": "a", "C": "b"}, {"P": "b", "C": "a"}],
    ],
)
def test_a_circle_is_refused(rows: list[dict[str, str]]) -> None:
    assert error(result('A | tree("C", "P", "x")', {"A": rows})) == ("NAVE-M123", "x")


@pytest.mark.slow
def test_a_tree_that_doubles_at_every_level_is_bounded() -> None:
    rows = [{"P": str(level), "C": str(level + 1)} for level in range(60) for _ in range(2)]

    assert error(result('A | tree("C", "P", "x")', {"A": rows})) == ("NAVE-M118", "x")


def test_lines_find_their_headers_and_lines_of_no_header_are_refused() -> None:
    form = {"each": 'H | gather(L, "NO", "H")', "fields": {"no": "NO", "sum": 'lines | pluck("Q") | sum'}}
    record = {"H": [{"NO": "1"}, {"NO": "2"}], "L": [{"H": "1", "Q": "2"}, {"H": "1", "Q": "3"}]}

    found = result(form, record)
    record["L"].append({"H": "9", "Q": "1"})

    assert [(one["no"], str(one["sum"])) for one in found] == [("1", "5"), ("2", "0")]
    assert error(result(form, record)) == ("NAVE-M124", "x")


def test_fields_behind_a_filter_that_only_chooses_are_read_one_by_one() -> None:
    mapping = inbound({"lines": {"each": 'A | where("T", "x")', "fields": {"code": "C"}}})

    assert mapping.lineage["lines[].code"] == ["A[].C"]
    assert mapping.unread([{"A": [{"T": "x", "C": "1", "Z": "1"}]}]) == {"A[].Z"}


# --- what a place can hold -----------------------------------------------------------------------------------------


def test_constants_and_table_values_are_checked_against_the_field() -> None:
    assert codes({"price": {"amount": {"const": "much"}, "currency": {"const": "CNY"}}}) == ["NAVE-M032"]
    assert codes({"price": {"amount": "A", "currency": {"from": "C", "table": "example"}}}) == ["NAVE-M031"]
    assert codes({"owner": {"const": False}}) == ["NAVE-M006"]


def test_a_regular_expression_that_cannot_be_bounded_is_refused_with_its_place() -> None:
    (problem,) = problems({"name": 'A | find("(?=x)")'})

    assert (problem.error.code, problem.column_offset) == ("NAVE-M026", 4)


def test_a_text_filter_and_a_list_of_fields_share_one_record() -> None:
    fields = {"x": {"from": "A", "when": "A | matches('[0-9]+')"}, "y": 'A | find("[0-9]+")'}

    assert results(fields, {"A": "x7"}, "x") is None
    assert results(fields, {"A": "x7"}, "y") == "7"


def test_a_wrong_identity_number_stands_in_no_error() -> None:
    refused = result('A | check("resident_id")', {"A": "110101199003070012"})

    assert error(refused) == ("NAVE-M107", "x")
    assert "110101199003070012" not in str(refused) + repr(refused.params)
