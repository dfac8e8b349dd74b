"""What a peer may do wrong, as tables: the rows of every conformance report, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Text = Mapping[str, str]
"""Language -> text; `en` and `zh`."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way of misbehaving."""

    name: str
    text: Text
    hangs: bool = False
    """Only a time limit of the connector's ends it."""
    tells: bool = True
    """A connector must notice: it says what went wrong."""
    refuses: bool = False
    """The peer says no, and means it."""
    paced: bool = False
    """The peer says when to come again."""
    away: bool = False
    """Nobody listens where it should be."""
    sinks: bool = True
    sources: bool = True


WELL = Behaviour("well", {"en": "behaves", "zh": "一切正常"}, tells=False)
"""What a declaration is tried with first: a connector that fails here is declared wrongly."""

OVER_HTTP: tuple[Behaviour, ...] = (
    Behaviour("refused", {"en": "takes no connection", "zh": "不接受连接"}, away=True),
    Behaviour("silent", {"en": "takes the request and never answers", "zh": "收下请求后始终不应答"}, hangs=True),
    Behaviour("dropped", {"en": "does it and drops the answer", "zh": "已执行，但丢掉应答"}),
    Behaviour("half", {"en": "does it and answers half", "zh": "已执行，但应答只发一半"}),
    Behaviour("dribbles", {"en": "does it and answers one byte a second", "zh": "已执行，每秒只应答一个字节"}, hangs=True),
    Behaviour("longer", {"en": "claims a longer answer than it sends", "zh": "声称的应答长度大于实际"}, hangs=True),
    Behaviour("shorter", {"en": "claims a shorter answer than it sends", "zh": "声称的应答长度小于实际"}),
    Behaviour("twice", {"en": "answers everything twice", "zh": "每个应答都发两遍"}, tells=False),
    Behaviour("reordered", {"en": "answers in another order", "zh": "应答次序被打乱"}, tells=False, sources=False),
    Behaviour("throttled", {"en": "429 and 503 with Retry-After", "zh": "返回 429 和 503 及 Retry-After"}, paced=True),
    Behaviour("error", {"en": "200 with an error in the body", "zh": "返回 200，正文却是错误"}, refuses=True),
    Behaviour("page", {"en": "200 with a page for people", "zh": "返回 200 和一个给人看的网页"}),
    Behaviour("other", {"en": "answers for another record", "zh": "应答中是另一条记录的标识"}, sources=False),
    Behaviour("gbk", {"en": "does it and answers in GBK, without saying so", "zh": "已执行，但以 GBK 编码应答，且不声明"}),
)

OVER_STREAMS: tuple[Behaviour, ...] = (
    Behaviour("refused", {"en": "takes no connection", "zh": "不接受连接"}, away=True),
    Behaviour("unheard", {"en": "is cut off before it hears what was said", "zh": "在收到内容之前断开"}, tells=False),
    Behaviour("dropped", {"en": "is cut off before its answer is heard", "zh": "已处理，应答送达之前断开"}, tells=False),
    Behaviour("half", {"en": "is cut off in the middle of an answer", "zh": "应答发到一半时断开"}, tells=False),
    Behaviour("silent", {"en": "falls silent, and closes nothing", "zh": "不再出声，也不关闭连接"}, hangs=True, tells=False),
    Behaviour("dribbles", {"en": "answers one byte a second", "zh": "每秒只应答一个字节"}, hangs=True, tells=False),
)
"""What can be done to bytes whose meaning the kit does not know: each is tried at several places of a conversation,
of which some come after the last word that matters."""

OVER_FOLDERS: tuple[Behaviour, ...] = (
    Behaviour("refused", {"en": "its folders are not there", "zh": "文件夹不存在"}, away=True),
    Behaviour("silent", {"en": "takes the file and does nothing", "zh": "取走文件后什么也不做"}, hangs=True),
    Behaviour("dropped", {"en": "does it and writes no receipt", "zh": "已执行，但不写回执"}, hangs=True),
    Behaviour("late", {"en": "does it and writes the receipt too late", "zh": "已执行，但回执写得太晚"}, hangs=True),
    Behaviour("half", {"en": "does it and writes half a receipt", "zh": "已执行，但回执只写了一半"}, hangs=True),
    Behaviour("empty", {"en": "does it and writes an empty receipt", "zh": "已执行，但回执是空文件"}, hangs=True),
    Behaviour("pieces", {"en": "writes the receipt piece by piece", "zh": "回执分几次写完"}, tells=False),
    Behaviour("twice", {"en": "writes every receipt twice", "zh": "每个回执都写两份"}, tells=False),
    Behaviour("reordered", {"en": "writes the receipts in another order", "zh": "回执的次序被打乱"}, tells=False),
    Behaviour("error", {"en": "refuses it in the receipt", "zh": "在回执中拒绝"}, refuses=True),
    Behaviour("page", {"en": "does it and writes what is no receipt", "zh": "已执行，但写出的不是回执"}, hangs=True),
    Behaviour("other", {"en": "the receipt is about another record", "zh": "回执中是另一条记录的标识"}),
    Behaviour("contrary", {"en": "the receipt says both yes and no", "zh": "回执自相矛盾，既说成功又说失败"}),
    Behaviour("gbk", {"en": "the receipt is in GBK and says UTF-8", "zh": "回执以 GBK 编码，却声明为 UTF-8"}, tells=False),
    Behaviour("bytes", {"en": "the receipt is in no encoding at all", "zh": "回执不属于任何编码"}, hangs=True),
)
"""What can be seen in a folder. Who reads GBK under another name need not say so: that the record is right is looked at."""
