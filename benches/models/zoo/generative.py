"""Generative models: VAE, vector quantization, a normalizing flow, and a step of diffusion."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.registry import Array, Program, integers, key, linen, model, normal, weights_of


class Vae(nn.Module):
    """A variational autoencoder that samples its latents."""

    @nn.compact
    def __call__(self, x: Array, rng: Array) -> tuple[Array, Array, Array]:
        shape = x.shape
        h = nn.relu(nn.Dense(64)(x.reshape(shape[0], -1)))
        mean, log_variance = nn.Dense(8)(h), nn.Dense(8)(h)
        z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(rng, mean.shape)
        y = nn.sigmoid(nn.Dense(x.size // shape[0])(nn.relu(nn.Dense(64)(z))))
        return y.reshape(shape), mean, log_variance


@model("vae", random=True)
def vae() -> Program:
    return linen(Vae(), normal(2, 14, 14, 1), key(5))


@model("vae-constant-key", random=True)
def vae_constant_key() -> Program:
    """The key is in the program, so its random numbers are constants."""
    module, x = Vae(), normal(2, 14, 14, 1)

    def function(weights: Any, x: Array) -> Any:
        return module.apply(weights, x, jax.random.PRNGKey(7))

    return Program(function, weights_of(module, x, key()), (x,))


class VectorQuantized(nn.Module):
    """An autoencoder whose latents are the nearest entries of a codebook."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        z = nn.Conv(16, (4, 4), (2, 2))(x)
        codes = self.param("codes", nn.initializers.normal(1.0), (32, 16))
        flat = z.reshape(-1, 16)
        distances = jnp.sum(flat**2, axis=1, keepdims=True) - 2 * flat @ codes.T + jnp.sum(codes**2, axis=1)
        chosen = jnp.argmin(distances, axis=1)
        quantized = codes[chosen].reshape(z.shape)
        quantized = z + jax.lax.stop_gradient(quantized - z)
        return nn.ConvTranspose(3, (4, 4), (2, 2))(nn.relu(quantized)), chosen


@model("vector-quantized")
def vector_quantized() -> Program:
    return linen(VectorQuantized(), normal(1, 16, 16, 3))


class RealNvp(nn.Module):
    """Couplings between halves of the features, and the density of the result."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        total = jnp.zeros(x.shape[0], x.dtype)
        for _ in range(4):
            a, b = x[:, ::2], x[:, 1::2]
            scale, shift = jnp.split(nn.Dense(x.shape[1])(nn.tanh(nn.Dense(32)(a))), 2, axis=-1)
            scale = jnp.tanh(scale)
            b = b * jnp.exp(scale) + shift
            total = total + jnp.sum(scale, axis=-1)
            x = jnp.flip(jnp.stack([a, b], axis=-1).reshape(x.shape), axis=-1)
        return x, total + jnp.sum(jax.scipy.stats.norm.logpdf(x), axis=-1)


@model("real-nvp")
def real_nvp() -> Program:
    return linen(RealNvp(), normal(8, 8))


class Denoiser(nn.Module):
    """A block of a diffusion model: features of the time scale and shift the image's."""

    @nn.compact
    def __call__(self, x: Array, time: Array) -> Array:
        frequencies = jnp.exp(-jnp.log(10000.0) * jnp.arange(8) / 8)
        angles = time[:, None] * frequencies
        features = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        features = nn.Dense(64)(nn.silu(nn.Dense(32)(features)))
        scale, shift = jnp.split(features[:, None, None, :], 2, axis=-1)
        h = nn.Conv(32, (3, 3))(x)
        y = nn.GroupNorm(8)(h) * (1 + scale) + shift
        h = h + nn.Conv(32, (3, 3))(nn.silu(y))
        flat = nn.GroupNorm(8)(h).reshape(h.shape[0], -1, 32)
        h = h + nn.MultiHeadDotProductAttention(2)(flat).reshape(h.shape)
        return nn.Conv(x.shape[-1], (3, 3))(nn.silu(nn.GroupNorm(8)(h)))


@model("denoiser")
def denoiser() -> Program:
    return linen(Denoiser(), normal(1, 8, 8, 3), integers(1000, 1).astype("float32"))
