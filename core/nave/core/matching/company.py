"""Company names, Chinese and Western: region, core, trade, legal form and branch taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from rapidfuzz.distance import OSA, JaroWinkler

from nave.core.matching.regions import Region, leading, regions, trailing
from nave.core.matching.terms import Terms
from nave.core.matching.text import fold, sounds, squash

LEVELS = (
    "same",
    "same, one without region",
    "same sound",
    "same core and region, one without trade",
    "close",
    "part of the other",
    "similar",
    "same core",
    "other region",
    "different",
    "company and branch",
    "other branch",
)
_SAME, _NO_REGION, _SOUND, _NO_TRADE, _CLOSE, _PART, _SIMILAR = range(7)
_CORE, _OTHER_REGION, _DIFFERENT, _ONE_BRANCH, _OTHER_BRANCH = range(7, 12)
ALIKE = 4
VETOES = frozenset({"other branch"})


class Company(NamedTuple):
    """A name in parts; all but the branch and the form in simplified characters, small letters, without punctuation."""

    term: str
    """The core with its trade: what the company is called."""
    core: str
    trade: str
    region: Region
    form: str
    branch: str
    sound: str
    """The term as it sounds, in letters."""


_FORMS = re.compile(
    r"(?:集团)?(?:股份有限责任公司|有限责任公司|股份有限公司|股份公司|有限公司|总公司|公司|有限合伙|普通合伙|合伙企业|集团|股份|有限)$"
)
_FORM_INSIDE = r"(?:有限责任公司|有限公司|总公司|公司|集团|银行|总厂|厂)"
_BRANCH_WORD = r"(?:分公司|办事处|分厂|分店|分行|支行|营业部|代表处|子公司|事业部|分部|分社|分院|分所|分校)"
_BRANCH = re.compile(rf"(.+?(?:集团)?(?:股份)?{_FORM_INSIDE})(.*{_BRANCH_WORD})$")
_BARE_BRANCH = re.compile(rf"(.{{2,}}?)({_BRANCH_WORD})$")
_BRACKET = re.compile(r"[(（\[【〔]([^)）\]】〕]*)[)）\]】〕]")
_TRADES = """
科技 技术 电子 电气 电器 电力 电脑 电缆 软件 网络 信息 通信 通讯 自动化 智能 数码 数据 互联网
光电 半导体 能源 新能源 环保 环境 贸易 商贸 工贸 经贸 进出口 国际贸易 国际 实业 工业 产业 企业
发展 开发 投资 控股 资产 资本 管理 咨询 服务 顾问 文化 传媒 传播 广告 影视 艺术 教育 机械
机电 机床 设备 装备 制造 仪器 仪表 五金 模具 精密 金属 钢铁 钢构 铝业 铜业 材料 新材料
复合材料 标牌 标识 铭牌 印刷 包装 纸业 塑料 塑胶 橡胶 橡塑 化工 化学 涂料 医药 药业 制药 医疗
医疗器械 器械 生物 生物科技 健康 食品 饮料 酒业 农业 农牧 饲料 种业 水产 粮油 纺织 服装 服饰
鞋业 皮革 家具 家居 装饰 装潢 装修 设计 建筑 建设 建材 建工 工程 安装 路桥 园林 地产 房地产
置业 物业 物流 运输 货运 供应链 仓储 快递 航空 航运 船舶 汽车 汽配 零部件 配件 轴承 阀门 泵业
锅炉 矿业 石油 燃气 水务 酒店 餐饮 旅游 旅行社 超市 百货 商业 商务 商行 电子商务 电商 金融
保险 证券 银行 租赁 担保 典当 拍卖 检测 认证 劳务 人力资源 安防 安全 消防 照明 灯具 玻璃 陶瓷
水泥 木业 珠宝 玩具 礼品 工艺品 文具 办公 办公设备 体育 用品 制品 产品 系统 集成 经营部 商店
门市部 工作室 中心 事务所 研究院 研究所 设计院 医院 学校 厂 店 行 社
"""
_TRADE_WORDS = frozenset(_TRADES.split())
_LONGEST_TRADE = max(map(len, _TRADE_WORDS))
_HAN = re.compile(r"[\u3400-\u9fff]")
_FORM_WORDS = """
ltd limited inc incorporated corp corporation co company llc llp lp plc gmbh mbh ag kg kgaa ohg ug se sa sas sarl srl spa
snc bv nv oy oyj ab as asa aps pte pty sdn bhd kk kabushiki kaisha sro zoo doo ooo oao zao holding holdings group
intl international
"""
_WESTERN_FORMS = frozenset(_FORM_WORDS.split())
_TRADES_WEST = """
trading technology technologies tech industries industry industrial electronics systems services solutions engineering
manufacturing mfg products enterprises enterprise import export software automation machinery equipment materials
"""
_WESTERN_TRADES = frozenset(_TRADES_WEST.split())
_SMALL = frozenset({"the", "and", "und", "et", "y", "e", "of", "de", "for"})
_DIGITS = re.compile(r"\d+")


@lru_cache(maxsize=4096)
def split(text: str) -> Company:
    """A company name in its parts; empty parts where it has none."""
    return _chinese(fold(text)) if _HAN.search(text) else _western(fold(text))


def _chinese(text: str) -> Company:
    inside = [squash(one) for one in _BRACKET.findall(text)]
    name = squash(_BRACKET.sub("", text)) or squash(text)
    name, branch = _without_branch(name)
    branch = branch or next((one for one in inside if re.search(_BRANCH_WORD, one)), "")
    found = _FORMS.search(name)
    form = found[0] if found and found.start() > 1 else ""
    body = name.removesuffix(form)
    again = _FORMS.search(body)
    body = body[: again.start()] if again and again.start() > 1 else body
    region, body = leading(body)
    region = next((regions()[one] for one in inside if one in regions()), region) if region == Region() else region
    known = {"集团", "中国", branch}
    extra = "".join(one for one in inside if one not in known and one not in regions() and not _FORMS.search(one))
    core = _without_trade(body)
    term = body + extra
    return Company(term, core, body[len(core) :], region, form, branch.replace("市", ""), sounds(term))


def _without_trade(body: str) -> str:
    """What is left of a name when its trades are taken from the end; at least one character."""
    while True:
        size = next((n for n in range(min(_LONGEST_TRADE, len(body) - 1), 0, -1) if body[-n:] in _TRADE_WORDS), 0)
        if not size:
            return body
        body = body[:-size]


def _without_branch(name: str) -> tuple[str, str]:
    """The name of the company, and that of its branch."""
    found = _BRANCH.match(name)
    if found:
        return found[1], found[2]
    bare = _BARE_BRANCH.match(name)
    if not bare:
        return name, ""
    rest, region = trailing(bare[1])
    return rest, region + bare[2]


def _western(text: str) -> Company:
    words = [squash(word) for word in re.split(r"[\s,;/&+()-]+", text.replace(".", "").replace("'", ""))]
    words = [word for word in words if word and word not in _SMALL]
    branch = ""
    if "branch" in words:
        at = max((place for place, word in enumerate(words) if word in _WESTERN_FORMS), default=len(words) - 3)
        branch, words = "".join(words[at + 1 :]), words[: at + 1]
    forms = [word for word in words if word in _WESTERN_FORMS]
    body = [word for word in words if word not in _WESTERN_FORMS] or words
    core = [word for word in body if word not in _WESTERN_TRADES] or body
    term = "".join(body)
    return Company(term, "".join(core), "".join(body[len(core) :]), Region(), " ".join(forms), branch, term)


def prepare(text: str, _terms: Terms) -> Company | None:
    """The parts of a name; None where there is nothing in it."""
    found = split(text)
    return found if found.term else None


def level(a: Company, b: Company) -> int:
    """The level of two names."""
    if a.branch != b.branch:
        return _OTHER_BRANCH if a.branch and b.branch else _ONE_BRANCH
    likeness = _likeness(a, b)
    if likeness < _DIFFERENT and a.region.conflicts(b.region):
        return _OTHER_REGION if likeness <= _CLOSE else _DIFFERENT
    if likeness == _SAME and (a.region == Region()) != (b.region == Region()):
        return _NO_REGION
    return likeness


def _likeness(a: Company, b: Company) -> int:
    if a.term == b.term:
        return _SAME
    if _DIGITS.findall(a.term) != _DIGITS.findall(b.term):
        return _DIFFERENT
    if a.sound == b.sound:
        return _SOUND
    short, long = (a.term, b.term) if len(a.term) <= len(b.term) else (b.term, a.term)
    slips = OSA.distance(a.term, b.term, score_cutoff=1)
    if slips == 1 and len(short) > 3:
        return _CLOSE
    if a.core == b.core:
        return _same_core(a, b)
    if len(short) > 1 and (short in long or _abbreviates(short, long)):
        return _PART
    close = JaroWinkler.similarity(a.sound, b.sound)
    return _CLOSE if close >= 0.96 else _SIMILAR if close >= 0.9 else _DIFFERENT


def _same_core(a: Company, b: Company) -> int:
    if a.trade and b.trade and a.trade not in b.trade and b.trade not in a.trade:
        return _CORE
    return _NO_TRADE if a.region == b.region else _PART


def _abbreviates(short: str, long: str) -> bool:
    """Whether all characters of a Chinese short name stand in the long one, in order, the first at its start."""
    if not _HAN.match(short) or short[0] != long[0] or len(short) < 3:
        return False
    place = 0
    for one in short:
        place = long.find(one, place) + 1
        if not place:
            return False
    return True


def terms(text: str) -> Iterable[str]:
    """What is counted of a name."""
    found = split(text)
    return (found.term,) if found.term else ()


def looks_like_company(text: str) -> bool:
    """Whether a text has the legal form of a company."""
    return bool(split(text).form)


def _value_key(name: Company) -> Iterable[str]:
    return (name.term,)


def _sound_key(name: Company) -> Iterable[str]:
    return (name.sound,)


def _core_key(name: Company) -> Iterable[str]:
    return (sounds(name.core),)


_HEAD = {True: 2, False: 5}


def _head_key(name: Company) -> Iterable[str]:
    return (name.term[: _HEAD[bool(_HAN.match(name.term))]],)


def _tail_key(name: Company) -> Iterable[str]:
    size = _HEAD[bool(_HAN.match(name.term))]
    return (name.term[1 : 1 + size],) if len(name.term) > size else ()


KEYS = {"value": _value_key, "sound": _sound_key, "core": _core_key, "head": _head_key, "tail": _tail_key}


_BRANCH_AT, _CITY_AT, _PROVINCE_AT, _TERM_AT = 0, 3, 8, 13
_TERM_BITS = 10


def _digit(text: str, bits: int) -> int:
    """A number of so many bits for a text; 0 for none."""
    return 1 + crc32(text.encode()) % ((1 << bits) - 1) if text else 0


def sketch(name: Company) -> int:
    """Sums of the term, the province, the city and the branch."""
    return (
        _digit(name.term, _TERM_BITS) << _TERM_AT
        | _digit(name.region.province, 5) << _PROVINCE_AT
        | _digit(name.region.city, 5) << _CITY_AT
        | _digit(name.branch, 3) << _BRANCH_AT
    )


def nearest(_name: Company, mine: int) -> Callable[[int], int]:
    """The strongest level that another name may reach, by both sketches."""
    branch, city, province = mine & 7, mine >> _CITY_AT & 31, mine >> _PROVINCE_AT & 31

    def level(other: int) -> int:
        off = mine ^ other
        if off & 7:
            return _OTHER_BRANCH if branch and other & 7 else _ONE_BRANCH
        if (off >> _CITY_AT & 31 and city and other >> _CITY_AT & 31) or (
            off >> _PROVINCE_AT & 31 and province and other >> _PROVINCE_AT & 31
        ):
            return _OTHER_REGION
        return _SOUND if off >> _TERM_AT & (1 << _TERM_BITS) - 1 else _SAME

    return level
