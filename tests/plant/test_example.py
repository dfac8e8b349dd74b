"""The example hub is in order: its files, its mappings, the cases beside them, and its samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from nave.config import HubConfig, load
from nave.config.plant import write_example
from nave.mappings import TestFile, run_case
from nave.workers.build import Compilation, compile_hub

SAMPLES = {
    "crm/contact.json": "crm.contacts",
    "crm/customer.json": "crm.customers",
    "erp/orders.xml": "erp.order_files",
    "hr/1_attlog.dat": "hr.attendance",
    "hr/employees.csv": "hr.employees",
    "hr/sales.xlsx": "hr.sales",
    "nc/customers.xml": "nc.customers",
    "nc/invoices.xml": "nc.invoices",
    "nc/receipts.xml": "nc.receipts",
    "pdm/boms.xml": "pdm.boms",
    "pdm/products.xlsx": "pdm.products",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("example")
    write_example(made)
    return made


@pytest.fixture(scope="module")
def config(folder: Path) -> HubConfig:
    loaded = load(folder)
    assert loaded.problems == []
    assert loaded.config is not None
    return loaded.config


@pytest.fixture(scope="module")
def compiled(config: HubConfig) -> Compilation:
    return compile_hub(config)


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "systems").mkdir()
    mine = tmp_path / "systems" / "erp.yaml"
    mine.write_text("mine", "utf-8")

    with pytest.raises(FileExistsError, match=r"erp\.yaml"):
        write_example(tmp_path)

    assert mine.read_text("utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["systems"]


def test_all_files_are_written_and_named(tmp_path: Path) -> None:
    written = write_example(tmp_path / "new" / "plant")

    found = sorted(path for path in tmp_path.rglob("*") if path.is_file())

    assert sorted(written) == found
    assert {"hub.yaml", "README.md", "README.zh-CN.md"} <= {path.name for path in found}


def test_every_mapping_compiles(compiled: Compilation) -> None:
    assert compiled.problems == []
    assert len(compiled.inbound) == 20
    assert set(compiled.outbound) == {"crm.customers_http", "crm.customers_db", "crm.orders_db", "erp.products_if"}


def test_every_mapping_has_cases_and_they_pass(config: HubConfig, compiled: Compilation) -> None:
    assert set(config.tests) == set(config.mappings)
    flows = [(one, compiled.inbound[name]) for name, one in config.sources.items()]
    flows += [(one, compiled.outbound[name]) for name, one in config.sinks.items()]
    for flow, mapping in flows:
        cases = TestFile.model_validate(config.tests[flow.mapping].data).cases
        results = [run_case(mapping, config.entities[flow.entity].entity, case) for case in cases]

        assert [(flow.mapping, one.name, one.differences) for one in results if not one.passed] == []


@pytest.mark.parametrize(("file", "source"), sorted(SAMPLES.items()))
def test_every_sample_goes_through_its_mapping(
    folder: Path, config: HubConfig, compiled: Compilation, file: str, source: str
) -> None:
    from nave.formats import loads, read

    path = folder / "samples" / file
    flow = config.sources[source]
    if path.suffix == ".json":
        records = [loads(path.read_bytes())["data"]]
    else:
        with path.open("rb") as stream:
            records = [row.value for row in read(stream, flow.options.format)]

    results = compiled.inbound[source].run(records)

    assert records
    assert [one for one in results if isinstance(one, Exception)] == []
    assert compiled.inbound[source].unread(records) == set()


def test_every_sample_is_used(folder: Path) -> None:
    found = {path.relative_to(folder / "samples").as_posix() for path in (folder / "samples").rglob("*") if path.is_file()}

    assert found == set(SAMPLES)


def test_no_file_is_long() -> None:
    """An example is read by people: one screen or two per file."""
    base = Path(__file__).parents[2] / "config/nave/config/examples/plant"

    assert all(len(path.read_text("utf-8").splitlines()) <= 150 for path in base.rglob("*.yaml"))
