"""The fast stage against the plain layers on the reference backend: same numbers, any form.

The bound for float32: 5e-6 of the largest entry of a gradient, 2e-6 for probabilities. Sums are
formed in another order, nothing else differs.
"""

import copy
import functools
import itertools
import threading

import numpy as np
import pytest

import nn
from nn import runtime
from nn.fast.conv.sparse import SparseTile
from nn.fast.engine import schedule, training
from nn.fast.engine.buffers import SLACK, Plane
from nn.fast.engine.plan import make_plan
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.simd import EIGHT, SIXTEEN, WIDE
from nn.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
)
from nn.optimizers import SGD, Adadelta, Adam, AdamW

GRADIENT_BOUND = 5e-6
OUTPUT_BOUND = 2e-6


def digits_net():
    return [
        Input((28, 28, 1)),
        Conv2D(32, 5, activation="relu"),
        MaxPooling2D(),
        Conv2D(64, 3, activation="relu"),
        MaxPooling2D(),
        Flatten(),
        Dense(128, activation="relu"),
        Dropout(0.3),
        Dense(64, activation="relu"),
        Dropout(0.5),
        Dense(10, activation="softmax"),
    ]


# What a stage can meet: (name, layers as a function, batch).
NETS = {
    "the digit network": (digits_net, 13),
    "odd sizes, no multiple of eight": (
        lambda: [
            Input((11, 13, 3)),
            Conv2D(5, 3, activation="relu"),
            MaxPooling2D(),
            Conv2D(11, (1, 2), activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(7, activation="relu"),
            Dense(3, activation="softmax"),
        ],
        6,
    ),
    "strides": (
        lambda: [
            Input((19, 17, 2)),
            Conv2D(8, (5, 3), strides=(2, 1), activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(4, activation="softmax"),
        ],
        5,
    ),
    "same padding twice": (
        lambda: [
            Input((8, 10, 1)),
            Conv2D(9, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Conv2D(12, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        9,
    ),
    "winograd at the edges: C and F no multiple of eight": (
        lambda: [
            Input((10, 9, 9)),
            Conv2D(17, 3, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        7,
    ),
    "linear convolution, ReLU as a layer, dropout between convolutions": (
        lambda: [
            Input((12, 12, 1)),
            Conv2D(8, 3, use_bias=False),
            ReLU(),
            MaxPooling2D(),
            Dropout(0.25),
            Conv2D(8, 2, padding="same"),
            MaxPooling2D(),
            Flatten(),
            Dense(16),
            Activation("relu"),
            Dropout(0.5),
            Dense(4),
            Softmax(),
        ],
        10,
    ),
    "batch normalisation, tanh and average pooling stay plain": (
        lambda: [
            Input((12, 12, 2)),
            Conv2D(6, 3, use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            AveragePooling2D(),
            Conv2D(8, 3, activation="tanh"),
            GlobalAveragePooling2D(),
            Dense(6, activation="relu"),
            Dropout(0.2),
            Dense(3, activation="softmax"),
        ],
        8,
    ),
    "plain between fused": (
        lambda: [
            Input((14, 14, 1)),
            Conv2D(8, 3, activation="relu"),
            MaxPooling2D(),
            BatchNormalization(),
            Conv2D(8, 3, padding="same", activation="relu"),
            MaxPooling2D(),
            Dropout(0.1),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        9,
    ),
    "3 x 3 convolutions without pooling": (
        lambda: [
            Input((9, 8, 8)),
            Conv2D(9, 3, padding="same", use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            Conv2D(8, 3, activation="relu"),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        5,
    ),
    "batch normalisation, ReLU and pooling in one": (
        lambda: [
            Input((14, 16, 2)),
            Conv2D(8, 3, padding="same"),
            BatchNormalization(),
            ReLU(),
            Conv2D(16, 3, padding="same"),
            BatchNormalization(center=False),
            Activation("relu"),
            MaxPooling2D(),
            Conv2D(8, 3, padding="same"),
            BatchNormalization(scale=False),
            Activation("relu"),
            MaxPooling2D(),  # of 7 x 8 pixels: odd, stays a layer
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        6,
    ),
    "batch normalisation first, pooled": (
        lambda: [
            Input((4, 6, 8)),
            BatchNormalization(),
            Activation("relu"),
            MaxPooling2D(),
            Flatten(),
            BatchNormalization(),
            Activation("relu"),
            Dense(3, activation="softmax"),
        ],
        70,
    ),
    "no convolution": (
        lambda: [Input((20,)), Dense(33, activation="relu"), Dense(5, activation="softmax")],
        11,
    ),
    "pooling with overlap, reshape, a dense layer that is not relu": (
        lambda: [
            Input((81,)),
            Reshape((9, 9, 1)),
            Conv2D(4, 3, padding="same", activation="relu"),
            MaxPooling2D(3, strides=2),
            Flatten(),
            Dense(5, activation="sigmoid"),
            Dense(2, activation="softmax"),
        ],
        6,
    ),
    "one pooled pixel": (
        lambda: [
            Input((3, 3, 1)),
            Conv2D(1, 2, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(2, activation="softmax"),
        ],
        4,
    ),
}


def make(layers, loss="sparse_categorical_crossentropy", optimizer=None, seed=3):
    model = nn.Sequential(layers, seed=seed)
    model.compile(optimizer or Adadelta(), loss)
    return model


def data(model, N, seed=5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, *model.x_shape)).astype(np.float32)
    return x, rng.integers(0, model.y_shape[-1], N)


def plain(method, model, *arguments):
    """Call a method of the plain engine on the reference backend."""
    with nn.use_backend("reference"), runtime.use_engine("plain"):
        return getattr(model.engine, method)(*arguments)


def relative(a, b):
    return np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)


@pytest.mark.parametrize("name", NETS)
def test_gradients_and_predictions_are_those_of_the_plain_layers(name):
    layers, N = NETS[name]
    quick, slow = make(layers()), make(layers())
    assert isinstance(quick.engine, training.Engine)
    for size in (N, 1, 3, N):  # a change of shape and back
        x, y = data(quick, size)
        expected = plain("loss_and_gradients", slow, x, y)
        loss, correct = quick.engine.loss_and_gradients(x, y)
        assert loss == pytest.approx(expected[0], rel=1e-5)
        assert correct == expected[1]
        assert relative(quick.gradients, slow.gradients) < GRADIENT_BOUND
        for mine, theirs in zip(quick.weights, slow.weights, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
        expected = plain("predict", slow, x)
        np.testing.assert_allclose(quick.engine.predict(x), expected, atol=OUTPUT_BOUND, rtol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: SGD(0.1),
        lambda: SGD(0.1, momentum=0.9),
        lambda: SGD(0.1, momentum=0.9, nesterov=True),
        lambda: Adadelta(),
        lambda: Adam(0.01),
        lambda: AdamW(0.01),
        lambda: AdamW(nn.optimizers.schedules.CosineDecay(0.01, 5)),
    ],
)
def test_every_optimiser_steps_as_the_plain_one(optimizer):
    layers, N = NETS["no convolution"]
    quick, slow = make(layers(), optimizer=optimizer()), make(layers(), optimizer=optimizer())
    x, y = data(quick, N)
    for _ in range(5):
        plain("train_step", slow, x, y)
        quick.engine.train_step(x, y)
    assert quick.optimizer.iterations == 5
    np.testing.assert_allclose(quick.parameters, slow.parameters, rtol=1e-4, atol=2e-6)


def test_an_optimiser_of_somebody_else_is_stepped_as_it_is():
    class Sign(SGD):
        def _update(self, p, g, slots, lr):
            p -= lr * np.sign(g)

    layers, N = NETS["no convolution"]
    quick, slow = make(layers(), optimizer=Sign(0.5)), make(layers(), optimizer=Sign(0.5))
    x, y = data(quick, N)
    plain("train_step", slow, x, y)
    quick.engine.train_step(x, y)
    assert (quick.parameters == slow.parameters).mean() > 0.99  # a gradient of 0 has either sign


@pytest.mark.parametrize(
    ("loss", "head"),
    [
        (nn.losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax"),
        (nn.losses.CategoricalCrossentropy(from_logits=True), None),
        (nn.losses.SparseCategoricalCrossentropy(from_logits=True), None),
        (nn.losses.CategoricalCrossentropy(), "sigmoid"),
    ],
)
def test_other_losses_and_heads(loss, head):
    def layers():
        return [Input((9,)), Dense(12, activation="relu"), Dense(4, activation=head)]

    quick, slow = make(layers(), loss), make(layers(), loss)
    x, y = data(quick, 10)
    targets = y if loss.sparse else np.eye(4, dtype=np.float32)[y]
    expected = plain("loss_and_gradients", slow, x, targets)
    received = quick.engine.loss_and_gradients(x, targets)
    assert received == pytest.approx(expected, rel=1e-5)
    assert relative(quick.gradients, slow.gradients) < GRADIENT_BOUND


@pytest.mark.parametrize(
    "layers", [digits_net, NETS["batch normalisation, ReLU and pooling in one"][0]]
)
@pytest.mark.parametrize("size", [22, 3])
def test_the_weights_after_50_steps_do_not_depend_on_the_number_of_threads(
    monkeypatch, layers, size
):
    def trained(threads):
        model = make(layers())
        x, y = data(model, size)
        for _, count in zip(range(50), itertools.cycle(threads), strict=False):
            monkeypatch.setattr(runtime, "num_threads", functools.partial(int, count))
            model.engine.train_step(x, y)
        return model.parameters

    expected = trained([1])
    for threads in ([2], [3], [4], [1, 4, 2]):
        np.testing.assert_array_equal(trained(threads), expected)


def test_every_shard_is_in_one_group():
    for threads in range(1, 9):
        groups = schedule.thread_groups(threads)
        assert [shard for group in groups for shard in group] == list(range(4))
        assert len(groups) == (threads if threads in (1, 2, 4) else 4)


def test_a_convolution_that_reads_what_a_dense_layer_wrote():
    def layers():
        follow = [Conv2D(8, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(3)]
        return [Input((9,)), Dense(50, activation="relu"), Reshape((5, 10, 1)), *follow]

    quick, slow = make(layers()), make(layers())
    x, y = data(quick, 10)
    expected = plain("loss_and_gradients", slow, x, y)
    assert quick.engine.loss_and_gradients(x, y) == pytest.approx(expected, rel=1e-5)
    assert relative(quick.gradients, slow.gradients) < GRADIENT_BOUND


def test_a_prediction_does_not_depend_on_its_company():
    model = make(digits_net())
    x, _ = data(model, 150)
    together = model.engine.predict(x)
    alone = np.concatenate([model(x[i : i + 1]) for i in range(0, 150, 10)])
    np.testing.assert_array_equal(together[::10], alone)
    assert model.engine.predict(x[:0]).shape == (0, 10)


def test_a_prediction_notices_changed_weights():
    model = make(digits_net())
    x, y = data(model, 4)
    first = model(x)
    model.engine.train_step(x, y)
    assert not np.array_equal(model(x), first)
    model.layers[2].params["kernel"][...] = 0
    np.testing.assert_allclose(model(x), plain("predict", model, x), atol=OUTPUT_BOUND)


def test_threads_may_predict_while_another_trains():
    model = make(digits_net(), optimizer=SGD(0.0))
    x, y = data(model, 40)
    expected, wrong = model(x), []

    def ask():
        for i in range(20):
            answer = model(x[i : i + 10])
            if not np.array_equal(answer, expected[i : i + 10]):
                wrong.append(i)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        model.engine.train_step(x, y)
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("error", [RuntimeError("inside a shard"), KeyboardInterrupt()])
def test_an_error_inside_a_shard_leaves_weights_and_pool_as_they_were(monkeypatch, error):
    model = make(digits_net())
    x, y = data(model, 12)
    model.engine.train_step(x, y)
    before, slots = model.get_weights(), copy.deepcopy(model.optimizer.slots)
    original, calls = training.run, []

    def fails(*arguments):
        calls.append(1)
        if len(calls) == 3:  # the first lays the weights out, the others take a shard each
            raise error
        original(*arguments)

    monkeypatch.setattr(runtime, "num_threads", lambda: 4)
    monkeypatch.setattr(training, "run", fails)
    with pytest.raises(type(error)):
        model.engine.train_step(x, y)
    monkeypatch.undo()
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, arrays in slots.items():
        for before, after in zip(arrays, model.optimizer.slots[name], strict=True):
            np.testing.assert_array_equal(before, after)
    assert model.optimizer.iterations == 1
    model.engine.train_step(x, y)
    assert model.optimizer.iterations == 2


def test_ctrl_c_during_the_update_finishes_it_first(monkeypatch):
    model, twin = make(digits_net()), make(digits_net())
    x, y = data(model, 12)
    twin.engine.train_step(x, y)
    original, calls = training._step_part, []

    def interrupted(update):
        original(update)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_step_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.engine.train_step(x, y)
    np.testing.assert_array_equal(model.parameters, twin.parameters)
    assert model.optimizer.iterations == 1


@pytest.mark.parametrize("optimizer", [Adadelta(rho=0.9), Adam(beta_2=0.9), SGD(0.1, momentum=0.9)])
def test_what_fades_away_ends_at_zero(optimizer):
    """Numbers without a normal form cost a hundred cycles each; 0.9 of the smallest is itself."""
    model = make([Input((4,)), Dense(20, activation="softmax")], optimizer=optimizer)
    x, y = data(model, 6)
    model.engine.train_step(x, y)
    slots = model.flat.slots(model.optimizer)
    assert all(np.abs(slot).max() > 0 for slot in slots)
    x[:, 1:3] = 0
    for _ in range(1000):
        model.engine.train_step(x, y)
    for slot in slots:
        kernel = slot[: 4 * 20].reshape(4, 20)
        assert (kernel[1:3] == 0).all()
        assert (kernel[[0, 3]] != 0).any()
        assert (np.abs(slot[slot != 0]) >= np.finfo(np.float32).smallest_normal).all()
    model.gradients[:] = np.nan
    model.parameters[0] = np.nan
    model.engine.train_step(x, y)
    assert all(np.isnan(slot).any() for slot in slots)


def test_nan_reaches_the_loss_and_zero_gradients_change_nothing():
    model = make(digits_net(), optimizer=Adam(0.1))
    x, y = data(model, 8)
    model.layers[0].params["kernel"][0, 0, 0, 0] = np.nan
    loss, _ = model.engine.loss_and_gradients(x, y)
    assert np.isnan(loss)
    model = make([Input((4,)), Dense(2, activation="softmax")], optimizer=Adam(0.1))
    model.set_weights([w * 0 for w in model.get_weights()])
    model.engine.train_step(np.zeros((2, 4), np.float32), np.array([0, 1]))
    assert (model.parameters == 0).all()


def test_buffers_are_never_written_behind_their_end():
    for name in NETS:
        layers, N = NETS[name]
        model = make(layers())
        x, y = data(model, N)
        model.engine.loss_and_gradients(x, y)
        space = model.engine._training
        canary = np.float32(-7.25)
        gradients = [stage.dy for stage in space.stages]
        ends = [b.data[-SLACK // 2 :] for b in (*space.y, *gradients)]
        for end in ends:
            end[:] = canary
        gradients = model.gradients.copy()
        plain_seeds = [la.rng.bit_generator.state for la in model.layers if isinstance(la, Dropout)]
        model.engine.loss_and_gradients(x, y)
        assert all((end == canary).all() for end in ends), name
        if not plain_seeds and not any(isinstance(la, BatchNormalization) for la in model.layers):
            # ... and what was read behind it did not matter.
            np.testing.assert_array_equal(gradients, model.gradients)


@pytest.mark.parametrize("name", NETS)
def test_scratch_space_is_never_written_behind_its_end(name):
    layers, N = NETS[name]
    model, twin = make(layers()), make(layers())
    x, y = data(model, N)
    twin.engine.loss_and_gradients(x, y)
    engine = model.engine
    space = schedule.TrainingBuffers(model, engine.plan, N)
    fences = []
    for stage in space.stages:
        for kind in ("entries", "table", "v", "m", "columns"):
            held = getattr(stage, kind, None)
            if held is not None:
                whole = np.full((*held.shape[:-1], held.shape[-1] + 16), 7, held.dtype)
                whole[..., :-16] = held
                fences.append((kind, whole))
                setattr(stage, kind, whole[..., :-16])
    engine._training = space
    engine.loss_and_gradients(x, y)
    for kind, whole in fences:
        assert (whole[..., -16:] == 7).all(), kind
    np.testing.assert_array_equal(model.gradients, twin.gradients)


def test_the_plan_says_what_was_fused():
    model = make(digits_net())
    rows = model.engine.describe()
    assert [row[2] for row in rows] == [
        f"direct, back: {'lookups' if WIDE == SIXTEEN else 'lists'}",
        "winograd, back: lists",
        *["tiled product, back: lists"] * 3,
        "softmax + cross-entropy",
    ]
    assert rows[0][1] == "conv2d + max_pooling2d"
    assert all(row[3] > 0 for row in rows[:-1])
    text = []
    model.summary(print_fn=text.append, plan=True)
    start = next(n for n, line in enumerate(text) if line.startswith("Stage"))
    assert text[start].split() == ["Stage", "Layers", "Kernels", "Bytes"]
    second = text[start + 3].split()
    assert second[:6] == ["2", "convolution", "conv2d_1", "+", "max_pooling2d_1", "winograd,"]


def test_batch_normalisation_is_joined_with_relu_and_pooling():
    model = make(NETS["batch normalisation, ReLU and pooling in one"][0]())
    kernels = [row[2] for row in model.engine.describe()]
    assert kernels[0] == "plain layers, norm + relu, winograd, norm + relu + pool"


def test_what_has_nothing_to_fuse_stays_plain():
    only_tanh = [Input((6,)), Dense(3, activation="tanh"), Dense(2, activation="sigmoid")]
    assert make_plan(make(only_tanh)) is None
    double = nn.Sequential(digits_net(), dtype="float64")
    assert make_plan(double) is None


@pytest.mark.parametrize("N", [1, 3, 4, 5, 128])
def test_shards_cover_the_batch_in_order(N):
    bounds = shard_bounds(N)
    assert len(bounds) == SHARDS
    assert [i for lo, hi in bounds for i in range(lo, hi)] == list(range(N))


def test_a_plane_knows_its_border():
    plane = Plane((4, 5, 3), ((1, 2), (3, 1)))
    assert (plane.row, plane.image, plane.first) == (27, 7 * 27, 27 + 9)


@pytest.mark.parametrize("widest", [EIGHT, SIXTEEN])
@pytest.mark.parametrize(
    ("KH", "KW", "C"),
    [(5, 5, 1), (3, 3, 32), (3, 3, 3), (7, 7, 8), (1, 1, 1), (3, 3, 128), (11, 11, 3), (3, 3, 48)],
)
def test_sparse_tiles_fit_the_registers(KH, KW, C, widest):
    KWC = KW * C
    tiles = SparseTile.of_gradients(KH, KW, C, 1, widest)
    for tile, registers in zip(tiles, (24, 12), strict=True):
        rows, columns = len(tile.rows), len(tile.vectors)
        assert rows * columns <= (registers if tile.lanes == SIXTEEN else 12)
        assert KH % rows == 0
        assert tile.row % (8 * len(tile.lanes) * columns) == 0
        assert KWC <= tile.row < KWC + 8 * len(tile.lanes) * columns
        assert 1 <= len(tile.slide) <= columns


def test_wide_vectors_are_taken_where_they_fill_a_row():
    tile = SparseTile.of_gradients(3, 3, 32, 1, SIXTEEN)[0]
    assert (len(tile.rows), len(tile.vectors), tile.row, tile.lanes) == (3, 6, 96, SIXTEEN)
    assert SparseTile.of_gradients(5, 5, 1, 1, SIXTEEN)[0].lanes == EIGHT


def test_training_gives_the_same_bits_with_vectors_of_either_width(monkeypatch):
    rng = np.random.default_rng(8)
    x = rng.random((40, 28, 28, 1), np.float32) * (rng.random((40, 28, 28, 1)) < 0.4)
    y = rng.integers(0, 10, 40)
    trained = []
    for lanes in (EIGHT, SIXTEEN):
        for module in ("dense.forward", "conv.sparse", "conv.stage", "conv.winograd.blocks"):
            monkeypatch.setattr(f"nn.fast.{module}.WIDE", lanes)
        model = make(digits_net())
        for _ in range(3):
            model.train_on_batch(x, y)
        trained.append((model.parameters.copy(), model.predict(x, verbose=0)))
    np.testing.assert_array_equal(trained[0][0], trained[1][0])
    np.testing.assert_array_equal(trained[0][1], trained[1][1])
