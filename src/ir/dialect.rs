//! The ops of each dialect that the compiler knows. Other names do not compile.

use super::op_name::{Class, OpName, Registered, dialects};

dialects! {
    /// Ops of `arith`, MLIR's arithmetic.
    arith as Arith {
        ADDF = "arith.addf", Elementwise;
        ADDI = "arith.addi", Elementwise;
        ANDI = "arith.andi", Elementwise;
        CEILDIVSI = "arith.ceildivsi", Elementwise;
        CMPI = "arith.cmpi", Elementwise;
        CONSTANT = "arith.constant", Creates;
        DIVF = "arith.divf", Elementwise;
        DIVSI = "arith.divsi", Elementwise;
        DIVUI = "arith.divui", Elementwise;
        EXTF = "arith.extf", Elementwise;
        EXTSI = "arith.extsi", Elementwise;
        EXTUI = "arith.extui", Elementwise;
        FLOORDIVSI = "arith.floordivsi", Elementwise;
        FPTOSI = "arith.fptosi", Elementwise;
        INDEX_CAST = "arith.index_cast", Elementwise;
        INDEX_CASTUI = "arith.index_castui", Elementwise;
        MAXIMUMF = "arith.maximumf", Elementwise;
        MAXSI = "arith.maxsi", Elementwise;
        MAXUI = "arith.maxui", Elementwise;
        MINIMUMF = "arith.minimumf", Elementwise;
        MINSI = "arith.minsi", Elementwise;
        MINUI = "arith.minui", Elementwise;
        MULF = "arith.mulf", Elementwise;
        MULI = "arith.muli", Elementwise;
        NEGF = "arith.negf", Elementwise;
        ORI = "arith.ori", Elementwise;
        REMF = "arith.remf", Elementwise;
        REMSI = "arith.remsi", Elementwise;
        REMUI = "arith.remui", Elementwise;
        SELECT = "arith.select", Elementwise;
        SHLI = "arith.shli", Elementwise;
        SHRSI = "arith.shrsi", Elementwise;
        SHRUI = "arith.shrui", Elementwise;
        SITOFP = "arith.sitofp", Elementwise;
        SUBF = "arith.subf", Elementwise;
        SUBI = "arith.subi", Elementwise;
        TRUNCF = "arith.truncf", Elementwise;
        TRUNCI = "arith.trunci", Elementwise;
        UITOFP = "arith.uitofp", Elementwise;
        XORI = "arith.xori", Elementwise;
    }

    /// MLIR's own ops.
    builtin as Builtin {
        MODULE = "builtin.module";
        ERROR = "builtin.error";
    }

    /// Ops of CHLO.
    chlo as Chlo {
        ACOS = "chlo.acos", Elementwise;
        ACOSH = "chlo.acosh", Elementwise;
        ASIN = "chlo.asin", Elementwise;
        ASINH = "chlo.asinh", Elementwise;
        ATAN = "chlo.atan", Elementwise;
        ATANH = "chlo.atanh", Elementwise;
        BESSEL_I1E = "chlo.bessel_i1e", Elementwise;
        BROADCAST_ADD = "chlo.broadcast_add", Elementwise;
        BROADCAST_AND = "chlo.broadcast_and", Elementwise;
        BROADCAST_ATAN2 = "chlo.broadcast_atan2", Elementwise;
        BROADCAST_COMPARE = "chlo.broadcast_compare", Elementwise;
        BROADCAST_COMPLEX = "chlo.broadcast_complex", Elementwise;
        BROADCAST_DIVIDE = "chlo.broadcast_divide", Elementwise;
        BROADCAST_MAXIMUM = "chlo.broadcast_maximum", Elementwise;
        BROADCAST_MINIMUM = "chlo.broadcast_minimum", Elementwise;
        BROADCAST_MULTIPLY = "chlo.broadcast_multiply", Elementwise;
        BROADCAST_NEXT_AFTER = "chlo.broadcast_next_after", Elementwise;
        BROADCAST_OR = "chlo.broadcast_or", Elementwise;
        BROADCAST_POLYGAMMA = "chlo.broadcast_polygamma", Elementwise;
        BROADCAST_POWER = "chlo.broadcast_power", Elementwise;
        BROADCAST_REMAINDER = "chlo.broadcast_remainder", Elementwise;
        BROADCAST_SELECT = "chlo.broadcast_select", Elementwise;
        BROADCAST_SHIFT_LEFT = "chlo.broadcast_shift_left", Elementwise;
        BROADCAST_SHIFT_RIGHT_ARITHMETIC = "chlo.broadcast_shift_right_arithmetic", Elementwise;
        BROADCAST_SHIFT_RIGHT_LOGICAL = "chlo.broadcast_shift_right_logical", Elementwise;
        BROADCAST_SUBTRACT = "chlo.broadcast_subtract", Elementwise;
        BROADCAST_XOR = "chlo.broadcast_xor", Elementwise;
        BROADCAST_ZETA = "chlo.broadcast_zeta", Elementwise;
        CONJ = "chlo.conj", Elementwise;
        CONSTANT = "chlo.constant", Creates;
        CONSTANT_LIKE = "chlo.constant_like", Creates;
        COSH = "chlo.cosh", Elementwise;
        DIGAMMA = "chlo.digamma", Elementwise;
        ERF = "chlo.erf", Elementwise;
        ERF_INV = "chlo.erf_inv", Elementwise;
        ERFC = "chlo.erfc", Elementwise;
        IS_INF = "chlo.is_inf", Elementwise;
        IS_NEG_INF = "chlo.is_neg_inf", Elementwise;
        IS_POS_INF = "chlo.is_pos_inf", Elementwise;
        LGAMMA = "chlo.lgamma", Elementwise;
        MULHI = "chlo.mulhi", Elementwise;
        NEXT_AFTER = "chlo.next_after", Elementwise;
        POLYGAMMA = "chlo.polygamma", Elementwise;
        RAGGED_DOT = "chlo.ragged_dot", Contracts;
        SCAN = "chlo.scan", Control;
        SINH = "chlo.sinh", Elementwise;
        SQUARE = "chlo.square", Elementwise;
        TAN = "chlo.tan", Elementwise;
        TOP_K = "chlo.top_k", Opaque;
        ZETA = "chlo.zeta", Elementwise;
    }

    /// Ops of `func`: functions.
    func as Func {
        CALL = "func.call", Control;
        FUNC = "func.func";
        RETURN = "func.return", Terminates;
    }

    /// Internal ops that passes create.
    hlo2onnx as Hlo2Onnx {
        CHOLESKY = "hlo2onnx.cholesky";
        DFT = "hlo2onnx.dft";
        GELU = "hlo2onnx.gelu";
        GROUP_NORM = "hlo2onnx.group_norm";
        INTERPOLATE = "hlo2onnx.interpolate";
        LAYER_NORM = "hlo2onnx.layer_norm";
        LEAKY_RELU = "hlo2onnx.leaky_relu";
        LOG_SOFTMAX = "hlo2onnx.log_softmax";
        REPEAT = "hlo2onnx.repeat";
        RESAMPLE = "hlo2onnx.resample";
        RMS_NORM = "hlo2onnx.rms_norm";
        ROUND = "hlo2onnx.round", Elementwise;
        SIGN_BIT = "hlo2onnx.sign_bit";
        SIZE = "hlo2onnx.size";
        SOFTMAX = "hlo2onnx.softmax";
        TRIANGULAR_SOLVE = "hlo2onnx.triangular_solve";
    }

    /// Ops of MHLO that StableHLO lacks.
    mhlo as Mhlo {
        ADD_DEPENDENCY = "mhlo.add_dependency";
        ASYNC_DONE = "mhlo.async_done";
        ASYNC_START = "mhlo.async_start";
        ASYNC_UPDATE = "mhlo.async_update";
        BITCAST = "mhlo.bitcast";
        COPY = "mhlo.copy";
        DOMAIN = "mhlo.domain";
        FUSION = "mhlo.fusion";
        MINIMUM_BROADCAST_SHAPES = "mhlo.minimum_broadcast_shapes";
        SPARSE_DOT = "mhlo.sparse_dot";
        STOCHASTIC_CONVERT = "mhlo.stochastic_convert";
        XLA_RNG_GET_AND_UPDATE_STATE = "mhlo.xla.rng_get_and_update_state";
    }

    /// Ops of ONNX.
    onnx as Onnx {
        ABS = "onnx.Abs", Elementwise;
        ACOS = "onnx.Acos", Elementwise;
        ACOSH = "onnx.Acosh", Elementwise;
        ADD = "onnx.Add", Elementwise;
        AND = "onnx.And", Elementwise;
        ARG_MAX = "onnx.ArgMax";
        ARG_MIN = "onnx.ArgMin";
        ASIN = "onnx.Asin", Elementwise;
        ASINH = "onnx.Asinh", Elementwise;
        ATAN = "onnx.Atan", Elementwise;
        ATANH = "onnx.Atanh", Elementwise;
        ATTENTION = "onnx.Attention";
        AVERAGE_POOL = "onnx.AveragePool";
        BATCH_NORMALIZATION = "onnx.BatchNormalization";
        BERNOULLI = "onnx.Bernoulli";
        BIT_CAST = "onnx.BitCast", Elementwise;
        BIT_SHIFT = "onnx.BitShift", Elementwise;
        BITWISE_AND = "onnx.BitwiseAnd", Elementwise;
        BITWISE_NOT = "onnx.BitwiseNot", Elementwise;
        BITWISE_OR = "onnx.BitwiseOr", Elementwise;
        BITWISE_XOR = "onnx.BitwiseXor", Elementwise;
        CAST = "onnx.Cast", Elementwise;
        CEIL = "onnx.Ceil", Elementwise;
        CLIP = "onnx.Clip", Elementwise;
        CONCAT = "onnx.Concat", Moves;
        CONSTANT = "onnx.Constant";
        CONV = "onnx.Conv";
        CONV_TRANSPOSE = "onnx.ConvTranspose";
        COS = "onnx.Cos", Elementwise;
        COSH = "onnx.Cosh", Elementwise;
        CUM_PROD = "onnx.CumProd";
        CUM_SUM = "onnx.CumSum";
        DFT = "onnx.DFT";
        DEPTH_TO_SPACE = "onnx.DepthToSpace", Moves;
        DEQUANTIZE_LINEAR = "onnx.DequantizeLinear";
        DIV = "onnx.Div", Elementwise;
        DROPOUT = "onnx.Dropout";
        ELU = "onnx.Elu", Elementwise;
        EQUAL = "onnx.Equal", Elementwise;
        ERF = "onnx.Erf", Elementwise;
        EXP = "onnx.Exp", Elementwise;
        EXPAND = "onnx.Expand", Moves;
        FLOOR = "onnx.Floor", Elementwise;
        GATHER = "onnx.Gather", Indexes;
        GATHER_ELEMENTS = "onnx.GatherElements", Indexes;
        GATHER_ND = "onnx.GatherND", Indexes;
        GELU = "onnx.Gelu", Elementwise;
        GEMM = "onnx.Gemm";
        GLOBAL_AVERAGE_POOL = "onnx.GlobalAveragePool";
        GREATER = "onnx.Greater", Elementwise;
        GREATER_OR_EQUAL = "onnx.GreaterOrEqual", Elementwise;
        IDENTITY = "onnx.Identity", Moves;
        IF = "onnx.If";
        INSTANCE_NORMALIZATION = "onnx.InstanceNormalization";
        IS_INF = "onnx.IsInf", Elementwise;
        IS_NAN = "onnx.IsNaN", Elementwise;
        LAYER_NORMALIZATION = "onnx.LayerNormalization";
        LEAKY_RELU = "onnx.LeakyRelu", Elementwise;
        LESS = "onnx.Less", Elementwise;
        LESS_OR_EQUAL = "onnx.LessOrEqual", Elementwise;
        LOG = "onnx.Log", Elementwise;
        LOG_SOFTMAX = "onnx.LogSoftmax";
        LOOP = "onnx.Loop";
        MAT_MUL = "onnx.MatMul";
        MAX = "onnx.Max", Elementwise;
        MAX_POOL = "onnx.MaxPool";
        MIN = "onnx.Min", Elementwise;
        MOD = "onnx.Mod", Elementwise;
        MUL = "onnx.Mul", Elementwise;
        MULTINOMIAL = "onnx.Multinomial";
        NEG = "onnx.Neg", Elementwise;
        NOT = "onnx.Not", Elementwise;
        OR = "onnx.Or", Elementwise;
        PAD = "onnx.Pad", Moves;
        POW = "onnx.Pow", Elementwise;
        QUANTIZE_LINEAR = "onnx.QuantizeLinear";
        RMS_NORMALIZATION = "onnx.RMSNormalization";
        RANDOM_NORMAL = "onnx.RandomNormal";
        RANDOM_NORMAL_LIKE = "onnx.RandomNormalLike";
        RANDOM_UNIFORM = "onnx.RandomUniform";
        RANDOM_UNIFORM_LIKE = "onnx.RandomUniformLike";
        RANGE = "onnx.Range";
        RECIPROCAL = "onnx.Reciprocal", Elementwise;
        REDUCE_MAX = "onnx.ReduceMax";
        REDUCE_MEAN = "onnx.ReduceMean";
        REDUCE_MIN = "onnx.ReduceMin";
        REDUCE_PROD = "onnx.ReduceProd";
        REDUCE_SUM = "onnx.ReduceSum";
        REDUCE_SUM_SQUARE = "onnx.ReduceSumSquare";
        RELU = "onnx.Relu", Elementwise;
        RESHAPE = "onnx.Reshape", Moves;
        RESIZE = "onnx.Resize";
        ROTARY_EMBEDDING = "onnx.RotaryEmbedding";
        ROUND = "onnx.Round", Elementwise;
        SCAN = "onnx.Scan";
        SCATTER_ELEMENTS = "onnx.ScatterElements";
        SCATTER_ND = "onnx.ScatterND";
        SHAPE = "onnx.Shape";
        SIGMOID = "onnx.Sigmoid", Elementwise;
        SIGN = "onnx.Sign", Elementwise;
        SIN = "onnx.Sin", Elementwise;
        SINH = "onnx.Sinh", Elementwise;
        SLICE = "onnx.Slice", Moves;
        SOFTMAX = "onnx.Softmax";
        SPACE_TO_DEPTH = "onnx.SpaceToDepth", Moves;
        SPLIT = "onnx.Split", Moves;
        SQRT = "onnx.Sqrt", Elementwise;
        SQUEEZE = "onnx.Squeeze", Moves;
        SUB = "onnx.Sub", Elementwise;
        TAN = "onnx.Tan", Elementwise;
        TANH = "onnx.Tanh", Elementwise;
        TENSOR_SCATTER = "onnx.TensorScatter";
        TILE = "onnx.Tile", Moves;
        TOP_K = "onnx.TopK";
        TRANSPOSE = "onnx.Transpose", Moves;
        TRILU = "onnx.Trilu";
        UNSQUEEZE = "onnx.Unsqueeze", Moves;
        WHERE = "onnx.Where", Elementwise;
        XOR = "onnx.Xor", Elementwise;
        RETURN = "onnx.return", Terminates;
    }

    /// Ops of Shardy.
    sdy as Sdy {
        ALL_GATHER = "sdy.all_gather";
        ALL_REDUCE = "sdy.all_reduce";
        ALL_SLICE = "sdy.all_slice";
        ALL_TO_ALL = "sdy.all_to_all";
        COLLECTIVE_PERMUTE = "sdy.collective_permute";
        CONSTANT = "sdy.constant";
        DATA_FLOW_EDGE = "sdy.data_flow_edge";
        MANUAL_COMPUTATION = "sdy.manual_computation";
        MESH = "sdy.mesh";
        NAMED_COMPUTATION = "sdy.named_computation";
        PROPAGATION_BARRIER = "sdy.propagation_barrier";
        REDUCE_SCATTER = "sdy.reduce_scatter";
        REPLICATED_TO_UNREDUCED = "sdy.replicated_to_unreduced";
        RESHARD = "sdy.reshard";
        RETURN = "sdy.return", Terminates;
        SHARDED_TO_UNREDUCED = "sdy.sharded_to_unreduced";
        SHARDING_CONSTRAINT = "sdy.sharding_constraint";
        SHARDING_GROUP = "sdy.sharding_group";
    }

    /// Ops of `shape`: arithmetic on shapes.
    shape as Shape {
        ASSUMING = "shape.assuming";
        ASSUMING_ALL = "shape.assuming_all";
        ASSUMING_YIELD = "shape.assuming_yield", Terminates;
        BROADCAST = "shape.broadcast";
        CONCAT = "shape.concat";
        CONST_SHAPE = "shape.const_shape";
        CONST_WITNESS = "shape.const_witness";
        CSTR_BROADCASTABLE = "shape.cstr_broadcastable";
        CSTR_EQ = "shape.cstr_eq";
        CSTR_REQUIRE = "shape.cstr_require";
        FROM_EXTENTS = "shape.from_extents";
        GET_EXTENT = "shape.get_extent";
        NUM_ELEMENTS = "shape.num_elements";
        RANK = "shape.rank";
        SHAPE_OF = "shape.shape_of";
        TO_EXTENT_TENSOR = "shape.to_extent_tensor";
    }

    /// Ops of StableHLO.
    stablehlo as StableHlo {
        ABS = "stablehlo.abs", Elementwise;
        ADD = "stablehlo.add", Elementwise;
        AFTER_ALL = "stablehlo.after_all", Acts;
        ALL_GATHER = "stablehlo.all_gather", Collective;
        ALL_REDUCE = "stablehlo.all_reduce", Collective;
        ALL_TO_ALL = "stablehlo.all_to_all", Collective;
        AND = "stablehlo.and", Elementwise;
        ASYNC_DONE = "stablehlo.async_done", Acts;
        ASYNC_START = "stablehlo.async_start", Acts;
        ATAN2 = "stablehlo.atan2", Elementwise;
        BATCH_NORM_GRAD = "stablehlo.batch_norm_grad", Opaque;
        BATCH_NORM_INFERENCE = "stablehlo.batch_norm_inference", Opaque;
        BATCH_NORM_TRAINING = "stablehlo.batch_norm_training", Opaque;
        BITCAST_CONVERT = "stablehlo.bitcast_convert", Opaque;
        BROADCAST = "stablehlo.broadcast", Moves;
        BROADCAST_IN_DIM = "stablehlo.broadcast_in_dim", Moves;
        CASE = "stablehlo.case", Control;
        CBRT = "stablehlo.cbrt", Elementwise;
        CEIL = "stablehlo.ceil", Elementwise;
        CHOLESKY = "stablehlo.cholesky", Opaque;
        CLAMP = "stablehlo.clamp", Elementwise;
        COLLECTIVE_BROADCAST = "stablehlo.collective_broadcast", Collective;
        COLLECTIVE_PERMUTE = "stablehlo.collective_permute", Collective;
        COMPARE = "stablehlo.compare", Elementwise;
        COMPLEX = "stablehlo.complex", Elementwise;
        COMPOSITE = "stablehlo.composite", Control;
        CONCATENATE = "stablehlo.concatenate", Moves;
        CONSTANT = "stablehlo.constant", Creates;
        CONVERT = "stablehlo.convert", Elementwise;
        CONVOLUTION = "stablehlo.convolution", Contracts;
        COSINE = "stablehlo.cosine", Elementwise;
        COUNT_LEADING_ZEROS = "stablehlo.count_leading_zeros", Elementwise;
        CREATE_TOKEN = "stablehlo.create_token", Acts;
        CROSS_REPLICA_SUM = "stablehlo.cross-replica-sum", Collective;
        CUSTOM_CALL = "stablehlo.custom_call", Opaque;
        DIVIDE = "stablehlo.divide", Elementwise;
        DOT = "stablehlo.dot", Contracts;
        DOT_GENERAL = "stablehlo.dot_general", Contracts;
        DYNAMIC_BROADCAST_IN_DIM = "stablehlo.dynamic_broadcast_in_dim", Dynamic;
        DYNAMIC_CONV = "stablehlo.dynamic_conv", Dynamic;
        DYNAMIC_GATHER = "stablehlo.dynamic_gather", Dynamic;
        DYNAMIC_IOTA = "stablehlo.dynamic_iota", Dynamic;
        DYNAMIC_PAD = "stablehlo.dynamic_pad", Dynamic;
        DYNAMIC_RESHAPE = "stablehlo.dynamic_reshape", Dynamic;
        DYNAMIC_SLICE = "stablehlo.dynamic_slice", Indexes;
        DYNAMIC_UPDATE_SLICE = "stablehlo.dynamic_update_slice", Indexes;
        EINSUM = "stablehlo.einsum", Contracts;
        EXPONENTIAL = "stablehlo.exponential", Elementwise;
        EXPONENTIAL_MINUS_ONE = "stablehlo.exponential_minus_one", Elementwise;
        FFT = "stablehlo.fft", Opaque;
        FLOOR = "stablehlo.floor", Elementwise;
        GATHER = "stablehlo.gather", Indexes;
        GET_DIMENSION_SIZE = "stablehlo.get_dimension_size", Creates;
        GET_TUPLE_ELEMENT = "stablehlo.get_tuple_element", Control;
        IF = "stablehlo.if", Control;
        IMAG = "stablehlo.imag", Elementwise;
        INFEED = "stablehlo.infeed", Acts;
        IOTA = "stablehlo.iota", Creates;
        IS_FINITE = "stablehlo.is_finite", Elementwise;
        LOG = "stablehlo.log", Elementwise;
        LOG_PLUS_ONE = "stablehlo.log_plus_one", Elementwise;
        LOGISTIC = "stablehlo.logistic", Elementwise;
        MAP = "stablehlo.map", Combines;
        MAXIMUM = "stablehlo.maximum", Elementwise;
        MINIMUM = "stablehlo.minimum", Elementwise;
        MULTIPLY = "stablehlo.multiply", Elementwise;
        NEGATE = "stablehlo.negate", Elementwise;
        NOT = "stablehlo.not", Elementwise;
        OPTIMIZATION_BARRIER = "stablehlo.optimization_barrier", Control;
        OR = "stablehlo.or", Elementwise;
        OUTFEED = "stablehlo.outfeed", Acts;
        PAD = "stablehlo.pad", Moves;
        PARTITION_ID = "stablehlo.partition_id", Collective;
        POPCNT = "stablehlo.popcnt", Elementwise;
        POWER = "stablehlo.power", Elementwise;
        REAL = "stablehlo.real", Elementwise;
        REAL_DYNAMIC_SLICE = "stablehlo.real_dynamic_slice", Dynamic;
        RECV = "stablehlo.recv", Acts;
        REDUCE = "stablehlo.reduce", Combines;
        REDUCE_PRECISION = "stablehlo.reduce_precision", Elementwise;
        REDUCE_SCATTER = "stablehlo.reduce_scatter", Collective;
        REDUCE_WINDOW = "stablehlo.reduce_window", Combines;
        REMAINDER = "stablehlo.remainder", Elementwise;
        REPLICA_ID = "stablehlo.replica_id", Collective;
        RESHAPE = "stablehlo.reshape", Moves;
        RETURN = "stablehlo.return", Terminates;
        REVERSE = "stablehlo.reverse", Moves;
        RNG = "stablehlo.rng", Creates;
        RNG_BIT_GENERATOR = "stablehlo.rng_bit_generator", Creates;
        ROUND_NEAREST_AFZ = "stablehlo.round_nearest_afz", Elementwise;
        ROUND_NEAREST_EVEN = "stablehlo.round_nearest_even", Elementwise;
        RSQRT = "stablehlo.rsqrt", Elementwise;
        SCATTER = "stablehlo.scatter", Combines;
        SELECT = "stablehlo.select", Elementwise;
        SELECT_AND_SCATTER = "stablehlo.select_and_scatter", Combines;
        SEND = "stablehlo.send", Acts;
        SET_DIMENSION_SIZE = "stablehlo.set_dimension_size", Dynamic;
        SHIFT_LEFT = "stablehlo.shift_left", Elementwise;
        SHIFT_RIGHT_ARITHMETIC = "stablehlo.shift_right_arithmetic", Elementwise;
        SHIFT_RIGHT_LOGICAL = "stablehlo.shift_right_logical", Elementwise;
        SIGN = "stablehlo.sign", Elementwise;
        SINE = "stablehlo.sine", Elementwise;
        SLICE = "stablehlo.slice", Moves;
        SORT = "stablehlo.sort", Combines;
        SQRT = "stablehlo.sqrt", Elementwise;
        SUBTRACT = "stablehlo.subtract", Elementwise;
        TAN = "stablehlo.tan", Elementwise;
        TANH = "stablehlo.tanh", Elementwise;
        TORCH_INDEX_SELECT = "stablehlo.torch_index_select", Indexes;
        TRACE = "stablehlo.trace", Acts;
        TRANSPOSE = "stablehlo.transpose", Moves;
        TRIANGULAR_SOLVE = "stablehlo.triangular_solve", Opaque;
        TUPLE = "stablehlo.tuple", Control;
        UNARY_EINSUM = "stablehlo.unary_einsum", Contracts;
        UNIFORM_DEQUANTIZE = "stablehlo.uniform_dequantize", Elementwise;
        UNIFORM_QUANTIZE = "stablehlo.uniform_quantize", Elementwise;
        WHILE = "stablehlo.while", Control;
        XOR = "stablehlo.xor", Elementwise;
    }

    /// Ops of `tensor` that compute shapes.
    tensor as Tensor {
        CAST = "tensor.cast";
        COLLAPSE_SHAPE = "tensor.collapse_shape";
        DIM = "tensor.dim";
        EXPAND_SHAPE = "tensor.expand_shape";
        EXTRACT = "tensor.extract";
        EXTRACT_SLICE = "tensor.extract_slice";
        FROM_ELEMENTS = "tensor.from_elements";
        INSERT_SLICE = "tensor.insert_slice";
        RESHAPE = "tensor.reshape";
        SPLAT = "tensor.splat";
    }
}
