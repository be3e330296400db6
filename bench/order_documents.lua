-- Each order is a document of its own: nothing folds, every event is a write.
return {
  name = "order_documents", topics = { "orders" },
  key = { order = own },
  on = {
    OrderCreated = function(doc, e)
      doc.customer, doc.total, doc.step = e.data.customerId, e.data.orderTotal.amount, 1
    end,
    OrderNoted = function(doc, e)
      doc.step, doc.place, doc.note, doc.at = e.data.step, e.data.place, e.data.note, e.time
    end,
  },
}
