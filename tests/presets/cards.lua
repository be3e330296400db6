local shown = require "shown"

return {
  name = "cards", version = 1, topics = { "cards" },
  key = { ["net.chrisrichardson.ftgo.orderservice.domain.Order"] = function(e) return shown(e.data) end },
  initial = {}, on = { ["net.chrisrichardson.ftgo.orderservice.api.events.OrderCreated"] = function() end },
}
