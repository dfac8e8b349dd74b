"""`status`, `show`, `why`, `trace`, `waiting`, `dead list` and `dead show` on a hub that has run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import Answer, nave


def test_a_batch_run_ends_with_its_books_and_says_what_did_not_get_through(ran: tuple[Path, Answer]) -> None:
    answer = ran[1]

    rows = {line.split()[0]: line.split()[1:] for line in answer.out.splitlines() if line}
    assert answer.status == 4
    assert rows["shop.customers"][:7] == ["4", "3", "-", "-", "-", "-", "1"]
    assert rows["shop.orders"][:6] == ["2", "1", "-", "-", "1", "-"]
    assert rows["erp.customers_out"][:3] == ["4", "2", "2"]
    assert answer.err == "1 dead letter: nave dead list\n"


def test_status_tells_the_same_as_data(looked_at: Path) -> None:
    data = nave("status", "--json", hub=looked_at).data

    shop = next(one for one in data["sources"] if one["source"] == "shop.customers")
    sink = data["sinks"][0]
    assert (data["apiVersion"], data["hub"]) == ("nave.cli/v1", "tiny")
    assert {k: shop[k] for k in ("received", "applied", "dead", "pending")} == {
        "received": 4,
        "applied": 3,
        "dead": 1,
        "pending": 0,
    }
    assert shop["last"].endswith("Z")
    assert (sink["sink"], sink["due"], sink["delivered"], sink["skipped"]) == ("erp.customers_out", 4, 2, 2)
    assert data["entities"] == {"customer": 4, "order": 2}


def test_status_is_told_as_yaml_and_csv_too(looked_at: Path) -> None:
    yaml, csv = nave("status", "-o", "yaml", hub=looked_at), nave("status", "-o", "csv", hub=looked_at)

    assert yaml.out.startswith("apiVersion: nave.cli/v1\nhub: tiny\n")
    assert csv.out.splitlines()[0].startswith("source,received,applied")
    assert any(line.startswith("shop.customers,4,3,") for line in csv.out.splitlines())


def test_status_is_told_in_chinese_and_fits_a_narrow_terminal(looked_at: Path) -> None:
    answer = nave("status", "--lang", "zh", hub=looked_at, environ={"COLUMNS": "80"})

    assert answer.out.startswith("来源")
    assert all(len(line.encode("gb18030")) <= 80 for line in answer.out.splitlines())


def test_status_goes_on_while_the_files_are_broken(full: Path) -> None:
    (full / "systems/shop.yaml").write_text("system: shop\nsorces: {}\n", encoding="utf-8")

    answer = nave("status", hub=full)

    assert answer.status == 0
    assert "nave check" in answer.err
    assert "shop.customers" in answer.out


def test_a_record_is_shown_with_its_keys_and_targets(looked_at: Path) -> None:
    answer = nave("show", "customer/S1", hub=looked_at)

    assert answer.status == 0
    assert "  name          Alpha Works" in answer.out
    assert "  secret_grade  ***" in answer.out
    assert [line.split()[:3] for line in answer.out.splitlines() if line.startswith(("erp ", "shop "))] == [
        ["erp", "E1", "erp.customers"],
        ["shop", "S1", "shop.customers"],
    ]
    assert "erp.customers_out  delivered" in answer.out


def test_a_record_is_found_by_any_key_by_its_id_and_by_a_key_with_slashes_and_dots(looked_at: Path) -> None:
    record = nave("show", "customer/E1", "--json", hub=looked_at).data["records"][0]

    again = nave("show", f"customer/{record['id']}", "--json", hub=looked_at).data["records"][0]
    odd = nave("show", "customer/a/b.c", "--json", hub=looked_at).data["records"][0]

    assert again == record
    assert record["document"]["secret_grade"] == "***"
    assert odd["document"]["name"] == "Delta"


@pytest.mark.parametrize("verb", ["show", "why", "trace", "around"])
def test_a_record_is_named_by_the_key_of_one_system(looked_at: Path, verb: str) -> None:
    named, by_key = (nave(verb, f"customer/{name}", "--json", hub=looked_at) for name in ("erp:E1", "E1"))
    other = nave(verb, "customer/shop:E1", hub=looked_at)

    assert named.status == 0
    assert named.data == by_key.data
    assert (other.status, other.out) == (1, "")
    assert "error[NAVE-E204]" in other.err


def test_one_field_and_a_letter_are_named_by_system_and_key_too(looked_at: Path) -> None:
    field = nave("why", "customer/shop:a/b.c.name", "--json", hub=looked_at).data
    letter = nave("trace", "customer/shop:S3", "--json", hub=looked_at).data
    nobody = nave("trace", "customer/erp:S3", hub=looked_at)
    bare = nave("trace", "erp:E1", "--json", hub=looked_at).data

    assert [one["value"] for one in field["fields"]] == ["Delta"]
    assert [one["key"] for one in letter["letters"]] == ["S3"]
    assert nobody.status == 1
    assert len(bare["records"]) == 1


def test_where_a_key_means_several_records_all_are_named_and_none_is_guessed(full: Path) -> None:
    more = "CODE,NAME,TAX,STATUS,CHANGED\nE1,Other,,A,2026-11-01 10:00:00\nerp:E2,Odd,,A,2026-11-01 10:00:00\n"
    (full / "drop" / "customers_2.csv").write_text(more, encoding="utf-8")
    assert nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=full).status == 4

    shown = nave("show", "customer/E1", hub=full)
    refused = nave("why", "customer/E1.name", hub=full)
    one = nave("why", "customer/shop:E1.name", "--json", hub=full).data
    either = nave("why", "customer/erp:E2", hub=full)

    assert "2 golden records are known as customer/E1" in shown.out
    assert [line.split()[0] for line in shown.out.splitlines() if line.startswith("customer/")] == [
        "customer/erp:E1",
        "customer/shop:E1",
    ]
    assert (refused.status, refused.out) == (2, "")
    assert "customer/erp:E1, customer/shop:E1" in refused.err
    assert [field["value"] for field in one["fields"]] == ["Other"]
    assert "customer/erp:E2, customer/shop:erp:E2" in either.err


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("custmer/S1", 2, ["error[NAVE-E203]", "did you mean: customer"]),
        ("customer/S", 1, ["error[NAVE-E204]", "keys that hold it: S1, S2"]),
        ("customer", 2, ["error: 'customer' is no record"]),
    ],
)
def test_what_is_not_there_is_said_so_with_what_is_near(looked_at: Path, what: str, status: int, said: list[str]) -> None:
    answer = nave("show", what, hub=looked_at)

    assert answer.status == status
    assert answer.out == ""
    assert all(each in answer.err for each in said)


def test_why_tells_the_winner_its_origin_and_whom_it_beat(looked_at: Path) -> None:
    answer = nave("why", "customer/S1.name", "--utc", hub=looked_at)

    lines = answer.out.splitlines()
    assert lines[0] == "customer/S1.name = Alpha Works"
    assert lines[1] == "  rule  most trusted first: erp, shop"
    assert lines[2].startswith("  won   erp/E1, erp.customers, ")
    assert "row 1, changed 2026-11-03 10:00:00 +00, mapping " in lines[2]
    assert lines[3] == "  line  mappings/erp/customer.yaml:6  NAME"
    assert lines[4] == "  lost  shop/S1: Alpha  (less trusted)"


def test_why_names_file_and_line_and_masks_what_is_sensitive(looked_at: Path) -> None:
    data = nave("why", "customer/S1.secret_grade", "--json", hub=looked_at).data

    field = data["fields"][0]
    assert (field["field"], field["value"], field["rule"]) == ("secret_grade", "***", "most_recent")
    winner = field["winners"][0]
    assert (winner["system"], winner["key"], winner["value"]) == ("shop", "S1", "***")
    assert (winner["origin"]["file"], winner["place"]) == ("customers_1.csv", 2)
    assert winner["way"]["file"] == "mappings/shop/customer.yaml"
    said = (looked_at / winner["way"]["file"]).read_text("utf-8").splitlines()[winner["way"]["line"] - 1]
    assert "secret_grade" in said


def test_why_of_a_key_with_dots_means_the_key_unless_it_ends_in_a_field(looked_at: Path) -> None:
    whole = nave("why", "customer/a/b.c", "--json", hub=looked_at).data
    one = nave("why", "customer/a/b.c.name", "--json", hub=looked_at).data
    wrong = nave("why", "customer/a/b.c.nam", hub=looked_at)

    assert len(whole["fields"]) == 4
    assert [field["value"] for field in one["fields"]] == ["Delta"]
    assert wrong.status == 2
    assert "error[NAVE-E205]: customer has no field 'nam'" in wrong.err
    assert "did you mean: name" in wrong.err


def test_a_trace_tells_the_steps_in_order(looked_at: Path) -> None:
    steps = nave("trace", "customer/S1", "--json", hub=looked_at).data["records"][0]["steps"]

    words = [step["what"] for step in steps]
    assert words.index("landed") < words.index("applied")
    assert {"landed", "applied", "version", "delivered"} <= set(words)
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)


def test_a_trace_is_found_by_the_id_of_a_record_a_letter_or_a_batch_and_by_a_bare_key(looked_at: Path) -> None:
    record = nave("show", "customer/S1", "--json", hub=looked_at).data["records"][0]
    letter = nave("dead", "list", "--json", hub=looked_at).data["letters"][0]
    landed = nave("trace", "customer/S1", "--json", hub=looked_at).data["records"][0]["steps"][0]["detail"]

    by_id = nave("trace", record["id"], "--json", hub=looked_at).data
    by_letter = nave("trace", letter["id"], "--json", hub=looked_at).data
    by_batch = nave("trace", landed["trace"], "--json", hub=looked_at).data
    by_key = nave("trace", "E2", "--json", hub=looked_at).data

    assert [one["id"] for one in by_id["records"]] == [record["id"]]
    assert [one["id"] for one in by_letter["letters"]] == [letter["id"]]
    assert len(by_batch["records"]) >= 2
    assert len(by_key["records"]) == 1
    assert nave("trace", "nothing like it", hub=looked_at).status == 1


def test_a_record_that_died_before_it_had_a_golden_record_is_traced_to_its_letter(looked_at: Path) -> None:
    data = nave("trace", "customer/S3", "--json", hub=looked_at).data

    assert data["records"] == []
    assert [(one["key"], one["code"], one["place"]) for one in data["letters"]] == [("S3", "NAVE-M104", 4)]


def test_what_is_waited_for_is_listed_with_an_example(looked_at: Path) -> None:
    answer = nave("waiting", hub=looked_at)
    data = nave("waiting", "--json", hub=looked_at).data

    assert "customer/S9  shop" in answer.out
    assert [(one["entity"], one["key"], one["records"], one["who"]) for one in data["missing"]] == [
        ("customer", "S9", 1, "order/O2")
    ]


def test_dead_letters_are_grouped_and_say_which_record_and_why(looked_at: Path) -> None:
    answer = nave("dead", "list", hub=looked_at)
    data = nave("dead", "list", "--json", hub=looked_at).data

    assert [(one["code"], one["flow"], one["count"]) for one in data["groups"]] == [("NAVE-M104", "shop.customers", 1)]
    assert "customers_1.csv, line 4" in answer.out
    letter = data["letters"][0]
    assert (letter["key"], letter["field"], letter["stage"], letter["state"]) == ("S3", "status", "apply", "open")
    assert nave("dead", "list", "--code", "NAVE-X999", hub=looked_at).out == "No dead letters.\n"


def test_a_letter_is_shown_whole(looked_at: Path) -> None:
    number = nave("dead", "list", "--json", hub=looked_at).data["letters"][0]["id"]

    answer = nave("dead", "show", number, "--lang", "zh", hub=looked_at)
    letter = nave("dead", "show", number.lower(), "--json", hub=looked_at).data["letter"]

    assert answer.out.startswith("错误[NAVE-M104]: status: ")
    assert '"NAME": "Gamma"' in answer.out
    assert letter["raw"] == {"CODE": "S3", "NAME": "Gamma", "TAX": "", "STATUS": "Q", "CHANGED": "2026-11-01 10:00:00"}
    assert nave("dead", "show", "ABC", hub=looked_at).status == 1
