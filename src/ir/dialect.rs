//! The ops of each dialect that the compiler knows. A name that is not here does not compile.

use super::op_name::{OpName, Registered, dialects};

dialects! {
    /// Ops of `arith`, MLIR's arithmetic.
    arith as Arith {
        ADDF = "arith.addf";
        ADDI = "arith.addi";
        ANDI = "arith.andi";
        CEILDIVSI = "arith.ceildivsi";
        CMPI = "arith.cmpi";
        CONSTANT = "arith.constant";
        DIVF = "arith.divf";
        DIVSI = "arith.divsi";
        DIVUI = "arith.divui";
        EXTF = "arith.extf";
        EXTSI = "arith.extsi";
        EXTUI = "arith.extui";
        FLOORDIVSI = "arith.floordivsi";
        FPTOSI = "arith.fptosi";
        INDEX_CAST = "arith.index_cast";
        INDEX_CASTUI = "arith.index_castui";
        MAXIMUMF = "arith.maximumf";
        MAXSI = "arith.maxsi";
        MAXUI = "arith.maxui";
        MINIMUMF = "arith.minimumf";
        MINSI = "arith.minsi";
        MINUI = "arith.minui";
        MULF = "arith.mulf";
        MULI = "arith.muli";
        NEGF = "arith.negf";
        ORI = "arith.ori";
        REMF = "arith.remf";
        REMSI = "arith.remsi";
        REMUI = "arith.remui";
        SELECT = "arith.select";
        SHLI = "arith.shli";
        SHRSI = "arith.shrsi";
        SHRUI = "arith.shrui";
        SITOFP = "arith.sitofp";
        SUBF = "arith.subf";
        SUBI = "arith.subi";
        TRUNCF = "arith.truncf";
        TRUNCI = "arith.trunci";
        UITOFP = "arith.uitofp";
        XORI = "arith.xori";
    }

    /// MLIR's own ops.
    builtin as Builtin {
        MODULE = "builtin.module";
        UNREAD = "builtin.unread";
    }

    /// Ops of CHLO.
    chlo as Chlo {
        ACOS = "chlo.acos";
        ACOSH = "chlo.acosh";
        ASIN = "chlo.asin";
        ASINH = "chlo.asinh";
        ATAN = "chlo.atan";
        ATANH = "chlo.atanh";
        BESSEL_I1E = "chlo.bessel_i1e";
        BROADCAST_ADD = "chlo.broadcast_add";
        BROADCAST_AND = "chlo.broadcast_and";
        BROADCAST_ATAN2 = "chlo.broadcast_atan2";
        BROADCAST_COMPARE = "chlo.broadcast_compare";
        BROADCAST_COMPLEX = "chlo.broadcast_complex";
        BROADCAST_DIVIDE = "chlo.broadcast_divide";
        BROADCAST_MAXIMUM = "chlo.broadcast_maximum";
        BROADCAST_MINIMUM = "chlo.broadcast_minimum";
        BROADCAST_MULTIPLY = "chlo.broadcast_multiply";
        BROADCAST_NEXT_AFTER = "chlo.broadcast_next_after";
        BROADCAST_OR = "chlo.broadcast_or";
        BROADCAST_POLYGAMMA = "chlo.broadcast_polygamma";
        BROADCAST_POWER = "chlo.broadcast_power";
        BROADCAST_REMAINDER = "chlo.broadcast_remainder";
        BROADCAST_SELECT = "chlo.broadcast_select";
        BROADCAST_SHIFT_LEFT = "chlo.broadcast_shift_left";
        BROADCAST_SHIFT_RIGHT_ARITHMETIC = "chlo.broadcast_shift_right_arithmetic";
        BROADCAST_SHIFT_RIGHT_LOGICAL = "chlo.broadcast_shift_right_logical";
        BROADCAST_SUBTRACT = "chlo.broadcast_subtract";
        BROADCAST_XOR = "chlo.broadcast_xor";
        BROADCAST_ZETA = "chlo.broadcast_zeta";
        CONJ = "chlo.conj";
        CONSTANT = "chlo.constant";
        CONSTANT_LIKE = "chlo.constant_like";
        COSH = "chlo.cosh";
        DIGAMMA = "chlo.digamma";
        ERF = "chlo.erf";
        ERF_INV = "chlo.erf_inv";
        ERFC = "chlo.erfc";
        IS_INF = "chlo.is_inf";
        IS_NEG_INF = "chlo.is_neg_inf";
        IS_POS_INF = "chlo.is_pos_inf";
        LGAMMA = "chlo.lgamma";
        MULHI = "chlo.mulhi";
        NEXT_AFTER = "chlo.next_after";
        POLYGAMMA = "chlo.polygamma";
        RAGGED_DOT = "chlo.ragged_dot";
        SCAN = "chlo.scan";
        SINH = "chlo.sinh";
        SQUARE = "chlo.square";
        TAN = "chlo.tan";
        TOP_K = "chlo.top_k";
        ZETA = "chlo.zeta";
    }

    /// Ops of `func`: functions.
    func as Func {
        CALL = "func.call";
        FUNC = "func.func";
        RETURN = "func.return";
    }

    /// Ops of this compiler, which its passes make.
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
        ROUND = "hlo2onnx.round";
        SIGN_BIT = "hlo2onnx.sign_bit";
        SIZE = "hlo2onnx.size";
        SOFTMAX = "hlo2onnx.softmax";
        TRIANGULAR_SOLVE = "hlo2onnx.triangular_solve";
    }

    /// Ops that MHLO alone has, or that it had before CHLO.
    mhlo as Mhlo {
        ACOS = "mhlo.acos";
        ACOSH = "mhlo.acosh";
        ADD_DEPENDENCY = "mhlo.add_dependency";
        ASIN = "mhlo.asin";
        ASINH = "mhlo.asinh";
        ASYNC_DONE = "mhlo.async_done";
        ASYNC_START = "mhlo.async_start";
        ASYNC_UPDATE = "mhlo.async_update";
        ATAN = "mhlo.atan";
        ATANH = "mhlo.atanh";
        BITCAST = "mhlo.bitcast";
        COPY = "mhlo.copy";
        COSH = "mhlo.cosh";
        DOMAIN = "mhlo.domain";
        ERF = "mhlo.erf";
        ERF_INV = "mhlo.erf_inv";
        FUSION = "mhlo.fusion";
        MINIMUM_BROADCAST_SHAPES = "mhlo.minimum_broadcast_shapes";
        MULHI = "mhlo.mulhi";
        RAGGED_DOT = "mhlo.ragged_dot";
        SCAN = "mhlo.scan";
        SINH = "mhlo.sinh";
        SPARSE_DOT = "mhlo.sparse_dot";
        STOCHASTIC_CONVERT = "mhlo.stochastic_convert";
        TAN = "mhlo.tan";
        TOPK = "mhlo.topk";
        XLA_RNG_GET_AND_UPDATE_STATE = "mhlo.xla.rng_get_and_update_state";
    }

    /// Ops of ONNX.
    onnx as Onnx {
        ABS = "onnx.Abs";
        ACOS = "onnx.Acos";
        ACOSH = "onnx.Acosh";
        ADD = "onnx.Add";
        AND = "onnx.And";
        ARG_MAX = "onnx.ArgMax";
        ARG_MIN = "onnx.ArgMin";
        ASIN = "onnx.Asin";
        ASINH = "onnx.Asinh";
        ATAN = "onnx.Atan";
        ATANH = "onnx.Atanh";
        ATTENTION = "onnx.Attention";
        AVERAGE_POOL = "onnx.AveragePool";
        BATCH_NORMALIZATION = "onnx.BatchNormalization";
        BERNOULLI = "onnx.Bernoulli";
        BIT_CAST = "onnx.BitCast";
        BIT_SHIFT = "onnx.BitShift";
        BITWISE_AND = "onnx.BitwiseAnd";
        BITWISE_NOT = "onnx.BitwiseNot";
        BITWISE_OR = "onnx.BitwiseOr";
        BITWISE_XOR = "onnx.BitwiseXor";
        CAST = "onnx.Cast";
        CEIL = "onnx.Ceil";
        CLIP = "onnx.Clip";
        CONCAT = "onnx.Concat";
        CONSTANT = "onnx.Constant";
        CONV = "onnx.Conv";
        CONV_TRANSPOSE = "onnx.ConvTranspose";
        COS = "onnx.Cos";
        COSH = "onnx.Cosh";
        CUM_PROD = "onnx.CumProd";
        CUM_SUM = "onnx.CumSum";
        DFT = "onnx.DFT";
        DEPTH_TO_SPACE = "onnx.DepthToSpace";
        DEQUANTIZE_LINEAR = "onnx.DequantizeLinear";
        DIV = "onnx.Div";
        DROPOUT = "onnx.Dropout";
        ELU = "onnx.Elu";
        EQUAL = "onnx.Equal";
        ERF = "onnx.Erf";
        EXP = "onnx.Exp";
        EXPAND = "onnx.Expand";
        FLOOR = "onnx.Floor";
        GATHER = "onnx.Gather";
        GATHER_ELEMENTS = "onnx.GatherElements";
        GATHER_ND = "onnx.GatherND";
        GELU = "onnx.Gelu";
        GEMM = "onnx.Gemm";
        GLOBAL_AVERAGE_POOL = "onnx.GlobalAveragePool";
        GREATER = "onnx.Greater";
        GREATER_OR_EQUAL = "onnx.GreaterOrEqual";
        IDENTITY = "onnx.Identity";
        IF = "onnx.If";
        INSTANCE_NORMALIZATION = "onnx.InstanceNormalization";
        IS_INF = "onnx.IsInf";
        IS_NAN = "onnx.IsNaN";
        LAYER_NORMALIZATION = "onnx.LayerNormalization";
        LEAKY_RELU = "onnx.LeakyRelu";
        LESS = "onnx.Less";
        LESS_OR_EQUAL = "onnx.LessOrEqual";
        LOG = "onnx.Log";
        LOG_SOFTMAX = "onnx.LogSoftmax";
        LOOP = "onnx.Loop";
        MAT_MUL = "onnx.MatMul";
        MAX = "onnx.Max";
        MAX_POOL = "onnx.MaxPool";
        MIN = "onnx.Min";
        MOD = "onnx.Mod";
        MUL = "onnx.Mul";
        MULTINOMIAL = "onnx.Multinomial";
        NEG = "onnx.Neg";
        NOT = "onnx.Not";
        OR = "onnx.Or";
        PAD = "onnx.Pad";
        POW = "onnx.Pow";
        QUANTIZE_LINEAR = "onnx.QuantizeLinear";
        RMS_NORMALIZATION = "onnx.RMSNormalization";
        RANDOM_NORMAL = "onnx.RandomNormal";
        RANDOM_NORMAL_LIKE = "onnx.RandomNormalLike";
        RANDOM_UNIFORM = "onnx.RandomUniform";
        RANDOM_UNIFORM_LIKE = "onnx.RandomUniformLike";
        RANGE = "onnx.Range";
        RECIPROCAL = "onnx.Reciprocal";
        REDUCE_MAX = "onnx.ReduceMax";
        REDUCE_MEAN = "onnx.ReduceMean";
        REDUCE_MIN = "onnx.ReduceMin";
        REDUCE_PROD = "onnx.ReduceProd";
        REDUCE_SUM = "onnx.ReduceSum";
        REDUCE_SUM_SQUARE = "onnx.ReduceSumSquare";
        RELU = "onnx.Relu";
        RESHAPE = "onnx.Reshape";
        RESIZE = "onnx.Resize";
        ROTARY_EMBEDDING = "onnx.RotaryEmbedding";
        ROUND = "onnx.Round";
        SCAN = "onnx.Scan";
        SCATTER_ELEMENTS = "onnx.ScatterElements";
        SCATTER_ND = "onnx.ScatterND";
        SHAPE = "onnx.Shape";
        SIGMOID = "onnx.Sigmoid";
        SIGN = "onnx.Sign";
        SIN = "onnx.Sin";
        SINH = "onnx.Sinh";
        SLICE = "onnx.Slice";
        SOFTMAX = "onnx.Softmax";
        SPACE_TO_DEPTH = "onnx.SpaceToDepth";
        SPLIT = "onnx.Split";
        SQRT = "onnx.Sqrt";
        SQUEEZE = "onnx.Squeeze";
        SUB = "onnx.Sub";
        TAN = "onnx.Tan";
        TANH = "onnx.Tanh";
        TENSOR_SCATTER = "onnx.TensorScatter";
        TILE = "onnx.Tile";
        TOP_K = "onnx.TopK";
        TRANSPOSE = "onnx.Transpose";
        TRILU = "onnx.Trilu";
        UNSQUEEZE = "onnx.Unsqueeze";
        WHERE = "onnx.Where";
        XOR = "onnx.Xor";
        RETURN = "onnx.return";
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
        RETURN = "sdy.return";
        SHARDED_TO_UNREDUCED = "sdy.sharded_to_unreduced";
        SHARDING_CONSTRAINT = "sdy.sharding_constraint";
        SHARDING_GROUP = "sdy.sharding_group";
    }

    /// Ops of `shape`: arithmetic on shapes.
    shape as Shape {
        ASSUMING = "shape.assuming";
        ASSUMING_ALL = "shape.assuming_all";
        ASSUMING_YIELD = "shape.assuming_yield";
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
        ABS = "stablehlo.abs";
        ADD = "stablehlo.add";
        AFTER_ALL = "stablehlo.after_all";
        ALL_GATHER = "stablehlo.all_gather";
        ALL_REDUCE = "stablehlo.all_reduce";
        ALL_TO_ALL = "stablehlo.all_to_all";
        AND = "stablehlo.and";
        ASYNC_DONE = "stablehlo.async_done";
        ASYNC_START = "stablehlo.async_start";
        ATAN2 = "stablehlo.atan2";
        BATCH_NORM_GRAD = "stablehlo.batch_norm_grad";
        BATCH_NORM_INFERENCE = "stablehlo.batch_norm_inference";
        BATCH_NORM_TRAINING = "stablehlo.batch_norm_training";
        BITCAST_CONVERT = "stablehlo.bitcast_convert";
        BROADCAST = "stablehlo.broadcast";
        BROADCAST_IN_DIM = "stablehlo.broadcast_in_dim";
        CASE = "stablehlo.case";
        CBRT = "stablehlo.cbrt";
        CEIL = "stablehlo.ceil";
        CHOLESKY = "stablehlo.cholesky";
        CLAMP = "stablehlo.clamp";
        COLLECTIVE_BROADCAST = "stablehlo.collective_broadcast";
        COLLECTIVE_PERMUTE = "stablehlo.collective_permute";
        COMPARE = "stablehlo.compare";
        COMPLEX = "stablehlo.complex";
        COMPOSITE = "stablehlo.composite";
        CONCATENATE = "stablehlo.concatenate";
        CONSTANT = "stablehlo.constant";
        CONVERT = "stablehlo.convert";
        CONVOLUTION = "stablehlo.convolution";
        COSINE = "stablehlo.cosine";
        COUNT_LEADING_ZEROS = "stablehlo.count_leading_zeros";
        CREATE_TOKEN = "stablehlo.create_token";
        CROSS_REPLICA_SUM = "stablehlo.cross-replica-sum";
        CUSTOM_CALL = "stablehlo.custom_call";
        DIVIDE = "stablehlo.divide";
        DOT = "stablehlo.dot";
        DOT_GENERAL = "stablehlo.dot_general";
        DYNAMIC_BROADCAST_IN_DIM = "stablehlo.dynamic_broadcast_in_dim";
        DYNAMIC_CONV = "stablehlo.dynamic_conv";
        DYNAMIC_GATHER = "stablehlo.dynamic_gather";
        DYNAMIC_IOTA = "stablehlo.dynamic_iota";
        DYNAMIC_PAD = "stablehlo.dynamic_pad";
        DYNAMIC_RESHAPE = "stablehlo.dynamic_reshape";
        DYNAMIC_SLICE = "stablehlo.dynamic_slice";
        DYNAMIC_UPDATE_SLICE = "stablehlo.dynamic_update_slice";
        EINSUM = "stablehlo.einsum";
        EXPONENTIAL = "stablehlo.exponential";
        EXPONENTIAL_MINUS_ONE = "stablehlo.exponential_minus_one";
        FFT = "stablehlo.fft";
        FLOOR = "stablehlo.floor";
        GATHER = "stablehlo.gather";
        GET_DIMENSION_SIZE = "stablehlo.get_dimension_size";
        GET_TUPLE_ELEMENT = "stablehlo.get_tuple_element";
        IF = "stablehlo.if";
        IMAG = "stablehlo.imag";
        INFEED = "stablehlo.infeed";
        IOTA = "stablehlo.iota";
        IS_FINITE = "stablehlo.is_finite";
        LOG = "stablehlo.log";
        LOG_PLUS_ONE = "stablehlo.log_plus_one";
        LOGISTIC = "stablehlo.logistic";
        MAP = "stablehlo.map";
        MAXIMUM = "stablehlo.maximum";
        MINIMUM = "stablehlo.minimum";
        MULTIPLY = "stablehlo.multiply";
        NEGATE = "stablehlo.negate";
        NOT = "stablehlo.not";
        OPTIMIZATION_BARRIER = "stablehlo.optimization_barrier";
        OR = "stablehlo.or";
        OUTFEED = "stablehlo.outfeed";
        PAD = "stablehlo.pad";
        PARTITION_ID = "stablehlo.partition_id";
        POPCNT = "stablehlo.popcnt";
        POWER = "stablehlo.power";
        REAL = "stablehlo.real";
        REAL_DYNAMIC_SLICE = "stablehlo.real_dynamic_slice";
        RECV = "stablehlo.recv";
        REDUCE = "stablehlo.reduce";
        REDUCE_PRECISION = "stablehlo.reduce_precision";
        REDUCE_SCATTER = "stablehlo.reduce_scatter";
        REDUCE_WINDOW = "stablehlo.reduce_window";
        REMAINDER = "stablehlo.remainder";
        REPLICA_ID = "stablehlo.replica_id";
        RESHAPE = "stablehlo.reshape";
        RETURN = "stablehlo.return";
        REVERSE = "stablehlo.reverse";
        RNG = "stablehlo.rng";
        RNG_BIT_GENERATOR = "stablehlo.rng_bit_generator";
        ROUND_NEAREST_AFZ = "stablehlo.round_nearest_afz";
        ROUND_NEAREST_EVEN = "stablehlo.round_nearest_even";
        RSQRT = "stablehlo.rsqrt";
        SCATTER = "stablehlo.scatter";
        SELECT = "stablehlo.select";
        SELECT_AND_SCATTER = "stablehlo.select_and_scatter";
        SEND = "stablehlo.send";
        SET_DIMENSION_SIZE = "stablehlo.set_dimension_size";
        SHIFT_LEFT = "stablehlo.shift_left";
        SHIFT_RIGHT_ARITHMETIC = "stablehlo.shift_right_arithmetic";
        SHIFT_RIGHT_LOGICAL = "stablehlo.shift_right_logical";
        SIGN = "stablehlo.sign";
        SINE = "stablehlo.sine";
        SLICE = "stablehlo.slice";
        SORT = "stablehlo.sort";
        SQRT = "stablehlo.sqrt";
        SUBTRACT = "stablehlo.subtract";
        TAN = "stablehlo.tan";
        TANH = "stablehlo.tanh";
        TORCH_INDEX_SELECT = "stablehlo.torch_index_select";
        TRACE = "stablehlo.trace";
        TRANSPOSE = "stablehlo.transpose";
        TRIANGULAR_SOLVE = "stablehlo.triangular_solve";
        TUPLE = "stablehlo.tuple";
        UNARY_EINSUM = "stablehlo.unary_einsum";
        UNIFORM_DEQUANTIZE = "stablehlo.uniform_dequantize";
        UNIFORM_QUANTIZE = "stablehlo.uniform_quantize";
        WHILE = "stablehlo.while";
        XOR = "stablehlo.xor";
    }

    /// Ops of `tensor`, as far as shapes are made of them.
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
