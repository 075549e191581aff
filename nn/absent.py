"""What Keras has and this package has not: by module, in groups with what to use instead.

Read by ``nn.spellings.missing_names`` when such a name is asked for, and by the page of names in
the documentation. ``*`` stands for every other name of a module.
"""

from __future__ import annotations

_ARRAYS = "Arrays here are NumPy's: use the function of numpy."
_CONFIG = "Use get_config and from_config, or nn.layers.serialize and deserialize."
_FLOAT32 = "Networks compute in float32, and in float64 with Sequential(dtype='float64')."
_GRAPH = "There is no graph: model.predict gives outputs, nn.explain looks inside."
_IMAGES = "Networks here read images."
_ONE_ROW = "Layers stand in a row, nothing branches: use Sequential, or one chain of calls."
_PILLOW = "Use Pillow: numpy.asarray(Image.open(path)), Image.fromarray(array).save(path)."
_RECURRENT = "Recurrent layers are not built, an image is read as a whole: use Conv2D or Dense."
_VERBOSE = "Pass verbose to fit, evaluate and predict."

ABSENT: dict[str, dict[str, str]] = {
    "nn": {
        "There are no pretrained networks: build one with nn.Sequential, or open a model file with "
        "nn.load_model.": "applications",
        "Use nn.backend for floatx, epsilon and image_data_format.": "config",
        "Limit weights with kernel_regularizer or a smaller learning rate.": "constraints",
        "Everything runs on the processor: nn.set_num_threads sets the threads.": (
            "device distribution"
        ),
        "Train on the teacher's outputs, as train.py --teacher does.": "distillation",
        _FLOAT32: (
            "dtype_policies DTypePolicy FloatDTypePolicy mixed_precision Quantizer quantizers"
        ),
        "Save with model.save: a .keras or .h5 file opens in Keras too.": "export",
        "Today's names are in nn.saving.": "legacy",
        "Use numpy.random.default_rng; nn.utils.set_random_seed seeds the models.": "random",
        "Use nn.explain, or model.summary and nn.utils.plot_model.": "visualization",
        "A model is used by itself: call fit and predict.": "wrappers",
        "Nested structures are plain lists and dicts.": "tree",
        "Arrays are NumPy's, and layers have forward and backward.": (
            "Function InputSpec KerasTensor name_scope Operation remat RematScope StatelessScope "
            "SymbolicScope Variable"
        ),
        "Read nn.__version__.": "version",
        "Import names from nn and its modules.": "api engine src",
    },
    "nn.activations": {
        "It has no counterpart here: use relu, silu or gelu, or an Activation of your own.": (
            "glu sparsemax"
        ),
    },
    "nn.backend": {
        _ARRAYS: (
            "abs cast clip concatenate dot eval exp log max mean min ones pow reshape sqrt square "
            "sum variable zeros"
        ),
        _GRAPH: "function get_session gradients set_session tf",
        "Use numpy.dtype and numpy.result_type.": (
            "is_float_dtype is_int_dtype result_type standardize_dtype"
        ),
        "Names are counted in each model.": "get_uid",
        "Use model(x, training=True).": "learning_phase set_learning_phase",
        "Assign it: optimizer.learning_rate = 0.01.": "set_value",
        "Read it: float(optimizer.learning_rate).": "get_value",
    },
    "nn.callbacks": {
        "Use ModelCheckpoint, and train.py --resume to continue bit for bit.": (
            "BackupAndRestore OrbaxCheckpoint"
        ),
        "fit shows a bar by itself: pass verbose.": "ProgbarLogger",
        "Use CSVLogger, or a Callback of your own that sends the logs.": "RemoteMonitor",
        "Use WeightAveraging.": "SwapEMAWeights",
    },
    "nn.datasets": {
        "Use nn.datasets.cifar10, or load the file's arrays with NumPy.": "cifar100",
        "Networks here read images: use nn.datasets.mnist, fashion_mnist, emnist or cifar10.": (
            "boston_housing california_housing imdb reuters"
        ),
    },
    "nn.initializers": {
        "It has no counterpart here: use glorot_uniform or he_normal.": "STFT stft STFTInitializer",
    },
    "nn.layers": {
        _RECURRENT: (
            "Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D GRU GRUCell LSTM LSTMCell Masking "
            "RepeatVector RNN SimpleRNN SimpleRNNCell StackedRNNCells TimeDistributed"
        ),
        "Attention and text are not built: use Conv2D and Dense on images.": (
            "AdditiveAttention Attention CategoryEncoding Discretization EinsumDense Embedding "
            "GroupQueryAttention HashedCrossing Hashing IntegerLookup MelSpectrogram "
            "MultiHeadAttention ReversibleEmbedding STFTSpectrogram StringLookup TextVectorization"
        ),
        "Images have two dimensions: use the layer whose name ends in 2D.": (
            "AdaptiveAveragePooling1D AdaptiveAveragePooling3D AdaptiveMaxPooling1D "
            "AdaptiveMaxPooling3D AveragePooling1D AveragePooling3D AvgPool1D AvgPool3D Conv1D "
            "Conv1DTranspose Conv3D Conv3DTranspose Convolution1D Convolution1DTranspose "
            "Convolution3D Convolution3DTranspose Cropping1D Cropping3D DepthwiseConv1D "
            "GlobalAveragePooling1D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool3D "
            "GlobalMaxPool1D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling3D MaxPool1D "
            "MaxPool3D MaxPooling1D MaxPooling3D SeparableConv1D SeparableConvolution1D "
            "SpatialDropout1D SpatialDropout3D UpSampling1D UpSampling3D ZeroPadding1D "
            "ZeroPadding3D"
        ),
        _ONE_ROW: (
            "Add add Average average Concatenate concatenate Dot dot Maximum maximum merge Merge "
            "Minimum minimum Multiply multiply Subtract subtract"
        ),
        "Use Conv2D.": (
            "Conv2DTranspose Convolution2DTranspose Deconvolution2D DepthwiseConv2D "
            "LocallyConnected1D LocallyConnected2D SeparableConv2D SeparableConvolution2D"
        ),
        "Use MaxPooling2D, AveragePooling2D or GlobalAveragePooling2D.": (
            "AdaptiveAveragePooling2D AdaptiveMaxPooling2D"
        ),
        "Use BatchNormalization.": (
            "GroupNormalization LayerNormalization RMSNormalization SpectralNormalization "
            "UnitNormalization"
        ),
        "Distort images with nn.augment, before the network.": (
            "AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix "
            "Equalization MaxNumBoundingBoxes MixUp Pipeline RandAugment RandomBrightness "
            "RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop "
            "RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale "
            "RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation "
            "RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Resizing "
            "Solarization"
        ),
        "Use Rescaling, or scale the arrays with NumPy.": "Normalization",
        "Write a class that inherits nn.layers.Layer, with forward and backward: python -m "
        "nn.gradcheck checks it.": (
            "FlaxLayer Highway InputSpec JaxLayer Lambda MaxoutDense TFSMLayer ThresholdedReLU "
            "TorchModuleWrapper Wrapper"
        ),
        "Use Dropout, and relu in place of selu.": "AlphaDropout",
        "Give Dense or Conv2D a kernel_regularizer.": "ActivityRegularization",
    },
    "nn.losses": {
        "Use categorical_crossentropy, binary_crossentropy, mean_squared_error or "
        "mean_absolute_error, or a Loss of your own.": (
            "binary_focal_crossentropy BinaryFocalCrossentropy categorical_focal_crossentropy "
            "categorical_generalized_cross_entropy categorical_hinge CategoricalFocalCrossentropy "
            "CategoricalGeneralizedCrossEntropy CategoricalHinge Circle circle cosine_similarity "
            "CosineSimilarity CTC ctc Dice dice Hinge hinge Huber huber kl_divergence KLDivergence "
            "log_cosh LogCosh mean_absolute_percentage_error mean_squared_logarithmic_error "
            "MeanAbsolutePercentageError MeanSquaredLogarithmicError Poisson poisson squared_hinge "
            "SquaredHinge Tversky tversky"
        ),
        "Write mean_squared_error.": "mse MSE",
        "Write mean_absolute_error.": "mae MAE",
    },
    "nn.metrics": {
        "Compute it from model.predict after training, with NumPy or scikit-learn.": (
            "AUC BinaryIoU concordance_correlation ConcordanceCorrelation F1Score FalseNegatives "
            "FalsePositives FBetaScore IoU Mean MeanIoU OneHotIoU OneHotMeanIoU "
            "pearson_correlation PearsonCorrelation Precision PrecisionAtRecall R2Score Recall "
            "RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity "
            "SpecificityAtSensitivity Sum TrueNegatives TruePositives"
        ),
        "A loss is shown as loss; give its name to compile(loss=…).": (
            "binary_crossentropy binary_focal_crossentropy BinaryCrossentropy "
            "categorical_crossentropy categorical_focal_crossentropy categorical_hinge "
            "CategoricalCrossentropy CategoricalHinge CosineSimilarity Hinge hinge huber "
            "kl_divergence KLDivergence log_cosh LogCoshError mean_absolute_percentage_error "
            "mean_squared_logarithmic_error MeanAbsolutePercentageError "
            "MeanSquaredLogarithmicError Poisson poisson sparse_categorical_crossentropy "
            "SparseCategoricalCrossentropy squared_hinge SquaredHinge"
        ),
        "Use TopKCategoricalAccuracy.": "sparse_top_k_categorical_accuracy",
        "A metric is written as its name: nn.metrics.get finds it.": "deserialize serialize",
        "Write mean_squared_error.": "mse MSE",
        "Write mean_absolute_error.": "mae MAE",
    },
    "nn.ops": {
        _ARRAYS: "*",
    },
    "nn.optimizers": {
        "Use SGD, RMSprop, Adam, AdamW or Adadelta.": (
            "Adafactor Adagrad Adamax Ftrl Lamb Lion MultiOptimizer Muon Nadam OptimizerMap "
            "ScheduleFreeAdamW"
        ),
        _FLOAT32: "LossScaleOptimizer",
        "Today's names are in nn.optimizers.": "legacy",
    },
    "nn.optimizers.schedules": {
        "Use CosineDecay, or a LearningRateScheduler callback.": "CosineDecayRestarts",
        "Use get_config and from_config.": "deserialize serialize",
    },
    "nn.preprocessing": {
        "Make one array of the images with Pillow and NumPy.": "image_dataset_from_directory",
        _IMAGES: "sequence text text_dataset_from_directory timeseries_dataset_from_array",
    },
    "nn.preprocessing.image": {
        "Use ImageDataGenerator, or nn.augment.": (
            "apply_affine_transform apply_brightness_shift apply_channel_shift random_brightness "
            "random_channel_shift random_rotation random_shear random_shift random_zoom"
        ),
        "Use ImageDataGenerator.flow with one array.": (
            "DataFrameIterator DirectoryIterator Iterator"
        ),
        _PILLOW: "array_to_img img_to_array load_img save_img smart_resize",
    },
    "nn.regularizers": {
        "Use L1, L2 or L1L2, or a Regularizer of your own with its gradient.": (
            "OrthogonalRegularizer orthogonal_regularizer"
        ),
    },
    "nn.saving": {
        _CONFIG: "deserialize_keras_object serialize_keras_object",
        "A .h5 file opens with h5py, a .keras file is a zip of one.": "KerasFileEditor",
    },
    "nn.utils": {
        "Use plot_model(model, 'model.png') for a picture, or model.summary().": "model_to_dot",
        "Download the file with your browser, or use nn.datasets.": "get_file",
        "Make one array of the images with Pillow and NumPy.": "image_dataset_from_directory",
        "Training runs on all cores of one processor.": "multi_gpu_model",
        _IMAGES: (
            "audio_dataset_from_directory bounding_boxes FeatureSpace pad_sequences "
            "text_dataset_from_directory timeseries_dataset_from_array"
        ),
        _PILLOW: "array_to_img img_to_array load_img save_img",
        "Write the tuple (x, y) or (x, y, sample_weight).": (
            "pack_x_y_sample_weight unpack_x_y_sample_weight"
        ),
        _VERBOSE: (
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled"
        ),
        _CONFIG: "deserialize_keras_object serialize_keras_object",
        "Slice the arrays, or pass validation_split to fit.": "split_dataset",
        "fit shows a bar; nn.callbacks are told of every batch.": "Progbar",
        "Read model.input.": "get_source_inputs",
        "Use numpy.dtype(value).name.": "standardize_dtype",
        "Use a dict.": "Config",
        "Today's names are here.": "legacy",
        "Use model.summary().": "print_summary",
        "Read the file with h5py.": "HDF5Matrix",
    },
    "nn.models": {
        "Keras has removed it too: use model_from_json.": "model_from_yaml",
        "Use Model.": "Functional",
    },
}

# Attributes of Keras's layers and models that belong to its graph, and what they are.
OF_THE_GRAPH = {
    "autocast call_signature_parameters compute_output_spec input_dtype input_spec path "
    "rematerialized_call stateless_call supports_jit symbolic_call torch_params": (
        "There is no graph: arrays are NumPy's, computed as they are asked for."
    ),
    "compute_dtype dtype_policy get_quantization_layer_structure lora_alpha lora_enabled lora_rank "
    "quantization_config quantization_mode quantized_build quantized_call variable_dtype "
    "variable_serialization_spec": "Weights are float32: read dtype.",
    "compute_mask supports_masking": "Nothing is masked: pad images with ZeroPadding2D.",
    "activity_regularizer add_loss add_metric metrics_variables": (
        "Give compile a loss or a metric of your own."
    ),
    "add_variable add_weight": "Fill self.params in create_weights(self, rng).",
}

# Today's module -> older ones, which hold the same names.
MODULES = {
    "nn.layers": "nn.layers.core nn.layers.convolutional nn.layers.advanced_activations "
    "nn.layers.noise nn.layers.merge nn.layers.recurrent nn.layers.embeddings nn.layers.local "
    "nn.layers.wrappers",
    "nn.losses": "nn.objectives",
    "nn.utils": "nn.utils.data_utils nn.utils.generic_utils nn.utils.layer_utils "
    "nn.utils.vis_utils nn.utils.visualize_util",
}


def instead(module: str, name: str) -> str | None:
    """Return what to use instead of a name that ``module`` lacks; None if Keras has none such."""
    groups = ABSENT.get(module, {})
    found = (sentence for sentence, names in groups.items() if {name, "*"} & set(names.split()))
    return next(found, None)
