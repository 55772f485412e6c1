"""Shapes are found from use."""

import pytest
import sympy as sp

from rnnderive.cells import bidirectional, gru, indrnn, lecture, lstm, stack, vanilla
from rnnderive.errors import ShapeError
from rnnderive.language import Recurrence


def size(name):
    return sp.Symbol(f"n_{name}", integer=True, positive=True)


n, d, m = size("h"), size("x"), size("y")


def test_a_gate_of_the_lstm_is_n_by_n_plus_d():
    net = lstm()
    for gate in "fiCo":
        assert net.shape(f"W_{gate}") == (n, n + d)
        assert net.shape(f"b_{gate}") == (n, 1)
    assert net.shape("W_y") == (m, n)
    assert net.shape("target") == net.shape("y") == (m, 1)
    assert net.shape("C0") == net.shape("h0") == (n, 1)
    assert net.sizes == (n, d, m)


def test_the_candidate_of_the_gru_reads_state_and_input():
    assert gru().shape("W") == (n, n + d)


def test_a_vector_that_multiplies_the_state_is_a_vector():
    assert indrnn().shape("u") == (n, 1)


def test_the_dense_layer_after_the_last_step_has_sizes_of_its_own():
    net = lecture()
    assert net.shape("W_fc") == (size("y_hat"), size("y"))
    assert net.shape("target") == (size("y_hat"), 1)


def test_both_directions_add_up():
    left, right = size("h_L"), size("h_R")
    net = bidirectional(vanilla())
    assert net.shape("h") == (left + right, 1)
    assert net.shape("V")[1] == left + right


def test_layers_may_differ_in_size():
    net = stack(vanilla())
    assert net.shape("W_2") == (size("h_2"), size("h_1"))


def test_a_size_of_one_goes_with_any_size():
    net = Recurrence.parse("h[t] = 2 * tanh(sum(x[t]) * h[t-1] + U @ h[t-1] + 1)\nL = sum(h[T])")
    assert net.shape("h") == (n, 1)
    net = Recurrence.parse("L = sum(w[t] * squared_error(y[t], target[t]), t)")
    assert net.shape("w") == (1, 1)


def test_a_gate_times_a_product_needs_its_brackets():
    """`r * U @ h` is `(r * U) @ h` to Python: that would make every size 1, silently."""
    net = "h[t] = tanh({} + x[t] + r[t])\nr[t] = sigmoid(V @ h[t-1])\nL = sum(h[T])"
    with pytest.raises(ShapeError, match=r"bind alike, so that this reads \(r\[t\] \* U\) @ …; write r\[t\] \* \("):
        Recurrence.parse(net.format("r[t] * U @ h[t-1]"))
    assert Recurrence.parse(net.format("r[t] * (U @ h[t-1])")).shape("U") == (n, n)
    assert Recurrence.parse(net.format("2 * U @ h[t-1]")).shape("U") == (n, n)
    assert Recurrence.parse(net.format("sum(c) / T * U @ h[t-1]")).shape("U") == (n, n)
    assert Recurrence.parse(net.format("(M * U) @ h[t-1]")).shape("M") == (n, n)


def test_blocks_cut_a_joint_weight_into_gates():
    net = Recurrence.parse("""
        g[t] = W @ [h[t-1], x[t]]
        h[t] = sigmoid(g[t][0:size(h)]) * h[t-1] + tanh(g[t][size(h):2 * size(h)])
        L = sum(h[T])
    """)
    assert net.shape("W")[1] == n + d
    assert net.shape("g")[1] == 1


def test_the_initial_state_has_the_shape_of_its_sequence():
    net = Recurrence.parse("h0 = W0 @ c\nh[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[T])")
    assert net.shape("h0") == net.shape("h")
    assert net.shape("W0")[0] == n
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[T]) + sum(h0 * h0)")
    assert net.shape("h0") == (n, 1)


def test_a_size_is_never_called_like_a_name_of_the_text():
    net = Recurrence.parse("""
        h[t] = tanh(W @ [x[t], x[t]] + n_x + n_h)
        L    = sum(squared_error(h[t], n_h_), t)
    """)
    assert not {str(s) for s in net.sizes} & (set(net.leaves) | set(net.initial_states))
    assert len(net.sizes) == 2


def test_a_transpose_swaps_sizes_and_losses_tie_them():
    net = Recurrence.parse("h[t] = W @ x[t] + h[t-1]\nL = squared_error(W.T @ h[T], target)")
    assert net.shape("target") == net.shape("x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a = ones(3)\nb = ones(4)\nL = sum(a + b)",
            ["a has shape 3×1", "line 1, column 1", "b has shape 4×1", "line 2, column 1", "line 3, column 9"],
        ),
        ("L = [1, 2] @ [3, 4]", ["[1, 2] has shape 2×1", "[3, 4] has shape 2×1", "columns of the left factor"]),
        (
            "h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[T] * [x[T], x[T]])",
            ["h[T] has shape n_h×", "[x[T], x[T]] has shape 2*n_h×", "x first stands in line 1, column 26"],
        ),
        ("h[t] = [h[t-1], x[t]]\nL = sum(h[T])", ["shapes differ", "h[t] has shape", "[h[t-1], x[t]] has shape"]),
        ("L = squared_error(ones(2), ones(3))", ["2×1", "3×1"]),
        ("L = sum(softmax(ones(2, 3)))", ["expected a column", "2×3"]),
        ("L = sum(ones(3)[1:5])", ["1:5", "3"]),
        ("L = sum(W[2:1])", ["2:1"]),
        ("L = sum(ones(size(q)))", ["size(q): there is no q"]),
        ("h[t] = tanh(U @ h[t-1])\nh0 = ones(2)\nL = sum(ones(3) * h[T])", ["2×1", "3×1"]),
    ],
)
def test_a_clash_names_both_shapes_and_where_they_come_from(text, said):
    with pytest.raises(ShapeError) as caught:
        Recurrence.parse(text)
    for words in said:
        assert words in str(caught.value)


@pytest.mark.parametrize("right", ["y[T]", "W @ x[T]", "[y[T], y[T]]", "tanh(y[T])", "ones(2)"])
def test_a_loss_that_is_not_a_scalar_is_refused_with_its_shape(right):
    with pytest.raises(ShapeError, match=r"the loss L is not a scalar: .* has shape .*×1\. Expected 1×1"):
        Recurrence.parse(f"y[t] = W @ x[t]\nL = {right}")
