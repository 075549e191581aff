"""utils, backend, names at the top, and preprocessing."""

import numpy as np

from .tools import Collector, data

CASES = Collector()
IMAGES = np.abs(data(6, 8, 8, 1))
SOURCES = """
k.utils.to_categorical([0, 2, 1])
k.utils.to_categorical([0, 2, 1], 4)
k.utils.to_categorical([0, 2, 1], num_classes=3)
k.utils.to_categorical([[0], [2]])
k.utils.to_categorical([[0, 1], [2, 1]])
k.utils.to_categorical(np.array([0, 2]), 3).dtype
k.utils.to_categorical(np.array([0.0, 2.0]))
k.utils.to_categorical([0, 5], 3)
k.utils.to_categorical([-1, 0])
k.utils.to_categorical(3)
k.utils.to_categorical("x")
k.utils.to_categorical([], 3)
k.utils.to_categorical([0, 1], dtype="int32")
k.utils.normalize(np.arange(6.0).reshape(2, 3))
k.utils.normalize(np.arange(6.0).reshape(2, 3), order=1)
k.utils.set_random_seed(3)
k.utils.set_random_seed("x")
k.utils.set_random_seed(-1)
k.utils.clear_session()
k.utils.get_custom_objects()
k.utils.get_registered_name(k.layers.Dense)
k.utils.is_keras_tensor(k.Input((4,)))
k.utils.is_keras_tensor(np.ones(3))
k.utils.Sequence.__name__
k.backend.image_data_format()
k.backend.floatx()
k.backend.epsilon()
k.backend.set_floatx("float32")
k.backend.set_floatx("float16")
k.backend.set_image_data_format("channels_last")
k.backend.set_image_data_format("nonsense")
k.backend.clear_session()
k.backend.set_epsilon(1e-7)
k.backend.is_float_dtype("float32")
k.backend.result_type("float32", "int8")
k.config.floatx()
k.mixed_precision.set_global_policy("float32")
k.ops.sum([1.0])
k.random.normal((2,))
k.applications.VGG16
k.Variable(1.0)
k.version()
k.saving.get_custom_objects()
k.saving.get_registered_name(k.layers.Dense)
k.saving.get_registered_object("nonsense")
k.activations.serialize(k.activations.relu)
k.activations.deserialize("relu").__name__
k.activations.get("relu").__name__
k.activations.relu([-1.0, 2.0])
k.activations.relu(np.array([-1.0, 8.0]), max_value=6.0)
k.activations.relu(np.array([-1.0, 8.0]), negative_slope=0.1)
k.activations.softmax(np.ones((2, 3)))
k.activations.softmax(np.ones((2, 3)), axis=0)
k.activations.softmax(np.ones(3))
k.activations.elu(np.array([-1.0, 1.0]), alpha=2.0)
k.activations.leaky_relu(np.array([-1.0, 1.0]), negative_slope=0.3)
k.activations.sigmoid(np.array([-1000.0, 0.0, 1000.0]))
k.activations.tanh([0.5])
k.activations.gelu(np.array([-1.0, 1.0]), approximate=True)
k.activations.gelu(np.array([-1.0, 1.0]), approximate=False)
k.activations.nonsense
k.layers.Nonsense
k.nonsense
k.losses.nonsense
k.layers.serialize(k.layers.Dense(3))["class_name"]
k.layers.deserialize(k.layers.serialize(k.layers.Dense(3))).units
k.layers.deserialize({"class_name": "Nonsense", "config": {}})
k.initializers.get("zeros") is not None
k.datasets.imdb
k.datasets.nonsense
k.preprocessing.sequence.pad_sequences([[1]])
k.tree.flatten([1])
k.wrappers.SKLearnClassifier
"""
for source in SOURCES.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(source, {"k": k, "np": np})
