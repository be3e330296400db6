-- orders_per_day.lua: a counter over many aggregates: one document a day, whatever the number of orders.
return {
  name = "orders_per_day", version = 1, topics = { "orders" },
  versions = "record",                                   -- the default for this route: a day cannot name all its orders
  key = { order = function(e) return e.time:sub(1, 10) end },   -- "2026-03-01"
  initial = { created = 0, shipped = 0 },
  ttl = "400d",
  on = {
    OrderCreated = function(doc) doc.created = doc.created + 1 end,
    OrderShipped = function(doc) doc.shipped = doc.shipped + 1 end,
  },
}
