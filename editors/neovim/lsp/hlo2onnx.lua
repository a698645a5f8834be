-- The language server of hlo2onnx, for vim.lsp.enable("hlo2onnx") in Neovim 0.11 or later.

---@type vim.lsp.Config
return {
  -- Options that affect the model follow, such as "--target", "onnxruntime:1.20".
  cmd = { "hlo2onnx", "lsp" },
  filetypes = { "mlir" },
  root_markers = { "pyproject.toml", ".git" },
}
