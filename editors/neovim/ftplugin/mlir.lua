vim.bo.commentstring = "// %s"
vim.bo.shiftwidth = 2
vim.bo.expandtab = true
-- Names begin with a mark, and names of ops have dots.
vim.opt_local.iskeyword:append({ "%", "@-@", "#", "!", ".", "$" })

vim.b.undo_ftplugin = "setlocal commentstring< shiftwidth< expandtab< iskeyword<"
