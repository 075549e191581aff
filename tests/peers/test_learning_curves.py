"""The same network, weights and batches in three libraries: the same curve for 100 steps.

Dropout is left out, for no two libraries draw the same mask. What remains is float32 rounding, and
a rounding error can switch one of 150,000 ReLUs. From there on two trainings with Adadelta at 1.0
part ways, as our own does from itself when every weight is changed by its last bit. So the curves
are compared in two ways: *in step*, where PyTorch goes on from our weights before every step and
every loss must agree to rounding, and *free*, where they must begin alike and learn alike.
"""

import numpy as np
import pytest

import nn
from nn.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D

STEPS, BATCH = 100, 32
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def digits():
    """100 batches of printed digits, shifted and noisy: enough to be learnt in 100 steps."""
    rng = np.random.default_rng(3)
    shapes = rng.random((10, 7, 7)) > 0.5  # ten fixed patterns of coarse pixels
    y = rng.integers(0, 10, STEPS * BATCH)
    x = np.zeros((len(y), 28, 28, 1), np.float32)
    for image, label in zip(x, y, strict=True):
        top, left = rng.integers(0, 8, 2)
        image[top : top + 21, left : left + 21, 0] = np.kron(shapes[label], np.ones((3, 3)))
    x = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1).astype(np.float32)
    return x, y


@pytest.fixture(scope="module")
def weights():
    model = nn.Sequential(our_layers(), seed=11)
    return model.get_weights()


def our_layers():
    return [
        Input((28, 28, 1)),
        Conv2D(32, 5, activation="relu"),
        MaxPooling2D(),
        Conv2D(64, 3, activation="relu"),
        MaxPooling2D(),
        Flatten(),
        Dense(128, activation="relu"),
        Dense(64, activation="relu"),
        Dense(10, activation="softmax"),
    ]


def batches(digits):
    x, y = digits
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH], y[start : start + BATCH]


def our_model(weights):
    model = nn.Sequential(our_layers())
    model.set_weights(weights)
    optimiser = nn.optimizers.Adadelta(1.0, rho=0.95, epsilon=1e-7)
    model.compile(optimiser, "sparse_categorical_crossentropy")
    return model


def torch_network(torch):
    t = torch.nn
    return t.Sequential(
        t.Conv2d(1, 32, 5), t.ReLU(), t.MaxPool2d(2),
        t.Conv2d(32, 64, 3), t.ReLU(), t.MaxPool2d(2), t.Flatten(),
        t.Linear(1600, 128), t.ReLU(), t.Linear(128, 64), t.ReLU(), t.Linear(64, 10),
    )  # fmt: skip


def hand_over(torch, net, weights):
    """Copy our weights into PyTorch's network."""
    # Flatten runs over (C, H, W) there, over (H, W, C) here.
    dense = weights[4].reshape(5, 5, 64, 128).transpose(2, 0, 1, 3).reshape(1600, 128)
    kernels = [w.transpose(3, 2, 0, 1) for w in (weights[0], weights[2])]
    given = [kernels[0], weights[1], kernels[1], weights[3], dense.T, weights[5]]
    given += [weights[6].T, weights[7], weights[8].T, weights[9]]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), given, strict=True):
            parameter.copy_(torch.tensor(np.ascontiguousarray(value)))


def torch_loss(torch, net, x, y):
    images = torch.tensor(x.transpose(0, 3, 1, 2))
    return torch.nn.functional.cross_entropy(net(images), torch.tensor(y))


@pytest.fixture(scope="module")
def torch_curve(torch, digits, weights):
    net = torch_network(torch)
    hand_over(torch, net, weights)
    optimiser = torch.optim.Adadelta(net.parameters(), lr=1.0, rho=0.95, eps=1e-7)
    curve = []
    for x, y in batches(digits):
        loss = torch_loss(torch, net, x, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.item())
    return curve


@pytest.fixture(scope="module")
def keras_curve(keras, digits, weights):
    k = keras.layers
    model = keras.Sequential(
        [
            k.Input((28, 28, 1)),
            k.Conv2D(32, 5, activation="relu"),
            k.MaxPooling2D(),
            k.Conv2D(64, 3, activation="relu"),
            k.MaxPooling2D(),
            k.Flatten(),
            k.Dense(128, activation="relu"),
            k.Dense(64, activation="relu"),
            k.Dense(10, activation="softmax"),
        ]
    )
    model.set_weights(weights)
    optimiser = keras.optimizers.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-7)
    model.compile(optimiser, "sparse_categorical_crossentropy")
    curve = []
    for x, y in batches(digits):
        model.reset_metrics()  # the running mean of the loss would hide what differs
        curve.append(float(np.ravel(model.train_on_batch(x, y))[0]))
    return curve


ENGINES = pytest.mark.parametrize("engine", ["auto", "plain"])


@ENGINES
@pytest.mark.parametrize("peer", ["torch_curve", "keras_curve"])
def test_free_curves_begin_alike_and_learn_alike(request, digits, weights, peer, engine):
    expected = np.array(request.getfixturevalue(peer))
    with nn.use_engine(engine):
        model = our_model(weights)
        ours = np.array([model.train_on_batch(x, y) for x, y in batches(digits)])
    difference = np.abs(ours - expected)
    assert difference[0] < 2e-6
    assert difference[:4].max() < 2e-5
    assert difference.mean() < 0.3
    assert expected[0] > 2
    assert expected[-10:].mean() < 0.1
    assert ours[-10:].mean() < 0.1


@ENGINES
def test_in_step_every_loss_agrees_to_rounding(torch, digits, weights, engine):
    net = torch_network(torch)
    worst_loss = 0.0
    with nn.use_engine(engine):
        model = our_model(weights)
        for x, y in batches(digits):
            hand_over(torch, net, model.get_weights())
            expected = torch_loss(torch, net, x, y).item()
            found = model.train_on_batch(x, y)
            worst_loss = max(worst_loss, abs(found - expected) / (1 + expected))
    assert worst_loss < 5e-6
