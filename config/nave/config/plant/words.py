"""The words that the example plant is made of: places, company names, people, goods, and the codes of its systems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A city: its GB/T 2260 code, the area code that the ERP uses instead, its name and its province's code."""

    region: str
    area: str
    name: str
    parent: str


PROVINCES: tuple[tuple[str, str], ...] = (
    ("310000", "上海市"),
    ("320000", "江苏省"),
    ("330000", "浙江省"),
    ("370000", "山东省"),
    ("420000", "湖北省"),
    ("440000", "广东省"),
)

PLACES: tuple[Place, ...] = (
    Place("310115", "021", "上海", "310000"),
    Place("320100", "025", "南京", "320000"),
    Place("320200", "0510", "无锡", "320000"),
    Place("320500", "0512", "苏州", "320000"),
    Place("330100", "0571", "杭州", "330000"),
    Place("330200", "0574", "宁波", "330000"),
    Place("370100", "0531", "济南", "370000"),
    Place("370200", "0532", "青岛", "370000"),
    Place("420100", "027", "武汉", "420000"),
    Place("440100", "020", "广州", "440000"),
    Place("440300", "0755", "深圳", "440000"),
    Place("440600", "0757", "佛山", "440000"),
)

CORES = [
    "盈硕",
    "恒泰",
    "鼎新",
    "华瑞",
    "金科",
    "远航",
    "宏达",
    "启明",
    "博创",
    "润丰",
    "天工",
    "朝阳",
    "立诚",
    "精锐",
    "东岳",
    "镕昌",
    "喆信",
    "海拓",
]
TRADES = ["机械", "重工", "液压件", "轴承", "传动设备", "模具", "自动化", "精密制造", "起重设备", "阀门"]
FORMS = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司")
BRANCHES = ("", "", "", "", "", "", "", "第二分厂")
LATIN = ("", "", "", "ABC", "", "", "KTR", "", "", "SKF2", "")

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = [
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "强",
    "磊",
    "军",
    "洋",
    "勇",
    "艳",
    "杰",
    "涛",
    "明",
    "超",
    "秀英",
    "建国",
    "志远",
    "海燕",
    "镕基",
    "喆",
    "思琪",
    "𠮷安",
]
ROLES = ("采购经理", "采购员", "设备科长", "技术负责人", "财务")
DEPARTMENTS = ("销售部", "生产部", "技术部", "财务部", "质量部", "仓储部")
POSITIONS = ("经理", "主管", "专员", "工程师", "操作工")

FINISHED = ("数控车床", "立式加工中心", "龙门铣床", "磨床", "锯床")
ASSEMBLIES = ("主轴箱", "床身组件", "刀库", "液压站", "电气柜", "进给机构")
PARTS = ("轴", "齿轮", "轴承座", "法兰", "端盖", "丝杠", "导轨", "垫片", "密封圈", "螺栓")
MATERIALS = ("45#", "40Cr", "HT250", "Q235B", "304", "20CrMnTi")
OPERATIONS = (("010", "下料"), ("020", "粗车"), ("030", "精磨"), ("040", "装配"))
WAREHOUSES = ("CP01", "CP02", "BC01")
CARRIERS = ("德邦物流", "顺丰速运", "自提")
PAY_TERMS = ("款到发货", "月结30天", "月结60天", "三七分期")
GRADES = ("A", "B", "C")

SEAL = {"active": "N", "blocked": "Y"}
"""The ERP seals (封存) a customer that it no longer sells to."""
ENABLE_STATE = {"active": "2", "blocked": "3"}
"""NC's enablestate."""
CRM_STATE = {"active": "合作", "blocked": "停用"}
ORDER_STATE = {"open": "10", "released": "20", "shipped": "30", "closed": "40"}
PART_TYPE = {"make": "M", "buy": "B", "outsource": "O", "phantom": "P"}
HR_STATE = {"active": "在职", "left": "离职"}
PUNCH = {"in": "0", "out": "1"}
VERIFY = {"finger": "1", "card": "2", "face": "15"}
BALANCE = {"transfer": "12", "acceptance": "21", "cash": "01"}
"""NC's settlement methods (结算方式): bank transfer, banker's acceptance, cash."""
