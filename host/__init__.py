"""The host: networks, compiler, execution, reports, ONNX models, estimates and the command line."""
