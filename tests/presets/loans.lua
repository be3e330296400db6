local shown = require "shown"

return {
  name = "loans", version = 1, topics = { "loans" },
  key = { loan = function(e) return shown(e.data) end },
  initial = {}, on = { OrderCreated = function() end },
}
