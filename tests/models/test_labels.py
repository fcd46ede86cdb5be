"""Classes by name."""

import numpy as np
import pytest

from dreamlib.errors import DreamError
from dreamlib.models.labels import find_class, parse_targets

LABELS = [
    "tench, Tinca tinca",
    "goldfish, Carassius auratus",
    "great white shark, white shark, man-eater",
    "tiger shark",
    "crane",
    "crane",
    "gold mine",
]


def parse(text, labels=LABELS, seed=0):
    return parse_targets(text, labels, np.random.RandomState(seed))


def test_find_class_lists_whole_names_before_words_before_letters():
    labels = ["goldfish", "gold mine", "gold"]
    assert find_class(labels, "gold") == [(2, "gold"), (1, "gold mine"), (0, "goldfish")]


def test_find_class_lists_what_is_nearly_meant():
    assert find_class(LABELS, "goldfsh")[0] == (1, LABELS[1])


def test_find_class_of_nothing_like_it_is_empty():
    assert find_class(LABELS, "xylophone") == []


@pytest.mark.parametrize("text", ["Great_White-Shark", "man eater", "  WHITE shark "])
def test_case_hyphens_and_underscores_do_not_matter(text):
    assert parse(text) == [(2, 1.0)]


def test_targets_are_names_numbers_and_weights():
    assert parse("goldfish, tiger shark:0.5, 6:-2") == [(1, 1.0), (3, 0.5), (6, -2.0)]


def test_a_word_of_one_class_alone_is_enough():
    assert parse("tiger") == [(3, 1.0)]


def test_a_label_in_full_is_one_target():
    assert parse("tench, Tinca tinca") == [(0, 1.0)]


def test_a_class_of_two_weights_is_refused():
    with pytest.raises(DreamError, match=r"1 \(goldfish.*twice.*1 and 0\.5"):
        parse("goldfish, 1:0.5")


def test_random_draws_different_classes():
    drawn = [index for index, _ in parse("random, random, random:2, random")]
    assert len(set(drawn)) == 4


def test_random_is_drawn_from_the_state_given():
    assert parse("random", seed=3) == parse("random", seed=3)
    assert len({parse("random", seed=seed)[0] for seed in range(20)}) > 1


def test_an_ambiguous_word_is_refused_with_the_classes():
    with pytest.raises(DreamError, match=r"'shark' may mean 2 \(great white.*; 3 \(tiger shark\)"):
        parse("shark")


def test_a_name_of_two_classes_is_refused_with_their_numbers():
    with pytest.raises(DreamError, match=r"4 \(crane\); 5 \(crane\); write one's number"):
        parse("crane")


def test_an_unknown_name_is_refused_with_the_nearest_class():
    with pytest.raises(DreamError, match=r"no class 'tensh'.*nearest: 0 \(tench"):
        parse("tensh")


@pytest.mark.parametrize("text", ["7", "-1"])
def test_a_number_beyond_the_classes_is_refused(text):
    with pytest.raises(DreamError, match=f"no class {text}; expected a number from 0 to 6"):
        parse(text)


@pytest.mark.parametrize("text", ["goldfish:", "goldfish:much", "goldfish:0", "1:nan", ":2"])
def test_what_is_no_weight_is_refused(text):
    with pytest.raises(DreamError, match="expected CLASS or CLASS:WEIGHT"):
        parse(text)


@pytest.mark.parametrize("text", ["", " , "])
def test_targets_without_a_class_are_refused(text):
    with pytest.raises(DreamError, match="name no class"):
        parse(text)


def test_without_labels_numbers_are_taken_and_names_refused():
    assert parse("12", labels=[]) == [(12, 1.0)]
    with pytest.raises(DreamError, match="no class names; give numbers"):
        parse("goldfish", labels=[])
