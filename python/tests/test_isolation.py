"""A conversion does not change the user's program, its arrays, or JAX."""

import gc
import threading
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import agree, convert, initializers, random

import hlo2onnx

X = random(2, 64)


def closing_over(seed):
    weight = jnp.asarray(random(64, 64, seed=seed))

    def program(x):
        return jnp.tanh(x @ weight)

    return program, weight


def test_a_later_jit_of_the_same_function_works():
    program, weight = closing_over(1)
    jitted = jax.jit(program)
    convert(program, X)
    convert(jitted, X)
    expected = np.tanh(X @ np.asarray(weight))
    np.testing.assert_allclose(jax.jit(program)(X), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jitted(X), expected, rtol=1e-4, atol=1e-5)
    assert "hlo2onnx" not in jitted.lower(X).as_text()


def test_inner_jits_stay_intact():
    inner, weight = closing_over(2)
    inner = jax.jit(inner)
    outer = lambda x: inner(x) * 2  # noqa: E731
    expected = 2 * np.tanh(X @ np.asarray(weight))
    np.testing.assert_allclose(jax.jit(outer)(X), expected, rtol=1e-4, atol=1e-5)
    agree(outer, convert(outer, X), X)
    agree(outer, convert(outer, ("b", 64)), X)
    np.testing.assert_allclose(jax.jit(outer)(X), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(inner(X) * 2, expected, rtol=1e-4, atol=1e-5)


def test_constants_that_change_are_seen():
    class Holder:
        pass

    holder = Holder()
    holder.weight = jnp.asarray(random(64, 64, seed=3))

    def program(x):
        return x @ holder.weight

    first = convert(program, X)
    holder.weight = holder.weight * 2
    second = convert(program, X)
    assert np.array_equal(initializers(first)["weight"] * 2, initializers(second)["weight"])


def is_kept_alive(use):
    program, weight = closing_over(4)
    use(program)
    watched = weakref.ref(weight)
    del program, weight
    gc.collect()
    return watched() is not None


def test_arrays_are_not_kept_alive():
    # JAX 0.12 itself keeps the constants of functions that it has lowered with `keep_unused`.
    by_jax = is_kept_alive(lambda program: jax.jit(program, keep_unused=True).lower(X))
    assert is_kept_alive(lambda program: convert(program, X)) <= by_jax


def test_arrays_are_not_copied():
    from hlo2onnx import _inputs, _lowering, _models

    for weight in (jnp.asarray(random(64, 64, seed=5)), random(64, 64, seed=5)):
        program = lambda x, weight=weight: x @ weight  # noqa: E731
        model = _models.as_model(program)
        (array,) = _lowering.lower(program, _inputs.read(program, [X], None), model.names).arrays
        assert np.shares_memory(array.request()[-1], np.asarray(weight))


def test_the_text_does_not_grow_with_weights():
    from hlo2onnx import _inputs, _lowering, _models

    def length(size):
        weight = jnp.ones((64, size)) * jnp.arange(size)
        program = lambda x: jnp.sum(x @ weight)  # noqa: E731
        model = _models.as_model(program)
        return len(_lowering.lower(program, _inputs.read(program, [X], None), model.names).text)

    assert length(100_000) < length(100) + 200


def test_threads():
    wanted, found, failed = {}, {}, []
    barrier = threading.Barrier(4)

    def work(seed):
        try:
            program, _ = closing_over(seed)
            barrier.wait()
            for _ in range(3):
                model = hlo2onnx.to_onnx(program, [("b", 64)])
                plain = jax.jit(lambda x: program(x) + 1).lower(X).as_text()
                assert "hlo2onnx" not in plain
            wanted[seed], found[seed] = program, model
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for seed, program in wanted.items():
        agree(program, found[seed], X)


def test_precision_of_other_threads_stays():
    seen = []

    def program(x):
        thread = threading.Thread(target=lambda: seen.append(jnp.zeros(1, dtype=float).dtype))
        thread.start()
        thread.join()
        return x * 2

    convert(program, (3,), enable_double_precision=True)
    assert seen[0] == jnp.float32


def test_a_conversion_within_a_trace():
    program, _ = closing_over(6)
    inside = []

    def outer(x):
        inside.append(hlo2onnx.to_onnx(program, [X]))
        return program(x)

    agree(outer, convert(outer, X), X)
    agree(program, inside[0], X)


def test_no_tracers_leak():
    program, _ = closing_over(7)
    with jax.checking_leaks():
        convert(program, X)


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap])
def test_side_effects_of_tracing_happen_once(transform):
    count = []

    def program(x):
        count.append(1)
        return x * 2

    convert(transform(program), X)
    assert len(count) == 1
