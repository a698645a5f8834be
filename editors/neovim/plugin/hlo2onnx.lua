-- :Hlo2onnx convert [MODEL.onnx] and :Hlo2onnx check, for the text of the window. They save it first.

local function program()
  local config = vim.lsp.config and vim.lsp.config.hlo2onnx
  local cmd = config and config.cmd
  -- `cmd` ends with `lsp` and its options, which the commands take too.
  if type(cmd) ~= "table" then
    return { "hlo2onnx" }, {}
  end
  local words, options, is_option = {}, {}, false
  for _, word in ipairs(cmd) do
    if word == "lsp" and not is_option then
      is_option = true
    else
      table.insert(is_option and options or words, word)
    end
  end
  return words, options
end

local function show(title, text)
  vim.cmd("botright new")
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].bufhidden = "wipe"
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(vim.trim(text), "\n"))
  vim.bo[buffer].modifiable = false
  pcall(vim.api.nvim_buf_set_name, buffer, title)
  vim.cmd("wincmd p")
end

local function run(words, done)
  local command, options = program()
  vim.list_extend(command, words)
  vim.list_extend(command, { "--color", "never" })
  vim.list_extend(command, options)
  local started, why = pcall(
    vim.system,
    command,
    { text = true },
    vim.schedule_wrap(function(result)
      done(result.code, (result.stdout or "") .. (result.stderr or ""))
    end)
  )
  if not started then
    vim.notify("hlo2onnx: " .. tostring(why), vim.log.levels.ERROR)
  end
end

local commands = {}

function commands.check(file)
  run({ "check", file }, function(_, output)
    show("hlo2onnx://check/" .. vim.fs.basename(file), output)
  end)
end

function commands.convert(file, model)
  model = model or file:gsub("%.mlir$", "") .. ".onnx"
  run({ "convert", file, "-o", model }, function(status, output)
    if status == 0 then
      vim.notify("hlo2onnx: " .. model)
    else
      show("hlo2onnx://convert/" .. vim.fs.basename(file), output)
    end
  end)
end

vim.api.nvim_create_user_command("Hlo2onnx", function(arguments)
  local name, model = unpack(arguments.fargs)
  local command = commands[name]
  if command == nil then
    vim.notify("hlo2onnx: the commands are check and convert", vim.log.levels.ERROR)
    return
  end
  vim.cmd("silent update")
  command(vim.api.nvim_buf_get_name(0), model and vim.fn.fnamemodify(vim.fn.expand(model), ":p"))
end, {
  nargs = "+",
  desc = "Checks or converts the StableHLO text of the window",
  complete = function(typed, line)
    if line:match("^%s*Hlo2onnx%s+%S*$") then
      return vim.tbl_filter(function(name)
        return vim.startswith(name, typed)
      end, { "check", "convert" })
    end
    return vim.fn.getcompletion(typed, "file")
  end,
})
