"""Models: how they are put together, read, copied and saved."""

import contextlib
import copy
import io
import json
import os
import pickle
import tempfile

import numpy as np

from .tools import Collector, data, examples, pinned, small

CASES = Collector()
X, Y = examples()
SCOPE = {"np": np, "json": json, "os": os, "pickle": pickle, "copy": copy, "X": X, "Y": Y}


def chain(k):
    inputs = k.Input((4,), name="in")
    x = k.layers.Dense(5, activation="relu", name="hidden")(inputs)
    outputs = k.layers.Dense(3, activation="softmax", name="out")(x)
    model = k.Model(inputs, outputs, name="chain")
    return pinned(model)


def add(sources):
    for source in sources.strip().splitlines():
        CASES[source] = lambda k, source=source: evaluated(k, source)


def evaluated(k, source):
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            return eval(
                source,
                {
                    **SCOPE,
                    "k": k,
                    "L": k.layers,
                    "m": small(k),
                    "c": chain(k),
                    "e": k.Sequential(),
                    "printed": printed,
                    "saved": saved,
                    "pinned": pinned,
                    "data": data,
                },
            )
        finally:
            os.chdir(before)


def printed(function, *arguments, **options):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        function(*arguments, **options)
    return text.getvalue()


def saved(k, model, name, *how, **options):
    """Save a model, open it, and return what it says about X."""
    model.save(name, *how)
    return k.models.load_model(name, **options).predict(X, verbose=0)


add(
    """
[layer.name for layer in m.layers]
[layer.name for layer in c.layers]
m.name.rstrip("_0123456789")
c.name
m.input_shape
m.output_shape
c.input_shape
c.output_shape
m.inputs[0].shape
m.outputs[0].shape
len(m.inputs)
m.count_params()
c.count_params()
len(m.weights)
[w.shape for w in m.get_weights()]
[tuple(w.shape) for w in m.weights]
[w.name for w in m.weights]
[w.path.split("/")[-1] for w in m.weights]
len(m.trainable_weights)
len(m.trainable_variables)
len(m.non_trainable_weights)
len(m.non_trainable_variables)
len(m.variables)
m.trainable
m.built
e.built
m.dtype
m.get_layer("hidden").name
m.get_layer(index=1).name
m.get_layer(name="out").units
m.get_layer("nonsense")
m.get_layer(index=9)
m.get_layer()
m.layers[0].get_weights()[0]
m.layers[0].weights[0].shape
m.layers[0].output.shape
m.layers[0].input.shape
m.get_layer("hidden").output.shape
c.get_layer("hidden").output.shape
m.set_weights(m.get_weights())
m.set_weights(m.get_weights()[:2])
m.set_weights([np.zeros((9, 9))] * 4)
m.set_weights(None)
(m.pop(), m.output_shape)[1]
(m.pop(), m.pop(), len(m.layers))[2]
e.pop()
(m.add(L.Dense(2)), m.output_shape)[1]
(m.add(L.Dense(2, name="out")), 1)[1]
m.add("dense")
m.add(None)
m.add(L.Dense)
m.add(k.Input((3,)))
e.add(k.Input((4,)))
(e.add(L.Input(shape=(4,))), e.add(L.Dense(2)), e.output_shape)[2]
(e.add(L.InputLayer(shape=(4,))), e.add(L.Dense(2)), e.output_shape)[2]
(e.add(L.Dense(2, input_shape=(4,))), e.output_shape)[1]
(e.add(L.Dense(2, input_dim=4)), e.output_shape)[1]
(e.add(L.Dense(2, batch_input_shape=(None, 4))), e.output_shape)[1]
(e.add(L.Dense(2)), e.build((None, 4)), e.output_shape)[2]
(e.add(L.Dense(2)), e.build(input_shape=(None, 4)), e.count_params())[2]
(e.add(L.Dense(2)), e.count_params())[1]
(e.add(L.Dense(2)), e.input_shape)[1]
(e.add(L.Dense(2)), e.output_shape)[1]
(e.add(L.Dense(2)), e.weights)[1]
(e.add(L.Dense(2)), e.layers)[1]
(e.add(L.Dense(2)), e(X), e.count_params())[2]
(e.add(L.Dense(2)), e.predict(X, verbose=0).shape)[1]
e.predict(X)
e.summary()
e.count_params()
e.input_shape
e.layers
k.Sequential([L.Dense(2), L.Dense(3)], name="mine").name
k.Sequential(name="mine").name
k.Sequential(L.Dense(2))
k.Sequential([3])
k.Sequential([L.Dense(2), k.Input((4,))])
k.Sequential([[L.Dense(2)]])
k.Sequential(layers=[k.Input((4,)), L.Dense(2)]).output_shape
k.Sequential((k.Input((4,)), L.Dense(2))).output_shape
k.Sequential([k.Input((4,)), L.Dense(2)], trainable=False).trainable
k.Sequential([m, L.Dense(2)]).output_shape
k.Sequential([m, L.Dense(2)]).count_params()
k.Sequential([k.Input((4,)), m, L.Softmax()]).predict(X, verbose=0)
[layer.name for layer in k.Sequential([m, L.Dense(2, name="x")]).layers][1]
k.models.Sequential is k.Sequential
k.models.Model is k.Model
isinstance(m, k.Model)
isinstance(c, k.Sequential)
isinstance(m.layers[0], k.layers.Layer)
c.predict(X, verbose=0)
(c.compile("sgd", "mse"), c.fit(X, Y, verbose=0, shuffle=False).history)[1]
k.Model(inputs=c.input, outputs=c.get_layer("hidden").output).predict(X, verbose=0)
k.Model(m.inputs, m.outputs).predict(X, verbose=0)
k.Model([c.input], [c.output]).output_shape
k.Model(c.input, [c.output, c.get_layer("hidden").output])
k.Model(c.input, None)
k.Model(inputs=c.input)
k.Model(X, Y)
k.Model()
k.Model(name="a").name
L.Dense(2)(c.output).shape
L.Dense(2)(L.Dense(3)(k.Input((4,)))).shape
k.Model(c.input, L.Dense(2)(c.output)).output_shape
c(k.Input((4,))).shape
m(k.Input((4,))).shape
L.concatenate([c.output, c.output])
L.Add()([c.output, c.output])
L.Dense(2)([c.output, c.output])
c.output + c.output
L.Dense(2)(3)
L.Dense(2)(X).shape
L.Dense(2)("x")
L.Conv2D(2, 3)(X)
k.ops.relu(c.output)
"""
)

add(
    """
"Total params: 43" in printed(m.summary)
"Trainable params: 43" in printed(m.summary)
"Non-trainable params: 0" in printed(m.summary)
"(None, 5)" in printed(m.summary)
"hidden (Dense)" in printed(m.summary)
printed(m.summary).splitlines()[0].startswith('Model: "')
m.summary(print_fn=lambda *a, **b: None)
m.summary(line_length=60)
m.summary(expand_nested=True)
m.summary(show_trainable=True)
m.summary(nonsense=1)
(e.add(L.Dense(2)), "unbuilt" in printed(e.summary))[1]
json.loads(m.to_json())["class_name"]
[layer["class_name"] for layer in json.loads(m.to_json())["config"]["layers"]]
k.models.model_from_json(m.to_json()).count_params()
k.models.model_from_json(c.to_json()).name
k.models.model_from_json("{}")
k.models.model_from_json("nonsense")
k.models.model_from_json(3)
m.to_yaml()
k.Sequential.from_config(m.get_config()).count_params()
k.Model.from_config(c.get_config()).name
sorted(m.get_config())[-1]
[layer["class_name"] for layer in m.get_config()["layers"]]
k.models.clone_model(m).count_params()
np.array_equal(k.models.clone_model(m).get_weights()[0], m.get_weights()[0])
k.models.clone_model(c).name
k.models.clone_model(m, input_tensors=k.Input((4,))).count_params()
k.models.clone_model(3)
pickle.loads(pickle.dumps(m)).predict(X, verbose=0)
copy.deepcopy(m).predict(X, verbose=0)
copy.copy(m).predict(X, verbose=0)
saved(k, m, "a.keras")
saved(k, m, "a.h5")
saved(k, c, "c.keras")
saved(k, c, "c.h5")
saved(k, m, "a.keras", compile=False)
saved(k, m, "a.keras", custom_objects={})
saved(k, m, "a.keras", safe_mode=True)
saved(k, m, "a.pt")
saved(k, m, "a")
(m.save("a.keras"), m.save("a.keras", overwrite=True), 1)[2]
(m.save("a.keras"), m.save("a.keras", True), 1)[2]
m.save("no/such/folder/a.keras")
m.save()
m.save(3)
(m.save("a.keras"), k.models.load_model("a.keras").loss)[1]
(m.save("a.keras"), k.models.load_model("a.keras").evaluate(X, Y, verbose=0))[1]
(m.save("a.h5"), k.models.load_model("a.h5").evaluate(X, Y, verbose=0))[1]
(m.save("a.keras"), k.models.load_model("a.keras", compile=False).compiled)[1]
(m.save("a.keras"), k.saving.load_model("a.keras").name.rstrip("_0123456789"))[1]
k.models.load_model("missing.keras")
k.models.load_model("missing.h5")
k.models.load_model(None)
(open("bad.keras", "w").write("x"), k.models.load_model("bad.keras"))[1]
(open("bad.h5", "w").write("x"), k.models.load_model("bad.h5"))[1]
(k.models.save_model(m, "b.keras"), os.path.exists("b.keras"))[1]
(m.save_weights("a.weights.h5"), pinned(k.models.clone_model(m)).load_weights("a.weights.h5"))[1]
m.save_weights("a.h5")
m.save_weights("a.keras")
m.load_weights("missing.weights.h5")
(m.save_weights("a.weights.h5"), chain(k).load_weights("a.weights.h5"))[1]
(m.save_weights("a.weights.h5"), k.Sequential([k.Input((4,)), L.Dense(9)]).load_weights("a.weights.h5"))
(m.save_weights("a.weights.h5"), m.load_weights("a.weights.h5", by_name=True))[1]
(m.save_weights("a.weights.h5"), m.load_weights("a.weights.h5", skip_mismatch=True))[1]
m.export("folder")
m.quantize("int8")
m.nonsense
m.state_updates
m.uses_learning_phase
m.layers.append(L.Dense(2))
m.compute_output_shape((None, 4))
m.compute_output_shape((7, 4))
len(list(m.submodules))
m.get_metrics_result()
m.distribute_strategy
m.save_own_variables({})
"""
)
SCOPE["chain"] = chain


def own_layer(k, source):
    """Use a layer of one's own, as scripts write it for Keras."""

    class Scale(k.layers.Layer):
        def __init__(self, factor=2.0, **options):
            super().__init__(**options)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    return eval(source, {"k": k, "Scale": Scale, "X": X, "L": k.layers})


for source in (
    "Scale(3.0).factor",
    "Scale(name='a').name",
    "Scale().get_config()['factor']",
    "Scale.from_config(Scale(3.0).get_config()).factor",
    "k.Sequential([k.Input((4,)), Scale(3.0)]).predict(X, verbose=0)",
    "k.Sequential([k.Input((4,)), Scale(3.0), L.Dense(2)]).count_params()",
):
    CASES[f"a layer of one's own: {source}"] = lambda k, source=source: own_layer(k, source)


def model_class(k, source):
    class Mine(k.Model):
        def __init__(self):
            super().__init__()
            self.first = k.layers.Dense(3)

        def call(self, x):
            return self.first(x)

    return eval(source, {"Mine": Mine, "X": X})


CASES["a model of one's own class"] = lambda k: model_class(k, "Mine()(X).shape")
CASES["a model of one's own class, predict"] = lambda k: model_class(k, "Mine().predict(X).shape")
