"""What is no recurrence is refused: at once, without being run, with the place and a way out."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnderive.errors import LanguageError, RnnDeriveError
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language.syntax import RESERVED

DEEP = 10**4


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("L = tahn(x)", 1, 5, "unknown function 'tahn'; did you mean tanh? Known: "),
        ("L = frobnicate(x)", 1, 5, "unknown function 'frobnicate'. Known: "),
        ("h[t] = tanh(x[t], 2)\nL = sum(h[T])", 1, 8, "tanh takes 1 argument(s), found 2"),
        ("L = sum(x, q)", 1, 5, "sum(e, t) and sum(e, batch) are known; found 'q'"),
        ("h[t] = x[t]\nL = h[t]", 2, 5, "reads h[t] at the running step; expected a fixed step (h[T])"),
        ("h[t] = x[t]\nL = sum(h[t-1], t) + sum(h[t-2])", 2, 26, "reads h[t-2] at the running step"),
        ("h[t] = tanh(U @ h[t-1] + x[t])\ny[t] = V @ h[t]\nL = y[T] * y[T]", 3, 1, "y[T] * y[T] has shape n_y×1"),
        ("h[t] = x[t]\nL = 2 * sum(tanh(h[t]) - h[t]**2, t)", 2, 1, "is not a scalar"),
        ("x[t] = ones(3)\nL = sum(y[T] + x[T] - z[T] + ones(4))", 2, 9, "column 9); ones(4) has shape 4×1"),
        ("h[t] = x[t]\nL = sum(sum(h[t-1]))", 2, 13, "reads h[t-1] at the running step"),
        ("y[t] = x[t]\nL = squared_error(y, target)", 2, 19, "without a time index and in line 1 with one"),
        ("L = sum(x[0])", 1, 11, "found the index 0; steps are counted from 1"),
        ("L = sum(x[-1])", 1, 11, "found the index '-1'"),
        ("L = sum(x[k])", 1, 11, "found the index 'k', expected t, t-1"),
        ("L = sum(x[1.5])", 1, 11, "found the index '1.5'"),
        ("h[t] = x[t]\nh[t] = 2\nL = sum(h[T])", 2, 1, "h is defined twice, first in line 1"),
        ("h[1] = 3\nL = sum(h[T])", 1, 1, "an equation defines h[t], for every t; found 'h[1]'"),
        ("h[t-1] = 3\nL = sum(h[T])", 1, 1, "give h0 as an initial state"),
        ("h[t+1] = tanh(h[t])\nL = sum(h[T])", 1, 1, "an equation defines h[t]"),
        ("h.x = 3", 1, 1, "on the left, expected name[t] or a name"),
        ("a, b = 1, 2", 1, 1, "on the left, expected name[t] or a name"),
        ("a = b = 3", 1, 1, "one equation a line"),
        ("h[t] = x[t]", 1, 1, "there is no loss: found sequences only. Expected a line such as L = "),
        ("h[t] = x[t]\nreturn h", 1, 1, "the loss h has a time index"),
        ("L = t", 1, 5, "t is an index"),
        ("L = x ** y", 1, 10, "found the exponent 'y', expected an integer"),
        ("L = x ** 65", 1, 10, "expected an integer up to 64"),
        ("L = True", 1, 5, "found True, expected a number"),
        ("L = 3j", 1, 5, "found '3j'"),
        ("L = 'text'", 1, 5, "found"),
        ("L = x / 0", 1, 5, "division by zero"),
        ("L = 0 ** -1", 1, 5, "division by zero"),
        ("L = 1e999", 1, 5, "expected a number between 1e-300 and 1e300"),
        ("L = x if t == T else 1", 1, 5, "expected a condition such as (e if t == T else 0)"),
        ("L = x if x == 1 else 0", 1, 10, "found the index 'x'"),
        ("L = 1 +", 1, 8, "expected an equation such as"),
        ("L = (1", 1, 5, "'(' was never closed"),
        ("L == 3", 1, 1, "expected an equation such as"),
        ("L += 3", 1, 1, "expected an equation such as"),
        ("import os", 1, 1, "expected an equation such as"),
        ("while True: pass", 1, 1, "expected an equation such as"),
        ("x: input\nx = 3\nL = x", 1, 1, "x is declared as an input, but line 2 defines it"),
        ("h1[t] = h1[t-1] + x[t]\nh10[t] = h1[t]\nL = sum(h10[T])", 2, 1, "also the initial state of h1"),
    ],
)  # fmt: skip
def test_an_error_has_a_place_what_was_found_and_what_was_expected(text, line, column, said):
    with pytest.raises(LanguageError) as caught:
        Recurrence.parse(text)
    error = caught.value
    assert said in error.message
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize("text", ["", "   \n\t\n", "\n", "# only a comment", "'''a docstring'''", "x: input"])
def test_a_text_without_equations_is_refused(text):
    with pytest.raises(LanguageError, match=r"the text (is empty|has no equation)"):
        Recurrence.parse(text)


@pytest.mark.parametrize("thing", [None, 3, b"L = 1", ["L = 1"]])
def test_only_a_text_is_read(thing):
    with pytest.raises(LanguageError, match="expected a text of equations, found"):
        Recurrence.parse(thing)


@pytest.mark.parametrize("word", sorted(RESERVED - {"T", "t"}))
def test_a_word_of_the_language_names_nothing(word):
    for text in (f"{word} = 3", f"{word}[t] = x[t]", f"L = {word}", f"L = sum({word}[T])", f"{word}: input\nL = 1"):
        with pytest.raises(LanguageError, match=f"'{word}' is a word of the language; choose another name"):
            Recurrence.parse(text)


def test_a_missing_loss_is_named():
    with pytest.raises(LanguageError, match="no equation defines the loss 'M'; there are h, L"):
        Recurrence.parse("h[t] = x[t]\nL = sum(h[T])", loss="M")


EVIL = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.real",
    "(lambda: 0)()",
    "lambda: 0",
    "[a for a in b]",
    "{a for a in b}",
    "sum(a for a in b)",
    "{1: 2}",
    "{1, 2}",
    "(1, 2)",
    'f"{x}"',
    "(y := 3)",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(x, 'y')",
    "globals()",
    "x()",
    "h[t]()",
    "tanh.__globals__",
    "tanh(*x)",
    "tanh(**x)",
    "tanh(x=1)",
    "x and y",
    "not x",
    "~x",
    "x < y",
    "x % y",
    "x // y",
    "x << y",
    "await x",
    "...",
    "None",
    "x[y[1]]",
    "x[1:2:3]",
    "x[:, :, :]",
    "[]",
    "[*x]",
]


@pytest.mark.parametrize("words", EVIL)
@pytest.mark.parametrize("place", ["L = {}", "L = 1 + 2 * tanh({})", "h[t] = [x[t], {}]\nL = sum(h[T])"])
def test_python_beyond_the_language_is_refused_with_its_place(words, place):
    with pytest.raises(LanguageError) as caught:
        Recurrence.parse(place.format(words))
    assert caught.value.line == 1
    assert caught.value.column >= 5


def test_nothing_in_a_text_is_ever_run(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w')"
    for text in (f"L = {code}", f"x: {code}\nL = 1", f"x[{code}] = 1", f"@{code}\ndef f(): pass", f'L = f"{{{code}}}"'):
        with pytest.raises(LanguageError):
            Recurrence.parse(text)
    assert not marker.exists()


NESTED = {
    "brackets": "(" * DEEP + "x" + ")" * DEEP,
    "open brackets": "(" * DEEP,
    "stacks": "[" * DEEP + "x" + "]" * DEEP,
    "calls": "tanh(" * DEEP + "x" + ")" * DEEP,
    "signs": "-" * DEEP + "x",
    "sums": "+".join(["x"] * DEEP),
    "a hundred thousand characters": "+".join(["x"] * 50_000),
    "products": "@".join(["x"] * DEEP),
    "powers": "x" + "**2" * DEEP,
    "transposes": "x" + ".T" * DEEP,
    "indices": "x" + "[t]" * DEEP,
    "attributes": "x" + ".a" * DEEP,
    "called calls": "tanh" + "(x)" * DEEP,
    "conditions": "x if t == T else " * DEEP + "0",
    "lambdas": "lambda: " * DEEP + "0",
    "negations": "not " * DEEP + "0",
    "comparisons": "x<" * DEEP + "1",
    "assignments": "x = " * DEEP + "1",
    "hidden by a string": '"#" + ' + "(" * DEEP + "x" + ")" * DEEP,
    "sizes": "sum(ones(" + "+".join(["1"] * DEEP) + "))",
    "digits": "9" * 100_000,
    "a tower of powers": "(" * 20 + "2" + "**64)" * 20,
    "powers of powers": "(" * 20 + "x" + "**64)" * 20,
    "a huge exponent": "1e999999999",
    "a tiny exponent": "1e-999999999",
}


@pytest.mark.parametrize("words", NESTED.values(), ids=NESTED)
def test_deep_and_huge_texts_are_refused_quickly(words):
    start = time.perf_counter()
    with pytest.raises(LanguageError):
        Recurrence.parse(f"L = {words}")
    assert time.perf_counter() - start < 2


def test_the_deepest_allowed_text_can_be_written_run_and_hashed():
    net = Recurrence.parse("L = sum(" + "tanh(" * 150 + "x" + ")" * 151)
    assert Recurrence.parse(str(net)) == net
    assert hash(net)


def test_a_long_text_is_read_in_reasonable_time():
    lines = [f"h_{k:03}[t] = tanh(W_{k} @ h_{k:03}[t-1] + V_{k} @ x[t])" for k in range(100)]
    start = time.perf_counter()
    Recurrence.parse("\n".join([*lines, "L = sum(h_000[T])"]))
    assert time.perf_counter() - start < 5


_PIECES = ["[t]", "[t-1]", "h[t] = ", "L = ", "sum(", "**", " if t == T else 0", ".T", "é", "\0", "\r", "\t", "\f"]
_WORDS = st.sampled_from([*"htxTW0123()[],=+-*/@.\n :#'\"\\", *_PIECES, *FUNCTIONS])


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=25).map("".join)))
def test_any_text_gives_a_recurrence_or_an_error_of_ours(text):
    try:
        net = Recurrence.parse(text)
    except RnnDeriveError:
        return
    assert Recurrence.parse(str(net)) == net


@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_a_flat_sum_of_any_length_is_no_nesting(sign):
    terms = [f"{k % 7 + 1} * h[T]" if k % 3 and sign != "*" else "h[T]" for k in range(2000)]
    net = Recurrence.parse(f"h[t] = h[t-1]\nL = sum({f' {sign} '.join(terms)})", loss="L")
    assert Recurrence.parse(str(net)) == net
    assert len(net["L"].right.args[0].args) == 2000


def test_what_pythons_parser_gives_up_on_is_an_error():
    with pytest.raises(LanguageError, match="nested too deeply, or one expression has several thousand parts"):
        Recurrence.parse("h[t] = h[t-1]\nL = sum(" + " + ".join(["h[T]"] * 20_000) + ")")
