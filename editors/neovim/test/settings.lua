-- Tests the settings in a real Neovim:
--
--     nvim --clean --headless -l editors/neovim/test/settings.lua
--
-- The program hlo2onnx is on PATH.

-- Messages would mix with the results.
local notify = vim.notify
vim.notify = function(message, level)
  if level == vim.log.levels.ERROR then
    notify(message, level)
  end
end

local here = vim.fs.dirname(vim.fs.dirname(vim.fs.abspath(arg[0])))
vim.opt.runtimepath:prepend(here)
vim.cmd("filetype plugin on | syntax on | runtime plugin/hlo2onnx.lua")
vim.lsp.enable("hlo2onnx")

local BROKEN = [[
module @broken {
  func.func public @main(%arg0: tensor<?x?xf32>) -> tensor<?x?xf32> {
    %0 = stablehlo.cholesky %arg0, lower = true : tensor<?x?xf32> loc(#loc1)
    return %0 : tensor<?x?xf32>
  }
}
#loc1 = loc("program.py":9:11 to :33)
]]
local MODEL = [[
module @model {
  func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.tanh %arg0 : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
]]

local folder = vim.fn.tempname()
vim.fn.mkdir(folder, "p")
vim.fn.mkdir(folder .. "/.git", "p")
local function write(name, text)
  vim.fn.writefile(vim.split(text, "\n"), folder .. "/" .. name)
end
write("broken.mlir", BROKEN)
write("model.mlir", MODEL)
write("program.py", ("\n"):rep(8) .. "    return jnp.linalg.cholesky(x)\n")

local function eventually(what, probe)
  local found
  vim.wait(10000, function()
    found = probe()
    return found ~= nil and found ~= false
  end, 20)
  return assert(found, "there is no " .. what)
end

local function edit(name)
  vim.cmd.edit(folder .. "/" .. name)
  return vim.api.nvim_get_current_buf()
end

local function ask(method, line, column, more)
  local client = vim.lsp.get_clients({ name = "hlo2onnx" })[1]
  local position = { line = line, character = column }
  local uri = { uri = vim.uri_from_bufnr(0) }
  local parameters = vim.tbl_extend("error", { textDocument = uri, position = position }, more or {})
  local answer = assert(client:request_sync(method, parameters, 10000, 0))
  assert(not answer.err, vim.inspect(answer.err))
  return answer.result
end

local tests = {
  {
    "the file is MLIR, and the server starts",
    function()
      local buffer = edit("model.mlir")
      assert(vim.bo[buffer].filetype == "mlir")
      assert(vim.bo[buffer].commentstring == "// %s")
      local client = eventually("client", function()
        return vim.lsp.get_clients({ bufnr = buffer, name = "hlo2onnx" })[1]
      end)
      eventually("server", function()
        return client.initialized
      end)
      assert(client.root_dir == folder, client.root_dir)
    end,
  },
  {
    "the syntax has colors",
    function()
      edit("model.mlir")
      local function group(line, column)
        return vim.fn.synIDattr(vim.fn.synID(line, column, 1), "name")
      end
      local found = { group(1, 1), group(1, 8), group(2, 27), group(2, 34), group(3, 5), group(3, 10), group(3, 35) }
      local expected =
        { "mlirKeyword", "mlirSymbol", "mlirValue", "mlirType", "mlirValue", "mlirOp", "mlirType" }
      assert(vim.deep_equal(found, expected), vim.inspect(found))
    end,
  },
  {
    "a fault is shown, also in the Python file",
    function()
      local buffer = edit("broken.mlir")
      local fault = eventually("diagnostic", function()
        return vim.diagnostic.get(buffer, { severity = vim.diagnostic.severity.ERROR })[1]
      end)
      assert(fault.code == "E0204" and fault.lnum == 2, vim.inspect(fault))
      local python = edit("program.py")
      local there = eventually("diagnostic in Python", function()
        return vim.diagnostic.get(python)[1]
      end)
      assert(there.lnum == 8 and there.col == 11, vim.inspect(there))
    end,
  },
  {
    "hover, completion, rename and hints work",
    function()
      edit("model.mlir")
      local hover = ask("textDocument/hover", 2, 12)
      assert(vim.inspect(hover):find("Tanh"), vim.inspect(hover))
      local items = ask("textDocument/completion", 2, 29).items
      assert(items[1].label == "%arg0", vim.inspect(items))
      local changes = ask("textDocument/rename", 2, 6, { newName = "y" })
      assert(#vim.tbl_values(changes.changes)[1] == 2, vim.inspect(changes))
      local all = { start = { line = 0, character = 0 }, ["end"] = { line = 6, character = 0 } }
      local hints = ask("textDocument/inlayHint", 0, 0, { range = all })
      assert(vim.inspect(hints):find("→ Tanh"), vim.inspect(hints))
    end,
  },
  {
    "the commands check and convert",
    function()
      edit("model.mlir")
      vim.cmd("Hlo2onnx convert")
      eventually("model", function()
        return vim.uv.fs_stat(folder .. "/model.onnx")
      end)
      vim.cmd("Hlo2onnx check")
      local shown = eventually("window", function()
        local buffer = vim.fn.bufnr("hlo2onnx://check/model.mlir")
        return buffer > 0 and table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n")
      end)
      assert(shown:find("exact"), shown)
    end,
  },
}

local failed = 0
for _, test in ipairs(tests) do
  local passed, why = pcall(test[2])
  io.write((passed and "ok: " or "FAILED: ") .. test[1] .. (passed and "" or "\n" .. tostring(why)) .. "\n")
  failed = failed + (passed and 0 or 1)
end
local version = vim.version()
local release = ("%d.%d.%d"):format(version.major, version.minor, version.patch)
io.write(("In Neovim %s:\n%d passed, %d failed\n"):format(release, #tests - failed, failed))
vim.fn.delete(folder, "rf")
os.exit(failed == 0 and 0 or 1)
