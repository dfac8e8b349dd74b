"""Which encoding a file is in: mark, declaration, trial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import PermanentError
from nave.formats import detect
from nave.formats.encodings import text_of


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (b"\xef\xbb\xbfabc", None, "utf-8"),
        (b"\xff\xfea\x00", "utf-8", "utf-16-le"),
        (b"\xfe\xff\x00a", None, "utf-16-be"),
        (b"\x84\x31\x95\x33abc", None, "gb18030"),
        (b"plain", None, "utf-8"),
        ("朱镕基".encode(), None, "utf-8"),
        ("朱镕基".encode("gbk"), None, "gb18030"),
        ("㛃".encode("gb18030"), None, "gb18030"),
        (b"x", "GB2312", "gb18030"),
        (b"x", "gbk", "gb18030"),
        (b"x", "cp936", "gb18030"),
        (b"x", "GB18030", "gb18030"),
        (b"x", "latin-1", "iso8859-1"),
        (b"x", "us-ascii", "utf-8"),
        ("繁體".encode("big5"), "big5", "big5"),
    ],
)
def test_mark_beats_declaration_beats_trial(head: bytes, declared: str | None, expected: str) -> None:
    assert detect(head, declared) == expected


@pytest.mark.parametrize("word", ["盈硕", "统", "瑙眨", "A-01 盈硕", "联通"])
def test_a_short_chinese_word_in_gbk_is_not_taken_for_utf8(word: str) -> None:
    assert detect(word.encode("gbk")) == "gb18030"


@pytest.mark.parametrize("text", ["Ø 30 ± 0.5 µm", "café", "Привет", "μΩ", "שלום", "سلام", "±0.5 镕", "Ωé°"])
def test_utf8_of_one_alphabet_stays_utf8(text: str) -> None:
    assert detect(text.encode()) == "utf-8"


def test_a_character_cut_off_at_the_end_of_the_head_is_no_fault() -> None:
    assert detect("镕".encode()[:2]) == "utf-8"
    assert detect(("码" * 99 + "镕").encode("gb18030")[:-1]) == "gb18030"


@pytest.mark.parametrize(
    ("head", "declared", "code"),
    [
        ("上海盈硕标牌有限公司".encode("gbk"), "utf-8", "NAVE-D103"),
        (b"x", "zlib", "NAVE-D104"),
        (b"\xff\xfe\x00\x00", None, "NAVE-D104"),
        (b"\xff\xff\xff\xff" * 9, None, "NAVE-D105"),
    ],
)
def test_what_cannot_be_decided_is_an_error(head: bytes, declared: str | None, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        detect(head, declared)

    assert caught.value.code == code


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(["utf-8", "gb18030", "utf-16-le", "utf-16-be"]),
    st.integers(1, 9),
)
def test_text_torn_anywhere_decodes_to_itself(text: str, codec: str, size: int) -> None:
    data = text.encode(codec)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    assert "".join(text_of(pieces, codec)) == text


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize(("codec", "wrong"), [("utf-8", b"\xff"), ("gb18030", b"\xff"), ("utf-8", b"\xe5\xa5")])
def test_a_wrong_byte_is_placed_exactly_and_what_is_before_it_decoded(codec: str, wrong: bytes, size: int) -> None:
    data = "a镕b镕".encode(codec) + wrong + b" after"
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    read: list[str] = []

    with pytest.raises(PermanentError) as caught:
        read.extend(text_of(pieces, codec))

    assert "".join(read) == "a镕b镕"
    assert caught.value.code == "NAVE-D103"
    assert caught.value.params["offset"] == len("a镕b镕".encode(codec))


def test_a_last_character_cut_off_is_an_error() -> None:
    with pytest.raises(PermanentError) as caught:
        list(text_of([b"abc", "镕".encode()[:2]], "utf-8"))

    assert caught.value.params["offset"] == 3
