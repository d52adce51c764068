"""How small_digits.onnx came about: trained and exported with PyTorch, which nothing else here needs.

    pip install torch==2.13.0 onnx scikit-learn
    python examples/export_small_digits.py

Two 3x3 convolutions with ReLU and max pooling, and a fully connected layer, on scikit-learn's digits of 8x8 pixels.
The last 300 digits are left for examples/run_onnx_model.py.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from sklearn.datasets import load_digits
from torch import nn

MODEL = Path(__file__).resolve().with_name("small_digits.onnx")
HELD_BACK = 300
EPOCHS = 60


def main() -> None:
    torch.manual_seed(1)
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), lr=0.003)
    known = len(images) - HELD_BACK
    for _ in range(EPOCHS):
        for batch in torch.randperm(known).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        right = (model(images[known:]).argmax(1) == labels[known:]).sum()
    print(f"{right} of {HELD_BACK} digits recognised that it was not trained on")
    torch.onnx.export(
        model, (images[:1],), MODEL, input_names=["images"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("images", min=1)},), external_data=False, dynamo=True,
    )  # fmt: skip
    forget_origin(onnx.load(MODEL))


def forget_origin(exported: onnx.ModelProto) -> None:
    """Save the model without the notes that PyTorch leaves in it, which name files of this machine."""
    graph = exported.graph
    for part in (exported, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(exported, MODEL)


if __name__ == "__main__":
    main()
