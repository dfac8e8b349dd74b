"""`nave check` and `nave test`: all that is wrong with the files, and with what the mappings do."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.cli.calls import nave


def change(hub: Path, name: str, old: str, new: str) -> None:
    path = hub / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_good_folder_has_nothing_wrong(hub: Path) -> None:
    answer = nave("check", hub=hub)

    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "12 files, nothing wrong\n"


def test_all_problems_are_shown_at_once_each_with_its_place(hub: Path) -> None:
    change(hub, "mappings/shop/customer.yaml", "squeeze", "sqeeze")
    change(hub, "systems/erp.yaml", "mapping: erp/customer-out", "mapping: erp/customer-uot")

    answer = nave("check", hub=hub)

    assert answer.status == 1
    assert "mappings/shop/customer.yaml:8:16: error[NAVE-M" in answer.out
    assert "did you mean 'erp/customer-out'?" in answer.out
    assert answer.out.splitlines()[-1].startswith("3 files with problems, 9 ok: 2 errors, 1 warning")


def test_problems_are_told_in_chinese_and_as_data(hub: Path) -> None:
    change(hub, "mappings/shop/customer.yaml", "squeeze", "sqeeze")

    chinese, data = nave("check", "--lang", "zh", hub=hub), nave("check", "--json", hub=hub).data

    assert "错误[NAVE-M" in chinese.out
    assert chinese.out.splitlines()[-1] == "1 个文件有问题，11 个正常：共 1 处错误"
    assert (data["apiVersion"], data["errors"], data["warnings"]) == ("nave.cli/v1", 1, 0)
    assert {"file", "line", "column", "code", "severity", "text", "help"} <= set(data["problems"][0])


def test_a_field_of_a_test_record_that_nobody_reads_is_a_warning(hub: Path) -> None:
    change(hub, "mappings/shop/customer.test.yaml", "STATUS: A,", "STATUS: A, FAX: 1,")

    answer = nave("check", hub=hub)

    assert answer.status == 0
    assert "mappings/shop/customer.test.yaml:3:47: warning[NAVE-E230]: nobody reads 'FAX'" in answer.out


def test_a_folder_without_a_hub_is_said_so(tmp_path: Path) -> None:
    answer = nave("check", hub=tmp_path)

    assert answer.status == 2
    assert "error[NAVE-E201]" in answer.err


def test_the_hub_is_found_from_a_folder_inside_it(hub: Path) -> None:
    answer = nave("check", environ={"NAVE_HUB": str(hub)})

    assert answer.status == 0


def test_cases_that_pass_and_fields_nobody_tests_are_listed(hub: Path) -> None:
    answer = nave("test", hub=hub)

    assert answer.status == 0
    assert "  ok    blanks around a name are gone" in answer.out
    assert "fields never tested: code, tax_id" in answer.out
    assert answer.out.splitlines()[-1] == "1 passed, 0 failed"


def test_a_case_that_fails_says_where_it_is_and_what_came_out(hub: Path) -> None:
    change(hub, "mappings/shop/customer.test.yaml", "{name: A,", "{name: B,")

    answer = nave("test", hub=hub)

    lines = [line.strip() for line in answer.out.splitlines()]
    assert answer.status == 1
    assert lines[1:3] == ["FAIL  blanks around a name are gone", "mappings/shop/customer.test.yaml:2"]
    assert lines[3:6] == ["name", "expected  B", "actual    A"]


def test_cases_are_chosen_by_name_or_pattern(hub: Path) -> None:
    assert nave("test", "shop/*", "--json", hub=hub).data["passed"] == 1
    missed = nave("test", "nothing", hub=hub)
    assert missed.status == 2
    assert "mappings with tests: shop/customer" in missed.err


def test_a_report_for_ci_servers_holds_every_case(hub: Path, tmp_path: Path) -> None:
    change(hub, "mappings/shop/customer.test.yaml", "{name: A,", "{name: B,")

    nave("test", "--junit", tmp_path / "report.xml", hub=hub)

    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("shop/customer", "1", "1")
    assert suite[0][0].get("message") == "name: expected B, actual A"


def test_a_test_file_that_is_wrong_fails(hub: Path) -> None:
    change(hub, "mappings/shop/customer.test.yaml", "expect:", "expct:")

    answer = nave("test", hub=hub)

    assert answer.status == 1
    assert "did you mean 'expect'?" in answer.out


def test_a_mapping_with_errors_fails_its_tests_and_says_why(hub: Path) -> None:
    change(hub, "mappings/shop/customer.yaml", "squeeze", "sqeeze")

    answer = nave("test", hub=hub)

    assert answer.status == 1
    assert "mappings/shop/customer.yaml:8:16: error[NAVE-M" in answer.err
    assert "1 failed" in answer.out
