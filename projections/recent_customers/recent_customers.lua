-- recent_customers.lua: the newest customers who had an order above 100000 shipped.
local function gone(doc, e) doc.open[e.id] = nil end

return {
  name = "recent_customers", version = 1, topics = { "customers", "orders" },

  key = { customer = own, order = link { OrderCreated = "customerId" } },

  initial = { biggest_shipped = 0, valuable = false, open = {} },

  indexes = {
    recent   = { sort = "created" },                     -- every customer, by age
    valuable = { sort = "created", where = "valuable" }, -- only those with valuable = true
    biggest  = { sort = "biggest_shipped" },
  },

  on = {
    CustomerCreated = function(doc, e) doc.name, doc.created = e.data.name, date(e.time) end,
    OrderCreated    = function(doc, e) doc.open[e.id] = e.data.orderTotal.amount end,
    OrderShipped    = function(doc, e)
      doc.biggest_shipped = math.max(doc.biggest_shipped, tonumber(doc.open[e.id]))
      doc.valuable        = doc.biggest_shipped > 100000
      doc.open[e.id]      = nil
    end,
    OrderRejected = gone, OrderCancelled = gone,
  },
}
