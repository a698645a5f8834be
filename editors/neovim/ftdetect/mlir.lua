vim.filetype.add({ extension = { mlir = "mlir" } })
