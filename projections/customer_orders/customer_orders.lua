-- customer_orders.lua: a customer with all orders. findOrdersForCustomer() is one read.
local function becomes(state)
  return function(doc, e)
    local order = doc.orders[e.id]                      -- none: its customer was deleted, and it with him
    if order then order.state = state end
  end
end

return {
  name = "customer_orders", version = 1, topics = { "customers", "orders" },

  key = {
    customer = own,                                     -- customer/7 is the document "7"
    order    = link { OrderCreated    = "customerId",   -- OrderCreated says whose order it is; its later
                      OrderReassigned = "customerId" }, -- events carry no customer, and follow
  },

  initial = { orders = {} },                            -- an order may come before its customer

  on = {
    CustomerCreated = function(doc, e)
      doc.name, doc.creditLimit = e.data.name, e.data.creditLimit
    end,
    CustomerDeleted = function() return delete end,

    OrderCreated = function(doc, e)
      doc.orders[e.id] = { orderId = e.id, orderTotal = e.data.orderTotal, state = "PENDING" }
    end,
    OrderApproved  = becomes "APPROVED",
    OrderRejected  = becomes "REJECTED",
    OrderShipped   = becomes "SHIPPED",
    OrderCancelled = becomes "CANCELLED",

    OrderReassigned = function(doc, e, from)            -- the link changed: from is the document it left
      if not from then return end                       -- reassigned to whose it was: it has left nothing
      doc.orders[e.id]  = from.orders[e.id]
      from.orders[e.id] = nil
    end,
  },
}
