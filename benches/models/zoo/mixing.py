"""Blocks that mix tokens without attention: MLP-Mixer, FNet, filters in the frequency domain, random features."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from zoo.encoders import FeedForward
from zoo.registry import Array, Program, integers, linen, model, normal


class Mixer(nn.Module):
    """MLP-Mixer."""

    patch: int
    width: int
    layers: int
    tokens: int
    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        patch = (self.patch, self.patch)
        x = nn.Conv(self.width, patch, patch, padding="VALID")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        for _ in range(self.layers):
            y = FeedForward(self.tokens)(nn.LayerNorm()(x).transpose(0, 2, 1))
            x = x + y.transpose(0, 2, 1)
            x = x + FeedForward(4 * self.width)(nn.LayerNorm()(x))
        return nn.Dense(self.classes)(jnp.mean(nn.LayerNorm()(x), axis=1))


@model("mixer-base", real=True, layers=12)
def mixer_base() -> Program:
    return linen(Mixer(16, 768, 12, 384, 1000), normal(1, 224, 224, 3))


@model("mixer-small", layers=2)
def mixer_small() -> Program:
    return linen(Mixer(8, 48, 2, 24, 10), normal(1, 32, 32, 3))


class FNet(nn.Module):
    """FNet: the real part of a Fourier transform over tokens and features in place of attention."""

    words: int
    width: int
    layers: int
    # One transform over both axes, or one over each.
    together: bool = True

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        x = nn.Embed(self.words, self.width)(ids)
        x = nn.LayerNorm()(x + nn.Embed(512, self.width)(jnp.arange(ids.shape[1])))
        for _ in range(self.layers):
            y = jnp.fft.fft2(x) if self.together else jnp.fft.fft(jnp.fft.fft(x), axis=1)
            x = nn.LayerNorm()(x + y.real)
            x = nn.LayerNorm()(x + FeedForward(4 * self.width)(x))
        return nn.tanh(nn.Dense(self.width)(x[:, 0]))


@model("fnet-base", real=True, layers=12)
def fnet_base() -> Program:
    return linen(FNet(30522, 768, 12), integers(30522, 1, 128))


@model("fnet-small", layers=2)
def fnet_small() -> Program:
    return linen(FNet(200, 48, 2, together=False), integers(200, 1, 16))


class GlobalFilter(nn.Module):
    """Learned filters between a real Fourier transform and its inverse."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        height, width, channels = x.shape[1:]
        for i in range(2):
            shape = (height, width // 2 + 1, channels)
            real = self.param(f"real_{i}", nn.initializers.normal(0.02), shape)
            imaginary = self.param(f"imaginary_{i}", nn.initializers.normal(0.02), shape)
            spectrum = jnp.fft.rfft2(nn.LayerNorm()(x), axes=(1, 2)) * (real + 1j * imaginary)
            y = jnp.fft.irfft2(spectrum, s=(height, width), axes=(1, 2))
            x = x + FeedForward(2 * channels)(y)
        return x


@model("global-filter")
def global_filter() -> Program:
    return linen(GlobalFilter(), normal(1, 12, 12, 16))


class Spectrogram(nn.Module):
    """Frames, a window, magnitudes of frequencies, and a small classifier."""

    @nn.compact
    def __call__(self, signal: Array) -> Array:
        size, step = 64, 32
        starts = jnp.arange(0, signal.shape[1] - size + 1, step)
        frames = signal[:, starts[:, None] + jnp.arange(size)]
        power = jnp.abs(jnp.fft.rfft(frames * jnp.hanning(size))) ** 2
        x = jnp.log(nn.Dense(16, use_bias=False)(power) ** 2 + 1e-6)
        return nn.Dense(10)(nn.relu(nn.Conv(32, (3,))(x)).mean(axis=1))


@model("spectrogram")
def spectrogram() -> Program:
    return linen(Spectrogram(), normal(1, 1024))


class LinearAttention(nn.Module):
    """Causal attention without a softmax, whose sums run over prefixes."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for _ in range(2):
            y = nn.LayerNorm()(x)
            q, k, v = (nn.DenseGeneral((2, 8))(y) for _ in range(3))
            q, k = nn.elu(q) + 1, nn.elu(k) + 1
            state = jnp.cumsum(jnp.einsum("bthi,bthj->bthij", k, v), axis=1)
            total = jnp.einsum("bthi,bthi->bth", q, jnp.cumsum(k, axis=1))
            y = jnp.einsum("bthi,bthij->bthj", q, state) / total[..., None]
            x = x + nn.DenseGeneral(x.shape[-1], axis=(-2, -1))(y)
        return x


@model("linear-attention")
def linear_attention() -> Program:
    return linen(LinearAttention(), normal(1, 24, 16))
