"""The frameworks, each with the same network and recipe. All are optional."""

import numpy as np


class TorchPeer:
    """PyTorch, eager or compiled, in either memory layout."""

    def __init__(self, shape, net, threads, channels_last=True, compiled=False):
        import torch
        from torch import nn as tnn

        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        layers, (height, width, channels) = [], shape
        for item in net:
            kind = item if isinstance(item, str) else item[0]
            if kind == "conv":
                layers.append(tnn.Conv2d(channels, item[1], item[2]))
                channels, height, width = item[1], height - item[2] + 1, width - item[2] + 1
            elif kind == "pool":
                layers.append(tnn.MaxPool2d(2))
                height, width = height // 2, width // 2
            elif kind == "flatten":
                layers.append(tnn.Flatten())
                channels = channels * height * width
            elif kind == "dense":
                layers.append(tnn.Linear(channels, item[1]))
                channels = item[1]
            elif kind == "dropout":
                layers.append(tnn.Dropout(item[1]))
            elif kind == "bn":
                layers.append(tnn.BatchNorm2d(channels))
            elif kind == "relu":
                layers.append(tnn.ReLU())
        self.plain = tnn.Sequential(*layers).to(memory_format=self.format)
        self.net = torch.compile(self.plain) if compiled else self.plain
        # foreach: all weights in one call, the faster of its two loops on these small layers.
        settings = {"lr": 1.0, "rho": 0.95, "eps": 1e-7, "foreach": True}
        self.optimizer = torch.optim.Adadelta(self.plain.parameters(), **settings)
        self.loss = tnn.CrossEntropyLoss()

    def tensor(self, x):
        """Return NHWC images as a tensor in this peer's layout."""
        images = self.torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        return images.contiguous(memory_format=self.format)

    def labels(self, y):
        """Return labels as a tensor."""
        return self.torch.from_numpy(y.astype(np.int64))

    def chosen(self, tensor, rows):
        """Return some rows of a tensor."""
        return tensor[rows]

    def step(self, x, y):
        """Take one training step on tensors."""
        if not self.net.training:  # walks through all modules: not once a call
            self.net.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, x):
        """Return probabilities for a tensor."""
        if self.net.training:
            self.net.eval()
        with self.torch.inference_mode():
            return self.torch.softmax(self.net(x), 1)


class KerasPeer:
    """Keras on TensorFlow."""

    def __init__(self, shape, net, threads):
        import os

        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        import keras

        layers = [keras.Input(shape)]
        for index, item in enumerate(net):
            kind = item if isinstance(item, str) else item[0]
            if kind == "conv":
                layers.append(keras.layers.Conv2D(item[1], item[2]))
            elif kind == "dense":
                last = index == len(net) - 1
                layers.append(keras.layers.Dense(item[1], "softmax" if last else None))
            elif kind == "dropout":
                layers.append(keras.layers.Dropout(item[1]))
            elif kind == "bn":
                layers.append(keras.layers.BatchNormalization())
            elif kind == "relu":
                layers.append(keras.layers.ReLU())
            elif kind == "pool":
                layers.append(keras.layers.MaxPooling2D())
            elif kind == "flatten":
                layers.append(keras.layers.Flatten())
        self.net = keras.Sequential(layers)
        optimizer = keras.optimizers.Adadelta(1.0, rho=0.95, epsilon=1e-7)
        self.net.compile(optimizer, "sparse_categorical_crossentropy")
        # The fastest way to call it: one traced function a step.
        self.function = tf.function(lambda x: self.net(x, training=False))
        self.tf = tf

    def tensor(self, x):
        """Return images as a tensor."""
        return self.tf.constant(x)

    def labels(self, y):
        """Return labels as a tensor."""
        return self.tf.constant(y)

    def chosen(self, tensor, rows):
        """Return some rows of a tensor."""
        return self.tf.gather(tensor, rows)

    def step(self, x, y):
        """Take one training step."""
        return self.net.train_on_batch(x, y)

    def predict(self, x):
        """Return probabilities."""
        return self.function(x).numpy()


class JaxPeer:
    """JAX: the whole step in one compiled function. No dropout, which favours it."""

    def __init__(self, shape, net):
        import jax
        import jax.numpy as jnp

        if "bn" in net:
            raise NotImplementedError("no batch normalisation here")
        self.jnp, self.net = jnp, net
        rng, channels = np.random.default_rng(0), shape[2]
        height, width = shape[:2]
        self.weights = []
        for item in self.net:
            kind = item if isinstance(item, str) else item[0]
            if kind == "conv":
                size = (item[2], item[2], channels, item[1])
                channels, height, width = item[1], height - item[2] + 1, width - item[2] + 1
            elif kind == "dense":
                size = (channels, item[1])
                channels = item[1]
            elif kind == "pool":
                height, width = height // 2, width // 2
                continue
            elif kind == "flatten":
                channels *= height * width
                continue
            else:
                continue
            scale = np.sqrt(2 / np.prod(size[:-1]))
            kernel = (rng.normal(size=size) * scale).astype(np.float32)
            self.weights += [jnp.asarray(kernel), jnp.zeros(size[-1])]
        self.slots = [(jnp.zeros_like(w), jnp.zeros_like(w)) for w in self.weights]

        def forward(weights, x):
            position = 0
            for item in self.net:
                kind = item if isinstance(item, str) else item[0]
                if kind == "conv":
                    x = jax.lax.conv_general_dilated(
                        x, weights[position], (1, 1), "VALID",
                        dimension_numbers=("NHWC", "HWIO", "NHWC"),
                    ) + weights[position + 1]  # fmt: skip
                    position += 2
                elif kind == "dense":
                    x = x @ weights[position] + weights[position + 1]
                    position += 2
                elif kind == "relu":
                    x = jnp.maximum(x, 0)
                elif kind == "pool":
                    window = (1, 2, 2, 1)
                    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
                elif kind == "flatten":
                    x = x.reshape(len(x), -1)
            return x

        def loss(weights, x, y):
            logits = jax.nn.log_softmax(forward(weights, x))
            return -jnp.take_along_axis(logits, y[:, None], 1).mean()

        def step(weights, slots, x, y):
            value, gradients = jax.value_and_grad(loss)(weights, x, y)
            new_weights, new_slots = [], []
            for w, (a, d), g in zip(weights, slots, gradients, strict=True):
                a = 0.95 * a + 0.05 * g * g
                delta = g * jnp.sqrt(d + 1e-7) / jnp.sqrt(a + 1e-7)
                new_slots.append((a, 0.95 * d + 0.05 * delta * delta))
                new_weights.append(w - delta)
            return value, new_weights, new_slots

        self.stepper = jax.jit(step)
        self.function = jax.jit(lambda weights, x: jax.nn.softmax(forward(weights, x)))

    def tensor(self, x):
        """Return images as an array of JAX."""
        return self.jnp.asarray(x)

    labels = tensor

    def chosen(self, tensor, rows):
        """Return some rows of an array."""
        return tensor[rows]

    def step(self, x, y):
        """Take one training step."""
        value, self.weights, self.slots = self.stepper(self.weights, self.slots, x, y)
        return float(value)

    def predict(self, x):
        """Return probabilities."""
        return np.asarray(self.function(self.weights, x))


def build(name, shape, net, threads):
    """Return the peer of this name; whatever is missing for it is raised."""
    makers = {
        "torch channels_last": lambda: TorchPeer(shape, net, threads, True),
        "torch default": lambda: TorchPeer(shape, net, threads, False),
        "torch compiled": lambda: TorchPeer(shape, net, threads, True, True),
        "keras": lambda: KerasPeer(shape, net, threads),
        "jax": lambda: JaxPeer(shape, net),
    }
    return makers[name]()
