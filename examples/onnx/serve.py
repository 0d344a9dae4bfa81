"""Builds a one-node model and runs it on whatever ONNX Runtime finds."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

a = helper.make_tensor_value_info("a", TensorProto.FLOAT, [2, 2])
b = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2, 2])
graph = helper.make_graph([helper.make_node("MatMul", ["a", "a"], ["b"])], "square", [a], [b])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
onnx.checker.check_model(model)
session = ort.InferenceSession(model.SerializeToString(), providers=ort.get_available_providers())
print("onnxruntime", ort.__version__, ort.get_available_providers())
print(session.run(None, {"a": np.array([[1, 2], [3, 4]], dtype=np.float32)})[0].tolist())
