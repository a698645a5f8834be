"""Serialized exports of Flax Linen models become models that agree with JAX."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import export
from jax.tree_util import tree_map_with_path
from support import agree, names, shapes

import hlo2onnx

BATCHES = (2, 3)


@dataclasses.dataclass(frozen=True)
class Example:
    """A module with the shapes of its inputs without the batch."""

    module: nn.Module
    shapes: tuple[tuple[int, ...], ...]
    below: int | None = None
    """The inputs are integers below this."""
    tolerance: float = 1e-4

    def specs(self, batch: Any) -> list[jax.ShapeDtypeStruct]:
        """The types of the inputs."""
        dtype = jnp.int32 if self.below else jnp.float32
        return [jax.ShapeDtypeStruct((batch, *shape), dtype) for shape in self.shapes]

    def inputs(self, batch: int) -> list[np.ndarray]:
        """Random inputs."""
        random = np.random.default_rng(batch)
        if self.below:
            return [random.integers(0, self.below, (batch, *shape)).astype(np.int32) for shape in self.shapes]
        return [random.standard_normal((batch, *shape)).astype(np.float32) for shape in self.shapes]

    def parameters(self) -> list[str]:
        """The names of the inputs."""
        return [*inspect.signature(self.module.__call__).parameters][: len(self.shapes)]

    def program(self) -> Any:
        """A function of the inputs, which have the names of the module's parameters."""
        random = np.random.default_rng(0)

        def array(path: Any, leaf: Any) -> jax.Array:
            # Scales and variances are positive, and no bias or mean is zero.
            values = random.standard_normal(leaf.shape) / np.sqrt(max(leaf.size // leaf.shape[-1], 4) if leaf.shape else 1)
            is_scale = any(word in str(path[-1]) for word in ("scale", "var", "sigma"))
            return jnp.asarray(abs(values) + 0.5 if is_scale else values, leaf.dtype)

        variables = jax.eval_shape(self.module.init, jax.random.key(0), *self.specs(2))
        variables = tree_map_with_path(array, variables)

        def program(*inputs: Any) -> Any:
            return self.module.apply(variables, *inputs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        program.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in self.parameters()])
        return jax.jit(program)


class Perceptron(nn.Module):
    @nn.compact
    def __call__(self, features):
        for size in (16, 12):
            features = nn.relu(nn.Dense(size)(features))
        return nn.log_softmax(nn.Dense(5)(features))


class Images(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.Conv(4, (3, 3), strides=2)(images)
        x = nn.relu(nn.BatchNorm(use_running_average=True)(x))
        x = nn.max_pool(nn.Conv(6, (3, 3), padding="VALID")(x), (2, 2), (2, 2))
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class ResidualBlock(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.Conv(6, (3, 3), strides=(2, 2), use_bias=False)(images)
        x = nn.BatchNorm(use_running_average=True)(x)
        x = nn.Conv(6, (3, 3), use_bias=False)(nn.relu(x))
        x = nn.BatchNorm(use_running_average=True, scale_init=nn.initializers.zeros)(x)
        return nn.relu(x + nn.Conv(6, (1, 1), strides=(2, 2), use_bias=False)(images)).mean((1, 2))


class Separable(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.Conv(4, (3, 3), feature_group_count=4, use_bias=False)(nn.Conv(4, (1, 1))(images))
        return nn.Conv(5, (1, 1))(nn.relu6(x))


class Upsampler(nn.Module):
    @nn.compact
    def __call__(self, latents):
        x = nn.Dense(3 * 3 * 4)(latents).reshape(-1, 3, 3, 4)
        x = nn.leaky_relu(nn.ConvTranspose(3, (3, 3), strides=(2, 2))(x))
        return nn.tanh(nn.ConvTranspose(1, (4, 4), strides=(2, 2), padding="SAME")(x))


class Grouped(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.GroupNorm(num_groups=2)(nn.Conv(4, (3, 3))(images))
        return nn.RMSNorm()(nn.silu(x))


class Recurrent(nn.Module):
    cell: Any
    reverse: bool = False

    @nn.compact
    def __call__(self, sequences):
        return nn.RNN(self.cell, reverse=self.reverse, keep_order=True)(sequences)


class Bidirectional(nn.Module):
    @nn.compact
    def __call__(self, sequences):
        x = nn.Bidirectional(nn.RNN(nn.GRUCell(3)), nn.RNN(nn.GRUCell(3)))(sequences)
        return nn.Dense(2)(x[:, -1])


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(11, 8)(tokens) + self.param("positions", nn.initializers.normal(), (6, 8))
        mask = nn.make_attention_mask(tokens > 0, tokens > 0)
        x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(2)(x, mask=mask))
        return nn.LayerNorm()(x + nn.Dense(8)(nn.gelu(nn.Dense(16)(x))))


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(11, 8)
        x = embed(tokens)
        for _ in range(2):
            y = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(2)(y, mask=nn.make_causal_mask(tokens))
            x = x + nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x))))
        return embed.attend(nn.LayerNorm()(x))


class CrossAttention(nn.Module):
    @nn.compact
    def __call__(self, queries, memory):
        return queries + nn.MultiHeadDotProductAttention(2, qkv_features=6)(nn.LayerNorm()(queries), memory)


class VisionTransformer(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.Conv(8, (4, 4), strides=(4, 4))(images)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        first = self.param("cls", nn.initializers.zeros, (1, 1, 8))
        x = jnp.concatenate([jnp.broadcast_to(first, (x.shape[0], 1, 8)), x], axis=1)
        x = x + self.param("positions", nn.initializers.normal(), (1, 5, 8))
        x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x))
        x = x + nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x)), approximate=False))
        return nn.Dense(3)(nn.LayerNorm()(x)[:, 0])


class Mixer(nn.Module):
    @nn.compact
    def __call__(self, patches):
        y = jnp.swapaxes(nn.LayerNorm()(patches), 1, 2)
        x = patches + jnp.swapaxes(nn.Dense(6)(nn.gelu(nn.Dense(10)(y))), 1, 2)
        return (x + nn.Dense(4)(nn.gelu(nn.Dense(7)(nn.LayerNorm()(x))))).mean(1)


class Bag(nn.Module):
    @nn.compact
    def __call__(self, words):
        weights = (words > 0).astype(jnp.float32)[..., None]
        x = (nn.Embed(20, 6)(words) * weights).sum(1) / jnp.maximum(weights.sum(1), 1)
        return nn.sigmoid(nn.Dense(1)(x))


class Autoencoder(nn.Module):
    @nn.compact
    def __call__(self, images):
        code = nn.Dense(4)(nn.relu(nn.Conv(3, (3, 3), strides=2)(images)).reshape(images.shape[0], -1))
        x = nn.relu(nn.Dense(4 * 4 * 3)(code)).reshape(images.shape[0], 4, 4, 3)
        return {"code": code, "images": nn.sigmoid(nn.ConvTranspose(2, (3, 3), strides=(2, 2))(x))}


class UNet(nn.Module):
    @nn.compact
    def __call__(self, images):
        first = nn.relu(nn.Conv(4, (3, 3))(images))
        x = nn.relu(nn.Conv(6, (3, 3))(nn.avg_pool(first, (2, 2), (2, 2))))
        x = jax.image.resize(x, (x.shape[0], 8, 8, 6), "nearest")
        return nn.Conv(1, (1, 1))(jnp.concatenate([first, nn.Conv(4, (3, 3))(x)], axis=-1))


class Temporal(nn.Module):
    @nn.compact
    def __call__(self, sequences):
        x = sequences
        for dilation in (1, 2, 4):
            y = nn.Conv(3, (2,), kernel_dilation=dilation, padding="CAUSAL")(x)
            x = nn.Dense(3)(x) + nn.relu(y)
        return x


class SqueezeExcitation(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.swish(nn.Conv(6, (3, 3))(images))
        gate = nn.swish(nn.Dense(2)(x.mean((1, 2), keepdims=True)))
        return x * nn.sigmoid(nn.Dense(6)(gate))


class Reparametrized(nn.Module):
    @nn.compact
    def __call__(self, features):
        x = nn.tanh(nn.WeightNorm(nn.Dense(6))(features))
        return nn.WeightNorm(nn.Dense(3), use_scale=False)(x)


class Spectral(nn.Module):
    @nn.compact
    def __call__(self, features):
        return nn.SpectralNorm(nn.Dense(6))(features, update_stats=False)


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dense(5)(nn.tanh(nn.LayerNorm()(x))), None


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, features):
        layers = nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return layers()(features, None)[0]


class Rematerialized(nn.Module):
    @nn.compact
    def __call__(self, features):
        for _ in range(2):
            features, _ = nn.remat(Layer)()(features, None)
        return features


class Rotary(nn.Module):
    @nn.compact
    def __call__(self, sequences):
        length = sequences.shape[1]
        queries, keys, values = (nn.DenseGeneral((2, 4), name=name)(sequences) for name in ("q", "k", "v"))
        angles = jnp.arange(length)[:, None] * 10000.0 ** (-jnp.arange(2) / 2)
        sine, cosine = jnp.sin(angles)[:, None], jnp.cos(angles)[:, None]

        def turned(x):
            first, second = jnp.split(x, 2, axis=-1)
            return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)

        x = nn.dot_product_attention(turned(queries), turned(keys), values, mask=jnp.tril(jnp.ones((length, length), bool)))
        return nn.DenseGeneral(8, axis=(-2, -1))(x)


class Experts(nn.Module):
    @nn.compact
    def __call__(self, features):
        kernel = self.param("kernel", nn.initializers.normal(), (4, 6, 5))
        weights, chosen = jax.lax.top_k(nn.softmax(nn.Dense(4)(features)), 2)
        gates = (jax.nn.one_hot(chosen, 4) * weights[..., None]).sum(-2)
        return jnp.einsum("bef,be->bf", nn.gelu(jnp.einsum("bd,edf->bef", features, kernel)), gates)


class Pooled(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.max_pool(images, (3, 3), strides=(2, 2), padding="SAME")
        y = nn.avg_pool(images, (3, 3), strides=(2, 2), padding="SAME", count_include_pad=False)
        return jnp.concatenate([x, y, nn.pool(images, 0.0, jax.lax.add, (2, 2), (2, 2), "VALID")], axis=-1)


class Half(nn.Module):
    @nn.compact
    def __call__(self, features):
        x = nn.relu(nn.Dense(16, dtype=jnp.bfloat16)(features))
        x = nn.LayerNorm(dtype=jnp.bfloat16)(x)
        return nn.Dense(4, dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)(x).astype(jnp.float32)


class Products(nn.Module):
    @nn.compact
    def __call__(self, left, right):
        x = nn.Einsum((5, 2, 3), "btc,chd->bhtd")(left)
        return jnp.einsum("bhtd,bsd->bths", x, nn.Dense(3)(right))


class Dropped(nn.Module):
    @nn.compact
    def __call__(self, features, deterministic=True):
        x = nn.Dropout(0.5)(nn.elu(nn.Dense(8)(features)), deterministic=deterministic)
        return nn.Dropout(0.1, broadcast_dims=(0,))(nn.Dense(2)(x), deterministic=deterministic)


class Gated(nn.Module):
    @nn.compact
    def __call__(self, features):
        x = nn.glu(nn.Dense(12)(features))
        return nn.Dense(3, use_bias=False)(nn.silu(nn.Dense(7, use_bias=False)(x)) * nn.Dense(7, use_bias=False)(x))


class Activations(nn.Module):
    @nn.compact
    def __call__(self, features):
        x = nn.PReLU()(nn.Dense(6)(features))
        return nn.softplus(x), nn.hard_swish(x), nn.celu(x), nn.standardize(x), nn.softmax(x, axis=-1)


class Local(nn.Module):
    @nn.compact
    def __call__(self, sequences):
        return nn.InstanceNorm()(nn.ConvLocal(3, (2,), padding="VALID")(sequences))


IMAGES = ((8, 8, 2),)
SEQUENCES = ((6, 4),)
EXAMPLES = {
    "perceptron": Example(Perceptron(), ((7,),)),
    "images with batch norm": Example(Images(), ((12, 12, 3),)),
    "residual block": Example(ResidualBlock(), IMAGES),
    "separable convolution": Example(Separable(), IMAGES),
    "transposed convolution": Example(Upsampler(), ((5,),)),
    "group norm": Example(Grouped(), IMAGES),
    "local convolution": Example(Local(), SEQUENCES),
    "LSTM": Example(Recurrent(nn.LSTMCell(5)), SEQUENCES),
    "optimized LSTM": Example(Recurrent(nn.OptimizedLSTMCell(5), reverse=True), SEQUENCES),
    "GRU": Example(Recurrent(nn.GRUCell(5)), SEQUENCES),
    "convolutional LSTM": Example(Recurrent(nn.ConvLSTMCell(3, (3, 3))), ((3, 4, 4, 2),)),
    "both directions": Example(Bidirectional(), SEQUENCES),
    "transformer encoder": Example(Encoder(), ((6,),), below=11),
    "causal decoder": Example(Decoder(), ((6,),), below=11),
    "cross attention": Example(CrossAttention(), ((3, 6), (5, 4))),
    "vision transformer": Example(VisionTransformer(), IMAGES),
    "mixer": Example(Mixer(), SEQUENCES),
    "bag of words": Example(Bag(), ((5,),), below=20),
    "autoencoder": Example(Autoencoder(), IMAGES),
    "U-Net": Example(UNet(), IMAGES),
    "temporal convolution": Example(Temporal(), SEQUENCES),
    "squeeze and excitation": Example(SqueezeExcitation(), IMAGES),
    "weight norm": Example(Reparametrized(), ((4,),)),
    "spectral norm": Example(Spectral(), ((4,),)),
    "scanned layers": Example(Scanned(), ((5,),)),
    "rematerialized layers": Example(Rematerialized(), ((5,),)),
    "rotary attention": Example(Rotary(), SEQUENCES),
    "mixture of experts": Example(Experts(), ((6,),)),
    "pools": Example(Pooled(), IMAGES),
    "bfloat16": Example(Half(), ((6,),), tolerance=3e-2),
    "products": Example(Products(), ((4, 5), (3, 6))),
    "dropout": Example(Dropped(), ((6,),)),
    "gated linear unit": Example(Gated(), ((6,),)),
    "activations": Example(Activations(), ((6,),)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_exports_of_modules(name):
    example = EXAMPLES[name]
    program = example.program()
    exported = export.export(program)(*example.specs(export.symbolic_shape("batch")[0]))
    model = hlo2onnx.convert(bytes(exported.serialize()))
    onnx.checker.check_model(model, full_check=True)
    assert names(model.graph.input) == example.parameters()
    assert shapes(model.graph.input) == [("batch", *shape) for shape in example.shapes]
    assert {shape[0] for shape in shapes(model.graph.output)} == {"batch"}
    assert hlo2onnx.convert(exported.mlir_module()) == model
    for count in BATCHES:
        agree(program, model, *example.inputs(count), rtol=example.tolerance, atol=example.tolerance)
