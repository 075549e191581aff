"""fit, evaluate, predict and the steps by hand: arguments, histories, and what is refused."""

import numpy as np

from .tools import Collector, data, examples, fitted, pinned, small

CASES = Collector()
X, Y = examples()


def history(k, **fit):
    return fitted(k, fit, metrics=["accuracy"])[1].history


def generator(x=X, y=Y, size=5, weights=None, endless=True):
    while True:
        for i in range(0, len(x), size):
            batch = x[i : i + size], y[i : i + size]
            yield batch if weights is None else (*batch, weights[i : i + size])
        if not endless:
            return


FITS = """
epochs=1
epochs=3
epochs=0
epochs=-1
epochs=2.0
epochs="two"
batch_size=None
batch_size=7
batch_size=100
batch_size=0
batch_size=-1
batch_size=2.5
batch_size=np.int64(8)
verbose=2
verbose=1
verbose="auto"
verbose=None
verbose=True
validation_split=0.2
validation_split=0.5
validation_split=0.0
validation_split=1.0
validation_split=-0.1
validation_split=0.001
validation_data=(X[:6], Y[:6])
validation_data=[X[:6], Y[:6]]
validation_data=(X[:6], Y[:6], np.ones(6))
validation_data=X[:6]
validation_data=(X[:6],)
validation_data=(X[:6], Y[:5])
validation_data=(X[:6], Y[:6]), validation_batch_size=2
validation_data=(X[:6], Y[:6]), validation_freq=2
validation_data=(X[:6], Y[:6]), validation_freq=2, epochs=4
validation_data=(X[:6], Y[:6]), validation_freq=0
validation_data=(X[:6], Y[:6]), validation_freq=[1, 3], epochs=3
validation_data=(X[:6], Y[:6]), validation_steps=1, validation_batch_size=2
shuffle=False
shuffle=True, batch_size=20
class_weight={0: 1.0, 1: 2.0, 2: 0.5}
class_weight={0: 1.0, 1: 2.0}
class_weight={}
class_weight=None
class_weight=[1.0, 2.0, 0.5]
class_weight={0: 1.0, 1: 2.0, 2: 0.5, 3: 1.0}
class_weight={0: -1.0, 1: 2.0, 2: 0.5}
class_weight={"a": 1.0}
sample_weight=np.arange(20.0)
sample_weight=np.ones(20)
sample_weight=np.zeros(20)
sample_weight=np.ones(19)
sample_weight=np.ones((20, 1))
sample_weight=np.ones((20, 2))
sample_weight=[1.0] * 20
sample_weight=np.ones(20), class_weight={0: 1.0, 1: 2.0, 2: 0.5}
sample_weight=np.arange(20.0), validation_split=0.25
initial_epoch=1
initial_epoch=1, epochs=3
initial_epoch=5, epochs=3
steps_per_epoch=2
steps_per_epoch=3, batch_size=4
steps_per_epoch=100
steps_per_epoch=0
callbacks=None
callbacks=[]
callbacks=[3]
callbacks="x"
callbacks=k.callbacks.Callback()
nonsense=1
"""
for source in FITS.strip().splitlines():
    CASES[f"fit({source})"] = lambda k, source=source: eval(
        f"history(k, {source})", {"history": history, "k": k, "X": X, "Y": Y, "np": np}
    )


@CASES.over(
    "fit with y", [None, Y.tolist(), Y.astype("float64"), Y.astype(int), Y[:19], Y[:, :2], "y"]
)
def _(k, value):
    model = small(k)
    return model.fit(X, value, verbose=0, shuffle=False).history


@CASES.over(
    "fit with x", [None, X.tolist(), X.astype("float64"), X[:, :3], X[0], X[..., None], "x", [X]]
)
def _(k, value):
    model = small(k)
    return model.fit(value, Y, verbose=0, shuffle=False).history


@CASES.over("fit of integers", ["uint8", "int64", "float16", "bool"])
def _(k, value):
    model = small(k)
    return model.fit(np.abs(X * 3).astype(value), Y, verbose=0, shuffle=False).history


def from_generator(k, fit="", **options):
    model = small(k, metrics=["accuracy"])
    return model.fit(generator(**options), verbose=0, **fit).history


GENERATORS = {
    "steps_per_epoch": lambda k: from_generator(k, {"steps_per_epoch": 4, "epochs": 2}),
    "fewer steps": lambda k: from_generator(k, {"steps_per_epoch": 3, "epochs": 2}),
    "finite": lambda k: from_generator(k, {"epochs": 1}, endless=False),
    "runs dry": lambda k: from_generator(k, {"epochs": 3, "steps_per_epoch": 2}, endless=False),
    "weights": lambda k: from_generator(
        k, {"steps_per_epoch": 4}, weights=np.arange(20.0, dtype="float32")
    ),
    "class_weight": lambda k: from_generator(
        k, {"steps_per_epoch": 4, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}
    ),
    "validation": lambda k: from_generator(
        k, {"steps_per_epoch": 4, "validation_data": (X[:6], Y[:6])}
    ),
    "validation from a generator": lambda k: from_generator(
        k, {"steps_per_epoch": 4, "validation_data": generator(), "validation_steps": 2}
    ),
    "validation_split": lambda k: from_generator(
        k, {"steps_per_epoch": 4, "validation_split": 0.2}
    ),
    "with batch_size": lambda k: from_generator(k, {"steps_per_epoch": 4, "batch_size": 5}),
    "with y": lambda k: small(k).fit(generator(), Y, steps_per_epoch=2, verbose=0).history,
    "with shuffle": lambda k: from_generator(k, {"steps_per_epoch": 4, "shuffle": True}),
    "of x alone": lambda k: (
        small(k).fit((X[i : i + 5] for i in (0, 5)), verbose=0, steps_per_epoch=2).history
    ),
    "of lists": lambda k: (
        small(k).fit(([X[:5], Y[:5]] for i in (0, 5)), verbose=0, steps_per_epoch=2).history
    ),
    "of a list of batches": lambda k: small(k).fit([(X, Y)], verbose=0).history,
    "of other shapes": lambda k: (
        small(k).fit(((X[:5, :2], Y[:5]) for i in (0, 5)), verbose=0, steps_per_epoch=2).history
    ),
    "evaluate": lambda k: small(k, metrics=["accuracy"]).evaluate(generator(), steps=4, verbose=0),
    "evaluate finite": lambda k: small(k).evaluate(generator(endless=False), verbose=0),
    "predict": lambda k: small(k).predict(generator(), steps=2, verbose=0),
    "predict finite": lambda k: small(k).predict(generator(endless=False), verbose=0),
    "predict of x": lambda k: small(k).predict((X[i : i + 5] for i in (0, 5)), verbose=0),
    "workers": lambda k: from_generator(k, {"steps_per_epoch": 4, "workers": 1}),
    "fit_generator": lambda k: small(k).fit_generator(generator(), steps_per_epoch=4),
}
CASES.each("generator", GENERATORS)


def dataset(k, **attributes):
    class Batches(k.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return X[5 * index : 5 * index + 5], Y[5 * index : 5 * index + 5]

        def on_epoch_end(self):
            seen.append(1)

    seen = []
    return Batches(**attributes), seen


CASES.each(
    "PyDataset",
    {
        "fit": lambda k: small(k).fit(dataset(k)[0], verbose=0, shuffle=False, epochs=2).history,
        "on_epoch_end": lambda k: (
            (pair := dataset(k)),
            small(k).fit(pair[0], verbose=0, shuffle=False, epochs=3),
            len(pair[1]) > 0,
        )[-1],
        "evaluate": lambda k: small(k).evaluate(dataset(k)[0], verbose=0),
        "predict": lambda k: small(k).predict(dataset(k)[0], verbose=0),
        "len": lambda k: len(dataset(k)[0]),
        "workers": lambda k: dataset(k, workers=2, use_multiprocessing=False)[0].workers,
        "validation": lambda k: (
            small(k).fit(X, Y, validation_data=dataset(k)[0], verbose=0, shuffle=False).history
        ),
        "steps": lambda k: (
            small(k).fit(dataset(k)[0], steps_per_epoch=2, verbose=0, shuffle=False).history
        ),
    },
)

EVALUATES = """
X, Y, verbose=0
X, Y, batch_size=7, verbose=0
X, Y, verbose=0, return_dict=True
X, Y, verbose=0, sample_weight=np.arange(20.0)
X, Y, verbose=0, steps=1
X, Y, verbose=0, steps=2, batch_size=5
X, Y, verbose=0, callbacks=[]
X, Y, verbose=2
X, Y, verbose=0, nonsense=1
X, Y[:5], verbose=0
X, verbose=0
X[:, :2], Y, verbose=0
X, Y, None, 0
X, Y, batch_size=0, verbose=0
"""
for source in EVALUATES.strip().splitlines():
    for method, options in (("evaluate", {"metrics": ["accuracy"]}),):
        CASES[f"{method}({source})"] = lambda k, source=source, options=options: eval(
            f"m.evaluate({source})", {"m": small(k, **options), "X": X, "Y": Y, "np": np}
        )
CASES["evaluate without metrics"] = lambda k: small(k).evaluate(X, Y, verbose=0)
CASES["evaluate not compiled"] = lambda k: small(k, compiled=False).evaluate(X, Y, verbose=0)
CASES["fit not compiled"] = lambda k: small(k, compiled=False).fit(X, Y, verbose=0)
CASES["predict not compiled"] = lambda k: small(k, compiled=False).predict(X, verbose=0)
CASES["fit compiled without loss"] = lambda k: small(k, loss=None).fit(X, Y, verbose=0).history

PREDICTS = """
X, verbose=0
X, batch_size=3, verbose=0
X, 3, 0
X, steps=1, verbose=0
X, batch_size=5, steps=2, verbose=0
X.tolist(), verbose=0
X[:1], verbose=0
X[:0], verbose=0
X[0], verbose=0
X.astype("float64"), verbose=0
X[:, :2], verbose=0
X, verbose=0, callbacks=[k.callbacks.Callback()]
X, verbose=0, nonsense=1
X, verbose=0, batch_size=0
None
"""
for source in PREDICTS.strip().splitlines():
    CASES[f"predict({source})"] = lambda k, source=source: eval(
        f"m.predict({source})", {"m": small(k), "k": k, "X": X, "Y": Y, "np": np}
    )

STEPS = """
m.train_on_batch(X, Y)
m.train_on_batch(X, Y, return_dict=True)
m.train_on_batch(X, Y, sample_weight=np.arange(20.0))
m.train_on_batch(X, Y, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
m.train_on_batch(X, Y, reset_metrics=True)
m.train_on_batch(X, Y[:5])
m.train_on_batch(X)
[m.train_on_batch(X[:8], Y[:8]), m.train_on_batch(X[8:], Y[8:])]
m.test_on_batch(X, Y)
m.test_on_batch(X, Y, return_dict=True)
m.test_on_batch(X, Y, sample_weight=np.arange(20.0))
m.predict_on_batch(X)
m.predict_on_batch(X[0])
m(X)
m(X, training=True)
m(X, training=False)
m(X[:1])
m(X.tolist())
m(X[:, :2])
m.call(X)
m.metrics_names
[metric.name for metric in m.metrics]
m.loss
m.optimizer.name.rstrip("_0123456789")
m.compiled
m.stop_training
m.reset_metrics()
m.run_eagerly
m.jit_compile
m.compute_loss(X, Y, m(X))
m.train_step((X, Y))
m.test_step((X, Y))
m.predict_step((X,))
m.make_train_function()
m.get_compile_config()["loss"]
m.evaluate_generator(None)
m.predict_proba(X)
m.losses
m.add_loss(1.0)
"""
for source in STEPS.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(
        source, {"m": small(k, metrics=["accuracy"]), "X": X, "Y": Y, "np": np}
    )

COMPILES = """
"sgd", "mse"
optimizer="sgd", loss="mse"
"sgd", "mse", metrics=["accuracy"]
"sgd", "mse", metrics="accuracy"
"sgd", "mse", None, ["accuracy"]
"sgd", "mse", metrics=None
"sgd", "mse", loss_weights=None
"sgd", "mse", loss_weights=[1.0]
"sgd", "mse", loss_weights=[2.0]
"sgd", "mse", weighted_metrics=["accuracy"]
"sgd", "mse", weighted_metrics=[]
"sgd", "mse", run_eagerly=True
"sgd", "mse", steps_per_execution=1
"sgd", "mse", jit_compile=False
"sgd", "mse", auto_scale_loss=True
"sgd", "mse", nonsense=None
"sgd", "mse", sample_weight_mode=None
"sgd", ["mse"]
"sgd", {"out": "mse"}
"sgd", "mse", metrics={"out": "accuracy"}
"sgd", lambda a, b: ((a - b) ** 2).mean(-1)
"sgd", k.losses.MeanSquaredError
"sgd", k.losses.MeanSquaredError()
"sgd", k.losses.mean_squared_error
loss="mse"
"sgd", 3
k.optimizers.SGD, "mse"
"""
for source in COMPILES.strip().splitlines():
    CASES[f"compile({source})"] = lambda k, source=source: eval(
        f"(m, m.compile({source}))[0]", {"m": small(k), "k": k}
    ).evaluate(X, Y, verbose=0, return_dict=True)


def frozen(k, how, value=None):
    model = small(k, metrics=["accuracy"], optimizer=k.optimizers.SGD(0.5))
    how(model)
    model.compile(k.optimizers.SGD(0.5), "mse")
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    return (
        model.get_weights(),
        len(model.trainable_weights),
        len(model.non_trainable_weights),
        model.count_params(),
    )


CASES.each(
    "freezing",
    {
        "first": lambda k: frozen(k, lambda m: setattr(m.layers[0], "trainable", False)),
        "last": lambda k: frozen(k, lambda m: setattr(m.layers[-1], "trainable", False)),
        "all": lambda k: frozen(k, lambda m: setattr(m, "trainable", False)),
        "and back": lambda k: frozen(
            k, lambda m: (setattr(m, "trainable", False), setattr(m, "trainable", True))
        ),
        "one back": lambda k: frozen(
            k, lambda m: (setattr(m, "trainable", False), setattr(m.layers[0], "trainable", True))
        ),
    },
)


def convolutional(k, *extra, fit=None, **options):
    L = k.layers
    model = k.Sequential([k.Input((6, 6, 1)), L.Conv2D(3, 3, activation="relu"), *extra])
    model.add(L.Flatten())
    model.add(L.Dense(3, activation="softmax"))
    for layer in model.layers:
        if layer.get_weights() and "Batch" not in type(layer).__name__:
            pinned(layer)
    model.compile(**({"optimizer": "sgd", "loss": "categorical_crossentropy"} | options))
    x = data(12, 6, 6, 1)
    settings = {"epochs": 2, "batch_size": 6, "verbose": 0, "shuffle": False} | (fit or {})
    fitted_to = model.fit(x, Y[:12], **settings)
    return fitted_to.history, model.get_weights(), model.predict(x, verbose=0)


NETWORKS = """
L.MaxPooling2D(2)
L.AveragePooling2D(2)
L.BatchNormalization()
L.BatchNormalization(), L.Activation("relu"), L.MaxPooling2D(2)
L.LeakyReLU(0.1)
L.ELU()
L.PReLU()
L.ReLU(max_value=1.0)
L.ZeroPadding2D(1), L.Conv2D(2, 3, strides=2)
L.Conv2D(2, 3, padding="same", activation="tanh"), L.MaxPooling2D(2)
L.Conv2D(2, 2, activation="sigmoid", use_bias=False)
L.Reshape((8, 6))
L.Reshape((8, 6)), L.Dense(3, activation="relu")
L.Permute((2, 3, 1))
L.UpSampling2D(2)
L.Cropping2D(1)
L.GlobalAveragePooling2D()
L.GlobalMaxPooling2D()
L.Dropout(0.0)
L.SpatialDropout2D(0.0)
L.GaussianNoise(0.0)
L.Rescaling(0.5)
L.Activation("swish")
L.Activation("gelu")
L.Activation("softplus")
L.Conv2D(2, 1, kernel_regularizer="l2")
L.Conv2D(2, 1, kernel_regularizer=k.regularizers.L1(0.1))
L.Conv2D(2, 1, trainable=False)
L.BatchNormalization(trainable=False)
L.BatchNormalization(momentum=0.5, epsilon=0.01)
L.AveragePooling2D(2, padding="same")
L.MaxPooling2D(3, strides=1, padding="same")
"""
for source in NETWORKS.strip().splitlines():
    CASES[f"trained with {source}"] = lambda k, source=source: convolutional(
        k, *eval(f"({source},)", {"k": k, "L": k.layers})
    )


@CASES.over("trained with the optimiser", ["adam", "rmsprop", "adadelta", "adamw"])
def _(k, value):
    return convolutional(k, k.layers.MaxPooling2D(2), optimizer=value)[:2]


@CASES.over("trained with weights", ["class_weight", "sample_weight"])
def _(k, value):
    weights = {0: 1.0, 1: 3.0, 2: 0.5} if value == "class_weight" else np.arange(12.0)
    return convolutional(k, k.layers.MaxPooling2D(2), fit={value: weights})[:2]


@CASES.over("an image without its channel", [(12, 6, 6), (12, 6, 6, 2), (12, 7, 6, 1), (12, 36)])
def _(k, value):
    model = k.Sequential([k.Input((6, 6, 1)), k.layers.Conv2D(2, 3), k.layers.Flatten()])
    return model.predict(np.zeros(value, "float32"), verbose=0).shape
