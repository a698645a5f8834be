"""Points, rays, graphs and grids: NeRF, a graph network, sampling of images at computed places."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.registry import Array, Program, integers, linen, model, normal


class Nerf(nn.Module):
    """Encoded points along rays, a dense network, and the light along each ray."""

    @nn.compact
    def __call__(self, origins: Array, directions: Array) -> tuple[Array, Array]:
        distances = jnp.linspace(2.0, 6.0, 16)
        points = origins[:, None] + directions[:, None] * distances[:, None]
        encoded = [points] + [wave(points * 2.0**i) for i in range(4) for wave in (jnp.sin, jnp.cos)]
        features = jnp.concatenate(encoded, axis=-1)
        h = features
        for i in range(4):
            h = nn.relu(nn.Dense(64)(jnp.concatenate([h, features], axis=-1) if i == 2 else h))
        outputs = nn.Dense(4)(h)
        gaps = jnp.diff(distances, append=1e10)
        alpha = 1.0 - jnp.exp(-nn.relu(outputs[..., 3]) * gaps)
        light = jnp.cumprod(1.0 - alpha + 1e-10, axis=1)
        light = jnp.concatenate([jnp.ones_like(light[:, :1]), light[:, :-1]], axis=1)
        share = alpha * light
        return jnp.sum(share[..., None] * nn.sigmoid(outputs[..., :3]), axis=1), jnp.sum(share * distances, axis=1)


@model("nerf")
def nerf() -> Program:
    return linen(Nerf(), normal(8, 3), normal(8, 3, seed=1))


class GraphNetwork(nn.Module):
    """Messages along edges, summed at nodes, and attention over neighbours."""

    @nn.compact
    def __call__(self, nodes: Array, senders: Array, receivers: Array) -> Array:
        count = nodes.shape[0]
        x = nn.Dense(32)(nodes)
        for _ in range(2):
            messages = nn.relu(nn.Dense(32)(jnp.concatenate([x[senders], x[receivers]], axis=-1)))
            x = x + nn.Dense(32)(jax.ops.segment_sum(messages, receivers, count))
            scores = nn.leaky_relu(nn.Dense(1)(messages)[:, 0])
            largest = jax.ops.segment_max(scores, receivers, count)
            exponentials = jnp.exp(scores - largest[receivers])
            shares = exponentials / jax.ops.segment_sum(exponentials, receivers, count)[receivers]
            x = x + jax.ops.segment_sum(x[senders] * shares[:, None], receivers, count)
        return nn.Dense(4)(x)


@model("graph-network")
def graph_network() -> Program:
    return linen(GraphNetwork(), normal(16, 8), integers(16, 48), integers(16, 48, seed=1))


class SpatialTransformer(nn.Module):
    """An affine map from the image, and bilinear samples of it there."""

    @nn.compact
    def __call__(self, images: Array) -> Array:
        batch, height, width, _ = images.shape
        theta = nn.Dense(6)(nn.relu(nn.Dense(16)(images.reshape(batch, -1)))).reshape(batch, 2, 3)
        theta = theta * 0.1 + jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        rows, columns = jnp.meshgrid(jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij")
        grid = jnp.stack([rows, columns, jnp.ones_like(rows)], axis=-1)
        places = jnp.einsum("bij,hwj->bhwi", theta, grid)
        places = (places + 1.0) * jnp.array([height - 1, width - 1]) / 2.0
        return jax.vmap(sample)(images, places)


def sample(image: Array, places: Array) -> Array:
    """Bilinear samples of an image, zero outside."""

    def channel(values: Array) -> Array:
        return jax.scipy.ndimage.map_coordinates(values, [places[..., 0], places[..., 1]], order=1, mode="constant")

    return jax.vmap(channel, in_axes=-1, out_axes=-1)(image)


@model("grid-sampling")
def grid_sampling() -> Program:
    return linen(SpatialTransformer(), normal(2, 12, 12, 3))


class Warp(nn.Module):
    """Bilinear samples through gathers of four corners, as flow estimators write them."""

    @nn.compact
    def __call__(self, image: Array, flow: Array) -> Array:
        height, width, _ = image.shape
        y = jnp.clip(jnp.arange(height)[:, None] + flow[..., 0], 0, height - 1)
        x = jnp.clip(jnp.arange(width)[None, :] + flow[..., 1], 0, width - 1)
        top, left = jnp.floor(y).astype(jnp.int32), jnp.floor(x).astype(jnp.int32)
        bottom, right = jnp.minimum(top + 1, height - 1), jnp.minimum(left + 1, width - 1)
        dy, dx = (y - top)[..., None], (x - left)[..., None]
        upper = image[top, left] * (1 - dx) + image[top, right] * dx
        lower = image[bottom, left] * (1 - dx) + image[bottom, right] * dx
        return nn.Conv(8, (3, 3))((upper * (1 - dy) + lower * dy)[None])


@model("flow-warp")
def flow_warp() -> Program:
    return linen(Warp(), normal(16, 16, 3), normal(16, 16, 2, seed=1))
