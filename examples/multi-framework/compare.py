"""Trains a classifier with scikit-learn and runs its weights with TensorFlow and with ONNX Runtime: the three must agree."""

import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

x, y = load_iris(return_X_y=True)
x = x.astype(np.float32)
model = LogisticRegression(max_iter=500).fit(x, y)
weights, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)


def with_tensorflow() -> np.ndarray:
    return tf.nn.softmax(tf.constant(x) @ weights + bias).numpy()


def with_onnx() -> np.ndarray:
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), helper.make_node("Softmax", ["z"], ["p"])],
        "iris",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(made)
    return ort.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0]


expected = model.predict_proba(x)
for name, found in [("tensorflow", with_tensorflow()), ("onnxruntime", with_onnx())]:
    print(name, "agrees" if np.allclose(found, expected, atol=1e-5) else "differs")
print(f"accuracy {model.score(x, y):.2f}")
