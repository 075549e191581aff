"""Run one script of scripts/ under Keras or under nn: ``python run_script.py nn cnn_keras3``.

The package stands under the names ``keras`` and ``tensorflow.keras``; the data sets are the first
images of MNIST. The last line printed is the script's SCORE.
"""

import json
import os
import runpy
import sys
import tempfile
import types
from pathlib import Path

TRAIN, TEST = 6000, 2000


def packages(name):
    """Return the package that stands for keras."""
    if name == "keras":
        import keras
        from keras.src.legacy.preprocessing import image

        # today it lies in tf.keras alone
        keras.preprocessing.image.ImageDataGenerator = image.ImageDataGenerator
        return keras
    import nn

    modules = {key: module for key, module in sys.modules.items() if key.startswith("nn.")}
    sys.modules["keras"] = nn
    sys.modules.update({"keras" + key[2:]: module for key, module in modules.items()})
    return nn


def main(package, script):
    keras = packages(package)
    from nn.datasets import mnist

    (x, y), (x_test, y_test) = mnist.load_data()
    parts = (x[:TRAIN], y[:TRAIN]), (x_test[:TEST], y_test[:TEST])

    def load_data(path="mnist.npz"):
        return tuple((images.copy(), labels.copy()) for images, labels in parts)

    keras.datasets.mnist.load_data = load_data
    keras.datasets.fashion_mnist.load_data = load_data
    keras.utils.set_random_seed(1)
    path = Path(__file__).parent / "scripts" / f"{script}.py"
    if "tensorflow" in path.read_text():
        sys.modules["tensorflow"] = types.ModuleType("tensorflow")
        sys.modules["tensorflow"].keras = keras
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = runpy.run_path(str(path), run_name="__main__")
        os.chdir(path.parent)
    print(json.dumps({"score": float(found["SCORE"])}))


if __name__ == "__main__":
    main(*sys.argv[1:])
