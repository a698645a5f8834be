"""Small convolutional networks: LeNet, norms, squeeze and excitation, one and three dimensions, resizing."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.registry import Array, Program, linen, model, normal


class LeNet(nn.Module):
    """LeNet-5."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.avg_pool(nn.relu(nn.Conv(6, (5, 5))(x)), window_shape=(2, 2), strides=(2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(16, (5, 5), padding="VALID")(x)), window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nn.tanh(nn.Dense(120)(x))
        x = nn.tanh(nn.Dense(84)(x))
        return nn.softmax(nn.Dense(10)(x))


@model("lenet")
def lenet() -> Program:
    return linen(LeNet(), normal(1, 28, 28, 1))


class Norms(nn.Module):
    """Each norm of Flax behind a convolution."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(nn.GroupNorm(4)(nn.Conv(16, (3, 3))(x)))
        x = nn.relu(nn.InstanceNorm()(nn.Conv(16, (3, 3))(x)))
        x = nn.relu(nn.RMSNorm()(nn.Conv(16, (3, 3))(x)))
        x = nn.relu(nn.LayerNorm()(nn.Conv(16, (3, 3))(x)))
        return nn.BatchNorm(use_running_average=True)(nn.Conv(16, (3, 3))(x))


@model("norms")
def norms() -> Program:
    return linen(Norms(), normal(2, 12, 12, 3))


class Squeeze(nn.Module):
    """EfficientNet's block: a gate on channels."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for _ in range(2):
            width = 2 * x.shape[-1]
            y = nn.silu(nn.BatchNorm(use_running_average=True)(nn.Conv(width, (1, 1), use_bias=False)(x)))
            y = nn.Conv(width, (3, 3), feature_group_count=width, use_bias=False)(y)
            y = nn.silu(nn.BatchNorm(use_running_average=True)(y))
            gate = nn.silu(nn.Conv(width // 4, (1, 1))(jnp.mean(y, axis=(1, 2), keepdims=True)))
            y = y * nn.sigmoid(nn.Conv(width, (1, 1))(gate))
            x = x + nn.BatchNorm(use_running_average=True)(nn.Conv(x.shape[-1], (1, 1), use_bias=False)(y))
        return x


@model("squeeze-excite")
def squeeze_excite() -> Program:
    return linen(Squeeze(), normal(1, 16, 16, 16))


class WaveNet(nn.Module):
    """Gated convolutions with growing dilation."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(16, (1,))(x)
        total = jnp.zeros_like(x)
        for i in range(4):
            y = nn.Conv(32, (2,), padding="CAUSAL", kernel_dilation=(2**i,))(x)
            y = nn.tanh(y[..., :16]) * nn.sigmoid(y[..., 16:])
            total = total + nn.Conv(16, (1,))(y)
            x = x + nn.Conv(16, (1,))(y)
        return nn.Conv(8, (1,))(nn.relu(nn.Conv(16, (1,))(nn.relu(total))))


@model("wavenet")
def wavenet() -> Program:
    return linen(WaveNet(), normal(1, 64, 4))


class Volumes(nn.Module):
    """Convolutions and pools in three dimensions, there and back."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(nn.Conv(8, (3, 3, 3))(x))
        x = nn.avg_pool(x, window_shape=(2, 2, 2), strides=(2, 2, 2))
        x = nn.relu(nn.Conv(16, (3, 3, 3))(x))
        return nn.ConvTranspose(2, (2, 2, 2), (2, 2, 2))(x)


@model("volumes")
def volumes() -> Program:
    return linen(Volumes(), normal(1, 8, 16, 16, 2))


class SuperResolution(nn.Module):
    """Convolutions, and the move of channels to pixels, beside a resized input."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, height, width, channels = x.shape
        y = nn.relu(nn.Conv(16, (3, 3))(x))
        y = nn.relu(nn.Conv(16, (3, 3), kernel_dilation=(2, 2))(y))
        y = nn.Conv(4 * channels, (3, 3))(y).reshape(batch, height, width, 2, 2, channels)
        y = y.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels)
        return y + jax.image.resize(x, y.shape, "bilinear")


@model("super-resolution")
def super_resolution() -> Program:
    return linen(SuperResolution(), normal(1, 16, 16, 3))


class Resizes(nn.Module):
    """Each method of `jax.image.resize`, up and down."""

    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        x = nn.Conv(4, (3, 3))(x)
        batch, height, width, channels = x.shape
        larger, smaller = (batch, 2 * height, 2 * width, channels), (batch, height // 2, width // 2, channels)
        methods = ["nearest", "bilinear", "cubic"]
        return [jax.image.resize(x, shape, method) for shape in (larger, smaller) for method in methods]


@model("resize")
def resize() -> Program:
    return linen(Resizes(), normal(1, 16, 16, 3))
