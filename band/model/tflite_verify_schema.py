"""The TFLite FlatBuffers schema as data: what the verifier must know to walk a file it distrusts.

One entry per table: its fields in the order of their slots, each ``name:kind`` with ``=default``
where that is not 0. Kinds are scalars (``i32``), ``str``, vectors (``[i32]``, ``[Tensor]``), tables
by name, and unions (``|BuiltinOptions``, whose type is the field before). ``-`` is a slot that the
schema has retired. A test compares all of it with the schema module of the interpreter's package.
"""

from collections import namedtuple
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

WIDTHS: Final[Mapping[str, int]] = {
    "i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "f32": 4, "i64": 8, "u64": 8,
}  # fmt: skip
# The same kinds as format characters of the struct module.
FORMATS: Final[Mapping[str, str]] = {
    "i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "f32": "f", "i64": "q",
    "u64": "Q",
}  # fmt: skip

_TABLES: Final = """
CustomQuantization custom:[u8]
BlockwiseQuantization scales:i32 zero_points:i32 block_size:i32 block_shape:[i32]
MultiAxisQuantization scales:i32 zero_points:i32 block_size:i32 quantized_dimensions:[i32]
QuantizationParameters min:[f32] max:[f32] scale:[f32] zero_point:[i64] details_type:u8
    details:|QuantizationDetails quantized_dimension:i32
Int32Vector values:[i32]
Uint16Vector values:[u16]
Uint8Vector values:[u8]
DimensionMetadata format:i8 dense_size:i32 array_segments_type:u8
    array_segments:|SparseIndexVector array_indices_type:u8 array_indices:|SparseIndexVector
SparsityParameters traversal_order:[i32] block_map:[i32] dim_metadata:[DimensionMetadata]
VariantSubType shape:[i32] type:i8 has_rank:u8
Tensor shape:[i32] type:i8 buffer:u32 name:str quantization:QuantizationParameters is_variable:u8
    sparsity:SparsityParameters shape_signature:[i32] has_rank:u8 variant_tensors:[VariantSubType]
    external_buffer:u32
StablehloGatherOptions offset_dims:[i64] collapsed_slice_dims:[i64] start_index_map:[i64]
    index_vector_dim:i64 slice_sizes:[i64] indices_are_sorted:u8
StablehloTransposeOptions permutation:[i64]
StablehloDotGeneralOptions lhs_batching_dimensions:[i64] rhs_batching_dimensions:[i64]
    lhs_contracting_dimensions:[i64] rhs_contracting_dimensions:[i64] precision_config:[u32]
StablehloReduceWindowOptions window_dimensions:[i64] window_strides:[i64] base_dilations:[i64]
    window_dilations:[i64] padding:[i64] body_subgraph_index:i32
StablehloWhileOptions cond_subgraph_index:i32 body_subgraph_index:i32
StablehloSortOptions dimension:i64 is_stable:u8 comparator_subgraph_index:i32
StablehloConcatenateOptions dimension:i64
StablehloBroadcastInDimOptions broadcast_dimensions:[i64]
StablehloCompareOptions comparison_direction:u32 compare_type:u32
StablehloDynamicSliceOptions slice_sizes:[i64]
StablehloPadOptions edge_padding_low:[i64] edge_padding_high:[i64] interior_padding:[i64]
StablehloIotaOptions iota_dimension:i64
StablehloCustomCallOptions call_target_name:str has_side_effect:u8 backend_config:str
    api_version:i32 called_computations:[i32] custom_attributes:[u8]
StablehloReduceOptions dimensions:[i64] body_subgraph_index:i32
StablehloSliceOptions start_indices:[i64] limit_indices:[i64] strides:[i64]
StablehloConvolutionOptions window_strides:[i64] padding:[i64] lhs_dilation:[i64]
    rhs_dilation:[i64] window_reversal:[u8] input_batch_dimension:i64 input_feature_dimension:i64
    input_spatial_dimensions:[i64] kernel_input_feature_dimension:i64
    kernel_output_feature_dimension:i64 kernel_spatial_dimensions:[i64] output_batch_dimension:i64
    output_feature_dimension:i64 output_spatial_dimensions:[i64] feature_group_count:i64
    batch_group_count:i64 precision_config:[u32]
StablehloScatterOptions indices_are_sorted:u8 update_window_dims:[i64] inserted_window_dims:[i64]
    scatter_dims_to_operand_dims:[i64] index_vector_dim:i64 unique_indices:u8
    update_computation_subgraph_index:i32
StablehloCaseOptions branch_subgraph_indices:[i32]
StablehloRngBitGeneratorOptions algorithm:i8
Conv2DOptions padding:i8 stride_w:i32 stride_h:i32 fused_activation_function:i8
    dilation_w_factor:i32=1 dilation_h_factor:i32=1 quantized_bias_type:i8
Conv3DOptions padding:i8 stride_d:i32 stride_w:i32 stride_h:i32 fused_activation_function:i8
    dilation_d_factor:i32=1 dilation_w_factor:i32=1 dilation_h_factor:i32=1
Pool2DOptions padding:i8 stride_w:i32 stride_h:i32 filter_width:i32 filter_height:i32
    fused_activation_function:i8
DepthwiseConv2DOptions padding:i8 stride_w:i32 stride_h:i32 depth_multiplier:i32
    fused_activation_function:i8 dilation_w_factor:i32=1 dilation_h_factor:i32=1
ConcatEmbeddingsOptions num_channels:i32 num_columns_per_channel:[i32]
    embedding_dim_per_channel:[i32]
LSHProjectionOptions type:i8
SVDFOptions rank:i32 fused_activation_function:i8 asymmetric_quantize_inputs:u8
RNNOptions fused_activation_function:i8 asymmetric_quantize_inputs:u8
SequenceRNNOptions time_major:u8 fused_activation_function:i8 asymmetric_quantize_inputs:u8
BidirectionalSequenceRNNOptions time_major:u8 fused_activation_function:i8 merge_outputs:u8
    asymmetric_quantize_inputs:u8
FullyConnectedOptions fused_activation_function:i8 weights_format:i8 keep_num_dims:u8
    asymmetric_quantize_inputs:u8 quantized_bias_type:i8 quant_spec:[u8]
SoftmaxOptions beta:f32
ConcatenationOptions axis:i32 fused_activation_function:i8
AddOptions fused_activation_function:i8 pot_scale_int16:u8=1
MulOptions fused_activation_function:i8
L2NormOptions fused_activation_function:i8
LocalResponseNormalizationOptions radius:i32 bias:f32 alpha:f32 beta:f32
LSTMOptions fused_activation_function:i8 cell_clip:f32 proj_clip:f32 kernel_type:i8
    asymmetric_quantize_inputs:u8
UnidirectionalSequenceLSTMOptions fused_activation_function:i8 cell_clip:f32 proj_clip:f32
    time_major:u8 asymmetric_quantize_inputs:u8 diagonal_recurrent_tensors:u8
BidirectionalSequenceLSTMOptions fused_activation_function:i8 cell_clip:f32 proj_clip:f32
    merge_outputs:u8 time_major:u8=1 asymmetric_quantize_inputs:u8
ResizeBilinearOptions - - align_corners:u8 half_pixel_centers:u8
ResizeNearestNeighborOptions align_corners:u8 half_pixel_centers:u8
CallOptions subgraph:u32
ReshapeOptions new_shape:[i32]
SkipGramOptions ngram_size:i32 max_skip_size:i32 include_all_ngrams:u8
SpaceToDepthOptions block_size:i32
DepthToSpaceOptions block_size:i32
SubOptions fused_activation_function:i8 pot_scale_int16:u8=1
DivOptions fused_activation_function:i8
EmbeddingLookupSparseOptions combiner:i8
GatherOptions axis:i32 batch_dims:i32
ReducerOptions keep_dims:u8
SqueezeOptions squeeze_dims:[i32]
SplitOptions num_splits:i32
SplitVOptions num_splits:i32
StridedSliceOptions begin_mask:i32 end_mask:i32 ellipsis_mask:i32 new_axis_mask:i32
    shrink_axis_mask:i32 offset:u8
CastOptions in_data_type:i8 out_data_type:i8
ArgMaxOptions output_type:i8
ArgMinOptions output_type:i8
TransposeConvOptions padding:i8 stride_w:i32 stride_h:i32 fused_activation_function:i8
    quantized_bias_type:i8
SparseToDenseOptions validate_indices:u8
ShapeOptions out_type:i8
FakeQuantOptions min:f32 max:f32 num_bits:i32 narrow_range:u8
PackOptions values_count:i32 axis:i32
OneHotOptions axis:i32
UnpackOptions num:i32 axis:i32
LeakyReluOptions alpha:f32
MirrorPadOptions mode:i8
UniqueOptions idx_out_type:i8=2
ReverseSequenceOptions seq_dim:i32 batch_dim:i32
IfOptions then_subgraph_index:i32 else_subgraph_index:i32
CallOnceOptions init_subgraph_index:i32
WhileOptions cond_subgraph_index:i32 body_subgraph_index:i32
BatchMatMulOptions adj_x:u8 adj_y:u8 asymmetric_quantize_inputs:u8
CumsumOptions exclusive:u8 reverse:u8
HashtableOptions table_id:i32 key_dtype:i8 value_dtype:i8
VarHandleOptions container:str shared_name:str
RandomOptions seed:i64 seed2:i64
BucketizeOptions boundaries:[f32]
GeluOptions approximate:u8
ReduceWindowOptions reduce_function:i32
OperatorCode deprecated_builtin_code:i8 custom_code:str version:i32=1 builtin_code:i32
StableHLOCompositeOptions name:str decomposition_subgraph_index:i32 composite_attributes:[u8]
    composite_attributes_format:i8 version:i32
Operator opcode_index:u32 inputs:[i32] outputs:[i32] builtin_options_type:u8
    builtin_options:|BuiltinOptions custom_options:[u8] custom_options_format:i8
    mutating_variable_inputs:[u8] intermediates:[i32] large_custom_options_offset:u64
    large_custom_options_size:u64 builtin_options2_type:u8 builtin_options2:|BuiltinOptions2
    debug_metadata_index:i32=-1
SubGraph tensors:[Tensor] inputs:[i32] outputs:[i32] operators:[Operator] name:str
    debug_metadata_index:i32=-1
Buffer data:[u8] offset:u64 size:u64
ExternalBufferGroup name:str
ExternalBuffer id:u32 group:u32 offset:u64 length:u64 packing:str
Metadata name:str buffer:u32
TensorMap name:str tensor_index:u32
SignatureDef inputs:[TensorMap] outputs:[TensorMap] signature_key:str - subgraph_index:u32
Model version:u32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:str
    buffers:[Buffer] metadata_buffer:[i32] metadata:[Metadata] signature_defs:[SignatureDef]
    external_buffer_groups:[ExternalBufferGroup] external_buffers:[ExternalBuffer]
"""

# Tables without a field, nearly all of them options of ops that have none.
_EMPTY: Final = """
PadOptions PadV2Options SpaceToBatchNDOptions BatchToSpaceNDOptions TopKV2Options
TransposeOptions ExpOptions CosOptions LogSoftmaxOptions DequantizeOptions MaximumMinimumOptions
TileOptions GreaterOptions GreaterEqualOptions LessOptions LessEqualOptions NegOptions
SelectOptions SliceOptions ExpandDimsOptions EqualOptions NotEqualOptions RankOptions PowOptions
LogicalOrOptions AbsOptions HardSwishOptions LogicalAndOptions LogicalNotOptions FloorDivOptions
SquareOptions ZerosLikeOptions FillOptions FloorModOptions RangeOptions SquaredDifferenceOptions
ReverseV2Options AddNOptions GatherNdOptions WhereOptions MatrixDiagOptions QuantizeOptions
MatrixSetDiagOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options ScatterNdOptions
SelectV2Options DensifyOptions SegmentSumOptions BroadcastToOptions Rfft2dOptions
HashtableFindOptions HashtableImportOptions HashtableSizeOptions ReadVariableOptions
AssignVariableOptions DynamicUpdateSliceOptions UnsortedSegmentProdOptions
UnsortedSegmentMaxOptions UnsortedSegmentSumOptions ATan2Options UnsortedSegmentMinOptions
SignOptions BitcastOptions BitwiseXorOptions RightShiftOptions DilateOptions
StablehloShiftLeftOptions
"""

# Type 1 is the first member; 0 is an absent value.
_UNIONS: Final[Mapping[str, str]] = {
    "BuiltinOptions": """
Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions Pool2DOptions
SVDFOptions RNNOptions FullyConnectedOptions SoftmaxOptions ConcatenationOptions AddOptions
L2NormOptions LocalResponseNormalizationOptions LSTMOptions ResizeBilinearOptions CallOptions
ReshapeOptions SkipGramOptions SpaceToDepthOptions EmbeddingLookupSparseOptions MulOptions
PadOptions GatherOptions BatchToSpaceNDOptions SpaceToBatchNDOptions TransposeOptions
ReducerOptions SubOptions DivOptions SqueezeOptions SequenceRNNOptions StridedSliceOptions
ExpOptions TopKV2Options SplitOptions LogSoftmaxOptions CastOptions DequantizeOptions
MaximumMinimumOptions ArgMaxOptions LessOptions NegOptions PadV2Options GreaterOptions
GreaterEqualOptions LessEqualOptions SelectOptions SliceOptions TransposeConvOptions
SparseToDenseOptions TileOptions ExpandDimsOptions EqualOptions NotEqualOptions ShapeOptions
PowOptions ArgMinOptions FakeQuantOptions PackOptions LogicalOrOptions OneHotOptions
LogicalAndOptions LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions ZerosLikeOptions
FillOptions BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions
UnidirectionalSequenceLSTMOptions FloorModOptions RangeOptions ResizeNearestNeighborOptions
LeakyReluOptions SquaredDifferenceOptions MirrorPadOptions AbsOptions SplitVOptions
UniqueOptions ReverseV2Options AddNOptions GatherNdOptions CosOptions WhereOptions RankOptions
ReverseSequenceOptions MatrixDiagOptions QuantizeOptions MatrixSetDiagOptions HardSwishOptions
IfOptions WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options
ScatterNdOptions SelectV2Options DensifyOptions SegmentSumOptions BatchMatMulOptions
CumsumOptions CallOnceOptions BroadcastToOptions Rfft2dOptions Conv3DOptions HashtableOptions
HashtableFindOptions HashtableImportOptions HashtableSizeOptions VarHandleOptions
ReadVariableOptions AssignVariableOptions RandomOptions BucketizeOptions GeluOptions
DynamicUpdateSliceOptions UnsortedSegmentProdOptions UnsortedSegmentMaxOptions
UnsortedSegmentMinOptions UnsortedSegmentSumOptions ATan2Options SignOptions BitcastOptions
BitwiseXorOptions RightShiftOptions
    """,
    "BuiltinOptions2": """
StablehloConcatenateOptions StablehloBroadcastInDimOptions StablehloSliceOptions
StablehloConvolutionOptions StablehloCustomCallOptions StablehloReduceOptions
StablehloScatterOptions StablehloCompareOptions StablehloDynamicSliceOptions StablehloPadOptions
StablehloIotaOptions StablehloDotGeneralOptions StablehloReduceWindowOptions
StablehloSortOptions StablehloWhileOptions StablehloGatherOptions StablehloTransposeOptions
DilateOptions StablehloRngBitGeneratorOptions ReduceWindowOptions StableHLOCompositeOptions
StablehloShiftLeftOptions StablehloCaseOptions
    """,
    "QuantizationDetails": "CustomQuantization BlockwiseQuantization MultiAxisQuantization",
    "SparseIndexVector": "Int32Vector Uint16Vector Uint8Vector",
}


class Field(NamedTuple):
    """One slot of a table.

    Attributes:
        name: in snake_case; empty for a retired slot.
        kind: ``scalar``, ``string``, ``vector`` (of scalars), ``tables``, ``table``, ``union`` or
            ``retired``.
        of: the scalar's kind, or the name of the table or union.
        default: value of an absent scalar.
    """

    name: str
    kind: str
    of: str
    default: int


class TableSchema(NamedTuple):
    """One table: its fields by slot, and the type that its parsed values are given as."""

    name: str
    fields: tuple[Field, ...]
    values: Any


@cache
def table_schema(name: str) -> TableSchema:
    """Return one table of the schema."""
    fields = tuple(_field(entry) for entry in _entries()[name])
    # Fields keep their schema names, so that rules read as the schema does.
    values = namedtuple(name, [f.name or "_" for f in fields], rename=True)  # type: ignore[misc]  # made from data
    return TableSchema(name, fields, values)


def table_names() -> tuple[str, ...]:
    """Return the names of all tables."""
    return tuple(_entries())


@cache
def union_members(name: str) -> tuple[str, ...]:
    """Return the tables of a union; the first one has type 1."""
    return tuple(_UNIONS[name].split())


@cache
def _entries() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in _EMPTY.split()}
    fields: list[str] = []
    for word in _TABLES.split():
        if word == "-" or ":" in word:
            fields.append(word)
        else:
            fields = found[word] = []
    return found


def _field(entry: str) -> Field:
    if entry == "-":
        return Field("", "retired", "", 0)
    name, _, rest = entry.partition(":")
    kind, _, default = rest.partition("=")
    inner = kind.strip("[]|")
    if kind == "str":
        return Field(name, "string", "", 0)
    if kind.startswith("["):
        return Field(name, "vector" if inner in WIDTHS else "tables", inner, 0)
    if kind.startswith("|"):
        return Field(name, "union", inner, 0)
    if inner in WIDTHS:
        return Field(name, "scalar", inner, int(default or 0))
    return Field(name, "table", inner, 0)
