"""Convolutional networks with residuals: ResNet, MobileNetV2, ConvNeXt, U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax.numpy as jnp

from zoo.registry import Array, Program, linen, model, normal

BatchNorm = partial(nn.BatchNorm, use_running_average=True)


class ResidualBlock(nn.Module):
    """Two convolutions, or three with a narrow one in the middle."""

    features: int
    stride: int
    narrow: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        convolution = partial(nn.Conv, use_bias=False)
        strides = (self.stride, self.stride)
        wide = 4 * self.features if self.narrow else self.features
        if self.narrow:
            y = nn.relu(BatchNorm()(convolution(self.features, (1, 1))(x)))
            y = nn.relu(BatchNorm()(convolution(self.features, (3, 3), strides)(y)))
            y = BatchNorm()(convolution(wide, (1, 1))(y))
        else:
            y = nn.relu(BatchNorm()(convolution(self.features, (3, 3), strides)(x)))
            y = BatchNorm()(convolution(wide, (3, 3))(y))
        if x.shape != y.shape:
            x = BatchNorm()(convolution(wide, (1, 1), strides)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    """ResNet, version 1.5."""

    blocks: Sequence[int]
    narrow: bool
    features: int = 64
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(self.features, (7, 7), (2, 2), padding=[(3, 3), (3, 3)], use_bias=False)(x)
        x = nn.relu(BatchNorm()(x))
        x = nn.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage, blocks in enumerate(self.blocks):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                x = ResidualBlock(self.features * 2**stage, stride, self.narrow)(x)
        return nn.Dense(self.classes)(jnp.mean(x, axis=(1, 2)))


@model("resnet50", real=True)
def resnet50() -> Program:
    return linen(ResNet((3, 4, 6, 3), True), normal(1, 224, 224, 3))


@model("resnet18", real=True)
def resnet18() -> Program:
    return linen(ResNet((2, 2, 2, 2), False), normal(1, 224, 224, 3))


@model("resnet-small")
def resnet_small() -> Program:
    return linen(ResNet((1, 1, 1), False, 16, 10), normal(1, 32, 32, 3))


class InvertedBlock(nn.Module):
    """Expansion, a depthwise convolution, and projection."""

    features: int
    expansion: int
    stride: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1] * self.expansion
        y = x
        if self.expansion > 1:
            y = nn.relu6(BatchNorm()(nn.Conv(width, (1, 1), use_bias=False)(y)))
        strides = (self.stride, self.stride)
        y = nn.Conv(width, (3, 3), strides, feature_group_count=width, use_bias=False)(y)
        y = nn.relu6(BatchNorm()(y))
        y = BatchNorm()(nn.Conv(self.features, (1, 1), use_bias=False)(y))
        return x + y if x.shape == y.shape else y


class MobileNet(nn.Module):
    """MobileNetV2. A stage is expansion, features, blocks and stride."""

    stages: Sequence[tuple[int, int, int, int]]
    first: int = 32
    last: int = 1280
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu6(BatchNorm()(nn.Conv(self.first, (3, 3), (2, 2), use_bias=False)(x)))
        for expansion, features, blocks, stride in self.stages:
            for block in range(blocks):
                x = InvertedBlock(features, expansion, stride if block == 0 else 1)(x)
        x = nn.relu6(BatchNorm()(nn.Conv(self.last, (1, 1), use_bias=False)(x)))
        return nn.Dense(self.classes)(jnp.mean(x, axis=(1, 2)))


@model("mobilenet-v2", real=True)
def mobilenet_v2() -> Program:
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    return linen(MobileNet(stages), normal(1, 224, 224, 3))


@model("mobilenet-small")
def mobilenet_small() -> Program:
    return linen(MobileNet(((1, 8, 1, 1), (6, 12, 2, 2)), 8, 32, 10), normal(1, 32, 32, 3))


class ConvNext(nn.Module):
    """ConvNeXt: depthwise convolutions of 7 by 7, layer norms, and scaled residuals."""

    blocks: Sequence[int]
    features: Sequence[int]
    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for stage, (blocks, features) in enumerate(zip(self.blocks, self.features)):
            if stage == 0:
                x = nn.LayerNorm(epsilon=1e-6)(nn.Conv(features, (4, 4), (4, 4), padding="VALID")(x))
            else:
                x = nn.Conv(features, (2, 2), (2, 2), padding="VALID")(nn.LayerNorm(epsilon=1e-6)(x))
            for block in range(blocks):
                y = nn.Conv(features, (7, 7), feature_group_count=features)(x)
                y = nn.Dense(4 * features)(nn.LayerNorm(epsilon=1e-6)(y))
                y = nn.Dense(features)(nn.gelu(y, approximate=False))
                x = x + y * self.param(f"gamma_{stage}_{block}", nn.initializers.constant(1e-6), (features,))
        return nn.Dense(self.classes)(nn.LayerNorm(epsilon=1e-6)(jnp.mean(x, axis=(1, 2))))


@model("convnext-tiny", real=True)
def convnext_tiny() -> Program:
    return linen(ConvNext((3, 3, 9, 3), (96, 192, 384, 768), 1000), normal(1, 224, 224, 3))


@model("convnext-small")
def convnext_small() -> Program:
    return linen(ConvNext((1, 1), (16, 32), 10), normal(1, 32, 32, 3))


class Pair(nn.Module):
    """Two convolutions of a U-Net, with batch norms."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for _ in range(2):
            x = nn.relu(BatchNorm()(nn.Conv(self.features, (3, 3))(x)))
        return x


class UNet(nn.Module):
    """The U-Net of segmentation."""

    features: Sequence[int]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kept = []
        for features in self.features[:-1]:
            x = Pair(features)(x)
            kept.append(x)
            x = nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = Pair(self.features[-1])(x)
        for features, skip in zip(reversed(self.features[:-1]), reversed(kept)):
            x = nn.ConvTranspose(features, (2, 2), (2, 2))(x)
            x = Pair(features)(jnp.concatenate([skip, x], axis=-1))
        return nn.Conv(2, (1, 1))(x)


@model("unet", real=True)
def unet() -> Program:
    return linen(UNet((32, 64, 128, 256)), normal(1, 128, 128, 3))


@model("unet-small")
def unet_small() -> Program:
    return linen(UNet((8, 16)), normal(1, 16, 16, 3))
