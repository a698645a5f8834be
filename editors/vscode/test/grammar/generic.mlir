// SYNTAX TEST "source.mlir" "the generic form, blocks, and types of dialects"
"builtin.module"() ({
// <- punctuation.definition.operation.begin.mlir
// ^^^^^ entity.name.namespace.dialect.mlir
//       ^^^^^^ keyword.other.operation.mlir
  "func.func"() <{function_type = (tensor<*xf32>) -> !stablehlo.token, sym_name = "main"}> ({
//                ^^^^^^^^^^^^^ variable.other.property.mlir
//                                        ^ constant.language.dimension.mlir
//                                                ^^ keyword.operator.arrow.mlir
//                                                   ^^^^^^^^^^^^^^^^ entity.name.type.mlir
//                                                                                 ^^^^ string.quoted.double.mlir
  ^bb0(%arg0: tensor<?x4xf32, #stablehlo.bounds<4, ?>>):
//^^^^ entity.name.label.block.mlir
//                            ^^^^^^^^^^^^^^^^^ entity.name.function.macro.attribute.mlir
//                                              ^ constant.numeric.mlir
//                                                   ^ punctuation.section.angles.end.mlir
//                                                    ^ punctuation.section.mlir - meta.type.shaped.mlir
    %0 = "stablehlo.custom_call"(%arg0) {call_target_name = "a\22\n\q", api_version = 4 : i32} : (tensor<4x!quant.uniform<i8:f32, 0.5:-3>>) -> tensor<f8E4M3FN>
//                                                             ^^^^ constant.character.escape.mlir
//                                                                 ^^ invalid.illegal.escape.mlir
//                                                                                                         ^^^^^^^^^^^^^^ entity.name.type.mlir
//                                                                                                                        ^^ support.type.element.mlir
//                                                                                                                                                    ^^^^^^^^ support.type.element.mlir
    %1 = "chlo.top_k"(%0) {k = array<i64: 1, 2>} : (tensor<1xi32>) -> tuple<tensor<1xi32>, index> // the end
//                             ^^^^^ support.function.elements.mlir
//                                   ^^^ support.type.element.mlir
//                                                                    ^^^^^ support.type.mlir
//                                                                                         ^^^^^ support.type.element.mlir
//                                                                                                ^^^^^^^^^^ comment.line.double-slash.mlir
    "func.call"(%0) {callee = @"a function", precision = [#stablehlo<precision DEFAULT>]} : (i1) -> ()
//                            ^^^^^^^^^^^^^ entity.name.function.symbol.mlir
//                                                                   ^^^^^^^^^ keyword.other.mlir
//                                                                             ^^^^^^^ constant.other.enumeration.mlir
  }) : () -> ()
// -----
// <--------- comment.line.double-slash.mlir
