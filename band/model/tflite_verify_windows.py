"""Rules for convolutions, pools and matrix products: weights, bias and result must fit the input.

The kernels (and XNNPACK, which packs weights before anything runs) take sizes from one tensor and
walk another with them.
"""

from math import prod
from typing import Final

from band.model.tflite_verify_facts import TensorFacts
from band.model.tflite_verify_rules import Rule, Shape, Site, differ, shape_of, sizes_of

_SAME: Final = 0
_IMAGE_RANK: Final = 4
_TOO_SMALL: Final = -2


def convolution(site: Site) -> str | None:
    """Check CONV_2D: filters [out, h, w, in / groups], one bias for each filter."""
    weights = shape_of(site.input(1))
    image = sizes_of(site.input(0))
    if weights is None:
        return None
    if len(weights) != _IMAGE_RANK or 0 in weights:
        return f"has filters of shape {list(weights)}"
    if image is not None and not _in_groups(image, weights):
        return f"has filters of shape {list(weights)} for an image of shape {list(image)}"
    return _bias(site, 2, weights[0]) or _window_result(site, image, weights, weights[0])


def depthwise(site: Site) -> str | None:
    """Check DEPTHWISE_CONV_2D: filters [1, h, w, out], out a multiple of the input's channels."""
    weights = shape_of(site.input(1))
    image = sizes_of(site.input(0))
    if weights is None:
        return None
    if len(weights) != _IMAGE_RANK or 0 in weights or weights[0] != 1:
        return f"has filters of shape {list(weights)}"
    if image is not None:
        if len(image) != _IMAGE_RANK or not image[3] or weights[3] % image[3]:
            return f"has filters of shape {list(weights)} for an image of shape {list(image)}"
        multiplier = site.option("depth_multiplier", 0)
        if multiplier and image[3] > 0 and multiplier * image[3] != weights[3]:
            return f"has {weights[3]} filters for {image[3]} channels times {multiplier}"
    return _bias(site, 2, weights[3]) or _window_result(site, image, weights, weights[3])


def transpose_convolution(site: Site) -> str | None:
    """Check TRANSPOSE_CONV: filters [out, h, w, in], a result as large as its constant says."""
    weights, image = shape_of(site.input(1)), sizes_of(site.input(2))
    if weights is None:
        return None
    if len(weights) != _IMAGE_RANK or 0 in weights:
        return f"has filters of shape {list(weights)}"
    if image is not None and (len(image) != _IMAGE_RANK or image[3] not in (weights[3], -1)):
        return f"has filters of shape {list(weights)} for an image of shape {list(image)}"
    wanted = site.integers(0)
    problem = None if wanted is None else _enlarged(site, image, wanted, weights)
    return problem or _bias(site, 3, weights[0])


def _enlarged(site: Site, image: Shape | None, wanted: Shape, weights: Shape) -> str | None:
    """Check the size of the result, a constant of the file, against all that it depends on."""
    if len(wanted) != _IMAGE_RANK or min(wanted) < 1 or wanted[3] != weights[0]:
        return f"makes an image of shape {list(wanted)} with {weights[0]} filters"
    claimed = shape_of(site.output())
    if claimed is not None and claimed != wanted:
        return f"claims the shape {list(claimed)} for its result of shape {list(wanted)}"
    if image is not None and not _enlarges(site, image, wanted, weights):
        return f"makes an image of shape {list(wanted)} of one of shape {list(image)}"
    return None


def pool(site: Site) -> str | None:
    """Check a pool: an image in, an image of the same channels out."""
    image = sizes_of(site.input(0))
    if image is None:
        return None
    if len(image) != _IMAGE_RANK or 0 in image:
        return f"pools a tensor of shape {list(image)}"
    kernel = (1, site.option("filter_height", 1), site.option("filter_width", 1), image[3])
    return _window_result(site, image, kernel, image[3])


def dense(site: Site) -> str | None:
    """Check FULLY_CONNECTED: weights [out, in], whole rows in the input, one bias for each row."""
    weights, values = shape_of(site.input(1)), shape_of(site.input(0))
    if weights is None:
        return None
    if len(weights) != 2 or 0 in weights:
        return f"has weights of shape {list(weights)}"
    if values is not None:
        if not values or prod(values) % weights[1] or 0 in values:
            return f"has weights of shape {list(weights)} for values of shape {list(values)}"
        claimed = shape_of(site.output())
        made = prod(values) // weights[1] * weights[0]
        if claimed is not None and (prod(claimed) != made or claimed[-1] != weights[0]):
            return f"claims the shape {list(claimed)} for its {made} results"
        if site.option("keep_num_dims", 0) and values[-1] != weights[1]:
            return f"has weights of shape {list(weights)} for values of shape {list(values)}"
    return _bias(site, 2, weights[0])


def batched_product(site: Site) -> str | None:
    """Check BATCH_MATMUL: two stacks of matrices whose inner sizes are equal."""
    left, right = shape_of(site.input(0)), shape_of(site.input(1))
    if left is None or right is None:
        return None
    if min(len(left), len(right)) < 2 or max(len(left), len(right)) > 5:
        return f"multiplies the shapes {list(left)} and {list(right)}"
    inner = left[-2] if site.option("adj_x", 0) else left[-1]
    other = right[-1] if site.option("adj_y", 0) else right[-2]
    return None if inner == other else f"multiplies the shapes {list(left)} and {list(right)}"


def _bias(site: Site, position: int, count: int) -> str | None:
    bias: TensorFacts | None = site.input(position)
    shape = shape_of(bias)
    if bias is None or shape is None or prod(shape) == count:
        return None
    return f"has a bias of shape {list(shape)} for {count} filters"


def _in_groups(image: Shape, weights: Shape) -> bool:
    """Return whether filters divide an image's channels into groups, and themselves too."""
    if len(image) != _IMAGE_RANK or image[3] == 0:
        return False
    groups, left = divmod(image[3], weights[3])
    return image[3] == -1 or (left == 0 and weights[0] % groups == 0)


def _window_result(site: Site, image: Shape | None, kernel: Shape, channels: int) -> str | None:
    """Check that the result is as large as window, stride and padding make it."""
    if image is None:
        return None
    made = (
        image[0],
        *(
            -1 if image[axis] == -1 else _windows(site, image[axis], kernel[axis], side)
            for axis, side in ((1, "h"), (2, "w"))
        ),
        channels,
    )
    claimed = sizes_of(site.output())
    # An image smaller than its window is refused by the kernel, if it is not resized before.
    if min(made) < -1 or 0 in made or claimed is None or not differ(claimed, made):
        return None
    return f"claims the shape {list(claimed)} for its result of shape {list(made)}"


def _windows(site: Site, size: int, kernel: int, side: str) -> int:
    """Return how many windows fit along one side; less than 0 if the image is too small."""
    if site.option("padding", _SAME) != _SAME:
        size -= (kernel - 1) * site.option(f"dilation_{side}_factor", 1)
        if size < 1:
            return _TOO_SMALL
    return -(-size // int(site.option(f"stride_{side}", 1)))


def _enlarges(site: Site, image: Shape, wanted: Shape, weights: Shape) -> bool:
    """Return whether a transpose convolution can make a size: its inverse gives the image."""
    for axis, side in ((1, "h"), (2, "w")):
        if image[axis] not in (_windows(site, wanted[axis], weights[axis], side), -1):
            return False
    return image[0] in (wanted[0], -1)


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "CONV_2D": (convolution,),
    "DEPTHWISE_CONV_2D": (depthwise,),
    "TRANSPOSE_CONV": (transpose_convolution,),
    "AVERAGE_POOL_2D": (pool,),
    "MAX_POOL_2D": (pool,),
    "L2_POOL_2D": (pool,),
    "FULLY_CONNECTED": (dense,),
    "BATCH_MATMUL": (batched_product,),
}
