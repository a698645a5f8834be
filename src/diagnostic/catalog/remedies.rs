//! The meaning of the ops and custom calls that have no lowering, and what to write instead.
//!
//! One row for a group of names. A message names an op as the text has it; the user wrote a function of JAX, so a row
//! names the functions that print the op, and what to export in their place.

/// Ops that cannot be converted, or only in some forms.
pub(super) struct Remedy {
    /// Names of ops or targets of custom calls; one that ends with `*` matches all names with that prefix.
    names: &'static [&'static str],
    /// What it is for, and which functions print it.
    pub origin: &'static str,
    /// What to write instead.
    pub cure: &'static str,
}

/// Ops.
const OPS: &[Remedy] = &[
    Remedy {
        names: &["stablehlo.infeed", "stablehlo.outfeed"],
        origin: "it exchanges data with the host while the program runs; `jax.lax.infeed` and `jax.lax.outfeed` in older \
                 releases print it",
        cure: "take the fed values as arguments of the function, and return what is sent out",
    },
    Remedy {
        names: &["stablehlo.send", "stablehlo.recv"],
        origin: "it exchanges data with another device or the host; callbacks on TPUs and pipeline parallelism print it",
        cure: "export for the CPU, `jax.export.export(f, platforms=[\"cpu\"])`, and on one device",
    },
    Remedy {
        names: &["stablehlo.rng"],
        origin: "it draws from the state of the device, not from a key; `jax.lax.rng_uniform` prints it",
        cure: "draw with a key, `jax.random.uniform(key, shape)`, or take the numbers as an argument",
    },
    Remedy {
        names: &["stablehlo.rng_bit_generator"],
        origin: "`jax.random` prints it for keys of `impl=\"rbg\"` and `\"unsafe_rbg\"`",
        cure: "make keys of the default kind, `jax.random.key(seed, impl=\"threefry2x32\")`, or take the numbers as an \
               argument",
    },
    Remedy {
        names: &["stablehlo.fft"],
        origin: "`jax.numpy.fft` prints it, and `jax.scipy.signal` for long convolutions",
        cure: "lower the function with the length as a number: only the other dimensions can be symbolic",
    },
    Remedy {
        names: &["stablehlo.set_dimension_size"],
        origin: "it sets the valid size of a padded tensor; XLA's dynamic padding uses it, and JAX does not print it",
        cure: "keep the padding and mask it, `jnp.where(jnp.arange(n) < size, x, 0)`",
    },
    Remedy {
        names: &[
            "stablehlo.all_gather",
            "stablehlo.all_reduce",
            "stablehlo.all_to_all",
            "stablehlo.collective_broadcast",
            "stablehlo.collective_permute",
            "stablehlo.cross-replica-sum",
            "stablehlo.partition_id",
            "stablehlo.reduce_scatter",
            "stablehlo.replica_id",
        ],
        origin: "it works across several devices; `jax.lax.psum`, `pmean`, `all_gather`, `ppermute` and `axis_index` print it \
                 inside `jax.shard_map` and `jax.pmap`",
        cure: "lower the function itself, without `shard_map` or `pmap` around it; a model has one device",
    },
    Remedy {
        names: &["sdy.*", "xla.sdy.*"],
        origin: "it describes how values are sharded over a mesh of devices; `jax.jit` prints it for arguments with a sharding",
        cure: "lower the function on one device, without a mesh",
    },
    Remedy {
        names: &["stablehlo.async_start", "stablehlo.async_done"],
        origin: "it runs a computation asynchronously; XLA's own passes print it, and JAX does not",
        cure: "pass the text as JAX lowers it, `jax.jit(f).lower(x).as_text()`, not the compiled one",
    },
    Remedy {
        names: &["mhlo.*"],
        origin: "StableHLO has no such op; XLA's own passes print it. The other ops of MHLO are read as StableHLO's",
        cure: "print StableHLO, `jax.jit(f).lower(x).as_text()`, not the optimized text",
    },
    Remedy {
        names: &["vhlo.*"],
        origin: "VHLO is the dialect of portable artifacts",
        cure: "print StableHLO, `jax.jit(f).lower(x).as_text()`; a portable artifact is read as it is",
    },
    Remedy {
        names: &["tf.*", "tfl.*"],
        origin: "it is an op of TensorFlow",
        cure: "convert the JAX function that was passed to `jax2tf`",
    },
];

/// Targets of custom calls.
const CALLS: &[Remedy] = &[
    Remedy {
        names: &["__gpu$xla.gpu.triton", "triton_kernel_call", "xla.gpu.triton"],
        origin: "it is a Triton kernel; `jax.experimental.pallas` and `jax_triton` print it for GPUs",
        cure: "call the plain JAX function instead, and export for the CPU; attention has `implementation=\"xla\"`",
    },
    Remedy {
        names: &["tpu_custom_call", "mosaic_gpu*"],
        origin: "it is a Mosaic kernel; `jax.experimental.pallas` prints it, and attention of `jax.experimental` on TPUs",
        cure: "call the plain JAX function instead, and export for the CPU; `pallas_call(..., interpret=True)` prints \
               ordinary ops",
    },
    Remedy {
        names: &["__cudnn$*", "cudnn*", "__cudnn*"],
        origin: "it is a cuDNN kernel; `jax.nn.dot_product_attention` with `implementation=\"cudnn\"` prints it, and \
                 recurrent layers of `jax.experimental.rnn`",
        cure: "pass `implementation=\"xla\"`, or use `jax.experimental.rnn.lstm_ref` for `lstm`",
    },
    Remedy {
        names: &[
            "__cublas$*",
            "cublas*",
            "cu_*",
            "cusolver*",
            "cusparse*",
            "hip_*",
            "hipsolver*",
            "hipsparse*",
            "hipblas*",
            "rocsolver*",
            "magma*",
            "gpu_*",
        ],
        origin: "it is a routine of a GPU library; `jax.numpy.linalg` and `jax.experimental.sparse` print such calls \
                 when they are lowered for a GPU",
        cure: "export for the CPU, `jax.export.export(f, platforms=[\"cpu\"])`; of the GPU libraries, the dense routines \
               that LAPACK has are converted",
    },
    Remedy {
        names: &["lapack_*"],
        origin: "it is a LAPACK routine; `jax.numpy.linalg` and `jax.scipy.linalg` print it for the CPU",
        cure: "`hlo2onnx ops` lists the routines that are converted; `svd`, `qr`, `eigh`, `cholesky` and `solve` are",
    },
    Remedy {
        names: &["QrDecompositionBlock"],
        origin: "it is a TPU routine; `jax.numpy.linalg` prints it when it is lowered for a TPU",
        cure: "export for the CPU, `jax.export.export(f, platforms=[\"cpu\"])`",
    },
    Remedy {
        names: &["ducc_fft*", "dynamic_ducc_fft"],
        origin: "it is the CPU's FFT of older JAX releases; `jax.numpy.fft` prints it",
        cure: "lower with a current release of JAX, which prints `stablehlo.fft`",
    },
    Remedy {
        names: &["dynamic_*"],
        origin: "JAX prints it for symbolic shapes",
        cure: "lower that part with concrete shapes, or set the size with `--dim NAME=SIZE`",
    },
];

/// The row of an op or of the target of a custom call.
pub(super) fn find(name: &str) -> Option<&'static Remedy> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    let all = || OPS.iter().chain(CALLS);
    // An exact name wins over a prefix, whatever the order.
    let whole = all().find(|remedy| remedy.names.contains(&name));
    whole.or_else(|| all().find(|remedy| remedy.names.iter().any(|pattern| fits(pattern))))
}

/// What it is for, as a note.
pub(super) fn origin(name: &str) -> Option<String> {
    find(name).map(|remedy| remedy.origin.to_owned())
}

/// What to write instead.
pub(super) fn cure(name: &str) -> Option<String> {
    find(name).map(|remedy| remedy.cure.to_owned())
}

/// The ONNX ops that came after the lowest opset, and what needs them.
const LATER_OPS: &[(&str, &str)] = &[
    ("BitCast", "the bits of 8-bit floats, and under `--strict-nan` the sign of NaN"),
    ("BitwiseAnd", "`&` of integers"),
    ("BitwiseNot", "`~` of integers"),
    ("BitwiseOr", "`|` of integers"),
    ("BitwiseXor", "`^` of integers, and random numbers"),
    ("CumProd", "`jnp.cumprod`"),
    ("Gelu", "`jax.nn.gelu`"),
    ("RMSNormalization", "`flax.linen.RMSNorm`"),
    ("ScatterND", "sums of overlapping windows"),
];

/// What needs an ONNX op that came with a later opset, as a note.
pub(super) fn opset_reason(op: &str) -> Option<String> {
    let (_, reason) = LATER_OPS.iter().find(|(name, _)| *name == op)?;
    Some(format!("the ONNX op `{op}` is used for {reason}"))
}

/// The table of ops, custom calls or opsets at the end of a manual page; empty for most codes.
pub(super) fn table(code: &str) -> String {
    let rows: String = match code {
        "E0201" => OPS.iter().map(row).collect(),
        "E0205" => CALLS.iter().map(row).collect(),
        "E0301" => {
            return LATER_OPS
                .iter()
                .fold("\nOps that need an opset above 15:\n\n".to_owned(), |text, (op, reason)| {
                    text + &format!("- `{op}`: {reason}\n")
                });
        }
        _ => return String::new(),
    };
    format!("\nKnown names, and what to do instead:\n\n{rows}")
}

fn row(remedy: &Remedy) -> String {
    let names: Vec<String> = remedy.names.iter().map(|name| format!("`{name}`")).collect();
    format!("- {}: {}. What to do: {}.\n", names.join(", "), remedy.origin, remedy.cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_wins_over_a_beginning() {
        assert!(cure("stablehlo.infeed").is_some_and(|cure| cure.contains("argument")));
        assert!(origin("cusolver_csrlsvqr").is_some());
        assert!(origin("lapack_sxyz_ffi").is_some_and(|origin| origin.contains("LAPACK")));
        assert!(find("my_kernel").is_none());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = OPS.iter().chain(CALLS).flat_map(|remedy| remedy.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_remedy_is_a_sentence_without_its_stop() {
        for remedy in OPS.iter().chain(CALLS) {
            for text in [remedy.origin, remedy.cure] {
                assert!(!text.ends_with('.') && !text.contains("  ") && text.len() > 20, "{text}");
            }
        }
    }
}
