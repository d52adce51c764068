"""ONNX in: quantised models as layers of the accelerator and steps of the host, bit for bit as ONNX Runtime."""
