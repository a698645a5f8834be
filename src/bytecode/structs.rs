//! The structs of StableHLO: attributes with fields, such as `#stablehlo.gather<offset_dims = [0]>`. VHLO has their fields
//! as attributes of ops, and text has them as they are.

/// The fields of the structs of StableHLO, CHLO and MHLO, by the names of the structs without the dialect.
const FIELDS: &[(&str, &[&str])] = &[
    ("channel_handle", &["handle", "type"]),
    (
        "conv",
        &[
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
        ],
    ),
    (
        "dot",
        &[
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
        ],
    ),
    (
        "dot_algorithm",
        &[
            "lhs_precision_type",
            "rhs_precision_type",
            "accumulation_type",
            "lhs_component_count",
            "rhs_component_count",
            "num_primitive_operations",
            "allow_imprecise_accumulation",
        ],
    ),
    (
        "gather",
        &[
            "offset_dims",
            "collapsed_slice_dims",
            "operand_batching_dims",
            "start_indices_batching_dims",
            "start_index_map",
            "index_vector_dim",
        ],
    ),
    ("output_operand_alias", &["output_tuple_indices", "operand_index", "operand_tuple_indices"]),
    (
        "ragged_dot",
        &[
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
            "lhs_ragged_dimensions",
            "rhs_group_dimensions",
        ],
    ),
    ("result_accuracy", &["atol", "rtol", "ulps", "mode"]),
    (
        "scatter",
        &[
            "update_window_dims",
            "inserted_window_dims",
            "input_batching_dims",
            "scatter_indices_batching_dims",
            "scatter_dims_to_operand_dims",
            "index_vector_dim",
        ],
    ),
];

/// The fields of a struct, if it is known.
pub fn struct_fields(name: &str) -> Option<&'static [&'static str]> {
    FIELDS.iter().find(|(known, _)| *known == name).map(|(_, fields)| *fields)
}
