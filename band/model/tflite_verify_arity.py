"""What each builtin op takes: how many inputs and outputs, which may be absent, whose options.

The interpreter's kernels index their inputs after checking little or nothing, so a file that gives
an op fewer tensors, or -1 for one that must be there, makes them read through a null pointer. One
row per op in the order of the schema's numbers:

    NAME inputs outputs [?absent inputs] [options table without the word Options]

Counts are exact (2), ranges (2-3) or open (1+). Options are those that the kernel reads; another
table there would be read as if it were that one. A test compares names and numbers with the schema.
"""

from functools import cache
from typing import Final, NamedTuple

_ROWS: Final = """
ADD 2 1 Add
AVERAGE_POOL_2D 1 1 Pool2D
CONCATENATION 1+ 1 Concatenation
CONV_2D 2-3 1 ?2 Conv2D
DEPTHWISE_CONV_2D 3 1 DepthwiseConv2D
DEPTH_TO_SPACE 1 1 DepthToSpace
DEQUANTIZE 1 1 Dequantize
EMBEDDING_LOOKUP 2 1
FLOOR 1 1
FULLY_CONNECTED 2-3 1-2 ?2 FullyConnected
HASHTABLE_LOOKUP 3 2
L2_NORMALIZATION 1 1 L2Norm
L2_POOL_2D 1 1 Pool2D
LOCAL_RESPONSE_NORMALIZATION 1 1 LocalResponseNormalization
LOGISTIC 1 1
LSH_PROJECTION 2-3 1 LSHProjection
LSTM 5-24 1-4 ?1,5,9-12,16,17,20-23 LSTM
MAX_POOL_2D 1 1 Pool2D
MUL 2 1 Mul
RELU 1 1
RELU_N1_TO_1 1 1
RELU6 1 1
RESHAPE 1-2 1 Reshape
RESIZE_BILINEAR 2 1 ResizeBilinear
RNN 5 1 RNN
SOFTMAX 1 1 Softmax
SPACE_TO_DEPTH 1 1 SpaceToDepth
SVDF 5 1 ?3 SVDF
TANH 1 1
CONCAT_EMBEDDINGS 1+ 1+ ConcatEmbeddings
SKIP_GRAM 1 1 SkipGram
CALL 0+ 0+ Call
CUSTOM 0+ 0+
EMBEDDING_LOOKUP_SPARSE 5 1 EmbeddingLookupSparse
PAD 2 1 Pad
UNIDIRECTIONAL_SEQUENCE_RNN 5 1 SequenceRNN
GATHER 2 1 Gather
BATCH_TO_SPACE_ND 3 1 BatchToSpaceND
SPACE_TO_BATCH_ND 3 1 SpaceToBatchND
TRANSPOSE 2 1 Transpose
MEAN 2 1 Reducer
SUB 2 1 Sub
DIV 2 1 Div
SQUEEZE 1 1 Squeeze
UNIDIRECTIONAL_SEQUENCE_LSTM 20-24 1 ?1,5,9-12,16,17,20-23 UnidirectionalSequenceLSTM
STRIDED_SLICE 4-5 1 StridedSlice
BIDIRECTIONAL_SEQUENCE_RNN 12 1-2 ?9-11 BidirectionalSequenceRNN
EXP 1 1 Exp
TOPK_V2 2 2 TopKV2
SPLIT 2 1+ Split
LOG_SOFTMAX 1 1 LogSoftmax
DELEGATE - -
BIDIRECTIONAL_SEQUENCE_LSTM 48 1-2 ?1,5,9-12,16-18,22,26-29,33-34,39-47 BidirectionalSequenceLSTM
CAST 1 1 Cast
PRELU 2 1
MAXIMUM 2 1 MaximumMinimum
ARG_MAX 2 1 ArgMax
MINIMUM 2 1 MaximumMinimum
LESS 2 1 Less
NEG 1 1 Neg
PADV2 3 1 PadV2
GREATER 2 1 Greater
GREATER_EQUAL 2 1 GreaterEqual
LESS_EQUAL 2 1 LessEqual
SELECT 3 1 Select
SLICE 3 1 Slice
SIN 1 1
TRANSPOSE_CONV 3-4 1 ?3 TransposeConv
SPARSE_TO_DENSE 4 1 SparseToDense
TILE 2 1 Tile
EXPAND_DIMS 2 1 ExpandDims
EQUAL 2 1 Equal
NOT_EQUAL 2 1 NotEqual
LOG 1 1
SUM 2 1 Reducer
SQRT 1 1
RSQRT 1 1
SHAPE 1 1 Shape
POW 2 1 Pow
ARG_MIN 2 1 ArgMin
FAKE_QUANT 1 1 FakeQuant
REDUCE_PROD 2 1 Reducer
REDUCE_MAX 2 1 Reducer
PACK 1+ 1 Pack
LOGICAL_OR 2 1 LogicalOr
ONE_HOT 4 1 OneHot
LOGICAL_AND 2 1 LogicalAnd
LOGICAL_NOT 1 1 LogicalNot
UNPACK 1 1+ Unpack
REDUCE_MIN 2 1 Reducer
FLOOR_DIV 2 1 FloorDiv
REDUCE_ANY 2 1 Reducer
SQUARE 1 1 Square
ZEROS_LIKE 1 1 ZerosLike
FILL 2 1 Fill
FLOOR_MOD 2 1 FloorMod
RANGE 3 1 Range
RESIZE_NEAREST_NEIGHBOR 2 1 ResizeNearestNeighbor
LEAKY_RELU 1 1 LeakyRelu
SQUARED_DIFFERENCE 2 1 SquaredDifference
MIRROR_PAD 2 1 MirrorPad
ABS 1 1 Abs
SPLIT_V 3 1+ SplitV
UNIQUE 1 2 Unique
CEIL 1 1
REVERSE_V2 2 1 ReverseV2
ADD_N 1+ 1 AddN
GATHER_ND 2 1 GatherNd
COS 1 1 Cos
WHERE 1 1 Where
RANK 1 1 Rank
ELU 1 1
REVERSE_SEQUENCE 2 1 ReverseSequence
MATRIX_DIAG 1 1 MatrixDiag
QUANTIZE 1 1 Quantize
MATRIX_SET_DIAG 2 1 MatrixSetDiag
ROUND 1 1
HARD_SWISH 1 1 HardSwish
IF 1+ 0+ If
WHILE 1+ 1+ While
NON_MAX_SUPPRESSION_V4 5 2 NonMaxSuppressionV4
NON_MAX_SUPPRESSION_V5 6 3 NonMaxSuppressionV5
SCATTER_ND 3 1 ScatterNd
SELECT_V2 3 1 SelectV2
DENSIFY 1 1 Densify
SEGMENT_SUM 2 1 SegmentSum
BATCH_MATMUL 2 1 BatchMatMul
PLACEHOLDER_FOR_GREATER_OP_CODES - -
CUMSUM 2 1 Cumsum
CALL_ONCE 0 0 CallOnce
BROADCAST_TO 2 1 BroadcastTo
RFFT2D 2 1 Rfft2d
CONV_3D 2-3 1 ?2 Conv3D
IMAG 1 1
REAL 1 1
COMPLEX_ABS 1 1
HASHTABLE 0 1 Hashtable
HASHTABLE_FIND 3 1 HashtableFind
HASHTABLE_IMPORT 3 0 HashtableImport
HASHTABLE_SIZE 1 1 HashtableSize
REDUCE_ALL 2 1 Reducer
CONV_3D_TRANSPOSE 3-4 1 ?3 Conv3D
VAR_HANDLE 0 1 VarHandle
READ_VARIABLE 1 1 ReadVariable
ASSIGN_VARIABLE 2 0 AssignVariable
BROADCAST_ARGS 2 1
RANDOM_STANDARD_NORMAL 1 1 Random
BUCKETIZE 1 1 Bucketize
RANDOM_UNIFORM 1 1 Random
MULTINOMIAL 2 1 Random
GELU 1 1 Gelu
DYNAMIC_UPDATE_SLICE 3 1 DynamicUpdateSlice
RELU_0_TO_1 1 1
UNSORTED_SEGMENT_PROD 3 1 UnsortedSegmentProd
UNSORTED_SEGMENT_MAX 3 1 UnsortedSegmentMax
UNSORTED_SEGMENT_SUM 3 1 UnsortedSegmentSum
ATAN2 2 1 ATan2
UNSORTED_SEGMENT_MIN 3 1 UnsortedSegmentMin
SIGN 1 1 Sign
BITCAST 1 1 Bitcast
BITWISE_XOR 2 1 BitwiseXor
RIGHT_SHIFT 2 1 RightShift
STABLEHLO_LOGISTIC 1 1
STABLEHLO_ADD 2 1
STABLEHLO_DIVIDE 2 1
STABLEHLO_MULTIPLY 2 1
STABLEHLO_MAXIMUM 2 1
STABLEHLO_RESHAPE 1 1
STABLEHLO_CLAMP 3 1
STABLEHLO_CONCATENATE 1+ 1 StablehloConcatenate
STABLEHLO_BROADCAST_IN_DIM 1 1 StablehloBroadcastInDim
STABLEHLO_CONVOLUTION 2 1 StablehloConvolution
STABLEHLO_SLICE 1 1 StablehloSlice
STABLEHLO_CUSTOM_CALL 0+ 0+ StablehloCustomCall
STABLEHLO_REDUCE 2+ 1+ StablehloReduce
STABLEHLO_ABS 1 1
STABLEHLO_AND 2 1
STABLEHLO_COSINE 1 1
STABLEHLO_EXPONENTIAL 1 1
STABLEHLO_FLOOR 1 1
STABLEHLO_LOG 1 1
STABLEHLO_MINIMUM 2 1
STABLEHLO_NEGATE 1 1
STABLEHLO_OR 2 1
STABLEHLO_POWER 2 1
STABLEHLO_REMAINDER 2 1
STABLEHLO_RSQRT 1 1
STABLEHLO_SELECT 3 1
STABLEHLO_SUBTRACT 2 1
STABLEHLO_TANH 1 1
STABLEHLO_SCATTER 3 1 StablehloScatter
STABLEHLO_COMPARE 2 1 StablehloCompare
STABLEHLO_CONVERT 1 1
STABLEHLO_DYNAMIC_SLICE 2+ 1 StablehloDynamicSlice
STABLEHLO_DYNAMIC_UPDATE_SLICE 3+ 1
STABLEHLO_PAD 2 1 StablehloPad
STABLEHLO_IOTA 0 1 StablehloIota
STABLEHLO_DOT_GENERAL 2 1 StablehloDotGeneral
STABLEHLO_REDUCE_WINDOW 2+ 1+ StablehloReduceWindow
STABLEHLO_SORT 1+ 1+ StablehloSort
STABLEHLO_WHILE 1+ 1+ StablehloWhile
STABLEHLO_GATHER 2 1 StablehloGather
STABLEHLO_TRANSPOSE 1 1 StablehloTranspose
DILATE 3 1 Dilate
STABLEHLO_RNG_BIT_GENERATOR 1 2 StablehloRngBitGenerator
REDUCE_WINDOW 5 1 ReduceWindow
STABLEHLO_COMPOSITE 0+ 0+ StableHLOComposite
STABLEHLO_SHIFT_LEFT 2 1 StablehloShiftLeft
STABLEHLO_CBRT 1 1
STABLEHLO_CASE 1+ 0+ StablehloCase
"""
_ANY: Final = 1 << 31


class Arity(NamedTuple):
    """What one builtin op takes.

    Attributes:
        name: of the op.
        inputs, outputs: fewest and most; (0, -1) if no file may have the op.
        absent: positions of inputs that may be -1.
        options: table of its options, empty if it has none.
    """

    name: str
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    absent: frozenset[int]
    options: str


@cache
def arities() -> tuple[Arity, ...]:
    """Return all builtin ops; the position is the op's number."""
    return tuple(_arity(row) for row in _ROWS.strip().split("\n"))


def _arity(row: str) -> Arity:
    name, inputs, outputs, *rest = row.split()
    absent = rest.pop(0)[1:] if rest and rest[0].startswith("?") else ""
    options = f"{rest[0]}Options" if rest else ""
    positions = frozenset(
        p for part in filter(None, absent.split(",")) for p in range(*_half_open(part))
    )
    return Arity(name, _range(inputs), _range(outputs), positions, options)


def _range(text: str) -> tuple[int, int]:
    if text == "-":
        return 0, -1
    if text.endswith("+"):
        return int(text[:-1]), _ANY
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _half_open(text: str) -> tuple[int, int]:
    first, last = _range(text)
    return first, last + 1
