"""The file that everything is measured with: customer records of 20 fields, about 640 bytes of XML each."""

from __future__ import annotations

from pathlib import Path

FIELDS = (
    "CUST_CODE",
    "CUST_NAME",
    "SHORT_NAME",
    "TAX_NO",
    "SEAL",
    "KIND",
    "GRADE",
    "AREA",
    "TEL",
    "EMAIL",
    "CREDIT",
    "CUR",
    "TERMS",
    "CONTACT",
    "MOBILE",
    "ROLE",
    "COUNTRY",
    "CITY",
    "STREET",
    "ZIP",
    "REMARK",
    "UPDATED_AT",
)
_AREAS = ("SH", "BJ", "GD", "JS", "ZJ")


def record(number: int) -> dict[str, str]:
    """Record `number`, the same in every run."""
    return {
        "CUST_CODE": f"{number:08}",
        "CUST_NAME": f" 上海盈硕{number}机械有限公司 ",
        "SHORT_NAME": f"盈硕{number}",
        "TAX_NO": f"91310{number * 7919 % 10**12:012}x",
        "SEAL": "N" if number % 17 else "Y",
        "KIND": "1" if number % 5 else "2",
        "GRADE": "abc"[number % 3],
        "AREA": _AREAS[number % 5],
        "TEL": f"021-{number % 10**8:08}",
        "EMAIL": f"Sales{number}@Example.COM",
        "CREDIT": f"{number % 1000},{number % 899 + 100}.50" if number % 1000 else f"{number % 899}.50",
        "CUR": "CNY",
        "TERMS": "net 30",
        "CONTACT": f"王{number % 1000}",
        "MOBILE": f"138{number % 10**8:08}",
        "ROLE": "采购",
        "COUNTRY": "CN",
        "CITY": "上海",
        "STREET": f"南京东路{number % 2000}号",
        "ZIP": f"{200000 + number % 1000}",
        "REMARK": "老客户",
        "UPDATED_AT": f"2026-11-{number % 28 + 1:02} 08:{number % 60:02}:00",
    }


def write(path: Path, count: int) -> None:
    """A file with `count` records."""
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<Customers>\n')
        for number in range(1, count + 1):
            body = "".join(f"<{name}>{value}</{name}>" for name, value in record(number).items())
            file.write(f"<Customer>{body}</Customer>\n")
        file.write("</Customers>\n")
