"""A generator of valid StableHLO programs, and the comparison of their models with XLA.

`python/tests/generated.py` is its command line. The modules, in the order of their imports:

- `program`: programs as data, printed in MLIR's generic form.
- `builder`: random choices, and the scope in which ops find operands.
- `elementwise`, `movement`, `indexing`, `contraction`, `reduction`, `control`, `patterns`: the families of ops. Each function
  with the decorator `family` adds one or more ops that MLIR's verifier accepts.
- `generate`: a program of a seed.
- `check`: the variants of a conversion, each run in ONNX Runtime and compared with XLA.
- `minimize`: a smaller program that still differs.
- `workers`: processes that check many programs, and survive a crash of one.
"""
