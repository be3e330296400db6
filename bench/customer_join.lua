-- The customers' join: orders go to their customer's document, found by the link that OrderCreated made.
return {
  name = "customer_join", topics = { "customers", "orders" },
  key = { customer = own, order = link { OrderCreated = "customerId" } },
  initial = { orders = 0, steps = 0 },
  on = {
    CustomerCreated = function(doc, e) doc.name, doc.creditLimit = e.data.name, e.data.creditLimit end,
    OrderCreated = function(doc, e) doc.orders = doc.orders + 1 end,
    OrderNoted = function(doc, e) doc.steps = doc.steps + 1 end,
  },
}
