// SYNTAX TEST "source.mlir" "what JAX prints"
#loc1 = loc("inputs['x']")
// <----- entity.name.function.macro.attribute.mlir
//    ^ keyword.operator.assignment.mlir
//      ^^^ keyword.other.location.mlir
//          ^^^^^^^^^^^^^ string.quoted.double.mlir - keyword.other.operation.mlir
#loc7 = loc("jit(apply)/Model/Dense_0/add"(#loc6))
//          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ string.quoted.double.mlir - keyword.other.operation.mlir
//                                         ^^^^^ meta.location.mlir entity.name.function.macro.attribute.mlir
//                                              ^^ punctuation.section.parens.end.mlir
#loc8 = loc("model.py":42:8 to :20)
//                     ^^ constant.numeric.mlir
//                          ^^ keyword.other.location.mlir
#loc9 = loc(callsite(#loc7 at #loc8))
//          ^^^^^^^^ keyword.other.location.mlir
//                         ^^ keyword.other.location.mlir
module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, jax.uses_shape_polymorphism = true} {
// <------ storage.type.function.mlir
//     ^^^^^^^^^^^^ entity.name.function.symbol.mlir
//                  ^^^^^^^^^^ storage.modifier.mlir
//                              ^^^^^^^^^^^^^^^^^^^ variable.other.property.mlir
//                                                    ^ constant.numeric.mlir
//                                                        ^^^ support.type.element.mlir
//                                                                                           ^^^^ constant.language.mlir
  func.func public @main(%arg0: tensor<4x?xf32> {mhlo.sharding = "{replicated}", jax.buffer_donor} loc("x")) -> (tensor<i1> {jax.result_info = "result"}) {
//^^^^^^^^^ storage.type.function.mlir
//          ^^^^^^ storage.modifier.mlir
//                 ^^^^^ entity.name.function.symbol.mlir
//                       ^^^^^ variable.other.value.mlir
//                              ^^^^^^ support.type.mlir
//                                     ^ constant.numeric.dimension.mlir
//                                      ^ punctuation.separator.dimension.mlir
//                                       ^ constant.language.dimension.mlir
//                                         ^^^ support.type.element.mlir
//                                               ^^^^^^^^^^^^^ variable.other.property.mlir
//                                                                               ^^^^^^^^^^^^^^^^ variable.other.property.mlir
//                                                                                                           ^^ keyword.operator.arrow.mlir
//                                                                                                                      ^^ support.type.element.mlir
    %cst = stablehlo.constant dense<"0x457E043ED93D64BD"> : tensor<2xbf16> loc(#loc)
//  ^^^^ variable.other.value.mlir
//         ^^^^^^^^^ entity.name.namespace.dialect.mlir
//                   ^^^^^^^^ keyword.other.operation.mlir
//                            ^^^^^ support.function.elements.mlir
//                                  ^^^^^^^^^^^^^^^^^^^^ string.quoted.double.hexadecimal.mlir
//                                                                   ^^^^ support.type.element.mlir
    %cst_0 = stablehlo.constant dense<[-6.933750e-02, 0x7FC00000, 1]> : tensor<3xf32>
//                                     ^^^^^^^^^^^^^ constant.numeric.mlir
//                                                    ^^^^^^^^^^ constant.numeric.hex.mlir
    %1:2 = stablehlo.while(%iterArg = %cst, %iterArg_1 = %c) : tensor<f32>, tensor<i32>
//  ^^ variable.other.value.mlir
//                   ^^^^^ keyword.other.operation.mlir
//                         ^^^^^^^^ variable.other.value.mlir
    cond {
//  ^^^^ keyword.other.mlir
      %2 = stablehlo.compare  LT, %1#0, %c,  FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
//                            ^^ constant.other.enumeration.mlir
//                                ^^^^ variable.other.value.mlir
      stablehlo.return %2 : tensor<i1>
//    ^^^^^^^^^^^^^^^^ keyword.control.return.mlir
    } do {
    %3 = stablehlo.convolution(%0, %cst) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 2]} {batch_group_count = 1 : i64} : (tensor<1x2xf32>) -> tensor<1xcomplex<f64>>
//                                       ^^^^^^^^^^^ variable.other.property.mlir
//                                                      ^ keyword.other.mlir
//                                                                                              ^^^^^^ variable.other.property.mlir
//                                                                                                                          ^^^^^^^^^^^^^^^^^ variable.other.property.mlir
//                                                                                                                                                                                       ^^^^^^^ support.type.mlir
//                                                                                                                                                                                               ^^^ support.type.element.mlir
    %4 = call @relu(%3) : (tensor<2x10xi1>) -> tensor<2x10xui8>
//       ^^^^ keyword.other.mlir
//            ^^^^^ entity.name.function.symbol.mlir
    return %4 : tensor<2x10xui8> loc(#loc1)
//  ^^^^^^ keyword.control.return.mlir
