//! The custom calls of linear algebra that JAX prints for each platform and in each release: which routine of LAPACK
//! each one is, where its options are, and how its results follow from the routine's.
//!
//! - CPU: `lapack_spotrf_ffi`, with the options in a dictionary. Before that, `lapack_spotrf` and `blas_strsm`, with
//!   sizes and options as scalar operands.
//! - GPU: `cusolver_potrf_ffi`, `hipsolver_potrf_ffi`, and so on, with flags in a dictionary. Before that,
//!   `cusolver_potrf`, with the bytes of a C struct.
//! - TPU: `Qr`, `Eigh`, and so on, without layouts.

use crate::ir::{Attribute, Module, OpId};
use crate::ops::{Lower, LowerError};

/// How an option's number is read as the one that LAPACK takes.
type OptionReader = fn(i64) -> Option<i64>;

/// An option of a routine in a call.
struct RoutineOption {
    /// Its name in LAPACK's own calls.
    name: &'static str,
    /// The name of its field; empty if it is positional.
    field: &'static str,
    /// The number of its scalar operand, of its `int`, or of its word.
    place: usize,
    reading: OptionReader,
}

const fn at(name: &'static str, place: usize, reading: OptionReader) -> RoutineOption {
    RoutineOption { name, field: "", place, reading }
}

const fn field(name: &'static str, field: &'static str, reading: OptionReader) -> RoutineOption {
    RoutineOption { name, field, place: 0, reading }
}

/// Where a call has its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convention {
    /// In a dictionary, as LAPACK's characters.
    Letters,
    /// In a dictionary, as the flags that JAX passes to the libraries of GPUs.
    Flags,
    /// In scalar operands before the first matrix.
    Scalars,
    /// In the bytes of a C struct, of `int`s but for the characters at its end.
    Descriptor,
    /// In a comma-separated list of numbers; the call has no layouts.
    Words,
}

/// A call that is not the routine of the same name with the same results.
struct Spelling {
    convention: Convention,
    name: &'static str,
    routine: &'static str,
    options: &'static [RoutineOption],
    /// Which of the routine's results each result is. A `.` is memory that the routine works in, and `!` a status that
    /// the routine does not return.
    results: &'static str,
    /// That on complex numbers, where it is another.
    complex_results: &'static str,
}

/// A call, resolved.
pub(super) struct Spelled {
    pub convention: Convention,
    /// The routine's name without the letter for the element type.
    pub routine: &'static str,
    /// The letter for the element type, where the name has one.
    pub letter: Option<char>,
    options: &'static [RoutineOption],
    /// As in [`Spelling`]; empty for the routine's own results.
    pub results: &'static str,
}

const fn plain(value: i64) -> Option<i64> {
    Some(value)
}

const fn choose(value: i64, no: char, yes: char) -> Option<i64> {
    Some(if value == 0 { no } else { yes } as i64)
}

const fn lower(value: i64) -> Option<i64> {
    choose(value, 'U', 'L')
}

/// `cublasFillMode_t`, or `hipblasFillMode_t`, which has the numbers of `rocblas_fill`.
const fn fill(value: i64) -> Option<i64> {
    match value {
        0 | 122 => Some('L' as i64),
        1 | 121 => Some('U' as i64),
        _ => None,
    }
}

/// `cusolverEigMode_t` or `hipsolverEigMode_t`.
const fn eigen_mode(value: i64) -> Option<i64> {
    match value {
        0 | 201 => Some(0),
        1 | 202 => Some(1),
        _ => None,
    }
}

const fn vectors(value: i64) -> Option<i64> {
    choose(value, 'N', 'V')
}

const fn side(value: i64) -> Option<i64> {
    choose(value, 'R', 'L')
}

const fn unit(value: i64) -> Option<i64> {
    choose(value, 'N', 'U')
}

const fn transposition(value: i64) -> Option<i64> {
    match value {
        0 => Some('N' as i64),
        1 => Some('T' as i64),
        2 => Some('C' as i64),
        _ => None,
    }
}

const fn negated(value: i64) -> Option<i64> {
    Some((value == 0) as i64)
}

/// The `char` of an `int` that has several.
const fn first_char(value: i64) -> Option<i64> {
    Some(value & 0xff)
}

/// `cublasSideMode_t`, or rocBLAS's, and so on for the other two.
const fn blas_side(value: i64) -> Option<i64> {
    match value {
        0 | 141 => Some('L' as i64),
        1 | 142 => Some('R' as i64),
        _ => None,
    }
}

const fn blas_transposition(value: i64) -> Option<i64> {
    match value {
        0 | 111 => Some('N' as i64),
        1 | 112 => Some('T' as i64),
        2 | 113 => Some('C' as i64),
        _ => None,
    }
}

const fn blas_unit(value: i64) -> Option<i64> {
    match value {
        0 | 131 => Some('N' as i64),
        1 | 132 => Some('U' as i64),
        _ => None,
    }
}

const fn row(
    convention: Convention,
    name: &'static str,
    routine: &'static str,
    options: &'static [RoutineOption],
    results: &'static str,
) -> Spelling {
    Spelling { convention, name, routine, options, results, complex_results: results }
}

/// What older releases of JAX print for the CPU: sizes and options before the matrices (`jaxlib/lapack.py`).
const fn scalars(name: &'static str, options: &'static [RoutineOption], results: &'static str) -> Spelling {
    row(Convention::Scalars, name, name, options, results)
}

/// What current releases print for GPUs (`jax/_src/lax/linalg.py`).
const fn flags(
    name: &'static str,
    routine: &'static str,
    options: &'static [RoutineOption],
    results: &'static str,
) -> Spelling {
    row(Convention::Flags, name, routine, options, results)
}

/// What older releases print for GPUs (`jaxlib/gpu_solver.py`, with the structs in `jaxlib/gpu/*_kernels.h`).
const fn descriptor(
    name: &'static str,
    routine: &'static str,
    options: &'static [RoutineOption],
    results: &'static str,
) -> Spelling {
    row(Convention::Descriptor, name, routine, options, results)
}

const LOWER: &[RoutineOption] = &[at("uplo", 0, lower)];
const LOWER_FLAG: &[RoutineOption] = &[field("uplo", "lower", lower)];
/// After the element type in a struct.
const FILL: &[RoutineOption] = &[at("uplo", 1, fill)];
const SVD: &[RoutineOption] =
    &[field("full_matrices", "full_matrices", plain), field("compute_uv", "compute_uv", plain)];
const JACOBI: &[RoutineOption] = &[at("compute_uv", 5, eigen_mode), at("full_matrices", 6, negated)];
const EIGENVECTORS: &[RoutineOption] =
    &[field("compute_left", "left", vectors), field("compute_right", "right", vectors)];

const SPELLINGS: &[Spelling] = &[
    Spelling {
        complex_results: "..0123",
        ..scalars("geev", &[at("compute_left", 2, plain), at("compute_right", 3, plain)], "...01234")
    },
    Spelling {
        complex_results: "0.2134",
        ..scalars("gees", &[at("mode", 2, plain), at("sort", 3, plain)], "023145")
    },
    scalars("gehrd", &[at("low", 1, plain), at("high", 2, plain)], "012"),
    scalars("geqrf", &[], "01!"),
    scalars("gesdd", &[at("full_matrices", 0, plain), at("compute_uv", 1, plain)], "01234"),
    scalars("getrf", &[], "012"),
    scalars("orgqr", &[], "0!"),
    scalars("potrf", LOWER, "01"),
    scalars("syevd", LOWER, "012"),
    scalars("sytrd", &[at("uplo", 1, lower)], "01234"),
    scalars(
        "trsm",
        &[at("side", 0, side), at("uplo", 1, lower), at("trans_x", 2, transposition), at("diag", 3, unit)],
        "0",
    ),
    flags("cholesky_update", "cholesky_update", &[], "01"),
    flags("eig_comp", "geev", EIGENVECTORS, "0123"),
    flags("eig_real", "geev", EIGENVECTORS, "01234"),
    flags("geev", "packed_geev", EIGENVECTORS, "01234"),
    flags("geqp3", "geqp3", &[], "012"),
    flags("geqrf", "geqrf", &[], "01"),
    flags("geqrf_batched", "geqrf", &[], "01"),
    flags("gesdd", "gesdd", SVD, "01234"),
    flags("gesvd", "gesdd", SVD, "01234"),
    flags("gesvdj", "gesvdj", SVD, "01234"),
    flags("gesvdp", "gesvdj", SVD, "01234"),
    flags("getrf", "getrf", &[], "012"),
    flags("getrf_batched", "getrf", &[], "012"),
    flags("gtsv2", "gtsv", &[], "3"),
    flags("lu_pivots_to_permutation", "lu_pivots_to_permutation", &[], "0"),
    flags("orgqr", "orgqr", &[], "0"),
    flags("ormqr", "ormqr", &[field("left", "left", plain), field("transpose", "transpose", plain)], "0"),
    flags("potrf", "potrf", LOWER_FLAG, "01"),
    flags("syevd", "syevd", LOWER_FLAG, "012"),
    flags("syrk", "syrk", &[field("transpose", "transpose", plain)], "0"),
    flags("sytrd", "sytrd", LOWER_FLAG, "01234"),
    descriptor("cholesky_update", "cholesky_update", &[], "01"),
    descriptor("geqrf", "geqrf", &[], "01!"),
    descriptor("geqrf_batched", "geqrf", &[], "01"),
    descriptor("gesvd", "gesdd", &[at("mode", 5, first_char)], "01234"),
    descriptor("gesvdj", "gesvdj", JACOBI, "01234"),
    descriptor("getrf", "getrf", &[], "012"),
    descriptor("getrf_batched", "getrf", &[], "012"),
    descriptor("gtsv2_f32", "gtsv", &[], "3"),
    descriptor("gtsv2_f64", "gtsv", &[], "3"),
    descriptor("lu_pivots_to_permutation", "lu_pivots_to_permutation", &[], "0"),
    descriptor("orgqr", "orgqr", &[], "0!"),
    descriptor("potrf", "potrf", FILL, "01"),
    descriptor("syevd", "syevd", FILL, "012"),
    descriptor("syevj", "syevd", FILL, "012"),
    descriptor("sytrd", "sytrd", FILL, "01234"),
    descriptor(
        "trsm_batched",
        "trsm",
        &[
            at("side", 4, blas_side),
            at("uplo", 5, fill),
            at("trans_x", 6, blas_transposition),
            at("diag", 7, blas_unit),
        ],
        "0",
    ),
    row(Convention::Words, "Eigh", "syevd", LOWER, "01"),
    row(Convention::Words, "LuDecomposition", "lu", &[], "012"),
    row(Convention::Words, "ProductOfElementaryHouseholderReflectors", "orgqr", &[], "0"),
    row(Convention::Words, "Qr", "geqrf", &[], "01"),
];

/// The beginnings of the names of libraries of GPUs, by vendor.
const VENDORS: &[&str] = &["cu", "hip", "roc", "oneapi"];
const LIBRARIES: &[&str] = &["solver_", "blas_", "sparse_", "hybrid_", "_"];

/// The name of a routine in a library of a GPU.
fn of_gpu(target: &str) -> Option<&str> {
    let rest = VENDORS.iter().find_map(|vendor| target.strip_prefix(vendor))?;
    LIBRARIES.iter().find_map(|library| rest.strip_prefix(library))
}

/// The target of a call for real or complex numbers; `is_struct` is whether the backend's configuration is bytes
/// instead of a dictionary.
pub(super) fn resolve(target: &str, is_struct: bool, complex: bool) -> Option<Spelled> {
    let of = |convention: Convention, name: &str, letter: Option<char>| {
        let row = SPELLINGS.iter().find(|row| row.convention == convention && row.name == name)?;
        Some(Spelled {
            convention,
            routine: row.routine,
            letter,
            options: row.options,
            results: if complex { row.complex_results } else { row.results },
        })
    };
    if let Some(rest) = target.strip_prefix("lapack_").or_else(|| target.strip_prefix("blas_")) {
        let (name, is_ffi) = rest.strip_suffix("_ffi").map_or((rest, false), |name| (name, true));
        let (letter, name) = name.split_at_checked(1)?;
        let letter = letter.chars().next();
        let routine = super::lapack::routine_named(name, complex)?;
        return match is_ffi {
            true => {
                Some(Spelled { convention: Convention::Letters, routine, letter, options: &[], results: "" })
            }
            false => of(Convention::Scalars, routine, letter),
        };
    }
    match of_gpu(target) {
        Some(name) => {
            let (name, is_ffi) = name.strip_suffix("_ffi").map_or((name, false), |name| (name, true));
            let convention = if is_struct && !is_ffi { Convention::Descriptor } else { Convention::Flags };
            of(convention, name, None)
        }
        None => of(Convention::Words, target, None),
    }
}

/// The backend's configuration.
fn configuration<'m>(module: &'m Module, op: OpId, name: Option<&str>) -> Option<&'m Attribute> {
    ["mhlo.backend_config", "backend_config"].iter().find_map(|key| {
        let found = module.attribute(op, key)?;
        name.map_or(Some(found), |name| module.field(found, name))
    })
}

/// Whether the backend's configuration is the bytes of a struct.
pub(super) fn has_struct(module: &Module, op: OpId) -> bool {
    configuration(module, op, None).is_some_and(|found| found.as_bytes().is_some())
}

impl Spelled {
    /// An option in LAPACK's form: a character, or a number; `None` if absent.
    ///
    /// # Errors
    /// When it has it and it cannot be read.
    pub(super) fn option(&self, cx: &Lower, op: OpId, name: &'static str) -> Result<Option<i64>, LowerError> {
        let unreadable = |why: &str| LowerError::attribute(name, why);
        if self.convention == Convention::Letters {
            let Some(found) = configuration(cx.module, op, Some(name)) else { return Ok(None) };
            return found.as_integer().map(Some).ok_or_else(|| unreadable("expected an integer"));
        }
        let Some(choice) = self.options.iter().find(|choice| choice.name == name) else { return Ok(None) };
        let found = configuration(cx.module, op, None);
        let value = match self.convention {
            Convention::Letters | Convention::Flags => {
                let Some(found) = configuration(cx.module, op, Some(choice.field)) else {
                    return Err(LowerError::missing(choice.field));
                };
                found.as_integer()
            }
            Convention::Scalars => {
                let operand = cx.operand(op, choice.place)?;
                cx.known_integers(operand).and_then(|values| values.first().copied())
            }
            Convention::Descriptor => found.and_then(Attribute::as_bytes).and_then(|bytes| {
                let int = bytes.get(choice.place * 4..choice.place * 4 + 4)?;
                Some(i64::from(i32::from_le_bytes(int.try_into().ok()?)))
            }),
            Convention::Words => found
                .and_then(Attribute::as_str)
                .and_then(|text| text.split(',').nth(choice.place).and_then(|word| word.trim().parse().ok())),
        };
        value
            .and_then(choice.reading)
            .map(Some)
            .ok_or_else(|| unreadable("its value in this call is unknown"))
    }
}
