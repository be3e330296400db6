local shown = require "shown"

return {
  name = "accounts", version = 1, topics = { "accounts" },
  key = { account = function(e) return shown(e.data) end },
  initial = {}, on = { ["com.example.someevent"] = function() end },
}
