"""Exports models of the zoo's sizes with `torch.onnx.export`, written as users of torch write them. Their weights are random.

The runner starts it with the Python of `--torch`, which needs torch, torchvision and onnxscript.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from processes import Job, alone, serve


class Attention(nn.Module):
    """Multi-head attention through torch's own function."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            layer(x).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.project(y.transpose(1, 2).reshape(batch, length, width))


class BertLayer(nn.Module):
    """A block with the norms behind the residuals."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal=False)
        self.first, self.second = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.first(x + self.attention(x, mask))
        return self.second(x + self.project(F.gelu(self.expand(x))))


class Bert(nn.Module):
    """BERT-base with its pooler."""

    def __init__(self, words: int = 30522, width: int = 768, layers: int = 12, heads: int = 12) -> None:
        super().__init__()
        self.words, self.positions, self.kinds = nn.Embedding(words, width), nn.Embedding(512, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def forward(self, ids: Tensor, kinds: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.kinds(kinds) + self.positions(positions))
        mask = present.bool()[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        for layer in self.layers:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


class GptLayer(nn.Module):
    """A block with the norms before attention and dense layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal=True)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first(x), None)
        return x + self.project(F.gelu(self.expand(self.second(x)), approximate="tanh"))


class Gpt(nn.Module):
    """GPT-2 small, whose output layer is its embedding."""

    def __init__(self, words: int = 50257, width: int = 768, layers: int = 12, heads: int = 12) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(1024, width)
        self.layers = nn.ModuleList(GptLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


def ids(words: int) -> Tensor:
    """A sequence of the zoo's length."""
    return torch.randint(words, (1, 128))


def present() -> Tensor:
    """The zoo's mask: the last quarter is padding."""
    mask = torch.ones(1, 128, dtype=torch.int64)
    mask[:, -32:] = 0
    return mask


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "bert-base": lambda: (Bert(), (ids(30522), torch.randint(2, (1, 128)), present())),
    "gpt2": lambda: (Gpt(), (ids(50257),)),
    "vit-base": lambda: (models.vit_b_16(weights=None), (torch.randn(1, 3, 224, 224),)),
    "resnet50": lambda: (models.resnet50(weights=None), (torch.randn(1, 3, 224, 224),)),
}


def export(job: Job) -> Job:
    """Exports one model, unless that has been done, and writes its inputs."""
    if job["model"] not in MODELS:
        return {"known": False}
    output = Path(job["output"])
    note = output.with_suffix(".json")
    key = f"torch {torch.__version__}"
    if note.exists():
        kept: Job = json.loads(note.read_text())
        if kept["key"] == key:
            return kept
    torch.manual_seed(0)
    module, inputs = MODELS[job["model"]]()
    torch.onnx.export(module.eval(), inputs, output, dynamo=True)
    arrays = {f"a{i:03}": value.numpy() for i, value in enumerate(inputs)}
    np.savez(job["inputs"], **arrays)
    result: Job = {"key": key}
    note.write_text(json.dumps(result))
    return result


def perform(job: Job) -> Job:
    """Exports one model; another run that does the same waits, and finds it."""
    with alone(Path(job["output"]).parent):
        return export(job)


if __name__ == "__main__":
    serve(perform)
