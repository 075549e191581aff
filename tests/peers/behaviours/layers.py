"""Layers: every argument, shapes, configurations, and what is refused."""

import numpy as np

from .tools import Collector, applied, data, pinned

CASES = Collector()
IMAGE = (7, 6, 4)
ACTIVATIONS = [
    "linear",
    "relu",
    "softmax",
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "leaky_relu",
    "softplus",
    "softsign",
    "exponential",
    "silu",
    "swish",
    "gelu",
    "hard_sigmoid",
    "relu6",
    "mish",
    "hard_silu",
    "log_softmax",
    "celu",
    "glu",
    "tanh_shrink",
]

# Sources in terms of k, the library, and L, its layers: each is also the name of its case.
VALUES = {
    (4,): """
L.Dense(3)
L.Dense(units=3)
L.Dense(3, "relu")
L.Dense(3, activation=None)
L.Dense(3, use_bias=False)
L.Dense(3, activation=k.activations.tanh)
L.Dense(3, activation=k.activations.get("relu"))
L.Dense(3, kernel_initializer="zeros", bias_initializer="ones")
L.Dense(3, kernel_regularizer="l2")
L.Dense(3, kernel_regularizer=k.regularizers.L2(0.01))
L.Dense(3, bias_regularizer=k.regularizers.l1(0.01))
L.Dense(3, activity_regularizer="l2")
L.Dense(3, kernel_constraint=None)
L.Dense(3, kernel_constraint=k.constraints.MaxNorm(2))
L.Dense(3, lora_rank=2)
L.Dense(3, dtype="float32")
L.Dense(3, name="mine", trainable=False)
L.Dense(np.int64(3))
L.Dense(3, activation=k.layers.LeakyReLU(negative_slope=0.05))
L.Dense(3, activation=k.layers.ReLU(max_value=1.0))
L.Activation("relu")
L.Activation(k.activations.elu)
L.Activation("softmax")
L.ActivityRegularization(l2=0.1)
L.Dropout(0.5)
L.Dropout(0.5, seed=1)
L.Dropout(0)
L.GaussianNoise(0.1)
L.GaussianDropout(0.1)
L.AlphaDropout(0.1)
L.Identity()
L.Rescaling(0.5)
L.Rescaling(scale=2.0, offset=1.0)
L.BatchNormalization()
L.BatchNormalization(center=False)
L.BatchNormalization(scale=False, epsilon=0.1)
L.LayerNormalization()
L.UnitNormalization()
L.RepeatVector(3)
L.Reshape((2, 2))
L.Reshape((-1,))
L.Reshape((2, -1))
L.Flatten()
L.Embedding(10, 3)
L.Masking()
L.Normalization(mean=1.0, variance=4.0)
L.PReLU()
L.ELU()
L.Softmax()
L.ReLU()
L.LeakyReLU()
""",
    IMAGE: """
L.Conv2D(3, 3)
L.Conv2D(3, (3, 2))
L.Conv2D(3, [2, 3])
L.Conv2D(filters=3, kernel_size=3, strides=(2, 1))
L.Conv2D(3, 3, 2)
L.Conv2D(3, 3, 1, "same")
L.Conv2D(3, 3, padding="same", strides=2)
L.Conv2D(3, 3, padding="SAME")
L.Conv2D(3, 3, padding="Same", activation="relu")
L.Conv2D(3, 3, data_format="channels_last")
L.Conv2D(3, 3, data_format=None)
L.Conv2D(4, 3, data_format="channels_first")
L.Conv2D(3, 3, dilation_rate=1)
L.Conv2D(3, 3, dilation_rate=2)
L.Conv2D(4, 3, groups=2)
L.Conv2D(3, 3, groups=1)
L.Conv2D(3, 3, activation="tanh", use_bias=False)
L.Conv2D(3, 3, kernel_regularizer=k.regularizers.L1(0.1))
L.Conv2D(3, 3, kernel_initializer="he_normal", bias_initializer="zeros")
L.Conv2D(3, 1)
L.Conv2D(3, (7, 6))
L.Convolution2D(3, 2)
L.Conv2DTranspose(3, 3)
L.DepthwiseConv2D(3)
L.SeparableConv2D(3, 3)
L.Conv1D(3, 3)
L.MaxPooling2D()
L.MaxPooling2D(2)
L.MaxPooling2D((3, 2))
L.MaxPooling2D(pool_size=3, strides=2)
L.MaxPooling2D(3, 1, "same")
L.MaxPooling2D((2, 2), strides=None, padding="valid")
L.MaxPool2D(2, padding="same")
L.MaxPooling2D(2, data_format="channels_first")
L.AveragePooling2D(2)
L.AveragePooling2D((2, 3), strides=1, padding="same")
L.AvgPool2D(3)
L.GlobalAveragePooling2D()
L.GlobalAveragePooling2D(keepdims=True)
L.GlobalAveragePooling2D("channels_last")
L.GlobalAvgPool2D()
L.GlobalMaxPooling2D()
L.GlobalMaxPooling2D(keepdims=True)
L.GlobalMaxPool2D()
L.Flatten()
L.Flatten("channels_last")
L.Reshape((42, 4))
L.Reshape(target_shape=(-1, 2))
L.Permute((2, 1, 3))
L.Permute((3, 1, 2))
L.ZeroPadding2D()
L.ZeroPadding2D(2)
L.ZeroPadding2D((1, 2))
L.ZeroPadding2D(((1, 2), (0, 3)))
L.Cropping2D()
L.Cropping2D(1)
L.Cropping2D(((1, 2), (0, 1)))
L.UpSampling2D()
L.UpSampling2D(3)
L.UpSampling2D((2, 1))
L.UpSampling2D(2, interpolation="bilinear")
L.SpatialDropout2D(0.3)
L.BatchNormalization()
L.BatchNormalization(axis=-1, momentum=0.9)
L.BatchNormalization(axis=3)
L.BatchNormalization(axis=1)
L.GroupNormalization(2)
L.Dense(3)
L.Dropout(0.5)
L.Dropout(0.5, noise_shape=(None, 1, 1, 4))
L.PReLU(shared_axes=[1, 2])
L.PReLU(alpha_initializer="ones")
L.LeakyReLU(0.1)
L.LeakyReLU(negative_slope=0.2)
L.ELU(0.5)
L.ELU(alpha=2.0)
L.ReLU(6.0)
L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2)
L.Softmax(axis=-1)
L.Softmax(axis=1)
L.Rescaling(1 / 255)
L.Resizing(3, 3)
L.CenterCrop(3, 3)
L.RandomFlip("horizontal")
L.RandomRotation(0.1)
L.Lambda(lambda x: x * 2)
L.TimeDistributed(L.Dense(2))
L.Activation("relu6")
""",
}


def layer_case(source, shape):
    return lambda k: applied(evaluated(k, source), *shape, k=k)


def evaluated(k, source):
    return eval(source, {"k": k, "L": k.layers, "np": np})


for shape, sources in VALUES.items():
    for source in sources.strip().splitlines():
        CASES[f"{source} on {shape}"] = layer_case(source, shape)


@CASES.over("Dense activation", ACTIVATIONS)
def _(k, value):
    return applied(k.layers.Dense(6, activation=value), 4, k=k)


@CASES.over("Activation layer", ACTIVATIONS)
def _(k, value):
    return applied(k.layers.Activation(value), 3, 6, k=k)


@CASES.over("activation function", ACTIVATIONS)
def _(k, value):
    return getattr(k.activations, value)(data(3, 6))


@CASES.over("activations.get", [*ACTIVATIONS, None, "nonsense", 3])
def _(k, value):
    return k.activations.get(value)(data(3, 6))


# In training, where nothing is left to chance.
TRAINING = """
L.BatchNormalization()
L.BatchNormalization(momentum=0.5, center=False)
L.Dropout(0.0)
L.Dense(3)
L.GaussianNoise(0.0)
"""
for source in TRAINING.strip().splitlines():
    CASES[f"{source} in training"] = lambda k, source=source: applied(
        evaluated(k, source), 4, k=k, training=True, batch=8
    )
    CASES[f"{source} called with training=False"] = lambda k, source=source: applied(
        evaluated(k, source), 4, k=k, training=False, batch=8
    )

REFUSED = """
L.Dense(0)
L.Dense(-3)
L.Dense("three")
L.Dense(2.5)
L.Dense()
L.Dense(3, activation="nonsense")
L.Dense(3, nonsense=1)
L.Dense(3, kernel_initializer="nonsense")
L.Conv2D(0, 3)
L.Conv2D(3, 0)
L.Conv2D(3, (3, 3, 3))
L.Conv2D(3, 3, strides=0)
L.Conv2D(3, 3, padding="nonsense")
L.Conv2D(3, 3, strides=2, dilation_rate=2)
L.Conv2D(5, 3, groups=2)
L.Conv2D(3)
L.Conv2D(3, 3, data_format="nonsense")
L.MaxPooling2D(0)
L.MaxPooling2D((2, 2, 2))
L.MaxPooling2D(2, padding="nonsense")
L.MaxPooling2D(2, strides=0)
L.Dropout(-0.1)
L.Dropout(1.5)
L.Dropout("half")
L.Dropout()
L.SpatialDropout2D(2.0)
L.Reshape((5, 5))
L.Reshape((-1, -1))
L.Permute((0, 1, 2))
L.Permute((1, 2))
L.ZeroPadding2D((1, 2, 3))
L.ZeroPadding2D("one")
L.Cropping2D(50)
L.UpSampling2D(2, interpolation="nonsense")
L.LeakyReLU(negative_slope=-0.1)
L.LeakyReLU(negative_slope=None)
L.ReLU(max_value=-1.0)
L.ReLU(negative_slope=-1.0)
L.ReLU(threshold=-1.0)
L.Activation("nonsense")
L.Activation()
L.BatchNormalization(axis=9)
L.Rescaling()
L.GaussianNoise(-1.0)
L.GlobalAveragePooling2D("channels_nonsense")
L.Conv2D(3, 9)
L.MaxPooling2D(9)
"""
for source in REFUSED.strip().splitlines():
    CASES[f"refused {source}"] = layer_case(source, IMAGE)


# -- shapes, names, configurations -----------------------------------------------------------
SHAPES = """
L.Dense(3)
L.Conv2D(3, 3)
L.Conv2D(3, 3, padding="same", strides=2)
L.MaxPooling2D(3)
L.Flatten()
L.Reshape((-1, 4))
L.GlobalAveragePooling2D()
L.ZeroPadding2D(1)
L.Dropout(0.5)
L.BatchNormalization()
L.Permute((2, 1, 3))
L.UpSampling2D(2)
"""
QUESTIONS = {
    "compute_output_shape": lambda k, layer: layer.compute_output_shape((None, *IMAGE)),
    "name": lambda k, layer: layer.name.rstrip("_0123456789"),
    "count_params": lambda k, layer: k.Sequential([k.Input(IMAGE), layer]).count_params(),
    "output.shape": lambda k, layer: tuple(layer(k.Input(IMAGE)).shape),
    "built before": lambda k, layer: layer.built,
    "built after": lambda k, layer: (layer.build((None, *IMAGE)), layer.built)[1],
    "weights": lambda k, layer: (
        layer.build((None, *IMAGE)),
        [np.shape(w) for w in layer.weights],
        len(layer.trainable_weights),
        len(layer.non_trainable_weights),
    ),
    "get_weights": lambda k, layer: (
        layer.build((None, *IMAGE)),
        [w.shape for w in layer.get_weights()],
    )[1],
    "trainable": lambda k, layer: layer.trainable,
    "dtype": lambda k, layer: layer.dtype,
    "called on an array": lambda k, layer: np.shape(layer(data(2, *IMAGE))),
    "config has its arguments": lambda k, layer: (
        type(layer).from_config(layer.get_config()).name == layer.name
    ),
    "config again": lambda k, layer: {
        key: value
        for key, value in type(layer).from_config(layer.get_config()).get_config().items()
        if key in ("filters", "units", "padding", "strides", "rate", "axis", "target_shape")
    },
    "wrong rank": lambda k, layer: layer.compute_output_shape((None, 3)),
    "add twice": lambda k, layer: k.Sequential([k.Input(IMAGE), layer, layer]).count_params(),
    "input before": lambda k, layer: layer.input,
    "output before": lambda k, layer: layer.output,
    "set_weights wrong": lambda k, layer: (
        layer.build((None, *IMAGE)),
        layer.set_weights([np.zeros(3)] * 7),
    ),
    "name given": lambda k, layer: (
        type(layer).from_config({**layer.get_config(), "name": "mine"}).name
    ),
}
for source in SHAPES.strip().splitlines():
    for question, asked in QUESTIONS.items():
        if question == "built before" and not source.startswith(("L.Dense", "L.Conv2D")):
            continue  # nothing to build
        CASES[f"{source} {question}"] = lambda k, source=source, asked=asked: asked(
            k, evaluated(k, source)
        )

ATTRIBUTES = """
L.Dense(3).units
L.Dense(3, "relu").activation.__name__
L.Dense(3).use_bias
pinned(built(L.Dense(3), 4)).kernel
pinned(built(L.Dense(3), 4)).bias
np.shape(built(L.Dense(3), 4).kernel)
built(L.Dense(3, use_bias=False), 4).bias
L.Conv2D(3, 5).kernel_size
L.Conv2D(3, 5).strides
L.Conv2D(3, 5).padding
L.Conv2D(3, 5).filters
L.Conv2D(3, 5).data_format
L.Conv2D(3, 5).dilation_rate
L.Conv2D(3, 5).groups
L.MaxPooling2D(3).pool_size
L.MaxPooling2D(3).strides
L.MaxPooling2D(3).padding
L.Dropout(0.25).rate
L.Dropout(0.25).noise_shape
L.BatchNormalization().momentum
L.BatchNormalization().epsilon
L.BatchNormalization().axis
np.shape(built(L.BatchNormalization(), 4).gamma)
built(L.BatchNormalization(), 4).beta
built(L.BatchNormalization(), 4).moving_mean
built(L.BatchNormalization(), 4).moving_variance
L.LeakyReLU(0.2).negative_slope
L.ELU(0.2).alpha
L.ReLU(6).max_value
L.Rescaling(2.0).scale
L.Reshape((2, 2)).target_shape
L.Flatten().data_format
L.ZeroPadding2D(2).padding
L.Softmax().axis
L.Dense(3, kernel_initializer="zeros").kernel_initializer
L.Dense(3).kernel_initializer
L.Dense(3).kernel_regularizer
L.Dense(3).kernel_constraint
L.Dense(3).losses
L.Dense(3).metrics
L.Dense(3).input_spec is None
L.Dense(3).supports_masking
L.Dense(3).compute_dtype
L.Dense(3).nonsense
L.Dense(3).kernel
L.Dense(3).dtype_policy.name
L.Dense(3).path
L.Dense(3).quantize("int8")
L.Dense(3).add_loss(1.0)
L.Dense(3).variables
L.Dense(3).non_trainable_variables
L.InputLayer(shape=(4,)).name.rstrip("_0123456789")
L.InputLayer((4,)).batch_shape
k.Input((4,)).shape
k.Input(shape=(4,), name="a").name
k.Input(shape=(4,), batch_size=2).shape
k.Input(shape=(4,), dtype="float32").dtype
k.Input(4)
k.Input()
k.Input(batch_shape=(None, 4)).shape
"""


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


for source in ATTRIBUTES.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(
        source, {"k": k, "L": k.layers, "np": np, "built": built, "pinned": pinned}
    )

INITIALIZERS = """
I.Zeros()((2, 3))
I.Ones()((2, 3))
I.zeros()((2, 3))
I.ones()((2, 3))
I.Constant(0.5)((2, 3))
I.constant(2.0)((3,))
I.Identity()((3, 3))
I.Identity(gain=2.0)((3, 3))
np.shape(I.RandomNormal(seed=1)((50, 40)))
np.shape(I.RandomUniform(-0.1, 0.1, seed=1)((50, 40)))
np.shape(I.TruncatedNormal(stddev=0.1)((50, 40)))
np.shape(I.GlorotUniform(seed=1)((50, 40)))
np.shape(I.GlorotNormal()((50, 40)))
np.shape(I.HeNormal()((50, 40)))
np.shape(I.HeUniform()((3, 3, 5, 6)))
np.shape(I.LecunNormal()((50, 40)))
np.shape(I.LecunUniform()((50, 40)))
np.shape(I.VarianceScaling(2.0, "fan_out", "uniform")((50, 40)))
np.shape(I.Orthogonal()((4, 3)))
bool(np.max(np.abs(np.asarray(I.RandomUniform(-0.1, 0.1)((50, 40))))) <= 0.1)
round(float(np.std(np.asarray(I.RandomNormal(0.0, 0.05, seed=3)((400, 400))))), 2)
round(float(np.std(np.asarray(I.TruncatedNormal(0.0, 0.1, seed=3)((400, 400))))), 2)
round(float(np.std(np.asarray(I.HeNormal(seed=3)((400, 400))))), 2)
round(float(np.std(np.asarray(I.LecunNormal(seed=3)((400, 400))))), 2)
round(float(np.std(np.asarray(I.VarianceScaling(seed=3)((400, 400))))), 2)
np.round(np.asarray(I.Orthogonal(seed=1)((4, 4))) @ np.asarray(I.Orthogonal(seed=1)((4, 4))).T, 5)
I.get("zeros")((2,))
I.get("Zeros")((2,))
I.get("ones")((2,))
np.shape(I.get("glorot_uniform")((2, 2)))
np.shape(I.get("he_normal")((2, 2)))
np.shape(I.get("random_normal")((2, 2)))
np.shape(I.get("normal")((2, 2)))
np.shape(I.get("uniform")((2, 2)))
np.shape(I.get("truncated_normal")((2, 2)))
np.shape(I.get("lecun_normal")((2, 2)))
np.shape(I.get("orthogonal")((2, 2)))
np.shape(I.get(I.GlorotUniform)((2, 2)))
np.shape(I.get({"class_name": "HeNormal", "config": {"seed": None}})((2, 2)))
I.get("nonsense")
I.get(3)
I.get(None)
I.GlorotUniform(seed=3).get_config()
I.Constant(3.0).get_config()
I.RandomNormal(stddev=0.2).get_config()
I.RandomNormal(stddev="x")((2, 2))
I.VarianceScaling(scale=-1.0)
I.VarianceScaling(mode="nonsense")
k.regularizers.L1(0.1)(np.ones((2, 3), "float32"))
k.regularizers.L2(0.1)(np.ones((2, 3), "float32") * 2)
k.regularizers.L1L2(l1=0.1, l2=0.2)(np.ones((2, 3), "float32") * 2)
k.regularizers.l1(0.1)(np.ones((2, 3), "float32"))
k.regularizers.l2()(np.ones((2, 3), "float32"))
k.regularizers.l1_l2(0.1, 0.1)(np.ones((2, 3), "float32"))
k.regularizers.get("l2")(np.ones((2, 3), "float32"))
k.regularizers.get("l1")(np.ones((2, 3), "float32"))
k.regularizers.get("nonsense")
k.regularizers.get(None)
k.regularizers.L2(-1.0)
k.regularizers.L2("x")
k.regularizers.L2(0.3).get_config()
k.regularizers.OrthogonalRegularizer()(np.ones((2, 3), "float32"))
k.constraints.MaxNorm(2)(np.ones((2, 3), "float32"))
k.constraints.NonNeg()(np.ones((2, 3), "float32"))
"""
for source in INITIALIZERS.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(source, {"k": k, "I": k.initializers, "np": np})
