"""A score is a pure function of two documents and the model; the waterfall is its whole reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import ConfigError
from nave.core.matching import COMPARISONS, Block, FieldModel, Level, MatchModel, Scorer, checked


def field(name: str, compare: str, shares: dict[str, tuple[float, float]], **more) -> FieldModel:
    levels = tuple(Level(level, m, u) for level, (m, u) in shares.items())
    return FieldModel(name, compare, levels, more.pop("rare", 0.001), more.pop("frequent", {}))


MODEL = MatchModel(
    "customer",
    1000,
    0.001,
    (
        field(
            "phone",
            "digits",
            {"same": (0.8, 0.001), "same end": (0.1, 0.001), "one wrong": (0.05, 0.01), "different": (0.05, 0.988)},
        ),
        field("family", "exact", {"same": (0.9, 0.02), "different": (0.1, 0.98)}, rare=0.002, frequent={"smith": 0.1}),
        field("address.city", "exact", {"same": (0.95, 0.1), "different": (0.05, 0.9)}, rare=0.1),
    ),
    (Block(("phone:value",)), Block(("family:value", "address.city:value"))),
)
SCORER = Scorer(MODEL)

documents = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.text("0123456789", min_size=5, max_size=9),
        "family": st.sampled_from(["smith", "SMITH", "jones", "kovacs", ""]),
        "address": st.fixed_dictionaries({}, optional={"city": st.sampled_from(["luton", "harlow"])}),
    },
)


def score(a, b) -> float:
    return SCORER.score(SCORER.prepare(a), SCORER.prepare(b))


@given(documents, documents)
def test_a_score_is_a_probability_the_same_in_both_directions_and_every_time(a, b):
    found = score(a, b)

    assert 0 <= found <= 1
    assert found == pytest.approx(score(b, a), rel=1e-12)
    assert found == Scorer(MatchModel.load(MODEL.dump())).score(SCORER.prepare(a), SCORER.prepare(b))


@given(documents, documents)
def test_the_waterfall_ends_at_the_score(a, b):
    steps = SCORER.waterfall(a, b)

    assert steps[-1].probability == pytest.approx(score(a, b))
    bits = sum(step.bits for step in steps)
    assert steps[-1].probability == pytest.approx(1 / (1 + 2**-bits))


@given(documents, documents)
def test_agreement_in_one_field_more_never_lowers_a_score(a, b):
    nearer = {**b, "phone": a["phone"]} if "phone" in a else b

    assert score(a, nearer) >= score(a, b) or "phone" not in b


WHOLE = Scorer(
    MatchModel(
        "customer",
        1000,
        0.001,
        tuple(
            field(one, kind, {level: (0.9 / (at + 1), 0.01 * (at + 1)) for at, level in enumerate(COMPARISONS[kind].levels)})
            for one, kind in zip(("a", "b", "c", "d", "e", "f", "g", "h"), COMPARISONS, strict=True)
        ),
        (Block(("a:value",)),),
    )
)
"""A field of each kind."""
texts = st.sampled_from(
    [
        "",
        "上海盈硕标牌有限公司",
        "盈硕標牌(上海)有限公司苏州分公司",
        "2026-03-04",
        "12.5",
        "12",
        "AB-1234 red pump",
        "Müller & Söhne KG",
    ]
)
anything = st.fixed_dictionaries(dict.fromkeys("abcdefgh", texts))


@given(anything, anything)
def test_a_record_that_was_kept_scores_as_if_it_had_just_been_taken_apart(a, b):
    one, other = WHOLE.prepare(a), WHOLE.prepare(b)
    kept = WHOLE.forms.unpack(WHOLE.forms.pack(other))

    assert kept is not None
    assert WHOLE.score(one, kept) == WHOLE.score(kept, one) == WHOLE.score(one, other)


@given(anything, anything, st.floats(0, 1))
def test_what_reaches_the_least_score_is_scored_to_the_last_bit_and_nothing_else_reaches_it(a, b, least):
    one, other = WHOLE.prepare(a), WHOLE.prepare(b)
    found = WHOLE.score(one, other)

    assert WHOLE.score(one, other, found) == found
    assert WHOLE.score(one, other, least) in ((found,) if found >= least else (found, 0.0))


def test_what_another_model_has_kept_is_not_read():
    other = Scorer(MatchModel("customer", 1001, 0.001, MODEL.fields, MODEL.blocks))
    form = SCORER.forms.pack(SCORER.prepare({"phone": "5551234"}))

    assert SCORER.forms.unpack(form) is not None
    assert other.forms.unpack(form) is None


def test_a_missing_value_says_nothing():
    full = {"phone": "5551234", "family": "jones"}

    assert score({"family": "jones"}, full) == score({"family": "jones"}, {"family": "jones"})


def test_a_rare_name_says_more_than_a_common_one():
    assert score({"family": "kovacs"}, {"family": "kovacs"}) > score({"family": "smith"}, {"family": "smith"})


def test_records_share_a_key_for_each_rule_that_they_agree_in():
    one = {"phone": "555-1234", "family": "Jones", "address": {"city": "Luton"}}
    other = {"phone": "5551234", "family": "jones", "address": {"city": "LUTON"}}

    assert SCORER.blocks(one) == SCORER.blocks(other)
    assert [key.partition("=")[0] for key in SCORER.blocks(one)] == ["~phone:value", "~family:value&address.city:value"]
    assert SCORER.blocks({"family": "jones"}) == ()


def test_another_branch_is_another_customer_whatever_else_agrees():
    names = COMPARISONS["company"].levels[:8]
    shares = dict.fromkeys(names, (0.1, 0.001)) | {"other region": (0.1, 0.1), "different": (0.1, 0.8)}
    company = field("name", "company", shares | {"company and branch": (0.01, 0.01), "other branch": (1e-18, 1e-4)})
    scorer = Scorer(MatchModel("customer", 10, 0.3, (company, *MODEL.fields), (Block(("name:core",)),)))
    same = {"phone": "5551234", "family": "kovacs", "address": {"city": "luton"}}

    one, other = ({**same, "name": f"盈硕标牌有限公司{place}分公司"} for place in ("上海", "北京"))

    assert scorer.score(scorer.prepare(one), scorer.prepare(one)) > 0.999
    assert scorer.score(scorer.prepare(one), scorer.prepare(other)) < 1e-6


def test_a_model_survives_its_file():
    assert MatchModel.load(MODEL.dump()) == MODEL


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "truncated"),
        ('{"entity": "customer"}', "records"),
        (MODEL.dump().replace('"prior": 0.001', '"prior": 0.0'), "prior"),
        (MODEL.dump().replace('"m": 0.95', '"m": 1.5'), "address.city.same.m"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_what_is_wrong(text, reason):
    with pytest.raises(ConfigError, match="NAVE-E070") as caught:
        MatchModel.load(text)

    assert reason in str(caught.value.params["reason"])


@pytest.mark.parametrize(
    ("entity", "compare", "reason"),
    [
        ("product", {}, "customer"),
        ("customer", {"phone": "digits", "family": None}, "address.city"),
        ("customer", {"phone": "name", "family": None, "address.city": None}, "phone"),
    ],
)
def test_a_model_of_something_else_is_refused(entity, compare, reason):
    with pytest.raises(ConfigError, match="NAVE-E071") as caught:
        checked(MODEL, entity, compare)

    assert reason in str(caught.value.params["reason"])


def test_bits_are_the_logarithm_of_how_much_likelier_a_level_is():
    assert Level("same", 0.8, 0.1).bits == pytest.approx(math.log2(8))
