"""Weights are learned without labels, from nothing but the records."""

import random
from itertools import combinations

import pytest

from nave.core.errors import PermanentError
from nave.core.matching import MatchModel, Scorer
from nave.core.matching.rounds import smooth
from nave.core.matching.training import Training, train
from tests.core.matching.people import person, population, slipped


def found_pairs(model, records, threshold=0.5):
    scorer = Scorer(model)
    prepared = [scorer.prepare(document) for _, document in records]
    index: dict[str, list[int]] = {}
    for place, (_, document) in enumerate(records):
        for key in scorer.blocks(document):
            index.setdefault(key, []).append(place)
    pairs = {pair for places in index.values() for pair in combinations(places, 2)}
    return {pair for pair in pairs if scorer.score(prepared[pair[0]], prepared[pair[1]]) >= threshold}


def f1(found, truth):
    return 2 * len(found & truth) / (len(found) + len(truth))


FIELDS = dict.fromkeys(("given", "family", "street", "number", "town", "born", "card"))


@pytest.fixture(scope="module")
def learned():
    records, truth = population(250, seed=3)
    return records, truth, train("customer", FIELDS, Training(records))


def test_people_with_slips_are_found_again(learned):
    records, truth, model = learned

    assert f1(found_pairs(model, records), truth) >= 0.99


def test_what_was_learned_holds_for_people_it_has_never_seen(learned):
    _, _, model = learned
    records, truth = population(250, seed=4)

    assert f1(found_pairs(model, records), truth) >= 0.98


@pytest.mark.slow
def test_training_twice_learns_the_same_and_its_file_scores_the_same(learned):
    records, _, model = learned

    again = MatchModel.load(train("customer", FIELDS, Training(records)).dump())

    assert again == model


@pytest.mark.slow
def test_the_order_of_records_does_not_matter_to_what_is_found(learned):
    records, truth, _ = learned
    order = list(range(len(records)))
    random.Random(9).shuffle(order)
    there = {place: number for number, place in enumerate(order)}

    model = train("customer", FIELDS, Training([records[place] for place in order]))

    moved = {tuple(sorted((there[a], there[b]))) for a, b in truth}
    assert f1(found_pairs(model, [records[place] for place in order]), moved) >= 0.99


@pytest.mark.slow
def test_with_one_record_per_system_only_pairs_across_systems_teach():
    chance = random.Random(5)
    people = [person(chance) for _ in range(150)]
    records = [("a", one) for one in people] + [("b", slipped(one, chance)) for one in people[:100]]

    model = train("customer", FIELDS, Training(records))

    truth = {(place, 150 + place) for place in range(100)}
    assert f1({pair for pair in found_pairs(model, records) if records[pair[0]][0] != records[pair[1]][0]}, truth) >= 0.98
    assert model.prior == pytest.approx(100 / (150 * 100), rel=0.1)


@pytest.mark.slow
def test_a_sample_of_many_makes_any_two_less_likely_the_same(learned):
    records, _, model = learned

    of_many = train("customer", FIELDS, Training(records, population=10 * len(records)))

    assert of_many.prior == pytest.approx(model.prior / 10)


def test_too_few_records_teach_nothing():
    with pytest.raises(PermanentError, match="NAVE-E072"):
        train("customer", FIELDS, Training([("a", {"given": "anna"})]))


def test_fields_without_values_teach_nothing():
    with pytest.raises(PermanentError, match="NAVE-E073"):
        train("customer", {"nothing": None}, Training([("a", {"given": "anna"})] * 50))


def test_a_weaker_agreement_never_weighs_more_than_a_stronger_one():
    m, u = [0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.1, 0.7]

    ratios = [a / b for a, b in zip(smooth(m, u, 4), u, strict=True)]

    assert ratios == sorted(ratios, reverse=True)
    assert sum(smooth(m, u, 4)) == pytest.approx(1)
