"""The table of models known by name: nets that are generated, and files that are pulled."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from band.errors import BandError, ErrorCode
from band.model.model import Model
from band.model.nets.classifiers import mobilenet_v2, squeezenet_1_1
from band.model.nets.dense_prediction import encoder_decoder
from band.model.nets.eagleeye import (
    eagleeye_arc_mobile,
    eagleeye_arc_resnet,
    eagleeye_detector,
    eagleeye_icn,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedNet:
    """A net that is built from a seed whenever it is asked for."""

    name: str
    build: Callable[[], Model]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledFile:
    """One model file inside a package.

    Attributes:
        name: the file's stem.
        member: path inside the package.
        byte_count: size of the file.
        sha256: of the file.
    """

    name: str
    member: str
    byte_count: int
    sha256: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledSet:
    """Model files that one pinned package carries.

    Attributes:
        requirement: the package, pinned, as pip takes it.
        licence: of the files.
    """

    name: str
    requirement: str
    licence: str
    files: tuple[PulledFile, ...]


def _mediapipe(folder: str, name: str, byte_count: int, sha256: str, summary: str) -> PulledFile:
    return PulledFile(
        name=name,
        member=f"mediapipe/modules/{folder}/{name}.tflite",
        byte_count=byte_count,
        sha256=sha256,
        summary=summary,
    )


GENERATED: Final = (
    GeneratedNet(name="squeezenet_1_1", build=squeezenet_1_1, summary="classifier 227x227"),
    GeneratedNet(name="mobilenet_v2", build=mobilenet_v2, summary="classifier 224x224"),
    GeneratedNet(
        name="encoder_decoder",
        build=encoder_decoder,
        summary="depth-like image to image 192x192 with skip tensors",
    ),
    GeneratedNet(
        name="eagleeye_detector",
        build=eagleeye_detector,
        summary="RetinaFace-like detector 160x160",
    ),
    GeneratedNet(
        name="eagleeye_icn",
        build=eagleeye_icn,
        summary="ICN-like super resolution 14x14 to 112x112",
    ),
    GeneratedNet(
        name="eagleeye_arc_mobile",
        build=eagleeye_arc_mobile,
        summary="light ArcFace-like embedding 112x112",
    ),
    GeneratedNet(
        name="eagleeye_arc_resnet",
        build=eagleeye_arc_resnet,
        summary="heavy ArcFace-like embedding 112x112",
    ),
)

# 0.10.21 is the last release of mediapipe whose wheel carries model files.
XR: Final = PulledSet(
    name="xr",
    requirement="mediapipe==0.10.21",
    licence="Apache-2.0",
    files=(
        _mediapipe(
            "face_detection",
            "face_detection_full_range_sparse",
            676_746,
            "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
            "face detection 192x192, sparse weights",
        ),
        _mediapipe(
            "face_detection",
            "face_detection_short_range",
            229_714,
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            "face detection 128x128",
        ),
        _mediapipe(
            "face_landmark",
            "face_landmark",
            1_242_398,
            "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
            "face mesh, 468 points",
        ),
        _mediapipe(
            "face_landmark",
            "face_landmark_with_attention",
            2_495_106,
            "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
            "face mesh with eyes and lips; has custom ops, not runnable whole",
        ),
        _mediapipe(
            "hand_landmark",
            "hand_landmark_full",
            5_478_917,
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
            "hand tracking, 21 points",
        ),
        _mediapipe(
            "hand_landmark",
            "hand_landmark_lite",
            2_071_597,
            "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
            "hand tracking, small",
        ),
        _mediapipe(
            "holistic_landmark",
            "hand_recrop",
            123_792,
            "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
            "hand region refinement",
        ),
        _mediapipe(
            "iris_landmark",
            "iris_landmark",
            2_640_568,
            "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
            "eye contour and iris",
        ),
        _mediapipe(
            "palm_detection",
            "palm_detection_full",
            2_339_846,
            "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
            "palm detection 192x192",
        ),
        _mediapipe(
            "palm_detection",
            "palm_detection_lite",
            1_985_440,
            "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
            "palm detection, small",
        ),
        _mediapipe(
            "pose_detection",
            "pose_detection",
            2_959_046,
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
            "person detection 224x224, sparse weights",
        ),
        _mediapipe(
            "pose_landmark",
            "pose_landmark_full",
            6_440_512,
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            "body pose, 33 points and mask",
        ),
        _mediapipe(
            "selfie_segmentation",
            "selfie_segmentation",
            249_505,
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            "person segmentation 256x256; custom op of XNNPACK",
        ),
        _mediapipe(
            "selfie_segmentation",
            "selfie_segmentation_landscape",
            250_145,
            "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd",
            "person segmentation 144x256; custom op of XNNPACK",
        ),
    ),
)

SETS: Final = (XR,)


def known_names() -> tuple[str, ...]:
    """Return the names of all zoo models."""
    pulled = (f.name for s in SETS for f in s.files)
    return tuple(sorted((*(net.name for net in GENERATED), *pulled)))


def generated(name: str) -> GeneratedNet | None:
    """Return the generated net of that name, or None."""
    return next((net for net in GENERATED if net.name == name), None)


def pulled(name: str) -> tuple[PulledSet, PulledFile] | None:
    """Return the pulled file of that name with its set, or None."""
    return next(((s, f) for s in SETS for f in s.files if f.name == name), None)


def pulled_set(name: str) -> PulledSet:
    """Return a set of files by name.

    Raises:
        BandError: NOT_FOUND if there is none.
    """
    for candidate in SETS:
        if candidate.name == name:
            return candidate
    names = ", ".join(s.name for s in SETS)
    msg = f"no model set {name!r}; the sets are: {names}"
    raise BandError(ErrorCode.NOT_FOUND, msg, set=name)


def unknown_model(name: str) -> BandError:
    """Return the error of a name that is in no table, with the nearest names."""
    near = get_close_matches(name, known_names(), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `band models list`"
    msg = f"no model {name!r}: {hint} (a file is named by its path)"
    return BandError(ErrorCode.UNKNOWN_MODEL, msg, model=name, nearest=tuple(near))
