"""What a bundle's configs may name: components, callables, imports and attributes. Whatever is not here is refused.

MONAI finds a `_target_` by walking attributes from module to module, so a prefix such as `monai.` would allow
`monai.utils.module.os.system`: names are allowed one by one. Left out on purpose is what takes code, the name of code
or a pickle, or downloads: `Lambda`, `SaveImage`, `FlexibleUNet`, `PatchInferer`, `NumpyReader`, `PersistentDataset`,
`PerceptualLoss`, `EfficientNetBN`, `monai.bundle`, `monai.apps`, `monai.utils.module`.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points

SITE_GROUP = "prostate_alm.components"
"""Entry points of a site's installed package in this group add components: `any_name = "package.module:Name"`."""


def words(text: str) -> list[str]:
    """The words of a text.

    Example:
        >>> words("one two")
        ['one', 'two']
    """
    return text.split()


_TRANSFORMS = words("""
AsDiscrete Activations CastToType CenterSpatialCrop ClipIntensityPercentiles
CropForeground DivisiblePad EnsureChannelFirst EnsureType Flip GaussianSmooth HistogramNormalize
KeepLargestConnectedComponent LoadImage MapLabelValue MedianSmooth NormalizeIntensity Orientation RandAdjustContrast
RandAffine RandAxisFlip RandBiasField RandFlip RandGaussianNoise RandGaussianSharpen RandGaussianSmooth
RandGibbsNoise RandHistogramShift RandRicianNoise RandRotate RandRotate90 RandScaleIntensity
RandScaleIntensityFixedMean RandShiftIntensity RandSpatialCrop RandStdShiftIntensity RandZoom RepeatChannel
ResampleToMatch Resize ResizeWithPadOrCrop Rotate Rotate90 ScaleIntensity ScaleIntensityRange
ScaleIntensityRangePercentiles ShiftIntensity SpatialCrop SpatialPad Spacing SplitDim SqueezeDim
ThresholdIntensity ToDevice ToTensor Transpose Zoom
""")
_FURTHER_TRANSFORMS = words("Compose ConcatItemsd CopyItemsd DeleteItemsd OneOf RandomOrder SelectItemsd SomeOf")

_MONAI = {
    "transforms": [*_TRANSFORMS, *(f"{name}d" for name in _TRANSFORMS), *_FURTHER_TRANSFORMS],
    "networks.nets": words("""
        AttentionUnet BasicUNet Classifier DenseNet DenseNet121 DenseNet169 DenseNet201 DenseNet264 DynUNet
        HighResNet ResNet SegResNet SegResNetDS UNet UNETR VNet ViT"""),
    "losses": words("""
        AUCMLoss ContrastiveLoss DiceCELoss DiceFocalLoss DiceLoss FocalLoss GeneralizedDiceLoss TverskyLoss"""),
    "metrics": words("""
        AveragePrecisionMetric ConfusionMatrixMetric CumulativeAverage FBetaScore LossMetric MAEMetric MSEMetric
        RMSEMetric ROCAUCMetric"""),
    "handlers": words("""
        AveragePrecision CheckpointLoader CheckpointSaver ClassificationSaver ConfusionMatrix DecollateBatch
        EarlyStopHandler GarbageCollector LrScheduleHandler MLFlowHandler MeanDice MeanSquaredError MetricLogger
        MetricsSaver PostProcessing ROCAUC StatsHandler TensorBoardStatsHandler ValidationHandler"""),
    "engines": ["SupervisedEvaluator", "SupervisedTrainer"],
    "inferers": ["SimpleInferer", "SlidingWindowInferer"],
    "data": ["CacheDataset", "DataLoader", "Dataset", "DistributedSampler", "ThreadDataLoader"],
    "optimizers": ["Novograd", "WarmupCosineSchedule"],
}

_OWN = words("""
bundle.load_weights bundle.write_notice
cifar10.data.member_data cifar10.pictures.pictures_to_test cifar10.protocol.Scale cifar10.tensors.whole_batch
cohort.load_data cohort.load_split
losses.ALMLoss losses.AsymmetricFocalLoss losses.AsymmetricMarginLoss losses.BCELoss losses.ClassBalancedBCELoss
losses.MBAUCLoss losses.MSFELoss losses.SymmetricFocalLoss losses.SymmetricMarginLoss losses.WeightedBCELoss
losses.class_counts
networks.CascadeCNN networks.DualPathCNN networks.Ensemble
training.ALMHandler training.AutocastInferer training.BindPadding training.CaseDataset training.CaseSampler
training.FPRAtFN training.FPRAtTPR training.NonNegative training.RankSampler training.SeedEpoch
training.StageCheckpoint training.join_ranks training.label_columns training.leave_ranks training.over_ranks
training.rank_device training.rank_share training.require_package
transforms.NormalizeDwid
""")

_TORCH = words("""
nn.BCEWithLogitsLoss nn.CrossEntropyLoss nn.Identity nn.parallel.DistributedDataParallel
optim.Adam optim.AdamW optim.RMSprop optim.SGD
optim.lr_scheduler.CosineAnnealingLR optim.lr_scheduler.ExponentialLR optim.lr_scheduler.LinearLR
optim.lr_scheduler.MultiStepLR optim.lr_scheduler.PolynomialLR optim.lr_scheduler.ReduceLROnPlateau
optim.lr_scheduler.StepLR utils.data.DataLoader
""")

_IGNITE = words("Accuracy Average Loss Precision Recall RunningAverage")

COMPONENTS = frozenset(
    [
        *(name for names in _MONAI.values() for name in names),
        *(f"monai.{package}.{name}" for package, names in _MONAI.items() for name in names),
        *(f"prostate_alm.{name}" for name in _OWN),
        *(f"torch.{name}" for name in _TORCH),
        *(f"ignite.metrics.{name}" for name in _IGNITE),
    ]
)
"""What `_target_` may be; monai's own by their short names too."""

CALLABLES = frozenset(
    [
        "prostate_alm.cifar10.tensors.whole_batch",
        "prostate_alm.training.label_columns",
        "monai.data.list_data_collate",
        "monai.data.pad_list_data_collate",
        "monai.engines.default_prepare_batch",
    ]
)
"""What `_target_` may be with `"_mode_": "callable"`: of anything else, a partial could be given more."""

READERS = frozenset(["ITKReader", "NibabelReader", "NrrdReader", "PILReader", "PydicomReader"])
_NOTHING: frozenset[str] = frozenset()
GUARDED: Mapping[str, frozenset[str | bool]] = {
    "reader": READERS,
    "writer": _NOTHING,
    "merger_cls": _NOTHING,
    "weights_only": frozenset([True]),
    "allow_pickle": frozenset([False]),
    "pretrained": frozenset([False]),
    "compile": frozenset([False]),
    "compile_kwargs": _NOTHING,
    "artifacts": _NOTHING,
    "artifact_location": _NOTHING,
}
"""Arguments that name or load code, start a compiler, unpickle, download or send files, and what they may be."""

FILES = frozenset(["filename", "final_filename", "key_metric_filename"])
"""Arguments that name a file to write: never one that something else would run or read as settings."""

ADDRESSES = frozenset(["tracking_uri", "mlflow_uri"])
"""Arguments that name a place to log to: one on this machine."""

IMPORTS = frozenset(["ignite", "math", "monai", "numpy", "prostate_alm", "torch"])
"""What `$import` may import."""

BUILTINS = frozenset(
    words("""
    abs all any bool dict enumerate float int len list max min range reversed round set sorted str sum tuple zip
    """)
)
"""Python's own functions that an expression may call."""

NAMES = frozenset(
    words("""
    math.ceil math.exp math.floor math.inf math.log math.nan math.pi math.sqrt
    monai.data.decollate_batch monai.data.list_data_collate monai.data.pad_list_data_collate
    monai.handlers.from_engine monai.utils.set_determinism
    numpy.float16 numpy.float32 numpy.float64 numpy.int32 numpy.int64 numpy.uint8
    torch.bfloat16 torch.bool torch.cuda.device_count torch.cuda.is_available torch.device
    torch.distributed.get_rank torch.distributed.get_world_size torch.distributed.is_initialized
    torch.float16 torch.float32 torch.float64 torch.int32 torch.int64 torch.load torch.ones torch.sigmoid
    torch.softmax torch.stack torch.tensor torch.uint8 torch.zeros
    """)
)
"""What of the imported modules an expression may use."""

ATTRIBUTES = frozenset(
    words("""
    a alpha argmax b case_ids cases cpu detach device dtype endswith flatten float get item items join keys
    load_state_dict long lower mean metrics named_parameters ndim parameters run shape share sigmoid size split squeeze
    startswith state_dict strip sum to tolist unsqueeze upper values
    """)
)
"""What an expression may ask of any value; never `format`, which reads attributes by itself."""


@lru_cache
def site_components() -> frozenset[str]:
    """Components that installed packages of the site allow, by their entry points; a bundle cannot add to them."""
    return frozenset(entry.value.replace(":", ".") for entry in entry_points(group=SITE_GROUP))
