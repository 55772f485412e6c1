"""Inputs: numbers as they stand in a file, words as their vectors."""

import gzip

import numpy as np
import pytest

import rnnderive as rd
from rnnderive import InputError
from rnnderive.weights import SAMPLE, initialise, read_inputs, read_vectors

WORDS = {"a": [0.45, -1.34, 2.34, -0.45], "cat": [-0.21, 0.56, -1.67, -0.05], "exists": [0.445, 0.987, -3.42, -0.06]}


def as_word2vec(words):
    return f"{len(words)} 4\n" + as_glove(words)


def as_glove(words):
    return "".join(f"{w} {' '.join(map(str, v))}\n" for w, v in words.items())


def as_binary(words, end=b"\n"):
    rows = b"".join(w.encode() + b" " + np.array(v, "<f4").tobytes() + end for w, v in words.items())
    return f"{len(words)} 4\n".encode() + rows


def test_the_lecture_example_runs_through_the_lecture_network():
    inputs = read_inputs("A cat exists", vectors=SAMPLE)
    assert inputs.tokens == ("A", "cat", "exists") and inputs.T == 3
    assert inputs.arrays["x"].tolist() == list(WORDS.values())
    net = rd.cells.lecture()
    params = initialise(net, 0, sizes={"h": 3, "y": 2, "y_hat": 1}, inputs=inputs.arrays)
    loss, _ = rd.derive(net).lambdify()(params, {**inputs.arrays, "target": np.array([1.0])})
    assert 0 < loss < 0.5


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["word2vec", "glove", "binary", "binary, no line breaks"])
def test_every_format_gives_the_same_vectors(form, packed, tmp_path):
    data = {
        "word2vec": as_word2vec(WORDS).encode(),
        "glove": as_glove(WORDS).encode(),
        "binary": as_binary(WORDS),
        "binary, no line breaks": as_binary(WORDS, b""),
    }[form]
    path = tmp_path / ("v" + (".bin" if "binary" in form else ".txt") + ".gz" * packed)
    path.write_bytes(gzip.compress(data) if packed else data)
    vectors = read_vectors(path)
    assert vectors.words == tuple(WORDS) and vectors.width == 4 and len(vectors) == 3
    tolerance = 1e-7 if "binary" in form else 0  # that format is in single precision
    assert np.allclose(vectors.matrix, list(WORDS.values()), rtol=tolerance, atol=0)
    assert read_vectors(path, {"cat"}).words == ("cat",)


def test_words_of_other_alphabets_and_with_spaces(tmp_path):
    (tmp_path / "v.txt").write_text("кот 1 2\nat name@domain.com 3 4\nкот 5 6\n", encoding="utf-8")
    vectors = read_vectors(tmp_path / "v.txt")
    assert vectors["кот"].tolist() == [1, 2]  # the first of two
    assert vectors["at name@domain.com"].tolist() == [3, 4]
    assert read_inputs("Кот", vectors=vectors).tokens == ("Кот",)


def test_a_glove_file_of_width_one_is_no_header(tmp_path):
    (tmp_path / "v.txt").write_text("a 1\nb 2\n")
    assert read_vectors(tmp_path / "v.txt")["b"].tolist() == [2]


def test_words_without_a_vector():
    vectors = read_vectors(SAMPLE)
    with pytest.raises(InputError, match=r"no vector for 'cats' \(word 2\); spelt alike: cat.*unknown='zero'"):
        read_inputs("a cats exists", vectors=vectors)
    zero = read_inputs("a dog exists", vectors=SAMPLE, unknown="zero")
    assert zero.tokens == ("a", "dog", "exists") and not zero.arrays["x"][1].any()
    skipped = read_inputs(["a", "dog", "exists"], vectors=SAMPLE, unknown="skip")
    assert skipped.tokens == ("a", "exists") and skipped.arrays["x"].shape == (2, 4)
    with pytest.raises(InputError, match="none of the words"):
        read_inputs("dog", vectors=SAMPLE, unknown="skip")
    with pytest.raises(InputError, match="found unknown='ignore'"):
        read_inputs("a", vectors=SAMPLE, unknown="ignore")
    with pytest.raises(InputError, match="the text has no words"):
        read_inputs("  ", vectors=SAMPLE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no word vectors"),
        (b"2 3\na 1 2 3\n", "cut short: its first line promises 2 words, there are 1"),
        (b"a 1 2\nb 1\n", "line 2: found 1 numbers; expected a word and 2"),
        (b"a 1 2\nb 1 two\n", "line 2: expected a word and 2 numbers"),
        (b"a 1 nan\n", "the vector of 'a' is not finite"),
        (b"a 1 2\n\xff\xfe\n", "line 2 is not a text in UTF-8"),
    ],
)
def test_damaged_texts_of_vectors(data, message, tmp_path):
    (tmp_path / "v.txt").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v.txt")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (as_binary(WORDS)[:-3], "cut short in the vector of word 3 of 3"),
        (as_binary(WORDS)[:-20], "word 3 of 3 has no end"),
        (b"3 99999999999\nabc", "does not begin with the number of words"),
        (b"noise", "does not begin with the number of words"),
    ],
)
def test_damaged_binary_vectors(data, message, tmp_path):
    (tmp_path / "v.bin").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "v.bin")


def test_arrays_from_files(tmp_path):
    array = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "x.csv").write_text("one,two\n0,1\n2,3\n\n4,5\n")
    for name in ("x.npy", "x.csv"):
        inputs = read_inputs(tmp_path / name, name="u")
        assert inputs.arrays["u"].tolist() == array.tolist() and inputs.tokens is None
    np.save(tmp_path / "b.npy", np.zeros((3, 4, 2), np.int64))
    assert read_inputs(tmp_path / "b.npy", dtype=np.float32).arrays["x"].dtype == np.float32
    np.save(tmp_path / "s.npy", np.zeros(5))
    assert read_inputs(tmp_path / "s.npy").arrays["x"].shape == (5, 1)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.csv", "1,2\n3\n", "line 2: found 1 numbers; expected 2"),
        ("x.csv", "1,2\n3,four\n", "line 2: found 'four', expected a number"),
        ("x.csv", "", r"has the shape \(0, 0\)"),
        ("x.csv", "1,2\n3,nan\n", r"the number at \[1, 1\] is nan"),
        ("x.npy", "noise", "cannot be read as .npy"),
        ("x.txt", "1 2", "neither a .npy nor a .csv file; for a text, give vectors="),
    ],
)
def test_damaged_arrays(name, data, message, tmp_path):
    (tmp_path / name).write_text(data)
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / name)


def test_arrays_of_objects_and_files_that_are_not_there(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"cannot be read as \.npy"):
        read_inputs(tmp_path / "x.npy")
    np.save(tmp_path / "e.npy", np.zeros((0, 3)))
    with pytest.raises(InputError, match=r"has the shape \(0, 3\)"):
        read_inputs(tmp_path / "e.npy")
    for call in (lambda: read_inputs(tmp_path / "no.npy"), lambda: read_vectors(tmp_path / "no.txt")):
        with pytest.raises(InputError, match="there is no file"):
            call()
    with pytest.raises(InputError, match="no vectors; give vectors="):
        read_inputs(["a"])


# ---------------------------------------------------------------- what is read otherwise than it stands


def test_words_without_a_vector_are_said():
    found = read_inputs("a dog exists dog now", vectors=SAMPLE, unknown="zero")
    assert found.notes == ("zero stands for 3 words ('dog', 'now'), without a vector",)
    assert read_inputs("a dog", vectors=SAMPLE, unknown="skip").notes == ("left out: 1 word ('dog'), without a vector",)
    assert read_inputs("a cat", vectors=SAMPLE, unknown="zero").notes == ()
    many = read_inputs(["a", *map(str, range(20))], vectors=SAMPLE, unknown="zero").notes[0]
    assert "20 words" in many
    assert "'7', …" in many
    with pytest.raises(InputError, match=r"none of the words has a vector: 1 word \('dog'\)"):
        read_inputs("dog", vectors=read_vectors(SAMPLE), unknown="zero")


def test_a_line_of_names_and_a_single_axis_are_said(tmp_path):
    (tmp_path / "x.csv").write_text("one, two\n1,2\n")
    assert read_inputs(tmp_path / "x.csv").notes == ("the first line of x.csv is taken for names: one, two",)
    (tmp_path / "x.csv").write_text("1,two\n1,2\n")
    with pytest.raises(InputError, match="line 1: found 'two', expected a number"):
        read_inputs(tmp_path / "x.csv")
    np.save(tmp_path / "x.npy", np.zeros(5))
    assert read_inputs(tmp_path / "x.npy").notes == (
        "x.npy has one axis of 5 numbers: read as 5 steps of one number",
    )  # fmt: skip
    np.save(tmp_path / "x.npy", np.zeros((5, 1)))
    assert read_inputs(tmp_path / "x.npy").notes == ()
