"""A model from PyTorch: made int8, run on the RTL, and judged by ONNX Runtime.

small_digits.onnx is float32; export_small_digits.py says how it was made. ``run`` raises ``ChecksFailed`` if a layer
differs from golden in any bit or from the timing model in any cycle, or the outputs from ONNX Runtime's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from wingrid import quantize, run

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "configs" / "tiny-4x4.toml"
TRAINED_ON = 1497
IMAGES = 20


def main() -> None:
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    new, labels = images[TRAINED_ON:][:IMAGES], digits.target[TRAINED_ON:][:IMAGES]
    with tempfile.TemporaryDirectory() as folder:
        samples, model = Path(folder) / "samples.npz", Path(folder) / "int8.onnx"
        np.savez(samples, images=images[:100])
        model.write_bytes(quantize(HERE / "small_digits.onnx", samples))
        done = run(str(model), new, config=CONFIG)
    for layer in done.as_dict()["layers"]:
        print(f"{layer['name']:24} {layer['macs']:8,} MACs {layer['cycles']:7,} cycles")
    print(f"{np.sum(done.output.argmax(axis=1) == labels)} of {IMAGES} digits recognised, every bit ONNX Runtime's")


if __name__ == "__main__":
    main()
