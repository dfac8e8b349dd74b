"""A stand-in for K/3 Cloud's WebAPI, written from what is documented and seen of it: sessions that get lost, failures under
200, rows of rows, numbers that are taken, and what is audited may not be changed. No real K/3 Cloud was here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.peers.running import hang_up

ACCT, USER, PASSWORD, APP, SECRET = "66c3712248af25", "nave", "K3-Pass-1", "301451_x", "app-s3cret"
IDS = {"BD_Customer": "FCUSTID", "BD_MATERIAL": "FMATERIALID", "SAL_SaleOrder": "FID"}
KEYS = {"BD_Customer": "FNumber", "BD_MATERIAL": "FNumber", "SAL_SaleOrder": "FBillNo"}
ENTRIES = {"SAL_SaleOrder": "FSaleOrderEntry"}
KNOWN = frozenset(
    {
        "FCUSTID",
        "FMATERIALID",
        "FID",
        "FNumber",
        "FBillNo",
        "FName",
        "FShortName",
        "FTAXREGISTERCODE",
        "FTEL",
        "FADDRESS",
        "FForbidStatus",
        "FDocumentStatus",
        "FModifyDate",
        "FUseOrgId",
        "FCreateOrgId",
        "FSpecification",
        "FBaseUnitId",
        "FErpClsID",
        "FMaterialGroup",
        "FDate",
        "FCustId",
        "FSalerId",
        "FNote",
        "FSettleCurrId",
        "FBillAllAmount",
        "FCloseStatus",
        "FSaleOrderEntry_FEntryID",
        "FMaterialId",
        "FUnitID",
        "FQty",
        "FTaxPrice",
        "FDeliveryDate",
        "FEntryNote",
    }
)
_STUB = "Kingdee.BOS.WebApi.ServicesStub."
_CLAUSE = re.compile(r"\(?([A-Za-z_.]+) *(>=|<=|>|=|in) *(\((?:'(?:[^']|'')*',?)+\)|'(?:[^']|'')*'|\d+)\)?")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_FIRST = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def failure(message: str, code: int = 0, named: str | None = None) -> dict[str, Any]:
    """As K/3 says that something was not done."""
    errors = [{"FieldName": named, "Message": message, "DIndex": 0}]
    said = {
        "ErrorCode": 500,
        "IsSuccess": False,
        "Errors": errors,
        "SuccessEntitys": [],
        "SuccessMessages": [],
        "MsgCode": code,
    }
    return {"Result": {"ResponseStatus": said}}


LOST = failure("会话信息已丢失，请重新登录", 1)


@dataclass
class K3:
    """One data centre; a test sets what goes wrong."""

    held: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {form: {} for form in IDS})
    codes: set[str] = field(default_factory=lambda: {"100", "Pcs", "PRE001", "XSDD01_SYS"})
    """What may be referred to beside the customers and materials that are there."""
    pushed: set[str] = field(default_factory=set)
    """Bills out of which others were made: their audit is not taken back."""
    calls: list[str] = field(default_factory=list)
    saves: list[dict[str, Any]] = field(default_factory=list)
    logins: int = 0
    lasts: int | None = None
    """Calls until a session is lost."""
    withheld: list[str] = field(default_factory=list)
    """Services whose next answer is not given, though they did what they were asked."""
    faults: list[Any] = field(default_factory=list)
    """Answers to the next calls in a session: a number is the HTTP status, bytes are sent as they are, else JSON."""
    extra: list[str] = field(default_factory=lambda: ["F_NAVE_MARK"])
    """Fields of the site's own."""
    _used: int = 0
    _tick: int = 0
    _last: int = 100_000

    def app(self) -> web.Application:
        """To be run."""
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/K3Cloud/{service}", self._answer)
        return app

    def put(self, form: str, **fields: Any) -> int:
        """Somebody makes a record in K/3; its id."""
        self._last += 1
        first: dict[str, Any] = {IDS[form]: self._last, "FDocumentStatus": "A", "FForbidStatus": "A"}
        self.held[form][self._last] = {**first, **dict.fromkeys(self.extra, "")}
        self.change(form, self._last, **fields)
        return self._last

    def change(self, form: str, number: int, **fields: Any) -> None:
        """Somebody changes it."""
        self._tick += 1
        at = _FIRST + timedelta(seconds=self._tick)
        self.held[form][number] |= {**fields, "FModifyDate": f"{at:%Y-%m-%dT%H:%M:%S}.123"}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        service = request.match_info["service"].removeprefix(_STUB).removesuffix(".common.kdsvc")
        asked = json.loads(await request.read())
        self.calls.append(service.partition(".")[2])
        if service.startswith("AuthService"):
            return self._auth(service, asked)
        if self.faults:
            return _fault(self.faults.pop(0))
        self._used += 1
        if request.cookies.get("kdservice-sessionid") != f"s{self.logins}" or (self.lasts and self._used > self.lasts):
            return web.json_response([[LOST]] if service.endswith("Query") else LOST)
        said = self._do(service.partition(".")[2], asked)
        if self.calls[-1] in self.withheld:
            self.withheld.remove(self.calls[-1])
            return hang_up(request)
        return web.json_response(said)

    def _auth(self, service: str, asked: Mapping[str, Any]) -> web.StreamResponse:
        if service.endswith("Logout"):
            return web.json_response(True)
        app = service.endswith("LoginByAppSecret") and (asked["appid"], asked["appsecret"]) == (APP, SECRET)
        known = app or (service.endswith("ValidateUser") and asked["password"] == PASSWORD)
        if not known or (asked["acctID"], asked["username"]) != (ACCT, USER):
            said = f"用户名或密码错误 {asked.get('password', asked.get('appsecret'))}"
            return web.json_response({"LoginResultType": 0, "Message": said, "Context": None})
        self.logins += 1
        self._used = 0
        answer = web.json_response({"LoginResultType": 1, "Message": None, "Context": {"UserName": USER}})
        answer.set_cookie("ASP.NET_SessionId", "x1")
        answer.set_cookie("kdservice-sessionid", f"s{self.logins}", path="/K3Cloud")
        return answer

    def _do(self, operation: str, asked: Mapping[str, Any]) -> Any:
        if operation == "ExecuteBillQuery":
            return self._query(asked["data"])
        form, data = asked["formid"], asked["data"]
        if operation == "Save":
            return self._save(form, data)
        row = self.held[form].get(int(data["Ids"]))
        wanted, then = {"UnAudit": ("C", "D"), "Submit": ("D", "B"), "Audit": ("B", "C")}[operation]
        if row is None or row["FDocumentStatus"] != wanted:
            return failure(f"{operation}: {data['Ids']}", 12)
        if operation == "UnAudit" and row[KEYS[form]] in self.pushed:
            return failure(f"单据{row[KEYS[form]]}已下推生成下游单据，不允许反审核", 12)
        row["FDocumentStatus"] = then
        return _done(row[IDS[form]], row[KEYS[form]])

    def _query(self, asked: Mapping[str, Any]) -> Any:
        form, wanted = asked["FormId"], asked["FieldKeys"].split(",")
        if form not in IDS:
            return [[failure("业务对象不存在", 9)]]
        found: list[list[Any]] = []
        for row in sorted(self.held[form].values(), key=lambda one: one[IDS[form]]):
            for entry in row.get(ENTRIES.get(form, ""), None) or [{}]:
                known = {**row, **entry, f"{ENTRIES.get(form)}_FEntryID": entry.get("FEntryID")}
                if all(_holds(known, one) for one in _clauses(asked["FilterString"])):
                    found.append([_value(known, name) for name in (*wanted, _ordered(asked))])
        unknown = [name for name in wanted if name.partition(".")[0] not in {*KNOWN, *self.extra}]
        if unknown:
            return [[failure(f"字段{unknown[0]}不存在", 9)]]
        if asked["OrderString"].endswith("DESC"):
            found.sort(key=lambda row: row[-1], reverse=True)
        rows = [row[:-1] for row in found]
        return rows[asked["StartRow"] : asked["StartRow"] + asked["Limit"]]

    def _save(self, form: str, data: Mapping[str, Any]) -> dict[str, Any]:
        model = {**data["Model"], **data["Model"].get("SubHeadEntity", {}), **data["Model"].get("FSaleOrderFinance", {})}
        self.saves.append({"form": form, **data})
        number = model.pop(IDS[form], 0)
        if data.get("IsVerifyBaseDataField") == "true" and (bad := self._unknown(model)):
            return failure(f"基础资料编码{bad}不存在", 11, bad)
        before = self.held[form].get(number, {})
        if form in ENTRIES and (entries := self._entries(form, model, before)) is None:
            return failure("分录内码不存在", 11, ENTRIES[form])
        same = [one for one in self.held[form].values() if one.get(KEYS[form]) == model.get(KEYS[form])]
        org = {**before, **model}.get("FUseOrgId")
        taken = [one for one in same if one.get("FUseOrgId") == org]
        if any(one[IDS[form]] != number for one in taken):
            return failure(f"编码{model[KEYS[form]]}已存在，违反编码唯一性", 11, KEYS[form])
        if number and self.held[form][number]["FDocumentStatus"] in "BC":
            return failure("单据已审核，不允许修改", 12)
        named = data.get("NeedUpDateFields")
        kept = {name: value for name, value in model.items() if not (number and named) or name in named}
        if form in ENTRIES:
            kept |= entered(ENTRIES[form], entries)
        at = number or self.put(form)
        self.change(form, at, **kept | ({"FDate": _day(kept["FDate"])} if kept.get("FDate") else {}))
        self.held[form][at]["FDocumentStatus"] = "C" if data.get("IsAutoSubmitAndAudit") == "true" else "A"
        return _done(at, self.held[form][at][KEYS[form]])

    def _unknown(self, model: Mapping[str, Any]) -> str | None:
        parts = [model, *(entry for value in model.values() if isinstance(value, list) for entry in value)]
        values = [value for part in parts for value in part.values()]
        codes = [value["FNumber"] for value in values if isinstance(value, dict) and value.get("FNumber")]
        there = self.codes | {row["FNumber"] for rows in self.held.values() for row in rows.values() if "FNumber" in row}
        return next((code for code in codes if code not in there), None)

    def _entries(self, form: str, model: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Those with an id are changed, those without are new, those not named go; None for an id that is not there."""
        held = {entry["FEntryID"]: entry for entry in before.get(ENTRIES[form], ())}
        found = []
        for entry in model.get(ENTRIES[form], ()):
            at = entry.get("FEntryID", 0)
            if at and at not in held:
                return None
            self._last += not at
            day = {"FDeliveryDate": _day(entry["FDeliveryDate"])} if entry.get("FDeliveryDate") else {}
            found.append({**held.get(at, {}), **entry, **day, "FEntryID": at or self._last})
        return found


def _day(text: str) -> str:
    return f"{text[:10]}T00:00:00"


def entered(name: str, entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A bill's entries and what K/3 reckons of them."""
    total = sum(float(one["FQty"]) * float(one.get("FTaxPrice") or 0) for one in entries or ())
    return {name: entries, "FBillAllAmount": round(total, 2)}


def _done(number: int, key: str) -> dict[str, Any]:
    entities = [{"Id": number, "Number": key, "DIndex": 0}]
    said = {"IsSuccess": True, "Errors": [], "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": 0}
    return {"Result": {"ResponseStatus": said, "Id": number, "Number": key}}


def _fault(fault: Any) -> web.StreamResponse:
    if isinstance(fault, int):
        return web.Response(status=fault, headers={"Retry-After": "7"})
    return web.Response(body=fault) if isinstance(fault, bytes) else web.json_response(fault)


def _ordered(asked: Mapping[str, Any]) -> str:
    return str(asked["OrderString"].partition(" ")[0])


def _clauses(text: str) -> list[tuple[str, str, Any]]:
    """field, operator and value of each; what is not understood is an error of the test."""
    clauses: list[tuple[str, str, Any]] = []
    while text:
        found = _CLAUSE.match(text)
        assert found, text
        name, operator, value = found.groups()
        texts = [one.replace("''", "'") for one in _QUOTED.findall(value)]
        clauses.append((name, operator, texts if operator == "in" else texts[0] if texts else int(value)))
        rest = text[found.end() :]
        assert not rest or rest.startswith(" and "), rest
        text = rest.removeprefix(" and ")
    return clauses


def _holds(row: Mapping[str, Any], clause: tuple[str, str, Any]) -> bool:
    name, operator, wanted = clause
    value = _value(row, name)
    if value is None:
        return False
    if isinstance(value, str) and isinstance(wanted, str):
        value = value.replace("T", " ") if operator in (">=", "<=") else value
    tests = {">=": lambda: value >= wanted, "<=": lambda: value <= wanted, ">": lambda: value > wanted}
    tests |= {"=": lambda: value == wanted, "in": lambda: value in wanted}
    return bool(tests[operator]())


def _value(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
