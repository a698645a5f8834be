"""Names of initializers: the paths of the user's arrays."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from support import agree, convert, initializers, paths, random, share

from hlo2onnx import _names

X = random(2, 8)


def tree(seed):
    return {
        "layers": [
            {"w": jnp.asarray(random(8, 8, seed=seed + place)), "b": jnp.asarray(random(8, seed=seed + 10 + place))}
            for place in range(2)
        ]
    }


def forward(params, x):
    for layer in params["layers"]:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    return x


def test_tree():
    params = tree(0)
    model = convert(lambda x: forward(params, x), X)
    assert share(model, paths(params)) == (4, 4)


def test_single_arrays_have_the_names_of_their_variables():
    weight, bias = jnp.asarray(random(8, 4)), random(4)
    model = convert(lambda x: x @ weight + bias, X)
    assert share(model, {"weight": weight, "bias": bias}) == (2, 2)


def test_small_arrays():
    scale, shift = jnp.asarray(random(8)), random(8, seed=1)
    model = convert(lambda x: x * scale + shift, X)
    assert share(model, {"scale": scale, "shift": shift}) == (2, 2)


def test_arrays_of_one_element_are_numbers():
    scale, shift = jnp.asarray(random(1)), random(1, seed=1)
    agree(lambda x: x * scale + shift, convert(lambda x: x * scale + shift, X), X)


def test_scalar():
    temperature = jnp.float32(0.7)
    model = convert(lambda x: x / temperature, X)
    agree(lambda x: x / temperature, model, X)


DATA = [np.zeros(1, np.float32) for _ in range(30_000)]
GLOBAL_WEIGHT = jnp.asarray(random(8, 8))


def test_weights_among_many_arrays():
    model = convert(lambda x: x * DATA[0] @ GLOBAL_WEIGHT, X)
    assert share(model, {"GLOBAL_WEIGHT": GLOBAL_WEIGHT}) == (1, 1)


class Record:
    def __init__(self):
        self.text = "a record of a data set"


RECORDS = [Record() for _ in range(300)]


def test_weights_among_many_objects(monkeypatch, caplog):
    monkeypatch.setattr(_names, "_LIMIT", 200)
    monkeypatch.setattr(_names, "_SHARE", 20)

    def layer(x):
        return x @ GLOBAL_WEIGHT

    with caplog.at_level("INFO", logger="hlo2onnx"):
        model = convert(lambda x: layer(x) if len(RECORDS) else x, X)
    assert share(model, {"GLOBAL_WEIGHT": GLOBAL_WEIGHT}) == (1, 1)
    (advice,) = [record.message for record in caplog.records if record.message.startswith("names:")]
    assert "more than 200 objects, most of them from `RECORDS`" in advice


def test_defaults():
    weight, bias = jnp.asarray(random(8, 4)), jnp.asarray(random(4))

    def program(x, w=weight, *, b=bias):
        return x @ w + b

    assert share(convert(program, X), {"w": weight, "b": bias}) == (2, 2)


def test_object_with_attributes():
    class Layer:
        def __init__(self, seed):
            self.weight = jnp.asarray(random(8, 8, seed=seed))

        def __call__(self, x):
            return jnp.tanh(x @ self.weight)

    class Policy:
        def __init__(self):
            self.layers = [Layer(1), Layer(2)]
            self.head = {"w": jnp.asarray(random(8, 2, seed=3))}

        def act(self, x):
            return functools.reduce(lambda x, layer: layer(x), self.layers, x) @ self.head["w"]

    policy = Policy()
    arrays = {
        "layers/0/weight": policy.layers[0].weight,
        "layers/1/weight": policy.layers[1].weight,
        "head/w": policy.head["w"],
    }
    for target in (policy.act, lambda x: policy.act(x), jax.jit(policy.act)):
        assert share(convert(target, X), arrays) == (3, 3)


def test_functions_that_call_functions():
    inner_params, outer_params = tree(0), tree(5)

    def inner(x):
        return forward(inner_params, x)

    def outer(x):
        return forward(outer_params, inner(x))

    arrays = paths({"inner/inner_params": inner_params, "outer_params": outer_params})
    assert share(convert(outer, X), arrays) == (8, 8)


def test_two_trees_with_equal_paths():
    actor, critic = tree(0), tree(5)
    model = convert(lambda x: (forward(actor, x), forward(critic, x)), X)
    assert share(model, paths({"actor": actor, "critic": critic})) == (8, 8)


def test_shared_array_has_one_name():
    table = jnp.asarray(random(8, 8))
    model = convert(lambda x: jnp.tanh(x @ table) @ table, X)
    assert [name for name, array in initializers(model).items() if array.size == 64] == ["table"]


def test_whole_array_has_the_first_claim_on_its_name():
    table = jnp.asarray(random(20, 8))
    model = convert(lambda x: (x @ table.T) @ table, X)
    assert initializers(model)["table"].shape == table.shape


def test_haiku_like_pair():
    params = tree(0)
    pair = (forward, {"inner": lambda x: forward(params, x)})
    model = convert(lambda x: pair[1]["inner"](x), X)
    assert share(model, paths(params)) == (4, 4)


def test_kernels_read_in_reverse():
    from flax import linen, nnx

    x = random(2, 5, 5, 3)
    transposed = linen.ConvTranspose(4, (3, 3), strides=(2, 2))
    variables = transposed.init(jax.random.key(0), x)
    model = convert(lambda x: transposed.apply(variables, x), x)
    assert set(paths(variables)) <= set(initializers(model))
    agree(lambda x: transposed.apply(variables, x), model, x)

    module = nnx.ConvTranspose(3, 4, (3, 3), strides=(2, 2), rngs=nnx.Rngs(0))
    assert {"kernel", "bias"} <= set(initializers(convert(module, x)))


def test_normalized_weights_have_the_name_of_their_kernel():
    weight, scale = jnp.asarray(random(8, 4)), jnp.asarray(random(4, seed=1))

    def program(x):
        return x @ (weight / jnp.linalg.norm(weight, axis=0) * scale)

    model = convert(program, X)
    assert initializers(model)["weight"].shape == (8, 4)
    agree(program, model, X)


def test_weights_computed_from_several_arrays_keep_none_of_their_names():
    first, second = jnp.asarray(random(8, 4)), jnp.asarray(random(8, 4, seed=1))
    model = convert(lambda x: x @ (first + second), X)
    assert not {"first", "second"} & set(initializers(model))


def test_weights_of_one_number_keep_their_names():
    params = [{"w": random(8, 8, seed=seed), "b": np.zeros(8, np.float32)} for seed in (1, 2)]
    model = convert(lambda x: forward({"layers": params}, x), X)
    found = initializers(model)
    assert {f"{layer}/{name}" for layer in (0, 1) for name in "wb"} <= set(found)
    assert found["0/b"].shape == found["1/b"].shape == ()


def test_arrays_made_in_the_program_have_no_name_of_the_user_s():
    params = tree(0)

    def program(x):
        return forward(params, x) + jnp.asarray(np.arange(8, dtype=np.float32) * 3)

    model = convert(program, X)
    agree(program, model, X)
    assert share(model, paths(params)) == (4, 4)
    (other,) = initializers(model).keys() - paths(params).keys()
    np.testing.assert_array_equal(initializers(model)[other].reshape(-1), np.arange(8) * 3)


@pytest.mark.parametrize(
    "dtype",
    [
        np.bool_,
        np.int8,
        np.uint8,
        np.int16,
        np.int32,
        np.uint32,
        np.float16,
        np.float32,
        ml_dtypes.bfloat16,
        np.complex64,
    ],
)
@pytest.mark.parametrize("numpy", [False, True])
def test_element_types(dtype, numpy):
    values = (np.arange(600).reshape(20, 30) % 7).astype(dtype)
    if dtype == np.complex64:
        values = values + 2j * values.T.reshape(20, 30)
    held = values if numpy else jnp.asarray(values)

    def program(index):
        row = jnp.asarray(held)[index]
        return (row.real, row.imag) if jnp.iscomplexobj(row) else row.astype(jnp.float32)

    agree(program, convert(program, np.int32(3)), np.int32(3))


@pytest.mark.parametrize("kind", ["strided", "flipped", "transposed", "fortran"])
def test_numpy_views(kind):
    base = random(16, 8)
    views = {"strided": base[::2], "flipped": base[::-1], "transposed": base.T, "fortran": np.asfortranarray(base)}
    view = views[kind]
    program = jax.jit(lambda x: jnp.sum(view) + x * view)
    x = np.float32(2)
    agree(program, convert(program, x), x)


def test_broadcast_view():
    row = np.broadcast_to(random(8), (16, 8))
    agree(lambda x: x + row, convert(lambda x: x + row, X[0]), X[0])


def test_empty_array():
    nothing = jnp.zeros((0, 8))
    program = lambda x: jnp.concatenate([x, nothing])  # noqa: E731
    agree(program, convert(program, X), X)


def test_objects_that_raise_are_skipped():
    class Hostile:
        def __init__(self):
            self.weight = jnp.asarray(random(8, 8))

        def __getattr__(self, name):
            raise RuntimeError("not yet bound")

    hostile = Hostile()
    model = convert(lambda x: x @ hostile.weight, X)
    assert share(model, {"weight": hostile.weight}) == (1, 1)


def test_cycles():
    holder = {"w": jnp.asarray(random(8, 8))}

    class Node:
        pass

    node = Node()
    node.itself, node.holder = node, holder
    model = convert(lambda x: x @ node.holder["w"], X)
    assert share(model, {"holder/w": holder["w"]}) == (1, 1)
