"""Reading programs: every style of call and answer, and what goes wrong said in words."""

from __future__ import annotations

import signal
import warnings
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.errors import InputError
from rnnderive.hand.callables import read_callable
from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.sandbox import Limit, call
from rnnderive.hand.slopes import slopes

NET = rd.Recurrence.parse("""
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
    L    = squared_error(h[T], target)
""")
WITH_H = with_upstream(rd.Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1] + b)", loss=None), "h")


def loss_and_grads(W, U, b, x, target, h0):
    h = [h0]
    for step in x:
        h.append(np.tanh(W @ step + U @ h[-1] + b))
    e = h[-1] - target
    grads = {"W": np.zeros_like(W), "U": np.zeros_like(U), "b": np.zeros_like(b)}
    d = e
    for t in range(len(x), 0, -1):
        a = d * (1 - h[t] ** 2)
        grads["W"] += np.outer(a, x[t - 1])
        grads["U"] += np.outer(a, h[t - 1])
        grads["b"] += a
        d = U.T @ a
    return 0.5 * (e**2).sum(), grads | {"h0": d}


def said(fn, problem=None, **options):
    """The claims of a program, and the correct values."""
    problem = problem or Problem(NET)
    code = read_callable(fn, problem, **options)
    at = code.at(problem)
    return code.claims(problem, at), problem.run(at), problem, code, at


def agree(fn, names=("W", "U", "b"), **options):
    claims, run, problem, code, _ = said(fn, **options)
    assert claims.problems == (), claims.problems
    assert set(names) <= set(claims.grads)
    for name, claimed in claims.grads.items():
        assert np.allclose(claimed, run[problem.gradients[name]], rtol=1e-10), name
    return claims, code


# ---------------------------------------------------------------- styles


def positional(W, U, b, x, target, h0):
    return loss_and_grads(W, U, b, x, target, h0)


def keywords(*, x, W, U, b, target, h0):
    return loss_and_grads(W, U, b, x, target, h0)


def anything(**arrays):
    return loss_and_grads(**arrays)


def dicts(params, inputs):
    return loss_and_grads(**params, **inputs)


def states_with_inputs(params, inputs):
    return loss_and_grads(params["W"], params["U"], params["b"], inputs["x"], inputs["target"], inputs["h0"])


def mixed(x, target, theta, h0, verbose=False):
    return loss_and_grads(theta["W"], theta["U"], theta["b"], x, target, h0)


@pytest.mark.parametrize("fn", [positional, keywords, anything, dicts, states_with_inputs, mixed])
def test_arguments_are_found_by_their_names(fn):
    claims, _ = agree(fn, ("W", "U", "b", "h0"))
    assert claims.loss is not None


Grads = namedtuple("Grads", "loss dW dU db")


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        (lambda loss, g: (loss, g["W"], g["U"], g["b"]), "loss dW dU db"),
        (lambda loss, g: [g["U"], g["W"], g["b"], loss], "dU, dW, db, loss"),
        (lambda loss, g: (loss, 17, {f"grad_{n}": a for n, a in g.items()}), "loss _ grads"),
        (lambda loss, g: Grads(loss, g["W"], g["U"], g["b"]), None),
        (lambda loss, g: (loss, SimpleNamespace(dW=g["W"], dU=g["U"], db=g["b"])), None),
        (lambda loss, g: (loss, SimpleNamespace(**{n: SimpleNamespace(grad=a) for n, a in g.items()})), None),
        (lambda loss, g: {f"dL_d{n}": a for n, a in g.items()} | {"loss": loss}, None),
        (lambda loss, g: (np.array([[loss]]), {n: a[..., None] if n == "b" else a for n, a in g.items()}), None),
    ],
)
def test_answers_are_found_by_their_names(shape, names):
    claims, run, problem, *_ = said(wrapped(shape), names=names)
    assert claims.problems == () and set(claims.grads) >= {"W", "U", "b"}
    for name, claimed in claims.grads.items():
        assert np.allclose(claimed, run[problem.gradients[name]], rtol=1e-10)


def forward(x, h0, W, U, b):
    h = [h0]
    for step in x:
        h.append(np.tanh(W @ step + U @ h[-1] + b))
    return np.array(h[1:]), (x, h, W, U)


def backward(dout, cache):
    x, h, W, U = cache
    dW, dU, db, d, da = np.zeros_like(W), np.zeros_like(U), np.zeros(len(U)), np.zeros(len(U)), []
    for t in range(len(x), 0, -1):
        a = (dout[t - 1] + d) * (1 - h[t] ** 2)
        da.insert(0, a)
        dW, dU, db, d = dW + np.outer(a, x[t - 1]), dU + np.outer(a, h[t - 1]), db + a, U.T @ a
    return dW, dU, db, d, np.array(da)


def test_a_pair_gives_states_and_intermediates_too():
    problem = Problem(WITH_H)
    claims, run, *_ = said(backward, problem, forward=forward, outputs="h cache", names="dW dU db dh0 delta_h")
    assert claims.problems == ()
    assert np.allclose(claims.forward["h"], run["h"], rtol=1e-12)
    assert np.allclose(claims.inner["delta_h"], run["delta_h"], rtol=1e-10)
    assert np.isclose(claims.loss, run[problem.net.loss].sum(), rtol=1e-12)


def test_an_initial_state_that_is_not_read_is_zero():
    def fn(params, inputs):
        return loss_and_grads(**params, **inputs, h0=np.zeros(len(params["b"])))

    def no_h0(params, inputs):
        loss, grads = fn({n: a for n, a in params.items() if n != "h0"}, inputs)
        return loss, {n: grads[n] for n in "WUb"}

    claims, code = agree(no_h0)
    assert code.layout.absent == ("h0",)
    assert claims.remarks == ("h0: not read by the code; taken to be zero",)
    problem = Problem(NET)
    assert not code.at(problem)["h0"].any()
    with pytest.raises(InputError, match="h0 would have to be"):
        code.claims(problem, problem.point)


def test_the_mean_over_the_batch_is_the_sum_divided():
    def fn(params, inputs):
        members = [
            loss_and_grads(**params, x=inputs["x"][:, k], target=inputs["target"][k], h0=inputs["h0"][k])
            for k in range(len(inputs["target"]))
        ]
        return np.mean([m[0] for m in members]), {n: np.mean([m[1][n] for m in members], 0) for n in params}

    problem = Problem(NET, batch=3)
    code = read_callable(fn, problem, loss="mean")
    at = code.at(problem, batch=3)
    claims, run = code.claims(problem, at), problem.run(at)
    assert np.isclose(claims.loss, run["L"].sum()) and np.allclose(claims.grads["U"], run["dU"], rtol=1e-10)


def test_own_arrays_are_the_point():
    def fn(Wx, Wh, b, xs, y, h0):
        return loss_and_grads(Wx.T, Wh, b, xs.T, y, h0)

    rng = np.random.default_rng(0)
    mine = {"Wx": rng.normal(size=(2, 5)), "Wh": rng.normal(size=(5, 5)), "b": rng.normal(size=5)}
    data = {"xs": rng.normal(size=(2, 9)), "y": rng.normal(size=5)}
    layout = "Wx = W.T\nWh = U\nxs = x: n t\ny = target"
    problem = Problem(NET)
    code = read_callable(fn, problem, layout=layout, params=mine, inputs=data, names="loss _")
    at = code.at(problem)
    assert at.T == 9 and np.array_equal(at["W"], mine["Wx"].T) and np.array_equal(at["x"], data["xs"].T)
    plain = read_callable(fn, problem, layout=layout, names="loss _")
    assert np.array_equal(plain.point(problem, mine, data)["W"], mine["Wx"].T)
    with pytest.raises(InputError, match="shape"):
        plain.point(problem, mine | {"b": np.ones(4)}, data)


# ---------------------------------------------------------------- what goes wrong


def wrapped(change):
    """A program whose answer is changed."""

    def fn(W, U, b, x, target, h0):
        return change(*loss_and_grads(W, U, b, x, target, h0))

    return fn


def crashing(W, U, b, x, target, h0):
    return {}[len(x)]


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (crashing, "it raised KeyError: 6 (in crashing, test_callables.py, line"),
        (wrapped(lambda loss, g: (loss, g | {"W": g["W"].T})), "W has the shape (3, 4) (its transpose); expected (4,"),
        (wrapped(lambda loss, g: (loss, g | {"b": g["b"][1:]})), "b has the shape (3,); expected (4,), that of b"),
        (wrapped(lambda loss, g: (loss, g | {"b": g["b"] * np.nan})), "b has 4 of 4 entries that are not finite"),
        (wrapped(lambda loss, g: (loss, g | {"b": None})), "b is None; expected an array"),
        (wrapped(lambda loss, g: (loss, g | {"b": "db"})), "b is str (db); expected an array of the shape (4,)"),
        (wrapped(lambda loss, g: (np.inf, g)), "the loss it returned is inf; expected a finite number"),
        (wrapped(lambda loss, g: (loss, g["W"], g["U"])), "it returned 3 arrays without names"),
    ],
)  # fmt: skip
def test_problems_are_sentences(fn, words):
    claims, *_ = said(fn)
    assert any(words in p for p in claims.problems), claims.problems


def test_a_wrong_number_of_names_is_said():
    claims, *_ = said(wrapped(lambda loss, g: (loss, g["W"])), names="loss dW dU")
    assert claims.problems == ("it returned 2 things; names lists 3: loss dW dU",)


def test_a_stale_accumulator_is_found_by_the_second_call():
    total: dict[str, np.ndarray] = {}

    def fn(W, U, b, x, target, h0):
        loss, grads = loss_and_grads(W, U, b, x, target, h0)
        for n, g in grads.items():
            total[n] = total.get(n, 0) + g
        return loss, dict(total)

    claims, *_ = said(fn)
    assert "a second call with the same arguments gives other gradients" in claims.problems[0]
    assert "times that of the first" in claims.problems[0]


def test_what_it_writes_on_its_arguments_is_remarked_and_stays_with_it():
    def fn(W, U, b, x, target, h0):
        answer = loss_and_grads(W, U, b, x, target, h0)
        W -= 0.1 * answer[1]["W"]
        return answer

    problem = Problem(NET)
    before = problem.point["W"].copy()
    claims, _ = agree(fn)
    assert claims.remarks == ("it writes on its arguments: W",)
    assert np.array_equal(problem.point["W"], before)


def test_a_consumed_cache_is_remarked():
    def consuming(dout, cache):
        x, h, W, U = cache
        answer = backward(dout, (x, list(h), W, U))
        h.pop()
        return answer

    claims, *_ = said(
        consuming, Problem(WITH_H), forward=forward, outputs="h cache", names="dW dU db dh0 delta_h"
    )  # fmt: skip
    assert claims.problems == () and "it writes on its arguments: cache[1]" in claims.remarks[0]


def test_random_streams_are_frozen():
    def noisy(W, U, b, x, target, h0):
        loss, g = loss_and_grads(W, U, b, x, target, h0)
        return loss, {n: a * (1 + np.random.rand()) for n, a in g.items()}

    np.random.seed(3)
    expected = np.random.rand(2)[1]
    np.random.seed(3)
    np.random.rand()
    claims, *_ = said(noisy)
    assert claims.problems == () and np.random.rand() == expected


def test_random_numbers_are_the_same_whenever_it_is_called():
    first = call(np.random.rand).value
    np.random.rand()
    assert call(np.random.rand).value == first


def test_what_it_prints_is_kept_back(capsys):
    answer = call(lambda: print("loss"))
    assert answer.printed == "loss\n" and capsys.readouterr().out == ""


def test_leaving_is_an_answer_and_no_exit():
    assert "SystemExit" in call(lambda: exit(1)).failure


def test_numbers_of_single_precision_are_known_as_such():
    claims, *_ = said(wrapped(lambda loss, g: (loss, {n: a.astype("f4").astype("f8") for n, a in g.items()})))
    assert {a.dtype for a in claims.grads.values()} == {np.dtype("f4")}


@pytest.mark.parametrize(
    ("fn", "options", "words"),
    [
        (lambda x, target, Wxh, U, b: None, {}, "has an argument Wxh, and no array is called that"),
        (lambda x, target, W, U: None, {}, "b would not reach <lambda>"),
        (loss_and_grads, {"layout": "nonsense"}, "there is no layout 'nonsense'"),
        (loss_and_grads, {"loss": "average"}, "expected 'sum', 'mean'"),
        (loss_and_grads, {"layout": lambda p, i: (p, i)}, "give params and inputs"),
        (loss_and_grads, {"layout": 3}, "layout is int"),
    ],
)
def test_what_cannot_be_read_is_an_error(fn, options, words):
    with pytest.raises(InputError) as error:
        read_callable(fn, Problem(NET), **options)
    assert words in str(error.value)


# ---------------------------------------------------------------- its own forward


def halved(W, U, b, x, target, h0):
    """A forward that is not the declared one, and the backward of the declared one."""
    loss, grads = loss_and_grads(W, U, b, x, target, h0)
    return loss + 0.5 * (W**2).sum(), grads


def test_the_own_gradient_is_that_of_the_forward_as_it_is():
    _, run, problem, code, at = said(halved)
    own = code.own_gradient(problem, at)
    assert np.allclose(own["W"], run["dW"] + at["W"], rtol=1e-12)
    assert np.allclose(own["U"], run["dU"], rtol=1e-12) and np.allclose(own["x"], run["dx"], rtol=1e-10)


@pytest.mark.parametrize(
    "inside",
    [
        lambda a: np.abs(a) ** 3,
        lambda a: np.asarray(a, dtype=float) ** 2,
        lambda a: (a * np.conj(a)).real,
        lambda a: np.vdot(a, a) * a,
    ],
)
def test_where_complex_numbers_do_not_pass_differences_are_taken(inside):
    from rnnderive.checks.points import Point

    a = np.array([0.7, -1.2])
    at = Point({"a": a}, {}, {}, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        found = slopes(lambda p: inside(p["a"]).sum(), at, ["a"])["a"]
    h = 1e-6
    expected = [(inside(a + h * e).sum() - inside(a - h * e).sum()) / (2 * h) for e in np.eye(2)]
    assert np.allclose(found, expected, rtol=1e-6)


def test_a_program_without_a_forward_has_no_gradient_of_its_own():
    _, _, problem, code, at = said(wrapped(lambda loss, g: g))
    assert code.own_gradient(problem, at) is None and code.shown("W") is None


def test_a_program_that_hangs_is_stopped_and_not_asked_again():
    asked = []

    def hangs(params, inputs):
        asked.append(1)
        while True:
            try:
                asked[0] += 1
            except Exception:  # the alarm is none
                asked[0] = 0

    verdict = rd.verify(NET, hangs, time_limit=0.05)
    assert not verdict and "gave no answer within 0.05 s (in hangs, test_callables.py, line" in verdict.headline
    assert len(asked) == 1


def test_an_alarm_of_the_caller_goes_on():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with Limit(5).running():
            pass
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert 90 < left <= 100 and not rang
