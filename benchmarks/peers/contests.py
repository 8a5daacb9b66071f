"""Which contests there are, and who takes part."""

from benchmarks.peers.contest import OURS, Contender, Contest

KERAS = ("keras==3.15.1", "tensorflow==2.21.0", "pillow", "scipy")
CV, VIS = "opencv-python-headless", "tf-keras-vis"
TORCH = ("torch", CV, "numpy")
TTACH = ("timm", "ttach")
IMBALANCED = ("imbalanced-learn", CV)
MOVES = "rotated and zoomed"
MOVED = f"{OURS}, {MOVES}"
FEEDING, CAMS, LOOPS, TTA, START = "feeding", "gradcam", "epoch", "inference", "start"


def _feeding(name: str, way: str, *packages: str) -> Contender:
    return Contender(name, "feeding.py", (way,), packages)


CONTESTS = {
    contest.name: contest
    for contest in (
        Contest(
            FEEDING,
            "Feeding batches",
            "1,000 PNG files of 299 px in four classes of 170, 280, 480 and 70, in batches of 32 "
            "at 224 px. The first epoch decodes, later ones are warm; ours, those that are cached "
            "and those in memory then have the images.",
            ("images/s, warm", True),
            (
                _feeding(OURS, "ours"),
                _feeding("Keras flow_from_directory", "flow", *KERAS),
                _feeding("Keras image_dataset_from_directory", "dataset", *KERAS),
                _feeding("the same, cached in memory", "cached", *KERAS),
                _feeding("PyTorch DataLoader with OpenCV, 2 workers", "torch", *TORCH),
                _feeding("imbalanced-learn's generator", "imblearn", *KERAS, *IMBALANCED),
                Contender(MOVED, "feeding.py", ("ours_moved",), base=MOVED),
                Contender(
                    f"flow_from_directory, {MOVES}", "feeding.py", ("flow_moved",), KERAS, MOVED
                ),
            ),
            quick=("1",),
            whole=("3",),
        ),
        Contest(
            CAMS,
            "Grad-CAM",
            "64 images of 192 px, MobileNet with random weights: seconds of a later call on the "
            "same images, and of the first.",
            ("seconds", False),
            (
                Contender(OURS, "gradcam.py", ("ours",)),
                Contender("tf-keras-vis", "gradcam.py", ("tf_keras_vis",), (*KERAS, VIS)),
                Contender("xplique", "gradcam.py", ("xplique",), (*KERAS, "xplique")),
            ),
        ),
        Contest(
            LOOPS,
            "An epoch of training",
            "MobileNet 1.0 with random weights at 128 px, 20 batches of 32 of the same files, "
            "flipped at random, AdamW: seconds of a later epoch and of the first.",
            ("seconds an epoch", False),
            (
                Contender(OURS, "epoch.py", ("ours",)),
                Contender("plain Keras on TensorFlow", "epoch.py", ("keras",), KERAS),
                Contender("PyTorch and timm", "epoch.py", ("timm",), (*TORCH, "timm")),
            ),
        ),
        Contest(
            TTA,
            "Predicting with views and folds",
            "64 images of 192 px that are decoded already, MobileNet with random weights, warm.",
            ("seconds, five folds, two views", False),
            (
                Contender(OURS, "inference.py", ("ours",)),
                Contender("Keras' predict in a loop", "inference.py", ("keras",), (*KERAS, CV)),
                Contender("ttach on PyTorch", "inference.py", ("ttach",), (*TORCH, *TTACH)),
            ),
        ),
        Contest(
            START,
            "Installing and importing",
            "Each from the registry, ours from this folder, with all that they require and no "
            "extras; the fastest of five imports in new processes.",
            ("seconds of import", False),
            (
                Contender(OURS, "start.py", ("kagglecxr",), (".",)),
                Contender("keras-tuner", "start.py", ("keras_tuner",), ("keras-tuner", *KERAS)),
                Contender("AutoKeras", "start.py", ("autokeras",), ("autokeras",)),
                Contender("PyTorch and timm", "start.py", ("timm",), (*TORCH, "timm")),
            ),
        ),
    )
}
