"""Fits a line with TensorFlow and says on which devices it ran."""

import tensorflow as tf

x = tf.constant([[0.0], [1.0], [2.0], [3.0]])
y = 2 * x + 1
w, b = tf.Variable(0.0), tf.Variable(0.0)
for _ in range(500):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((w * x + b - y) ** 2)
    dw, db = tape.gradient(loss, [w, b])
    w.assign_sub(0.05 * dw)
    b.assign_sub(0.05 * db)
print("tensorflow", tf.__version__, "devices", [d.device_type for d in tf.config.list_physical_devices()])
print(f"y = {w.numpy():.2f} x + {b.numpy():.2f}")
