"""The check for passwords that are easy to guess."""

import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.passwords import common_passwords, is_guessable

NAMES = {"ana", "ana.first", "first", "ana.first@example.com", "ledger"}
WORDS = (
    *("acorn", "basket", "candle", "drawer", "ember", "feather", "garden", "harbor"),
    *("island", "jacket", "kettle", "lantern", "meadow", "needle", "orchard"),
    *("pebble", "quarry", "ribbon", "saddle", "timber", "umbrella", "velvet", "walnut"),
    *("yonder", "zipper", "anchor", "bottle", "copper", "donkey", "engine"),
    *("forest", "gravel", "hammer", "insect", "jungle", "kitten", "ladder", "marble"),
    *("nickel", "oyster", "pepper", "quiver", "rocket", "silver", "turtle"),
)


@pytest.mark.parametrize(
    "password",
    [
        # A common one, repeated, with another one, disguised or with something at its end.
        *("password", "passwordpassword", "hunter2hunter2", "iloveyouiloveyou", "dragonmonkey1", "monkeydragon"),
        *("password123456", "letmein123!", "Summer2024!", "mountain2024!", "P@ssw0rd2024!", "Pa55w0rd123"),
        *("drowssap123", "trustno1trustno1", "qwerty123456", "monkey!!!!", "пароль123", "password84921"),
        # Sequences, which may begin again.
        *("123456789012345", "1234567890123456", "98765432109876", "abcdefghijklmnop", "zyxwvutsrq", "xyzabcdefg"),
        *("!@#$%^&*()", "a1b2c3d4e5", "abcd1234", "6543210987"),
        # Keyboards.
        *("qwertyuiopasdfgh", "qwertzuiopasdfgh", "azertyuiopqsdfgh", "poiuytrewq", "asdfghjkl;", "йцукенгшщ"),
        *("1qaz2wsx3edc4rfv", "zaq12wsxcde3", "!QAZ@WSX", "1q2w3e4r5t", "qay2wsx3edc", "qwer1234", "asdfasdf"),
        # Short units, over and over.
        *("abcabcabcabc", "x1x1x1x1x1x1", "zzzzzzzzzz", "aaaabbbbcccc", "k9k9k9k9k9", "        x", "kqzvkqzv"),
        *("x" * 1024, "🦊🦊🦊🦊🦊🦊🦊🐻", "ｐａｓｓｗｏｒｄ１"),
        # Dates, and the person's own names.
        *(
            "27111985",
            "2026-11-27",
            "27.11.1985",
            "ana19850412",
            "ana1985!",
            "first.ana",
            "4n4ana12",
            "ledgerledger",
        ),
    ],
)
def test_passwords_that_attackers_try_first_are_guessable(password):
    assert is_guessable(password, NAMES)


@pytest.mark.parametrize(
    "password",
    [
        *("correct horse", "a quiet river at noon", "purple monkey dishwasher", "correcthorsebatterystaple"),
        *("the summer of 69", "tea4two&two4tea", "wohnzimmer-lampe", "日本語のパスワード", "Tr0ub4dor&3"),
        *("k7$Qz9!w", "Xk93jfQ2", "84720193", "ünïcödé!", "quiet ana at noon", "x1" * 512, "Aa1!" * 256),
    ],
)
def test_other_passwords_are_not_guessable(password):
    assert not is_guessable(password, NAMES)


@given(st.lists(st.sampled_from(WORDS), min_size=4, max_size=4, unique=True), st.sampled_from([" ", "-", ".", ""]))
def test_four_words_are_not_guessable(words, separator):
    assert not is_guessable(separator.join(words), NAMES)


@pytest.mark.parametrize(
    "alphabet",
    [string.ascii_lowercase, string.ascii_letters + string.digits, string.digits, string.printable[:94]],
)
def test_twelve_random_characters_are_not_guessable(alphabet):
    chance = random.Random(alphabet)
    passwords = ["".join(chance.choices(alphabet, k=12)) for _ in range(500)]

    assert [password for password in passwords if is_guessable(password, NAMES)] == []


@pytest.mark.parametrize("alphabet", [string.ascii_letters + string.digits, string.printable[:94]])
def test_nearly_all_passwords_of_eight_random_characters_are_accepted(alphabet):
    chance = random.Random(alphabet)
    passwords = ["".join(chance.choices(alphabet, k=8)) for _ in range(500)]

    assert len([password for password in passwords if is_guessable(password, NAMES)]) <= 15


@settings(max_examples=300)
@given(st.text(max_size=40), st.sets(st.text(max_size=10)))
def test_any_text_has_an_answer(password, names):
    assert is_guessable(password, names) in {True, False}


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "ab",
        "!1",
        "1.",
        "1.1.99 ",
        "4@8360$57+1!|",
        "password",
        "qwertyuiop[]",
        "1qaz2wsx",
        "\ufdfa",
        "İ",
        "ß",
    ],
)
@pytest.mark.parametrize("length", [64, 128, 1024])
def test_no_text_takes_long(unit, length):
    common_passwords()
    text = (unit * length)[:length]
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        is_guessable(text, NAMES)
        seconds.append(time.process_time() - begun)

    assert min(seconds) < 0.05


def test_common_passwords_are_known():
    common = common_passwords()

    assert len(common) > 19_000
    assert {"password", "iloveyou", "sunshine1", "letmein"} <= common.keys()
    assert not any(word.startswith("#") for word in common)
