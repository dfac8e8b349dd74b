"""Company names are taken apart, so that what matters is compared and what does not is not."""

import pytest

from nave.core.matching.company import LEVELS, level, split


@pytest.mark.parametrize(
    ("text", "core", "trade", "region", "form", "branch"),
    [
        ("上海盈硕标牌科技有限公司", "盈硕", "标牌科技", ("上海", ""), "有限公司", ""),
        ("盈硕标牌（上海）科技有限公司", "盈硕", "标牌科技", ("上海", ""), "有限公司", ""),
        ("苏州市盈碩標牌有限責任公司蘇州分公司", "盈硕", "标牌", ("江苏", "苏州"), "有限责任公司", "苏州分公司"),
        ("广西壮族自治区柳州市五菱汽车有限公司", "五菱", "汽车", ("广西", "柳州"), "有限公司", ""),
        ("ＡＢＢ（中国）有限公司", "abb", "", ("", ""), "有限公司", ""),
        ("盈硕上海分公司", "盈硕", "", ("", ""), "", "上海分公司"),
        ("Müller & Söhne GmbH & Co. KG", "mullersohne", "", ("", ""), "gmbh co kg", ""),
        ("The Acme Trading Co., Ltd.", "acme", "trading", ("", ""), "co ltd", ""),
        ("天津東啓集團有限公司上海分公司", "东启", "", ("天津", ""), "集团有限公司", "上海分公司"),
        ("Acme Ltd., Shanghai Branch", "acme", "", ("", ""), "ltd", "shanghaibranch"),
    ],
)
def test_a_name_has_its_parts(text, core, trade, region, form, branch):
    found = split(text)

    assert (found.core, found.trade, tuple(found.region), found.form, found.branch) == (core, trade, region, form, branch)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("上海盈硕标牌有限公司", "上海盈碩標牌有限責任公司", "same"),
        ("上海盈硕标牌有限公司", "盈硕标牌（上海）有限公司", "same"),
        ("ＡＢＢ（中国）有限公司", "ABB有限公司", "same"),
        ("Muller und Sohne", "Müller & Söhne GmbH", "same"),
        ("上海盈硕标牌有限公司", "盈硕标牌", "same, one without region"),
        ("上海盈硕标牌有限公司", "上海盈朔标牌有限公司", "same sound"),
        ("苏州盈硕", "苏州盈硕标牌科技有限公司", "same core and region, one without trade"),
        ("苏州盈硕", "盈硕标牌科技有限公司", "part of the other"),
        ("苏州盈硕轴承有限公司", "苏州盈硕印刷有限公司", "same core"),
        ("中石化", "中国石油化工股份有限公司", "part of the other"),
        ("上海盈硕标牌有限公司", "北京盈硕标牌有限公司", "other region"),
        ("盈硕标牌有限公司上海分公司", "盈硕标牌有限公司", "company and branch"),
        ("盈硕标牌有限公司上海分公司", "盈硕标牌有限公司北京分公司", "other branch"),
        ("Acme Ltd., Shanghai Branch", "Acme Ltd Beijing Branch", "other branch"),
        ("华东机械一厂3号", "华东机械一厂4号", "different"),
        ("上海盈硕标牌有限公司", "广州东方轴承有限公司", "different"),
    ],
)
def test_two_names_agree_as_far_as_a_person_would_say(one, other, expected):
    forth, back = level(split(one), split(other)), level(split(other), split(one))

    assert LEVELS[forth] == LEVELS[back] == expected
