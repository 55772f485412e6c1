"""Exact singular values of long products, Lyapunov exponents, and what is computed from them."""

from __future__ import annotations

import numpy as np
import pytest

from rnnderive.chains.spectra import (
    Lyapunov,
    entropy_rate,
    kaplan_yorke,
    log_condition,
    log_singular_values,
    lyapunov_exponents,
    naive_log_singular_values,
    qr_estimates,
    spectral_norms,
    spectral_radii,
)
from rnnderive.chains.theory.random_products import exact_log_singular_values
from rnnderive.errors import InputError


def gaussian(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize(("T", "n"), [(1, 1), (1, 6), (2, 5), (7, 4), (60, 6)])
def test_singular_values_are_those_of_150_digits(T: int, n: int) -> None:
    J = gaussian(T, n, n)
    np.testing.assert_allclose(log_singular_values(J), exact_log_singular_values(J), rtol=0, atol=1e-13)


def test_equal_and_nearly_equal_singular_values_are_told_apart() -> None:
    for gap in (0.0, 1e-12, 1e-6, 1e-2):
        exact = np.array([1 + gap, 1.0, 1.0, 0.5])
        u, v = (np.linalg.qr(gaussian(4, 4 + k)[:, :4])[0] for k in range(2))
        np.testing.assert_allclose(np.exp(log_singular_values((u * exact @ v)[None])), exact, rtol=2e-15)


def test_rows_of_any_size_keep_their_digits() -> None:
    rng = np.random.default_rng(2)
    J = rng.normal(size=(40, 5, 5)) * 10.0 ** rng.uniform(-30, 0, size=(40, 5, 1))
    exact = exact_log_singular_values(J, 1200)
    np.testing.assert_allclose(log_singular_values(J), exact, rtol=1e-14)
    assert np.abs(lyapunov_exponents(J, blocks=2).exponents.sum() - exact.sum() / 40) < 1e-12


def test_directions_that_grow_and_then_shrink() -> None:
    turn = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    up, down = np.diag([1, np.e**2]), np.diag([1, np.e**-4])
    for J in (np.array([up @ turn] * 50 + [down @ turn] * 50), np.array([up] * 50 + [turn] + [down] * 50)):
        np.testing.assert_allclose(log_singular_values(J), exact_log_singular_values(J, 400), atol=1e-12)


def test_scales_beyond_floats() -> None:
    J = gaussian(40, 4, 4) * 10.0 ** np.random.default_rng(3).uniform(-250, 250, size=(40, 1, 1))
    exact = exact_log_singular_values(J, 400)
    np.testing.assert_allclose(log_singular_values(J), exact, rtol=1e-14)
    mean = exact.sum() / 40
    for every in (1, 2):
        assert lyapunov_exponents(J, every=every, blocks=2).exponents.sum() == pytest.approx(mean, rel=1e-13)


def test_the_float_product_is_wrong_where_the_sweeps_are_not() -> None:
    J = gaussian(60, 6, 6)
    exact = exact_log_singular_values(J)
    errors = [np.abs(e - exact).max() for e in (naive_log_singular_values(J), *qr_estimates(J, 4))]
    assert errors[0] > 30 > 3 > errors[1] > 0.1 > 1e-3 > errors[2] > 1e-10
    assert max(errors[3:]) < 2e-13


def test_lost_directions_are_minus_infinity_and_the_rest_is_exact() -> None:
    J = gaussian(40, 5, 5)
    J[10, 2] = J[20, :, 3] = 0
    kept = exact_log_singular_values(J, 400)[:4]
    found = log_singular_values(J)
    np.testing.assert_allclose(found[:4], kept, atol=1e-12)
    assert np.isneginf(found[4:]).all() and np.isneginf(qr_estimates(J, 2)[:, 4:]).all()
    assert log_condition(found) == np.inf
    assert log_condition(np.full(3, -np.inf)) == np.inf  # all dead: inf, without a warning
    assert log_condition(found[:4]) == pytest.approx(kept[0] - kept[-1])


def test_a_factor_of_low_rank_and_a_zero_factor() -> None:
    thin = gaussian(16, 2) @ gaussian(2, 16)
    J = np.broadcast_to(thin, (50, 16, 16))
    assert np.isneginf(log_singular_values(J)).sum() == 14
    found = lyapunov_exponents(J, discard=10)
    assert (len(found.exponents), found.singular) == (2, 14)
    dead = gaussian(20, 4, 4)
    dead[7] = 0
    assert np.isneginf(log_singular_values(dead)).all()
    found = lyapunov_exponents(dead, blocks=2, discard=4)
    assert (len(found.exponents), found.singular, found.steps) == (0, 4, 16)


def test_exponents_of_a_rotated_diagonal_map_are_its_logarithms() -> None:
    q = np.linalg.qr(gaussian(4, 4))[0]
    rates = np.array([0.3, 0.1, -0.2, -1.0])
    J = np.broadcast_to(q * np.exp(rates) @ q.T, (600, 4, 4))
    for every in (1, 5):
        found = lyapunov_exponents(J, every=every, discard=300)
        np.testing.assert_allclose(found.exponents, rates, atol=1e-10)
        assert found.singular == 0 and found.steps == 300
    np.testing.assert_allclose(lyapunov_exponents(J, discard=300, count=2).exponents, rates[:2], atol=1e-10)


def test_the_transient_is_not_counted_and_the_sum_is_the_mean_log_determinant() -> None:
    J = gaussian(300, 6, 6)
    J[:100] *= 7
    dets = np.linalg.slogdet(J)[1]
    assert lyapunov_exponents(J, discard=100).exponents.sum() == pytest.approx(dets[100:].mean(), abs=1e-12)
    assert lyapunov_exponents(J).exponents.sum() == pytest.approx(dets.mean(), abs=1e-12)


def test_standard_errors_shrink_as_the_root_of_the_steps_and_cover_the_truth() -> None:
    rng = np.random.default_rng(4)
    J = np.exp(rng.normal(size=(8_000, 1, 1)))  # ln J ~ N(0, 1): λ = 0 with a standard error of 1/√T
    for T in (1_000, 8_000):
        found = lyapunov_exponents(J[:T], blocks=40)
        assert found.errors[0] == pytest.approx(1 / np.sqrt(T), rel=0.35)
        assert abs(found.exponents[0]) < 4 * found.errors[0]


def test_chunks_give_what_one_array_gives() -> None:
    J = gaussian(100, 4, 4)
    chunks = np.split(J, [1, 40, 77])
    np.testing.assert_allclose(log_singular_values(iter(chunks)), log_singular_values(J), atol=1e-13)
    for every in (1, 4):
        a, b = (lyapunov_exponents(x, every=every, discard=20) for x in (J, iter(chunks)))
        np.testing.assert_allclose(a.exponents, b.exponents, atol=1e-13)


def test_norms_and_radii_of_factors() -> None:
    J = np.array([[[0.5, 4.0], [0.0, 0.5]], [[0.0, -2.0], [2.0, 0.0]]])
    np.testing.assert_allclose(spectral_norms(J), [4.0615528128088303, 2.0])
    np.testing.assert_allclose(spectral_radii(J), [0.5, 2.0], atol=1e-7)


@pytest.mark.parametrize(
    ("exponents", "singular", "dimension", "entropy"),
    [
        ([0.5, 0.1, -0.2, -3.0], 0, 3 + 0.4 / 3, 0.6),
        ([0.9, 0.0, -14.57], 0, 2 + 0.9 / 14.57, 0.9),
        ([-0.1, -0.2], 0, 0.0, 0.0),
        ([0.2, 0.1], 0, 2.0, 0.3),
        ([0.2, -0.1], 3, 2.0, 0.2),
        ([], 4, 0.0, 0.0),
    ],
)
def test_dimension_and_entropy(exponents: list[float], singular: int, dimension: float, entropy: float) -> None:
    spectrum = Lyapunov(np.array(exponents), np.zeros(len(exponents)), singular, 1)
    assert kaplan_yorke(spectrum) == pytest.approx(dimension)
    assert entropy_rate(spectrum) == pytest.approx(entropy)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: log_singular_values(gaussian(5, 2, 3, 3)), "one sequence"),
        (lambda: log_singular_values(np.zeros((0, 3, 3))), "one step at least"),
        (lambda: log_singular_values(np.full((2, 3, 3), np.nan)), "expected finite numbers"),
        (lambda: qr_estimates(gaussian(5, 3, 3), 0), "expected a number from 1"),
        (lambda: lyapunov_exponents(gaussian(5, 3, 3)), "one QR a block"),
        (lambda: lyapunov_exponents(gaussian(50, 3, 3), every=4, discard=6), "a multiple of it"),
        (lambda: lyapunov_exponents(iter([])), "found 0 steps"),
    ],
)
def test_what_does_not_fit_is_told(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=words):
        call()
