"""Products of Jacobians in logarithms agree with exact arithmetic, at any scale and any length."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from rnnderive.chains import products
from rnnderive.chains.products import Scaled, operator_log_norms, row_log_norms, vector_log_norms
from rnnderive.chains.split import split_log_norms
from rnnderive.errors import InputError

RNG = np.random.default_rng(0)


def gaussian(*shape: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(sum(shape)).normal(size=shape)


def exact_row(seed: np.ndarray, jacobians: np.ndarray) -> list[float]:
    """ln‖g P‖ by lag, in 60 digits."""
    with mpmath.workdps(60):
        row = mpmath.matrix([seed.tolist()])
        out = [mpmath.log(mpmath.norm(row))]
        for J in jacobians[::-1]:
            row = row * mpmath.matrix(J.tolist())
            size = mpmath.norm(row)
            out.append(mpmath.log(size) if size else -mpmath.inf)
        return [float(v) for v in out]


@pytest.mark.parametrize("scale", [1.0, 1e-40, 1e40, 1e-200, 1e200, 3e-308])
def test_row_norms_are_exact_at_every_scale(scale: float) -> None:
    J = gaussian(70, 4, 4) * scale
    np.testing.assert_allclose(
        vector_log_norms([1.0, -2, 0, 3], J), exact_row(np.array([1.0, -2, 0, 3]), J), rtol=1e-13
    )


def test_a_scale_that_jumps_from_step_to_step_loses_nothing() -> None:
    J = gaussian(80, 3, 3) * 10.0 ** np.random.default_rng(1).uniform(-250, 250, size=(80, 1, 1))
    np.testing.assert_allclose(vector_log_norms(np.ones(3), J), exact_row(np.ones(3), J), rtol=0, atol=1e-11)


def test_operator_norms_are_the_norms_of_the_products() -> None:
    J = gaussian(40, 5, 5)
    product, expected = np.eye(5), [0.0]
    for factor in J[::-1]:
        product = product @ factor
        expected.append(float(np.log(np.linalg.norm(product, 2))))
    np.testing.assert_allclose(operator_log_norms(J), expected, atol=1e-12)
    np.testing.assert_allclose(operator_log_norms(J, [40, 3, 0]), np.array(expected)[[40, 3, 0]], atol=1e-12)


def test_order_of_factors_is_last_step_first() -> None:
    first, last = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([2.0, 0.0])
    J = np.array([first, last])  # P = last @ first
    assert vector_log_norms([1.0, 0.0], J)[-1] == pytest.approx(np.log(2))
    assert np.isneginf(vector_log_norms([1.0, 0.0], J[::-1])[-1])
    assert operator_log_norms(J)[-1] == pytest.approx(np.log(2))
    assert np.isneginf(operator_log_norms(J[::-1])[-1])


@pytest.mark.parametrize("cuts", [[100], [1, 33, 66], [99], [0, 50]])
def test_chunks_from_the_last_give_what_one_array_gives(cuts: list[int]) -> None:
    J = gaussian(100, 4, 4)
    chunks = np.split(J, cuts)[::-1]
    np.testing.assert_allclose(vector_log_norms(np.ones(4), iter(chunks)), vector_log_norms(np.ones(4), J), atol=1e-12)
    np.testing.assert_allclose(operator_log_norms(iter(chunks)), operator_log_norms(J), atol=1e-12)


def test_a_batch_is_its_members() -> None:
    J, g = gaussian(50, 3, 4, 4, scale=0.3), gaussian(3, 4)
    rows, norms = vector_log_norms(g, J), operator_log_norms(J)
    split = split_log_norms({"a": J, "b": 0.5 * J[::-1]})
    assert rows.shape == norms.shape == (51, 3)
    for b in range(3):
        np.testing.assert_allclose(rows[:, b], vector_log_norms(g[b], J[:, b]), atol=1e-12)
        np.testing.assert_allclose(norms[:, b], operator_log_norms(J[:, b]), atol=1e-12)
        alone = split_log_norms({"a": J[:, b], "b": 0.5 * J[::-1, b]})
        np.testing.assert_allclose(split["mixed"][:, b], alone["mixed"], atol=1e-11)


def test_exact_zero_is_minus_infinity_from_there_on_and_for_that_member_only() -> None:
    J = gaussian(90, 2, 3, 3)
    J[40, 0] = 0.0
    for norms in (vector_log_norms(np.ones((2, 3)), J), operator_log_norms(J), split_log_norms({"a": J})["whole"]):
        assert np.isfinite(norms[:50, 0]).all() and np.isneginf(norms[50:, 0]).all()
        assert np.isfinite(norms[:, 1]).all()
    assert np.isneginf(vector_log_norms(np.zeros(3), gaussian(5, 3, 3))).all()


def test_a_long_product_neither_underflows_nor_drifts() -> None:
    J = np.broadcast_to(np.array([[0.0, 0.25], [-0.25, 0.0]]), (50_000, 2, 2))
    assert vector_log_norms([1.0, 1.0], J)[-1] == pytest.approx(np.log(2) / 2 - 100_000 * np.log(2), rel=1e-15)
    assert operator_log_norms(J, [50_000])[0] == pytest.approx(-100_000 * np.log(2), rel=1e-15)


def test_the_split_is_the_binomial_formula() -> None:
    a, b, T = 0.75, 0.125, 20
    found = split_log_norms({"a": np.full((T, 1, 1), a), "b": np.full((T, 1, 1), b)})
    lags = np.arange(1, T + 1)
    for name, expected in (
        ("a", a**lags),
        ("b", b**lags),
        ("whole", (a + b) ** lags),
        ("mixed", (a + b) ** lags - a**lags - b**lags),
    ):
        np.testing.assert_allclose(np.exp(found[name][1:]), expected, rtol=1e-12, atol=1e-16)


def test_mixed_paths_are_what_the_parts_alone_leave() -> None:
    parts = {name: gaussian(6, 3, 3 + k)[..., :3] for k, name in enumerate("abc")}
    found = split_log_norms(parts)
    products = {name: np.linalg.multi_dot(list(J[::-1])) for name, J in parts.items()}
    whole = np.linalg.multi_dot(list(sum(parts.values())[::-1]))
    mixed = whole - sum(products.values())
    assert found["mixed"][-1] == pytest.approx(np.log(np.linalg.norm(mixed, 2)), abs=1e-12)
    assert found["whole"][-1] == pytest.approx(np.log(np.linalg.norm(whole, 2)), abs=1e-12)
    assert np.isneginf(found["mixed"][:2]).all()


def test_mixed_paths_far_below_the_whole_keep_their_digits() -> None:
    """A highway next to a path that is weaker by 1e-200: no difference of large numbers would see it."""
    T = 5
    highway, other = np.zeros((T, 2, 2)), np.zeros((T, 2, 2))
    highway[:, 0, 0], other[:, 1, 1], other[0, 1, 0] = 1.0, 1e-200, 1e-200
    found = split_log_norms({"highway": highway, "other": other})
    # One path is mixed at the last lag only if it goes through both: none here, other than to itself.
    assert found["highway"][-1] == 0.0
    assert found["other"][-1] == pytest.approx(T * np.log(1e-200) + np.log(2) / 2)
    other[-1, 1, 0] = 1e-200
    mixed = split_log_norms({"highway": highway, "other": other})["mixed"][-1]
    assert mixed == pytest.approx(np.log(1e-200))


def test_scaled_addition_aligns_and_lets_nothing_be_swallowed_by_zero() -> None:
    tiny = Scaled.of(np.array([[3.0]]), -5000)
    assert (tiny + Scaled.of(np.zeros((1, 1)))).log_norm() == pytest.approx(np.log(3) - 5000 * np.log(2))
    assert (tiny + tiny).log_norm() == pytest.approx(np.log(6) - 5000 * np.log(2))
    assert (tiny + Scaled.of(np.ones((1, 1)))).log_norm() == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vector_log_norms([1.0, 2.0], gaussian(5, 3, 3)), r"the seed is \(…, 2\)"),
        (lambda: vector_log_norms(np.ones((2, 3)), gaussian(5, 4, 3, 3)), "with one batch"),
        (lambda: vector_log_norms([1.0], gaussian(5, 3, 2)), "one square matrix a step"),
        (lambda: vector_log_norms([1.0, np.nan], gaussian(5, 2, 2)), "the seed is nan"),
        (lambda: operator_log_norms(np.full((3, 2, 2), np.inf)), "expected finite numbers"),
        (lambda: operator_log_norms(np.zeros((0, 2, 2))), "expected one step at least"),
        (lambda: operator_log_norms(gaussian(5, 2, 2), [6]), "the lag 6 is outside"),
        (lambda: operator_log_norms(gaussian(5, 2, 2), [-1]), "the lag -1 is outside"),
        (lambda: operator_log_norms(gaussian(5, 2, 2), [0.5]), "expected a list of integers"),
        (lambda: operator_log_norms(gaussian(5, 2, 2) + 0j), "expected real numbers"),
        (lambda: operator_log_norms(iter([gaussian(5, 2, 2), gaussian(5, 3, 3)])), "a step after others"),
        (lambda: split_log_norms({}), "none; expected names"),
        (lambda: split_log_norms({"whole": gaussian(5, 2, 2)}), "other than whole and mixed"),
        (lambda: split_log_norms({"a": gaussian(5, 2, 2), "b": gaussian(4, 2, 2)}), "expected one shape"),
    ],
)
def test_what_does_not_fit_is_told(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        call()


# ---------------------------------------------------------------- rows that are lost in rounding


def rows_carried(jacobians: object, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, list[int]]:
    """The norms, and with how many rows each stretch was multiplied."""
    carried: list[int] = []
    multiplied = products._multiplied
    with monkeypatch.context() as patch:
        patch.setattr(
            products, "_multiplied", lambda rows, block: carried.append(rows.shape[-2]) or multiplied(rows, block)
        )
        return operator_log_norms(jacobians), carried


@pytest.mark.parametrize("shape", [(600, 20, 20), (300, 3, 12, 12)])
def test_what_is_lost_in_rounding_is_not_carried_on_and_not_missed(shape, monkeypatch):
    J = gaussian(*shape, scale=0.3)
    thrifty, few = rows_carried(J, monkeypatch)
    whole, all_of_them = rows_carried(iter([J]), monkeypatch)
    assert all_of_them[-1] == shape[-1] and few[-1] < shape[-1] // 2
    np.testing.assert_allclose(thrifty, whole, rtol=1e-12, atol=1e-11)


def test_a_direction_that_had_been_lost_counts_again_when_the_others_die(monkeypatch):
    """Eight units on their own, of factors 1 and ½; going back, the strong ones die at step 200: ½ remains, exactly."""
    factors = np.array([1.0] * 4 + [0.5] * 4)
    J = np.tile(np.diag(factors), (400, 1, 1))
    J[199, :4] = 0.0
    found, carried = rows_carried(J, monkeypatch)
    assert min(carried) == 5 and carried[-1] == 8  # four and the guard; then all again
    expected = np.where(np.arange(401) <= 200, 0.0, np.arange(401) * np.log(0.5))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_guard_holds_for_a_sequence_of_a_batch_by_itself(monkeypatch):
    J = np.tile(np.diag([1.0] * 4 + [0.5] * 4), (400, 2, 1, 1))
    J[199, 1, :4] = 0.0
    found, _ = rows_carried(J, monkeypatch)
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(found[201:, 1], np.arange(201, 401) * np.log(0.5), rtol=1e-12)


def test_norms_of_some_columns_of_some_rows():
    J, G = gaussian(150, 6, 6, scale=0.5), gaussian(5, 6)
    found = row_log_norms(G, J, [0, 3, 150], slice(2, 5))
    for lag, norm in zip([0, 3, 150], found, strict=True):
        product = np.linalg.multi_dot([np.eye(6), *J[150 - lag :][::-1], np.eye(6)])
        assert norm == pytest.approx(np.log(np.linalg.norm((G @ product)[:, 2:5], 2)), rel=1e-10)


def test_columns_far_below_the_others_are_small_and_not_zero():
    """A gate closed by a sigmoid of −460: what goes through it is 10⁻²⁰⁰ of what does not, and l times that."""
    J = np.tile([[1.0, 1e-200], [0.0, 1.0]], (3, 1, 1))
    found = row_log_norms(np.array([[1.0, 0.0]]), J, columns=slice(1, 2))
    np.testing.assert_allclose(found, [-np.inf, *np.log([1e-200, 2e-200, 3e-200])], rtol=1e-12)
