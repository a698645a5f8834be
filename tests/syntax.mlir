module @m attributes {mhlo.num_partitions = 1 : i32} {
  sdy.mesh @mesh = <["x"=2, "y"=4]>
  func.func private @decl(tensor<4xf32>) -> tensor<4xf32>
  func.func public @main(%arg0: tensor<4x3xf32> {mhlo.sharding = "{replicated}", sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {?}]>} loc("x"), %arg1: tensor<f32>, %arg2: tensor<4xi32>, %t: !stablehlo.token) -> (tensor<4xf32> {jax.result_info = ""}) attributes {foo = [1, 2.5, "a", @b::@c, unit, tensor<2xf32>, affine_map<(d0) -> (d0 >= 1)>, -3 : i8, 0x7F800000 : f32, true]} {
    %c = stablehlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi4>
    %c0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %c1 = stablehlo.constant dense<(1.0, -2.5e-3)> : tensor<2xcomplex<f32>>
    %c2 = stablehlo.constant dense<[(1.0, 2.0), (3.0, 4.0)]> : tensor<2xcomplex<f64>>
    %c3 = stablehlo.constant dense<> : tensor<0x4xf32>
    %c4 = stablehlo.constant dense<[true, false]> : tensor<2xi1>
    %c5 = stablehlo.constant dense<"0x0102"> : tensor<2xi8>
    %c6 = stablehlo.constant dense<1.5> : tensor<f8E4M3FN>
    %c7 = stablehlo.constant dense<-0.000000e+00> : tensor<bf16>
    %c8 = stablehlo.constant dense<[]> : tensor<0xi32>
    %0 = stablehlo.reduce(%arg0 init: %arg1) across dimensions = [1] : (tensor<4x3xf32>, tensor<f32>) -> tensor<4xf32>
     reducer(%a: tensor<f32>, %b: tensor<f32>)  {
      %9 = stablehlo.add %a, %b : tensor<f32> loc("k")
      stablehlo.return %9 : tensor<f32>
    } loc("red")
    %1:2 = stablehlo.while(%i = %arg2, %j = %arg1) : tensor<4xi32>, tensor<f32> attributes {mhlo.frontend_attributes = {a = "b"}}
    cond {
      %p = stablehlo.constant dense<true> : tensor<i1>
      stablehlo.return %p : tensor<i1>
    } do {
      stablehlo.return %i, %j : tensor<4xi32>, tensor<f32>
    }
    %q = stablehlo.tuple %arg0, %arg1 : tuple<tensor<4x3xf32>, tensor<f32>>
    %r = stablehlo.get_tuple_element %q[1] : (tuple<tensor<4x3xf32>, tensor<f32>>) -> tensor<f32>
    %s = stablehlo.create_token : !stablehlo.token
    %u = stablehlo.after_all %s, %t : !stablehlo.token
    %v = stablehlo.rng %arg1, %arg1, %arg2, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<4xi32>) -> tensor<?x?x?x?xf32>
    %w = sdy.sharding_constraint %arg0 <@mesh, [{"x"}, {?}]> : tensor<4x3xf32>
    %x = sdy.manual_computation(%arg0) in_shardings=[<@mesh, [{"x"}, {}]>] out_shardings=[<@mesh, [{"x"}, {}]>] manual_axes={"x"} (%arg9: tensor<2x3xf32>) {
      sdy.return %arg9 : tensor<2x3xf32>
    } : (tensor<4x3xf32>) -> tensor<4x3xf32>
    %y = stablehlo.exponential %arg0 {result_accuracy = #stablehlo.result_accuracy<ulps = 2, mode = #stablehlo.result_accuracy_mode<HIGHEST>>} : tensor<4x3xf32>
    %z = chlo.broadcast_add %arg0, %arg1 {broadcast_dimensions = array<i64>} : (tensor<4x3xf32>, tensor<f32>) -> tensor<4x3xf32>
    %aa = stablehlo.custom_call @"weird name"(%arg0) {backend_config = "a\22b\0A", mhlo.x = {a, "b c" = 1}, operand_layouts = [dense<[1, 0]> : tensor<2xindex>]} : (tensor<4x3xf32>) -> tensor<4x3xf32> loc(callsite("f"("a.py":1:2 to :5) at fused<"m">["b.py":3:4 to 5:6, unknown, #loc2]))
    %bb = stablehlo.optimization_barrier %arg0 : tensor<4x3xf32>
    stablehlo.custom_call @f() : () -> ()
    return %0 : tensor<4xf32> loc(#loc)
  } loc(#loc1)
} loc(#loc)
#loc = loc(unknown)
#loc1 = loc("a.py":1:2)
#loc2 = loc("q"(#loc1))
